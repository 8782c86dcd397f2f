/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: asks the controller, and goes by what it answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "cli/common/say.h"
#include "cli/common/states.h"
#include "cli/run/run.h"
#include "cli/run/terminal.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SAY_WAITING_NS OM_NS_PER_S
#define GRACE_NS (2 * OM_NS_PER_S)

void run_stop(struct run *r, int exit_code)
{
	r->exit_code = exit_code;
	r->state = RUN_OVER;
	om_loop_stop(r->loop);
}

static void stop_failed(struct run *r, const struct om_error *err, int code)
{
	say_fail(err);
	run_stop(r, code);
}

/* ---- the end */

/* The highest; but where one failure ended the others, it is the cause. */
static int final_code(const struct run *r)
{
	bool ended = r->options->daemons || r->options->kill_on_bad_exit;

	return ended && r->first_bad ? r->first_bad : r->worst;
}

void run_check_over(struct run *r)
{
	if (r->state == RUN_OVER)
		return;
	if (!r->step_over && !r->job_over)
		return;
	if (hub_connected(r->hub)) {
		/* What is under way still comes, but not for ever. */
		om_timer_start(r->grace_timer, GRACE_NS, 0);
		return;
	}
	if (!r->step_over) {
		om_timer_start(r->grace_timer, GRACE_NS, 0);
		return;
	}
	run_stop(r, final_code(r));
}

static void on_grace(void *arg)
{
	struct run *r = arg;

	run_stop(r, r->step_over || r->worst ? final_code(r) : CLI_FAILED);
}

static void note_code(struct run *r, int code)
{
	if (code && !r->first_bad)
		r->first_bad = code;
	if (code > r->worst)
		r->worst = code;
}

/* Why something ended, where its exit code does not tell. */
static void tell_end(const struct run *r, const char *what, Om__JobState state,
		     const char *text)
{
	bool plain = state == OM__JOB_STATE__COMPLETED ||
		     state == OM__JOB_STATE__FAILED;

	if (text && *text)
		say_error("%s %llu: %s", what, (unsigned long long)r->job_id,
			  text);
	else if (!plain)
		say_error("%s %llu was ended: %s", what,
			  (unsigned long long)r->job_id, state_name(state));
}

/* ---- asking for the step */

static void ask_step(struct run *r)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	r->step.job_id = r->job_id;
	r->state = RUN_ASKED;
	om_timer_stop(r->waiting_timer);
	rc = attach_request(r->attach, OM_MSG_STEP_CREATE, &r->step, &err);
	if (rc < 0)
		stop_failed(r, &err, om_client_exit_code(rc));
}

static void on_submitted(struct run *r, const Om__Submitted *m)
{
	if (r->job_id)
		return;		/* once more, after a reconnection */
	r->job_id = m->job_id;
	submit_say_notes(m);
	om_timer_start(r->waiting_timer, SAY_WAITING_NS, 0);
}

static void on_waiting(void *arg)
{
	struct run *r = arg;

	if (!r->options->quiet && r->state == RUN_WAITING)
		attach_say_waiting(r->attach, r->job_id);
}

static void on_job_event(struct run *r, const Om__JobEvent *m)
{
	const char *text = m->job ? m->job->reason_text : NULL;

	if (m->job_id != r->job_id || r->job_over)
		return;
	if (m->state == OM__JOB_STATE__RUNNING && r->state == RUN_WAITING) {
		ask_step(r);
	} else if (state_is_over(m->state)) {
		r->job_over = true;
		if (!r->step_over) {
			tell_end(r, "job", m->state, text);
			note_code(r, submit_exit_code(m->state,
				m->job ? m->job->exit_code : 0,
				m->job ? m->job->exit_signal : 0));
		}
		if (r->state == RUN_RUNNING)
			run_check_over(r);
		else
			run_stop(r, r->worst);
	}
}

static void on_step_event(struct run *r, const Om__StepEvent *m)
{
	if (m->job_id != r->job_id || r->step_over ||
	    !state_is_over(m->state))
		return;
	r->step_over = true;
	r->step_state = m->state;
	tell_end(r, r->own_job ? "job" : "step of job", m->state, m->text);
	note_code(r, submit_exit_code(m->state, m->exit_code, m->exit_signal));
	run_check_over(r);
}

static void on_message(void *arg, enum om_msg type,
		       const ProtobufCMessage *body)
{
	struct run *r = arg;
	struct om_error err = OM_ERROR_INIT;

	if (r->state == RUN_OVER)
		return;
	switch (type) {
	case OM_MSG_SUBMITTED:
		on_submitted(r, (const Om__Submitted *)body);
		break;
	case OM_MSG_JOB_EVENT:
		on_job_event(r, (const Om__JobEvent *)body);
		break;
	case OM_MSG_STEP_CREATED:
		if (r->state == RUN_ASKED &&
		    run_step_created(r, (const Om__StepCreated *)body, &err) < 0)
			stop_failed(r, &err, CLI_FAILED);
		break;
	case OM_MSG_STEP_EVENT:
		on_step_event(r, (const Om__StepEvent *)body);
		break;
	default:
		break;
	}
}

static void on_failed(void *arg, int rc, const struct om_error *err)
{
	stop_failed(arg, err, om_client_exit_code(rc));
}

static const struct attach_handler attach_handler = {
	.message = on_message,
	.failed = on_failed,
};

/* ---- setting up */

