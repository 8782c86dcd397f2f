/* SPDX-License-Identifier: GPL-3.0-or-later */
/* step: the life of a step daemon; see step.h. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/script.h"
#include "sched/noded/step_private.h"

#define KILL_AGAIN_NS (50 * OM_NS_PER_MS)
#define KILL_SLOWER_NS OM_NS_PER_S

static const char *reason_word(Om__JobState why)
{
	switch (why) {
	case OM__JOB_STATE__CANCELLED: return "cancelled";
	case OM__JOB_STATE__PREEMPTED: return "preempted";
	case OM__JOB_STATE__TIMEOUT: return "time limit reached";
	case OM__JOB_STATE__DEADLINE: return "deadline reached";
	case OM__JOB_STATE__NODE_FAIL: return "a node of the job failed";
	case OM__JOB_STATE__OUT_OF_MEMORY: return "out of memory";
	default: return NULL;
	}
}

/* The last line of a job's output says why it was killed. */
static void say_why(struct step *s)
{
	char job[48], line[OM_ERROR_TEXT_MAX + 96];
	int fd = s->files.err >= 0 ? s->files.err : s->files.out;

	step_job_name(s, job, sizeof(job));
	snprintf(line, sizeof(line), "openmosix: job %s killed: %s\n", job,
		 s->text);
	if (s->stream)
		step_stream_say(s, line);
	else if (fd >= 0)
		taskio_say(fd, line);
}

void step_ending(struct step *s, Om__JobState why, const char *text)
{
	if (s->why != OM__JOB_STATE__COMPLETED || s->state == STEP_OVER ||
	    why == OM__JOB_STATE__COMPLETED)
		return;
	if (!text)
		text = reason_word(why);
	if (!text)
		return;
	s->why = why;
	om_str_copy(s->text, sizeof(s->text), text);
	say_why(s);
}

static void log_error(const struct step *s, const char *doing,
		      const struct om_error *err)
{
	om_log_error("%s failed job=%" PRIu64 " step=%u: %s", doing,
		     s->req->job_id, s->req->step_id, om_error_text(err));
}

void step_signal(struct step *s, int signo, bool tasks_only)
{
	struct om_error err = OM_ERROR_INIT;

	if (s->state != STEP_RUNNING)
		return;
	if (!tasks_only) {
		if (cgroup_group_signal(&s->group, signo, &err) < 0)
			log_error(s, "signal", &err);
		return;
	}
	for (uint32_t i = 0; i < s->req->tasks; i++)
		if (!s->task[i].over && s->task[i].pid > 0)
			kill(s->task[i].pid, signo);
}

void step_kill(struct step *s)
{
	struct om_error err = OM_ERROR_INIT;

	if (s->state != STEP_RUNNING && s->state != STEP_EMPTYING)
		return;
	if (cgroup_group_kill(&s->group, &err) < 0)
		log_error(s, "kill", &err);
}

/* ------------------------------------------------------------------ the end */

/* An OOM kill inside the job is told even if the script shrugged it off. */
static void judge_memory(struct step *s, struct cgroup_memory *m)
{
	char used[16], limit[16], text[160];

	cgroup_group_memory(&s->group, m);
	if (!m->oom_kills)
		return;
	om_format_size(m->peak, used, sizeof(used));
	om_format_size(m->limit, limit, sizeof(limit));
	snprintf(text, sizeof(text), "out of memory: used %s of %s on %s",
		 used, limit, s->place->name);
	step_ending(s, OM__JOB_STATE__OUT_OF_MEMORY, text);
}

static void fill_usage(const struct step *s, Om__Usage *u)
{
	struct rusage r;

	(void)s;
	getrusage(RUSAGE_CHILDREN, &r);
	u->has_user_us = u->has_system_us = u->has_max_rss = true;
	u->user_us = (uint64_t)r.ru_utime.tv_sec * 1000000 +
		     (uint64_t)r.ru_utime.tv_usec;
	u->system_us = (uint64_t)r.ru_stime.tv_sec * 1000000 +
		       (uint64_t)r.ru_stime.tv_usec;
	u->max_rss = (uint64_t)r.ru_maxrss << 10;
}

