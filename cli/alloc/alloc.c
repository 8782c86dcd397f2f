/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/alloc/alloc.h"
#include "cli/common/attach.h"
#include "cli/common/launch.h"
#include "cli/common/say.h"
#include "cli/common/states.h"
#include "cli/common/submit.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SAY_WAITING_NS OM_NS_PER_S

struct alloc {
	const struct alloc_options *options;
	struct session session;
	struct om_loop *loop;
	struct attach *attach;
	struct launch launch;
	struct submit submit;
	uint64_t job_id;
	bool running, job_over;
	struct om_timer *say_timer, *kill_timer;
	struct alloc_env env;
	struct om_child *child;
	pid_t pid;			/* 0: none */
	int exit_code;
};

static void stop(struct alloc *a, int exit_code)
{
	a->exit_code = exit_code;
	om_loop_stop(a->loop);
}

/* ---- the command */

static const char *find_shell(void)
{
	const char *shell = getenv("SHELL");
	const struct passwd *pw;

	if (shell && *shell)
		return shell;
	pw = getpwuid(getuid());
	return pw && *pw->pw_shell ? pw->pw_shell : "/bin/sh";
}

static void exec_command(const struct alloc *a)
{
	char *shell[] = { (char *)find_shell(), NULL };
	char **argv = a->options->command[0] ? a->options->command : shell;
	const char *dir = a->options->job.chdir;
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dir && chdir(dir) < 0) {
		say_error("cannot change to '%s': %s", dir, strerror(errno));
		_exit(CLI_FAILED);
	}
	execvpe(argv[0], argv, a->env.env);
	say_error("cannot run '%s': %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void on_child(void *arg, pid_t pid, int status,
		     const struct rusage *usage)
{
	struct alloc *a = arg;

	(void)pid;
	(void)usage;
	a->child = NULL;
	a->pid = 0;
	stop(a, WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
		WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED);
}

static int start_command(struct alloc *a, struct om_error *err)
{
	fflush(NULL);
	a->pid = fork();
	if (a->pid < 0)
		return om_fail_errno(err, "cannot fork");
	if (a->pid == 0)
		exec_command(a);
	a->child = om_child_watch(a->loop, a->pid, on_child, a, err);
	return a->child ? 0 : err->code;
}

/* ---- the job */

static void on_running(struct alloc *a, const Om__JobEvent *m)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (a->running)
		return;
	a->running = true;
	om_timer_stop(a->say_timer);
	if (!m->allocation || !m->job) {
		say_error("the controller did not say which nodes");
		stop(a, CLI_FAILED);
		return;
	}
	if (!a->options->quiet)
		say_note("job %llu has %s", (unsigned long long)a->job_id,
			 m->job->nodelist ? m->job->nodelist : "its nodes");
	if (a->options->no_shell) {
		printf("%llu\n", (unsigned long long)a->job_id);
		fflush(stdout);
		return;
	}
	rc = alloc_env_init(&a->env, a->options, a->session.config, m->job,
			    m->allocation, &err);
	if (rc == 0)
		rc = start_command(a, &err);
	if (rc < 0) {
		say_fail(&err);
		stop(a, CLI_FAILED);
	}
}

/* The nodes are gone: the shell is told as if its line had been cut. */
static void on_over(struct alloc *a, const Om__JobEvent *m)
{
	const char *text = m->job ? m->job->reason_text : NULL;

	a->job_over = true;
	say_error("job %llu was ended: %s", (unsigned long long)a->job_id,
		  text && *text ? text : state_name(m->state));
	if (!a->pid) {
		stop(a, CLI_FAILED);
		return;
	}
	kill(a->pid, SIGHUP);
	kill(a->pid, SIGCONT);
	om_timer_start(a->kill_timer, a->session.config->kill_wait_s *
				      OM_NS_PER_S, 0);
}

static void on_kill_timer(void *arg)
{
	struct alloc *a = arg;

	if (a->pid)
		kill(a->pid, SIGKILL);
}

static void on_say_timer(void *arg)
{
	struct alloc *a = arg;

	if (!a->options->quiet && !a->running && !a->job_over)
		attach_say_waiting(a->attach, a->job_id);
}

