/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * orphan: a step whose step daemon is dead. omnoded finishes it in its place.
 *
 * The tasks' ends come from the zygote, whose children they became. If that
 * is dead too, or the step daemon died while omnoded was away, all that can be
 * known is when a task is gone (by a pidfd), not how it ended. When no task is
 * left the rest of the group is killed, and when that is empty the step is
 * over. The time limit and kills act on the cgroup meanwhile.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/noded.h"

#define AGAIN_NS (500 * OM_NS_PER_MS)
#define PATIENCE_NS (5 * OM_NS_PER_S)	/* for the zygote's word */

static void check(struct nstep *s);

static void drop_watch(struct nstep_task *t)
{
	om_watch_destroy(om_take(t->watch));
	om_cleanup_fd(&t->pidfd);
	t->pidfd = -1;
}

void orphan_end(struct nstep *s)
{
	for (uint32_t i = 0; s->task && i < s->tasks; i++)
		drop_watch(s->task + i);
	om_watch_destroy(om_take(s->watch));
	om_timer_destroy(om_take(s->limit));
	om_timer_destroy(om_take(s->again));
	om_timer_destroy(om_take(s->grace));
	cgroup_group_close(&s->group);
}

/* --------------------------------------------------------------- the report */

static bool any_unknown(const struct nstep *s)
{
	for (uint32_t i = 0; s->task && i < s->tasks; i++)
		if (!s->task[i].known)
			return true;
	return !s->task;
}

static void report(struct nstep *s)
{
	static char unknown[] = "its step daemon was killed, exit status unknown";
	Om__StepExit m = OM__STEP_EXIT__INIT;
	uint32_t n = s->task ? s->tasks : 0;
	om_autofree Om__TaskExit *t = calloc(n + 1, sizeof(*t));
	om_autofree Om__TaskExit **list = calloc(n + 1, sizeof(*list));

	m.job_id = s->job->id;
	m.step_id = s->id;
	m.incarnation = s->job->inc;
	for (uint32_t i = 0; t && list && i < n; i++) {
		om__task_exit__init(&t[i]);
		t[i].rank = s->task[i].rank;
		/* exit code 255 where nobody knows better */
		t[i].status = s->task[i].known ? (uint32_t)s->task[i].status :
						 255u << 8;
		list[m.n_task++] = &t[i];
	}
	m.task = list;
	m.has_why = s->why != OM__JOB_STATE__COMPLETED || any_unknown(s);
	m.why = s->why != OM__JOB_STATE__COMPLETED ? s->why :
						     OM__JOB_STATE__FAILED;
	if (any_unknown(s))
		m.text = unknown;
	m.has_start_ns = m.has_end_ns = true;
	m.start_ns = s->start_ns;
	m.end_ns = noded_wall(s->job->noded);
	orphan_end(s);
	nstep_over(s, &m);
}

/* -------------------------------------------------------- waiting for the end */

static void on_group(void *arg, int fd, int events)
{
	struct nstep *s = arg;

	(void)fd;
	(void)events;
	om_watch_destroy(om_take(s->watch));
	check(s);
}

static void on_again(void *arg)
{
	struct nstep *s = arg;

	om_watch_destroy(om_take(s->watch));
	s->patient = s->waiting;
	check(s);
}

static void look_again(struct nstep *s, int64_t ns)
{
	struct om_error err = OM_ERROR_INIT;

	if (!s->again)
		s->again = om_timer_create(s->job->noded->loop, on_again, s,
					   &err);
	if (s->again)
		om_timer_start(s->again, ns, 0);
	else
		om_log_error("%s", om_error_text(&err));
}

static void watch_group(struct nstep *s)
{
	struct om_error err = OM_ERROR_INIT;
	int fd = s->watch ? -1 : cgroup_group_watch(&s->group, &err);

	if (fd >= 0)
		s->watch = om_watch_create(s->job->noded->loop, fd,
					   OM_LOOP_READ, on_group, s, &err);
	if (!s->watch)
		look_again(s, AGAIN_NS);
}

static bool tasks_over(const struct nstep *s)
{
	for (uint32_t i = 0; s->task && i < s->tasks; i++)
		if (!s->task[i].over)
			return false;
	return true;
}

static bool is_populated(struct nstep *s)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (s->group.fd < 0)
		return false;
	rc = cgroup_group_populated(&s->group, &err);
	if (rc < 0)
		om_log_error("%s", om_error_text(&err));
	return rc != 0;
}

