/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run_signal: signals passed on to the tasks, or taken as "enough". */
#include <signal.h>

#include "cli/common/say.h"
#include "cli/run/run.h"
#include "cli/run/terminal.h"
#include "lib/base/clock.h"

#define TWICE_NS OM_NS_PER_S	/* two SIGINT within this end the step */

/* By the nodes if all are there, which is fast; else by the controller. */
void run_send_signal(struct run *r, int signo)
{
	Om__StepSignal m = OM__STEP_SIGNAL__INIT;
	struct om_error err = OM_ERROR_INIT;
	Om__Reply *reply = NULL;
	int rc;

	if (r->state != RUN_RUNNING || r->step_over)
		return;
	m.job_id = r->job_id;
	m.step_id = r->output_config.step;
	m.signal = (uint32_t)signo;
	if (hub_connected(r->hub) == r->nodes && signo != SIGKILL) {
		hub_send(r->hub, HUB_ALL, OM_MSG_IO_SIGNAL, &m);
		return;
	}
	rc = attach_ask(r->attach, OM_MSG_STEP_SIGNAL, &m, OM_MSG_REPLY, &reply,
			&err);
	if (rc == 0)
		om__reply__free_unpacked(reply, NULL);
	else if (rc != -ESRCH && rc != -ENOENT)
		say_note("signal %d did not reach the step: %s", signo,
			 om_error_text(&err));
}

static void on_kill_timer(void *arg)
{
	struct run *r = arg;

	run_send_signal(r, SIGKILL);
}

void run_end_step(struct run *r)
{
	if (r->killing)
		return;
	r->killing = true;
	run_send_signal(r, SIGTERM);
	om_timer_start(r->kill_timer, r->session.config->kill_wait_s *
				      OM_NS_PER_S, 0);
}

/* Nothing runs yet: the request is taken back. */
static void give_up(struct run *r, int signo)
{
	if (r->own_job && r->job_id) {
		attach_cancel(r->attach, r->job_id);
		r->job_over = true;
	}
	say_error("interrupted by signal %d before the start", signo);
	run_stop(r, 128 + signo);
}

static void interrupt(struct run *r)
{
	int64_t now = om_mono_ns(om_loop_clock(r->loop));

	if (r->interrupt_ns && now - r->interrupt_ns < TWICE_NS) {
		r->killing = true;
		run_send_signal(r, SIGKILL);
		return;
	}
	r->interrupt_ns = now;
	say_note("interrupt passed on; once more within a second ends the step");
	run_send_signal(r, SIGINT);
}

static void on_signal(void *arg, int signo)
{
	struct run *r = arg;
	bool ends = signo == SIGINT || signo == SIGTERM || signo == SIGHUP ||
		    signo == SIGQUIT;

	if (r->state == RUN_OVER)
		return;
	if (r->state != RUN_RUNNING) {
		if (ends)
			give_up(r, signo);
	} else if (ends && r->options->daemons) {
		if (!r->first_bad)
			r->first_bad = 128 + signo;
		run_end_step(r);
	} else if (signo == SIGINT) {
		interrupt(r);
	} else {
		run_send_signal(r, signo);
	}
}

void run_send_window(struct run *r, uint32_t node)
{
	Om__IoWindow m = OM__IO_WINDOW__INIT;

	terminal_size(&m.rows, &m.cols);
	hub_send(r->hub, node, OM_MSG_IO_WINDOW, &m);
}

static void on_window(void *arg, int signo)
{
	struct run *r = arg;

	(void)signo;
	if (r->state == RUN_RUNNING && r->options->pty)
		run_send_window(r, HUB_ALL);
}

int run_watch_signals(struct run *r, struct om_error *err)
{
	static const int passed[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
				      SIGUSR2 };
	int rc = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	r->kill_timer = om_timer_create(r->loop, on_kill_timer, r, err);
	if (!r->kill_timer)
		return err->code;
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]) && rc == 0;
	     i++)
		rc = om_loop_on_signal(r->loop, passed[i], on_signal, r, err);
	if (rc == 0)
		rc = om_loop_on_signal(r->loop, SIGWINCH, on_window, r, err);
	return rc;
}