static void on_job_event(struct alloc *a, const Om__JobEvent *m)
{
	if (m->job_id != a->job_id || a->job_over)
		return;
	if (state_is_over(m->state))
		on_over(a, m);
	else if (m->state == OM__JOB_STATE__RUNNING)
		on_running(a, m);
}

static void on_message(void *arg, enum om_msg type,
		       const ProtobufCMessage *body)
{
	struct alloc *a = arg;

	if (type == OM_MSG_JOB_EVENT) {
		on_job_event(a, (const Om__JobEvent *)body);
	} else if (type == OM_MSG_SUBMITTED && !a->job_id) {
		a->job_id = ((const Om__Submitted *)body)->job_id;
		submit_say_notes((const Om__Submitted *)body);
		om_timer_start(a->say_timer, SAY_WAITING_NS, 0);
	}
}

static void on_failed(void *arg, int rc, const struct om_error *err)
{
	struct alloc *a = arg;

	say_fail(err);
	a->job_over = true;	/* as far as we can do anything about it */
	if (a->pid)
		kill(a->pid, SIGHUP);
	else
		stop(a, om_client_exit_code(rc));
}

static const struct attach_handler attach_handler = {
	.message = on_message,
	.failed = on_failed,
};

/* ---- signals: the terminal's go to the command by themselves */

static void on_signal(void *arg, int signo)
{
	struct alloc *a = arg;

	if (a->pid) {
		if (signo == SIGTERM || signo == SIGHUP)
			kill(a->pid, signo);
		return;
	}
	if (a->job_id && !a->running) {
		attach_cancel(a->attach, a->job_id);
		a->job_over = true;
	}
	if (!a->running)
		say_error("interrupted by signal %d while waiting", signo);
	stop(a, a->running ? CLI_OK : 128 + signo);
}

static int watch_signals(struct alloc *a, struct om_error *err)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	int rc = 0;

	for (size_t i = 0; i < 4 && rc == 0; i++)
		rc = om_loop_on_signal(a->loop, signals[i], on_signal, a, err);
	return rc;
}

/* ---- */

static int set_up(struct alloc *a, struct om_error *err)
{
	int rc = session_open(&a->session, &a->options->common, err);

	if (rc < 0)
		return rc;
	a->loop = om_loop_create(err);
	if (!a->loop)
		return err->code;
	a->say_timer = om_timer_create(a->loop, on_say_timer, a, err);
	a->kill_timer = om_timer_create(a->loop, on_kill_timer, a, err);
	if (!a->say_timer || !a->kill_timer)
		return err->code;
	rc = watch_signals(a, err);
	if (rc == 0)
		rc = launch_init(&a->launch, &a->options->job, false, err);
	if (rc == 0)
		rc = submit_init(&a->submit, (struct jobspec *)&a->options->job,
				 &a->launch, err);
	if (rc < 0)
		return rc;
	a->submit.msg.has_attached = a->submit.msg.attached = true;
	a->attach = attach_create(a->loop, &a->session, &attach_handler, a, err);
	return a->attach ? 0 : err->code;
}

static void clean_up(struct alloc *a)
{
	if (a->attach && a->job_id && !a->job_over)
		attach_finish(a->attach, a->job_id, a->exit_code);
	attach_destroy(a->attach);
	alloc_env_fini(&a->env);
	submit_fini(&a->submit);
	launch_fini(&a->launch);
	om_child_forget(a->child);
	om_timer_destroy(a->say_timer);
	om_timer_destroy(a->kill_timer);
	session_close(&a->session);
	om_loop_destroy(a->loop);
}

int alloc_main(const struct alloc_options *o)
{
	struct alloc a = { .options = o };
	struct om_error err = OM_ERROR_INIT;
	int rc = set_up(&a, &err);

	if (rc == 0)
		rc = attach_request(a.attach, OM_MSG_SUBMIT, &a.submit.msg,
				    &err);
	if (rc == 0)
		rc = om_loop_run(a.loop, &err);
	if (rc < 0) {
		say_fail(&err);
		a.exit_code = om_client_exit_code(rc);
	}
	clean_up(&a);
	return a.exit_code;
}