/* True if nothing of the job is left on this node. */
static bool clean_job(struct step *s)
{
	struct om_error err = OM_ERROR_INIT;

	if (!s->who->clean_job)
		return false;
	/* Another step of the job is a reason to leave this to omnoded. */
	if (cgroup_job_remove(s->place->tree, s->req->job_id, &err) < 0)
		return false;
	if (script_remove(s->place->spool_fd, s->req->job_id, &err) < 0) {
		log_error(s, "cleaning", &err);
		return false;
	}
	return true;
}

static void report_exit(struct step *s, uint64_t peak)
{
	Om__StepExit m = OM__STEP_EXIT__INIT;
	Om__Usage usage = OM__USAGE__INIT;
	uint32_t n = s->req->tasks;
	om_autofree Om__TaskExit *t = calloc(n, sizeof(*t));
	om_autofree Om__TaskExit **list = calloc(n, sizeof(*list));

	m.job_id = s->req->job_id;
	m.step_id = s->req->step_id;
	m.incarnation = s->req->incarnation;
	for (uint32_t i = 0; t && list && i < n; i++) {
		om__task_exit__init(&t[i]);
		t[i].rank = s->task[i].rank;
		t[i].status = (uint32_t)s->task[i].status;
		list[i] = &t[i];
		m.n_task = i + 1;
	}
	m.task = list;
	fill_usage(s, &usage);
	if (peak > usage.max_rss)
		usage.max_rss = peak;
	m.usage = &usage;
	if (s->why != OM__JOB_STATE__COMPLETED) {
		m.has_why = true;
		m.why = s->why;
		m.text = s->text;
	}
	m.has_job_clean = true;
	m.job_clean = clean_job(s);
	m.has_start_ns = m.has_end_ns = true;
	m.start_ns = s->start_ns;
	m.end_ns = om_wall_ns(om_loop_clock(s->loop));
	step_link_exit(s, &m);
}

static void reap(struct step *s);

/* The group is removed last: as long as it is there, the step is not over. */
static int over(struct step *s)
{
	struct cgroup_memory m;
	int rc;

	judge_memory(s, &m);
	rc = cgroup_step_remove(s->place->tree, s->req->job_id,
				s->req->step_id, NULL);
	if (rc < 0)
		return rc;
	reap(s);	/* what was killed counts in the usage */
	om_watch_destroy(om_take(s->group_watch));
	if (s->group_timer)
		om_timer_stop(s->group_timer);
	step_limit_stop(s);
	s->state = STEP_OVER;
	report_exit(s, m.peak);
	cgroup_group_close(&s->group);
	return 0;
}

static void try_end(struct step *s);

static void on_group(void *arg, int fd, int events)
{
	struct step *s = arg;

	(void)fd;
	(void)events;
	om_watch_destroy(om_take(s->group_watch));
	try_end(s);
}

static void on_group_timer(void *arg)
{
	struct step *s = arg;

	om_watch_destroy(om_take(s->group_watch));
	step_kill(s);
	try_end(s);
}

/*
 * The watch tells when the group is empty. The timer is for what no watch can
 * tell: a group that emptied just before the watch was there, and processes
 * which a kill did not reach because they were being born (v1).
 */
static void wait_empty(struct step *s)
{
	struct om_error err = OM_ERROR_INIT;
	int fd = cgroup_group_watch(&s->group, &err);

	if (fd >= 0)
		s->group_watch = om_watch_create(s->loop, fd, OM_LOOP_READ,
						 on_group, s, &err);
	if (!s->group_timer) {
		s->group_timer = om_timer_create(s->loop, on_group_timer, s,
						 &err);
		if (!s->group_timer) {
			log_error(s, "timer", &err);
			_exit(EXIT_FAILURE);	/* omnoded takes over */
		}
		om_timer_start(s->group_timer, KILL_AGAIN_NS, KILL_SLOWER_NS);
	}
}

static void try_end(struct step *s)
{
	reap(s);
	if (s->state != STEP_EMPTYING || (s->stream && !step_stream_finish(s)))
		return;
	if (over(s) != 0)
		wait_empty(s);
}

/* All tasks are over: what they left behind ends now. */
static void empty_step(struct step *s)
{
	struct cgroup_memory m;

	judge_memory(s, &m);	/* while the stream can still say it */
	s->state = STEP_EMPTYING;
	if (s->stream && !step_stream_finish(s)) {
		step_kill(s);	/* so that the pipes' ends come */
		return;
	}
	if (over(s) == 0)
		return;
	step_kill(s);
	wait_empty(s);
}

