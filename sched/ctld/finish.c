/* SPDX-License-Identifier: GPL-3.0-or-later */
/* finish: the end of jobs and arrays. */
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/finish.h"
#include "sched/ctld/jobinfo.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/order.h"
#include "sched/ctld/queue.h"
#include "sched/ctld/run.h"
#include "sched/ctld/shell.h"
#include "sched/ctld/waits.h"
#include "sched/model/apply.h"

#define S(x) OM__JOB_STATE__##x
#define KEEP_NS (300 * OM_NS_PER_S)
#define KEEP_MAX 20000		/* finished jobs in memory, unless young */
/* A client tries for 60 s: so long the same uuid must be the same job. */
#define KEEP_LEAST_NS (75 * OM_NS_PER_S)
#define FORGET_A_TICK 5000	/* so that no tick is long */

struct finish {
	struct job_shell *over;		/* oldest first */
	size_t count;
};

struct finish *finish_create(struct om_error *err)
{
	struct finish *f = calloc(1, sizeof(*f));

	if (!f)
		om_fail_nomem(err);
	return f;
}

void finish_destroy(struct finish *f)
{
	free(f);
}

static void put_history(struct omctld *c, const struct om_job *j)
{
	struct job_shell *sh = shell_of(j);
	struct om_error err = OM_ERROR_INIT;
	struct jobinfo ji;
	om_autofree char *cancelled = NULL;
	char *pending;
	int rc = jobinfo_init(&ji, j, true);

	if (rc < 0) {
		om_fail_nomem(&err);
		journal_fail(c->journal, &err);
		return;
	}
	/* An array's row says which tasks never started. */
	pending = ji.info.array_pending;
	if (om_job_is_array(j) && sh && sh->cancelled.count) {
		cancelled = om_idset_format(&sh->cancelled);
		ji.info.array_pending = cancelled;
	}
	rc = om_store_put_history(c->store, &ji.info, &err);
	ji.info.array_pending = pending;
	jobinfo_fini(&ji);
	if (rc < 0)
		journal_fail(c->journal, &err);
}

static void keep(struct omctld *c, struct om_job *j)
{
	struct job_shell *sh = shell_get(j);

	if (!sh || sh->in_over)
		return;
	run_detach(c, j);
	shell_drop_steps(j);
	sh->over_ns = ctld_mono(c);
	sh->in_over = true;
	DL_APPEND(c->finish->over, sh);
	c->finish->count++;
}

/* What follows from j (a job or a whole array) being over. */
static void settle(struct omctld *c, struct om_job *j)
{
	put_history(c, j);
	if (!j->array_id || om_job_is_array(j))
		om_store_drop_launch(c->store, j->id);
	waits_job_over(c, j);
	run_tell(c, j);
	keep(c, j);
	queue_job_over(c, j);
}

static void settle_parent(struct omctld *c, const struct om_job *task)
{
	struct om_job *parent = om_model_job(c->model, task->array_id);

	if (parent && om_job_is_over(parent))
		settle(c, parent);
}

static void log_end(const struct om_job *j)
{
	om_log_info("job over job=%llu state=%s exit=%u:%u",
		    (unsigned long long)j->id, om_state_name(j->state),
		    j->exit_code, j->exit_signal);
}

static void drop_step_launches(struct omctld *c, const struct om_job *j)
{
	const struct om_step *s;

	LL_FOREACH(j->alloc->step, s)
		if (s->id != OM_STEP_BATCH)
			om_store_drop_launch(c->store,
					     order_step_key(j->id, s->id));
}

static void fill_exit(const struct om_job *j, Om__EvFinished *e)
{
	const struct job_shell *sh = shell_of(j);

	e->has_exit_code = e->has_exit_signal = 1;
	jobinfo_exit(j, &e->exit_code, &e->exit_signal);
	if (sh && sh->has_exit) {
		e->exit_code = sh->exit_code;
		e->exit_signal = sh->exit_signal;
	}
}

/* A whole array: its tasks that never started, so it too unless some run. */
static int finish_array(struct omctld *c, struct om_job *j)
{
	return run_cancel_tasks(c, j, NULL, NULL);
}

