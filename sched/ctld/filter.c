/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter: conditions on jobs, and a walk over those that meet them. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "sched/ctld/filter.h"
#include "sched/model/alloc.h"
#include "sched/model/apply.h"

#define IDS_MAX 100000
#define ARRAYS_MAX 1000		/* lists of tasks in one filter */
#define RANGES_MAX 10000	/* in one of them */
#define INDEX_MAX 0x7fffffffu
/* Tasks looked at for one message: no list of ids holds the loop up. */
#define VISITS_MAX 2000000

int filter_check(const Om__JobFilter *f, struct om_error *err)
{
	if (f->n_job_id > IDS_MAX || f->n_array_task > ARRAYS_MAX ||
	    f->n_state > 64)
		return om_fail(err, -E2BIG,
			       "a filter names at most %d jobs and %d lists of tasks",
			       IDS_MAX, ARRAYS_MAX);
	for (size_t i = 0; i < f->n_array_task; i++) {
		struct om_idset set = OM_IDSET_INIT;
		int rc = om_idset_parse(&set, f->array_task[i]->tasks,
					INDEX_MAX, RANGES_MAX, err);

		om_idset_fini(&set);
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool filter_is_empty(const Om__JobFilter *f)
{
	return !f->n_job_id && !f->n_array_task && !f->n_state && !f->has_uid &&
	       !f->name && !f->partition && !f->node && !f->account;
}

static bool has_state(const struct om_job *j, const Om__JobFilter *f)
{
	for (size_t i = 0; i < f->n_state; i++)
		if (f->state[i] == j->state)
			return true;
	return f->n_state == 0;
}

/* Ended before the time asked for, or begun after it. */
static bool out_of_time(const struct om_job *j, const Om__JobFilter *f)
{
	if (f->has_since_ns && om_job_is_over(j) && j->end_ns < f->since_ns)
		return true;
	return f->has_until_ns && j->submit_ns > f->until_ns;
}

bool filter_match(const struct om_job *j, const Om__JobFilter *f)
{
	if (f->has_uid && f->uid != j->uid)
		return false;
	if (!has_state(j, f) || out_of_time(j, f))
		return false;
	if (f->name && !om_str_eq(f->name, j->req->name))
		return false;
	if (f->partition && !om_str_eq(f->partition, j->req->partition))
		return false;
	if (f->account && !om_str_eq(f->account, j->req->account))
		return false;
	return !f->node || om_alloc_share(j, f->node);
}

struct walk {
	struct om_model *m;
	const Om__JobFilter *f;
	filter_fn *fn;
	filter_missing_fn *missing;
	void *arg;
	uint64_t visits;
};

static void visit(struct walk *w, struct om_job *j,
		  const struct om_idset *tasks)
{
	if (filter_match(j, w->f))
		w->fn(w->arg, j, tasks);
}

/* What is in a and b, range by range; 0 or -ENOMEM. */
static int intersect(const struct om_idset *a, const struct om_idset *b,
		     struct om_idset *ret)
{
	size_t i = 0, k = 0;

	while (i < a->count && k < b->count) {
		const struct om_idrange *x = a->range + i, *y = b->range + k;
		uint32_t first = x->first > y->first ? x->first : y->first;
		uint32_t last = x->last < y->last ? x->last : y->last;

		if (first <= last && om_idset_add_range(ret, first, last) < 0)
			return -ENOMEM;
		if (x->last < y->last)
			i++;
		else
			k++;
	}
	return 0;
}

/* Tasks of a parent that have a job, among those asked for, which all are of
 * the array. */
static void visit_tasks(struct walk *w, struct om_job *parent,
			const struct om_idset *which)
{
	uint32_t index;
	uint64_t from = 0;

	if (!which)
		which = &parent->all;
	while (from <= INDEX_MAX && w->visits < VISITS_MAX &&
	       om_idset_next(which, (uint32_t)from, &index)) {
		struct om_job *j;

		w->visits++;
		from = (uint64_t)index + 1;
		if (om_idset_has(&parent->pending, index))
			continue;
		j = om_model_job(w->m, om_array_task_id(parent, index));
		if (j)
			visit(w, j, NULL);
	}
}

static void visit_array(struct walk *w, struct om_job *parent,
			const struct om_idset *which)
{
	/* Tasks first: what fn does to the parent may make more of them. */
	visit_tasks(w, parent, which);
	visit(w, parent, which);
}

static void visit_id(struct walk *w, uint64_t id)
{
	struct om_job *j = om_model_job(w->m, id);
	struct om_idset one = OM_IDSET_INIT;
	uint32_t index;

	if (j && om_job_is_array(j)) {
		visit_array(w, j, NULL);
		return;
	}
	if (j) {
		visit(w, j, NULL);
		return;
	}
	j = om_model_array_of(w->m, id, &index);
	if (j && om_idset_has(&j->pending, index) &&
	    om_idset_add_range(&one, index, index) == 0)
		visit(w, j, &one);
	else if (w->missing)
		w->missing(w->arg, id);
	om_idset_fini(&one);
}

static int visit_array_task(struct walk *w, const Om__ArrayTask *at,
			    struct om_error *err)
{
	struct om_idset set = OM_IDSET_INIT, ours = OM_IDSET_INIT;
	struct om_job *j = om_model_job(w->m, at->array_id);
	int rc;

	if (!j || !om_job_is_array(j)) {
		if (w->missing)
			w->missing(w->arg, at->array_id);
		return 0;
	}
	rc = om_idset_parse(&set, at->tasks, INDEX_MAX, RANGES_MAX, err);
	if (rc == 0 && intersect(&set, &j->all, &ours) < 0)
		rc = om_fail_nomem(err);
	if (rc == 0)
		visit_array(w, j, &ours);
	om_idset_fini(&set);
	om_idset_fini(&ours);
	return rc;
}

int filter_each(struct om_model *m, const Om__JobFilter *f, filter_fn *fn,
		filter_missing_fn *missing_fn, void *arg,
		struct om_error *err)
{
	struct walk w = { m, f, fn, missing_fn, arg };
	struct om_job *j, *next;
	int rc = filter_check(f, err);

	if (rc < 0)
		return rc;
	if (!f->n_job_id && !f->n_array_task) {
		HASH_ITER(by_id, m->job_by_id, j, next)
			visit(&w, j, NULL);
		return 0;
	}
	for (size_t i = 0; i < f->n_job_id; i++)
		visit_id(&w, f->job_id[i]);
	for (size_t i = 0; i < f->n_array_task && rc == 0; i++)
		rc = visit_array_task(&w, f->array_task[i], err);
	if (rc == 0 && w.visits >= VISITS_MAX)
		rc = om_fail(err, -E2BIG, "a filter that means over %d tasks\n"
			     "only the first of them were looked at; "
			     "name fewer at a time", VISITS_MAX);
	return rc;
}