void step_stream_done(struct step *s)
{
	if (s->state == STEP_EMPTYING)
		try_end(s);
}

/* ----------------------------------------------------------------- children */

static void task_over(struct step *s, pid_t pid, int status)
{
	for (uint32_t i = 0; i < s->req->tasks; i++) {
		struct step_task *t = s->task + i;

		if (t->pid != pid || t->over)
			continue;
		t->over = true;
		t->status = status;
		s->alive--;
		if (s->stream)
			step_stream_exit(s, t);
		return;
	}
	/* else an orphan of the step, which came to us as the subreaper */
}

static void reap(struct step *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (s->task)
			task_over(s, pid, status);
}

static void on_sigchld(void *arg, int signo)
{
	struct step *s = arg;

	(void)signo;
	reap(s);
	if (s->state == STEP_RUNNING && s->alive == 0)
		empty_step(s);
}

/* ------------------------------------------------------------------- orders */

static void report_refused(struct step *s, int code, const char *text)
{
	Om__StepStarted m = OM__STEP_STARTED__INIT;

	m.job_id = s->req->job_id;
	m.step_id = s->req->step_id;
	m.incarnation = s->req->incarnation;
	m.has_code = true;
	m.code = code;
	m.text = (char *)text;
	s->state = STEP_OVER;
	step_link_started(s, &m);
}

static void report_started(struct step *s)
{
	Om__StepStarted m = OM__STEP_STARTED__INIT;
	uint32_t n = s->req->tasks;
	om_autofree uint32_t *pid = calloc(n, sizeof(*pid));

	m.job_id = s->req->job_id;
	m.step_id = s->req->step_id;
	m.incarnation = s->req->incarnation;
	m.has_code = true;
	for (uint32_t i = 0; pid && i < n; i++)
		pid[i] = (uint32_t)s->task[i].pid;
	m.n_pid = pid ? n : 0;
	m.pid = pid;
	step_link_started(s, &m);
}

void step_on_launch(struct step *s, const Om__StepLaunch *m)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (s->state != STEP_WAITING)
		return;
	s->start_ns = om_wall_ns(om_loop_clock(s->loop));
	rc = step_setup(s, &err);
	if (rc < 0) {
		report_refused(s, rc, om_error_text(&err));
		return;
	}
	s->state = STEP_RUNNING;
	report_started(s);
	step_limit_set(s, m->end_ns);
	/* A task may have ended before it was in the list. */
	on_sigchld(s, SIGCHLD);
}

void step_on_kill(struct step *s, const Om__StepKill *m)
{
	int signo = (int)m->signal;

	if (s->state != STEP_RUNNING || signo <= 0 || signo >= NSIG)
		return;
	if (m->has_why)
		step_ending(s, m->why, NULL);
	if (signo == SIGKILL) {
		step_kill(s);
		return;
	}
	step_signal(s, signo, m->batch_only);
	if (signo == SIGTERM)	/* a stopped process would not hear it */
		step_signal(s, SIGCONT, m->batch_only);
	if (m->kill_after_ms)
		step_limit_kill_after(s, m->kill_after_ms * OM_NS_PER_MS);
}

static void set_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM };
	struct sigaction ign = { .sa_handler = SIG_IGN };

	/* Whoever shuts the machine down ends the tasks too; and that is what
	 * we are there to report. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ign, NULL);
}

void step_main(const struct place *place, int fd)
{
	struct om_error err = OM_ERROR_INIT;
	struct step *s = calloc(1, sizeof(*s));

	set_signals();
	if (!s)
		_exit(EXIT_FAILURE);
	s->place = place;
	s->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	s->files = (struct taskio_files)TASKIO_FILES_INIT;
	s->why = OM__JOB_STATE__COMPLETED;
	s->loop = om_loop_create(&err);
	if (!s->loop || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
	    om_loop_on_signal(s->loop, SIGCHLD, on_sigchld, s, &err) < 0 ||
	    step_link_create(s, fd, &err) < 0 ||
	    om_loop_run(s->loop, &err) < 0) {
		om_log_error("step daemon cannot run: %s", om_error_text(&err));
		_exit(EXIT_FAILURE);
	}
	_exit(EXIT_SUCCESS);
}