int finish_job(struct omctld *c, struct om_job *j, Om__JobState state,
	       const char *text)
{
	Om__EvFinished e = OM__EV_FINISHED__INIT;
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (om_job_is_array(j))
		return finish_array(c, j);
	e.job_id = j->id;
	e.state = state;
	e.text = (char *)(uintptr_t)text;
	fill_exit(j, &e);
	rc = EMIT(c, FINISHED, finished, &e, &err);
	if (rc < 0) {
		om_log_error("finishing failed job=%llu error=\"%s\"",
			     (unsigned long long)j->id, om_error_text(&err));
		return rc;
	}
	log_end(j);
	if (j->alloc)
		drop_step_launches(c, j);
	settle(c, j);
	if (j->array_id)
		settle_parent(c, j);
	nodes_job_over(c, j);
	return 0;
}

int run_cancel_tasks(struct omctld *c, struct om_job *parent,
		     const struct om_idset *tasks, struct om_error *err)
{
	Om__EvFinished e = OM__EV_FINISHED__INIT;
	struct job_shell *sh = shell_get(parent);
	struct om_idset gone = OM_IDSET_INIT;
	om_autofree char *text = NULL;
	uint64_t from = 0;
	uint32_t index;
	int rc;

	if (!tasks)
		tasks = &parent->pending;
	while (sh && from <= INT32_MAX &&
	       om_idset_next(tasks, (uint32_t)from, &index)) {
		from = (uint64_t)index + 1;
		if (om_idset_has(&parent->pending, index) &&
		    (om_idset_add_range(&gone, index, index) < 0 ||
		     om_idset_add_range(&sh->cancelled, index, index) < 0))
			sh = NULL;
	}
	text = sh ? om_idset_format(&gone) : NULL;
	e.job_id = parent->id;
	e.state = S(CANCELLED);
	e.tasks = text;
	rc = !text ? om_fail_nomem(err) : !gone.count ? 0 :
	     EMIT(c, FINISHED, finished, &e, err);
	if (rc == 0 && gone.count) {
		waits_tasks_cancelled(c, parent, &gone);
		queue_tasks_gone(c, parent);
		if (om_job_is_over(parent))
			settle(c, parent);
	}
	om_idset_fini(&gone);
	return rc;
}

/* ---------------------------------------------------------------- forgetting */

static void forget(struct omctld *c, struct job_shell *sh);

/* A snapshot with a task but without its array could not be restored. */
static void forget_tasks(struct omctld *c, const struct om_job *parent)
{
	uint64_t n = om_idset_size(&parent->all);

	for (uint64_t id = parent->id + 1; id <= parent->id + n; id++) {
		struct om_job *j = om_model_job(c->model, id);

		if (j && shell_of(j) && shell_of(j)->in_over)
			forget(c, shell_of(j));
	}
}

static void forget(struct omctld *c, struct job_shell *sh)
{
	struct om_job *j = sh->job;

	if (om_job_is_array(j))
		forget_tasks(c, j);
	DL_DELETE(c->finish->over, sh);
	c->finish->count--;
	queue_job_forgotten(c, j);
	shell_drop(j);
	om_model_forget(c->model, j);
}

void finish_forget(struct omctld *c, int64_t now_ns)
{
	struct finish *f = c->finish;

	for (int n = 0; f->over && n < FORGET_A_TICK; n++) {
		int64_t age = now_ns - f->over->over_ns;

		if (age < (f->count > KEEP_MAX ? KEEP_LEAST_NS : KEEP_NS))
			break;
		forget(c, f->over);
	}
}

void finish_recovered(struct omctld *c, struct om_job *j)
{
	keep(c, j);
}

/* By their ends; of an array the tasks before the array itself, because a
 * task cannot be restored without it. */
static int by_end(const struct job_shell *a, const struct job_shell *b)
{
	if (a->job->end_ns != b->job->end_ns)
		return a->job->end_ns < b->job->end_ns ? -1 : 1;
	return om_job_is_array(a->job) - om_job_is_array(b->job);
}

void finish_sort(struct omctld *c)
{
	DL_SORT(c->finish->over, by_end);
}

uint64_t finish_live(const struct omctld *c)
{
	return HASH_CNT(by_id, c->model->job_by_id) - c->finish->count;
}