static void check(struct nstep *s)
{
	struct cgroup_tree *tree = s->job->noded->place.tree;
	struct om_error err = OM_ERROR_INIT;

	if (is_populated(s)) {
		if (tasks_over(s)) {
			cgroup_group_kill(&s->group, &err);
			look_again(s, AGAIN_NS);
		}
		watch_group(s);
		return;
	}
	if (s->task && any_unknown(s) && !s->patient) {
		/* The zygote tells how its children ended a moment later. */
		if (!s->waiting)
			look_again(s, PATIENCE_NS);
		s->waiting = true;
		return;
	}
	if (cgroup_step_remove(tree, s->job->id, s->id, &err) < 0) {
		look_again(s, AGAIN_NS);
		return;
	}
	report(s);
}

void orphan_task(struct nstep *s, struct nstep_task *t)
{
	t->over = true;
	if (s->state != NSTEP_ORPHAN)
		return;
	drop_watch(t);
	if (tasks_over(s))
		check(s);
}

static void on_pidfd(void *arg, int fd, int events)
{
	struct nstep *s = arg;
	bool all;

	(void)events;
	for (uint32_t i = 0; i < s->tasks; i++)
		if (s->task[i].pidfd == fd) {
			s->task[i].over = true;
			drop_watch(s->task + i);
			break;
		}
	all = tasks_over(s);
	if (all)
		check(s);
}

static void watch_tasks(struct nstep *s)
{
	struct noded *n = s->job->noded;

	for (uint32_t i = 0; s->task && i < s->tasks; i++) {
		struct nstep_task *t = s->task + i;

		if (t->over)
			continue;
		t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
		if (t->pidfd < 0) {
			t->over = true;
			continue;
		}
		t->watch = om_watch_create(n->loop, t->pidfd, OM_LOOP_READ,
					   on_pidfd, s, NULL);
		if (!t->watch)
			drop_watch(t);
	}
}

void orphan_begin(struct nstep *s)
{
	struct noded *n = s->job->noded;

	s->state = NSTEP_ORPHAN;
	if (cgroup_group_open(n->place.tree, s->job->id, s->id, &s->group,
			      NULL) < 0)
		s->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	watch_tasks(s);
	orphan_limit(s);
	if (s->end_signo)
		orphan_kill(s, s->end_signo, s->end_why, s->end_grace_ns);
	check(s);
}

/* -------------------------------------------------------- limits and orders */

static void on_limit(void *arg)
{
	struct nstep *s = arg;
	struct noded *n = s->job->noded;

	orphan_kill(s, SIGTERM, OM__JOB_STATE__TIMEOUT,
		    n->conf->kill_wait_s * OM_NS_PER_S);
}

static void on_kill(void *arg)
{
	orphan_kill(arg, SIGKILL, OM__JOB_STATE__COMPLETED, 0);
}

static void start_timer(struct nstep *s, om_timer_fn *fn, int64_t ns)
{
	struct om_error err = OM_ERROR_INIT;

	om_timer_destroy(s->limit);
	s->limit = om_timer_create(s->job->noded->loop, fn, s, &err);
	if (s->limit)
		om_timer_start(s->limit, ns, 0);
	else
		om_log_error("no timer job=%" PRIu64 ": %s", s->job->id,
			     om_error_text(&err));
}

void orphan_limit(struct nstep *s)
{
	int64_t left = s->end_ns - noded_wall(s->job->noded);

	if (s->end_ns > 0)
		start_timer(s, on_limit, left > 0 ? left : 0);
	else
		om_timer_destroy(om_take(s->limit));
}

void orphan_kill(struct nstep *s, int signo, Om__JobState why,
		 int64_t kill_after_ns)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (signo <= 0 || signo >= NSIG)
		return;
	if (s->why == OM__JOB_STATE__COMPLETED)
		s->why = why;
	if (s->group.fd < 0 &&
	    cgroup_group_open(s->job->noded->place.tree, s->job->id, s->id,
			      &s->group, NULL) < 0)
		return;
	rc = signo == SIGKILL ? cgroup_group_kill(&s->group, &err) :
	     cgroup_group_signal(&s->group, signo, &err);
	if (rc < 0)
		om_log_error("kill failed job=%" PRIu64 " step=%u: %s",
			     s->job->id, s->id, om_error_text(&err));
	if (kill_after_ns)
		start_timer(s, on_kill, kill_after_ns);
}