static void fill_launch(struct run *r)
{
	const struct run_options *o = r->options;
	Om__Launch *m = &r->launch.msg;

	m->argv = o->command;
	m->n_argv = (size_t)o->words;
	m->has_pty = m->pty = o->pty;
	m->has_daemons = m->daemons = o->daemons;
	m->io_host = (char *)hub_host(r->hub);
	m->has_io_port = m->has_io_key = true;
	m->io_port = hub_port(r->hub);
	m->io_key.data = (uint8_t *)hub_key(r->hub);
	m->io_key.len = HUB_KEY;
	/* Files are written here, where all output comes together. */
	m->std_out = m->std_err = NULL;
	m->std_in = run_input_name(r);
	if (!o->pty)
		return;
	m->has_pty_rows = m->has_pty_cols = true;
	terminal_size(&m->pty_rows, &m->pty_cols);
	m->pty_term = getenv("TERM");
}

static int fill_step(struct run *r, struct om_error *err)
{
	const Om__JobSpec *s = &r->options->job.spec;
	Om__StepCreate *m = &r->step;
	int rc;

	om__step_create__init(m);
	uuid_generate_random(r->step_uuid);
	rc = launch_pack(&r->launch, &m->launch, err);
	if (rc < 0)
		return rc;
	m->uuid.data = r->step_uuid;
	m->uuid.len = sizeof(r->step_uuid);
	m->name = s->name;
	m->has_tasks = true;
	m->tasks = s->has_tasks ? s->tasks : r->own_job ? 1 : 0;
	m->has_nodes = s->has_nodes_min;
	m->nodes = s->nodes_min;
	m->has_tasks_per_node = s->has_tasks_per_node;
	m->tasks_per_node = s->tasks_per_node;
	m->has_cpus_per_task = s->has_cpus_per_task;
	m->cpus_per_task = s->cpus_per_task;
	m->nodelist = r->own_job ? NULL : s->nodelist;
	m->has_daemons = m->daemons = r->options->daemons;
	m->has_overlap = m->overlap = r->options->overlap;
	return 0;
}

static int make_timers(struct run *r, struct om_error *err)
{
	r->waiting_timer = om_timer_create(r->loop, on_waiting, r, err);
	if (r->waiting_timer)
		r->grace_timer = om_timer_create(r->loop, on_grace, r, err);
	return r->grace_timer ? 0 : err->code;
}

static int set_up(struct run *r, struct om_error *err)
{
	int rc = session_open(&r->session, &r->options->common, err);

	if (rc < 0)
		return rc;
	r->loop = om_loop_create(err);
	if (!r->loop || make_timers(r, err) < 0)
		return err->code;
	r->hub = hub_create(r->loop, r->session.config, &run_hub_handler, r,
			    err);
	if (!r->hub)
		return err->code;
	rc = launch_init(&r->launch, &r->options->job, r->options->inside != 0,
			 err);
	if (rc < 0)
		return rc;
	rc = run_open_input(r, err);
	fill_launch(r);
	if (rc == 0)
		rc = fill_step(r, err);
	if (rc == 0)
		rc = run_watch_signals(r, err);
	if (rc < 0)
		return rc;
	r->attach = attach_create(r->loop, &r->session, &attach_handler, r, err);
	return r->attach ? 0 : err->code;
}

static int begin(struct run *r, struct om_error *err)
{
	int rc;

	if (!r->own_job) {
		r->job_id = r->options->inside;
		r->step.job_id = r->job_id;
		r->state = RUN_ASKED;
		return attach_request(r->attach, OM_MSG_STEP_CREATE, &r->step,
				      err);
	}
	rc = submit_init(&r->submit, (struct jobspec *)&r->options->job,
			 &r->launch, err);
	if (rc < 0)
		return rc;
	r->submit.msg.has_attached = r->submit.msg.attached = true;
	return attach_request(r->attach, OM_MSG_SUBMIT, &r->submit.msg, err);
}

static void clean_up(struct run *r)
{
	input_destroy(r->input);
	output_destroy(r->output);
	terminal_restore();
	/* A job that ran into a limit or was cancelled ends by itself, as what
	 * it is; a code of ours would hide that. */
	if (r->attach && r->own_job && r->job_id && !r->job_over &&
	    (!r->step_over || r->step_state == OM__JOB_STATE__COMPLETED ||
	     r->step_state == OM__JOB_STATE__FAILED))
		attach_finish(r->attach, r->job_id, r->exit_code);
	attach_destroy(r->attach);
	hub_destroy(r->hub);
	om_timer_destroy(r->waiting_timer);
	om_timer_destroy(r->grace_timer);
	om_timer_destroy(r->kill_timer);
	run_step_fini(r);
	submit_fini(&r->submit);
	free(r->step.launch.data);
	launch_fini(&r->launch);
	session_close(&r->session);
	om_loop_destroy(r->loop);
}

int run_main(const struct run_options *o)
{
	struct run r = { .options = o, .own_job = !o->inside, .input_fd = -1 };
	struct om_error err = OM_ERROR_INIT;
	int rc;

	rc = set_up(&r, &err);
	if (rc == 0)
		rc = begin(&r, &err);
	if (rc == 0 && o->pty)
		rc = terminal_raw(&err);
	if (rc == 0)
		rc = om_loop_run(r.loop, &err);
	if (rc < 0) {
		terminal_restore();
		say_fail(&err);
		r.exit_code = om_client_exit_code(rc);
	}
	clean_up(&r);
	return r.exit_code;
}
