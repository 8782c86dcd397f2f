/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ending: nothing of a job is to be left: kill, wait, epilog, remove.
 *
 *   OPEN/PROLOG --ending_begin--> KILLING --empty, steps told--> EPILOG
 *                                    |  (no epilog)                |
 *                                    `------> cleaned: JobClean <--'
 *
 * The epilog runs where the prolog succeeded, after the last process.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/noded.h"
#include "sched/noded/script.h"

#define AGAIN_NS (100 * OM_NS_PER_MS)
#define AGAIN_SLOW_NS OM_NS_PER_S

static void say_clean(struct noded *n, uint64_t job, bool has_inc,
		      uint32_t inc, int code, const char *text)
{
	Om__JobClean m = OM__JOB_CLEAN__INIT;

	m.job_id = job;
	m.has_incarnation = has_inc;
	m.incarnation = inc;
	if (code < 0) {
		m.has_code = true;
		m.code = code;
		m.text = (char *)text;
	}
	ctldlink_send(n->ctld, OM_MSG_JOB_CLEAN, &m.base);
}

void ending_fini(struct njob *j)
{
	om_watch_destroy(om_take(j->watch));
	om_timer_destroy(om_take(j->timer));
	cgroup_group_close(&j->group);
}

/* The user's own files may hinder a removal; that is no fault of the node. */
static void remove_spool(struct njob *j)
{
	struct om_error err = OM_ERROR_INIT;

	if (script_remove(j->noded->place.spool_fd, j->id, &err) < 0)
		om_log_warn("spool not removed job=%" PRIu64 ": %s", j->id,
			    om_error_text(&err));
}

/* All is done; code tells of the epilog. */
static void cleaned(struct njob *j, int code, const char *text)
{
	struct noded *n = j->noded;
	Om__StepExit *last = om_take(j->last);

	if (last) {
		/* Its report waited for this; a failed epilog is told by the
		 * JobClean that follows omctld's JobEnd. */
		last->has_job_clean = true;
		last->job_clean = code == 0;
		outbox_put(n->outbox, last, false);
		om__step_exit__free_unpacked(last, NULL);
	}
	if (j->end_asked || code < 0)
		say_clean(n, j->id, true, j->inc, code, text);
	jobs_gone(n, j);
}

static void on_epilog(void *arg, int code, const char *text)
{
	struct njob *j = arg;

	j->hook = NULL;
	if (code < 0)
		om_log_error("epilog failed job=%" PRIu64 ": %s", j->id, text);
	remove_spool(j);
	cleaned(j, code, text);
}

static void start_epilog(struct njob *j)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;
	struct hook_spec spec = {
		.path = n->conf->epilog,
		.what = "epilog",
		.job = j->id,
		.uid = j->uid,
		.user = j->user ? j->user : "",
		.node = n->place.name,
		.timeout_ns = n->conf->hook_timeout_s * OM_NS_PER_S,
	};

	j->state = NJOB_EPILOG;
	if (hook_start(n->loop, &spec, on_epilog, j, &j->hook, &err) < 0)
		on_epilog(j, err.code, om_error_text(&err));
}

/* -------------------------------------------------------------- the last ones */

static void on_group(void *arg, int fd, int events)
{
	struct njob *j = arg;

	(void)fd;
	(void)events;
	om_watch_destroy(om_take(j->watch));
	ending_check(j);
}

static void on_timer(void *arg)
{
	struct njob *j = arg;

	om_watch_destroy(om_take(j->watch));
	if (j->group.fd >= 0)
		cgroup_group_kill(&j->group, NULL);
	ending_check(j);
}

static void wait_more(struct njob *j)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;
	int fd = j->group.fd >= 0 && !j->watch ?
		 cgroup_group_watch(&j->group, &err) : -1;

	if (fd >= 0)
		j->watch = om_watch_create(n->loop, fd, OM_LOOP_READ, on_group,
					   j, &err);
	if (!j->timer) {
		j->timer = om_timer_create(n->loop, on_timer, j, &err);
		if (j->timer)
			om_timer_start(j->timer, AGAIN_NS, AGAIN_SLOW_NS);
	}
}

static bool is_empty(struct njob *j)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (j->steps)
		return false;
	if (j->group.fd < 0)
		return true;
	rc = cgroup_group_populated(&j->group, &err);
	if (rc < 0)
		om_log_error("job=%" PRIu64 ": %s", j->id,
			     om_error_text(&err));
	return rc == 0;
}

void ending_check(struct njob *j)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;

	if (j->state != NJOB_KILLING)
		return;
	if (!is_empty(j)) {
		wait_more(j);
		return;
	}
	if (cgroup_job_remove(n->place.tree, j->id, &err) < 0) {
		wait_more(j);
		return;
	}
	ending_fini(j);
	if (n->conf->epilog && j->user && j->prologued) {
		start_epilog(j);
		return;
	}
	remove_spool(j);
	cleaned(j, 0, NULL);
}

static void kill_all(struct njob *j)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;
	Om__StepKill m = OM__STEP_KILL__INIT;
	struct nstep *s, *next;

	m.job_id = j->id;
	m.signal = SIGKILL;
	/* A step daemon that is still to start its tasks must not. */
	DL_FOREACH_SAFE(j->steps, s, next)
		nstep_kill(s, &m);
	if (cgroup_group_open(n->place.tree, j->id, CGROUP_WHOLE_JOB,
			      &j->group, NULL) < 0)
		j->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	else if (cgroup_group_kill(&j->group, &err) < 0)
		om_log_error("%s", om_error_text(&err));
}

void ending_begin(struct njob *j)
{
	if (j->state >= NJOB_KILLING)
		return;
	hook_cancel(om_take(j->hook));
	j->state = NJOB_KILLING;
	kill_all(j);
	ending_check(j);
}

void ending_job_end(struct noded *n, uint64_t id, bool has_inc, uint32_t inc)
{
	struct njob *j = jobs_find(n, id);

	if (j && has_inc && j->inc > inc) {
		/* What is here is newer than what is to be ended. */
		say_clean(n, id, has_inc, inc, 0, NULL);
		return;
	}
	/* No record of it, but perhaps its group. */
	if (!j)
		j = jobs_add(n, id, inc, 0, NULL);
	if (!j) {
		say_clean(n, id, has_inc, inc, -ENOMEM, "out of memory");
		return;
	}
	if (has_inc && inc > j->inc)
		j->inc = inc;	/* the answer names what was asked for */
	j->end_asked = true;
	ending_begin(j);
}
