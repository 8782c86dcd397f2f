/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue: pending jobs by what they wait for; see sched.h. */
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/str.h"
#include "sched/policy/sched.h"

/* One point of priority is worth waiting so long. */
#define POINT_MS 60000
#define NS_PER_MS 1000000

struct om_part *om_sched_part(const struct om_sched *s, const char *name)
{
	for (uint32_t i = 0; i < s->parts; i++)
		if (name && *name ? om_str_eq(s->part[i].name, name) :
				    s->part[i].is_default)
			return s->part + i;
	return NULL;
}

static int64_t eligible_ns(const struct om_job *j)
{
	int64_t at = j->eligible_ns ? j->eligible_ns : j->submit_ns;

	return at > j->req->begin_ns ? at : j->req->begin_ns;
}

/*
 * All jobs age alike, so their order does not change as time goes by: it is
 * that of the times at which they would have had the same priority.
 */
int64_t om_queue_key(const struct om_job *j)
{
	return eligible_ns(j) / NS_PER_MS -
	       (int64_t)j->req->priority * POINT_MS;
}

int64_t om_sched_priority(const struct om_job *j, int64_t now_ns)
{
	int64_t waited = (now_ns - eligible_ns(j)) / NS_PER_MS / POINT_MS;

	return j->req->priority + (waited > 0 ? waited : 0);
}

bool om_queue_array_full(const struct om_job *j)
{
	return om_job_is_array(j) && j->req->array_limit &&
	       j->array_running >= j->req->array_limit;
}

static bool is_pending(const struct om_job *j)
{
	if (j->state != OM__JOB_STATE__PENDING ||
	    j->ending != OM__JOB_STATE__PENDING)
		return false;
	return !om_job_is_array(j) || j->pending.count > 0;
}

static bool only_singleton(const struct om_sched *s, const struct om_job *j)
{
	for (uint32_t i = 0; i < j->deps; i++)
		if (j->dep[i].kind != OM__DEPENDENCY_KIND__SINGLETON &&
		    om_depend_one(s->m, j, j->dep + i) != OM_DEPEND_MET)
			return false;
	return true;
}

const char *om_queue_bar(const struct om_sched *s, const struct om_job *j,
			 bool *ret_never)
{
	enum om_depend d;

	*ret_never = false;
	if (j->held)
		return j->held_by_admin ? "HeldByAdmin" : "Held";
	d = om_depend_all(s->m, j);
	if (d == OM_DEPEND_NEVER) {
		*ret_never = true;
		return "DependencyNeverSatisfied";
	}
	if (d == OM_DEPEND_WAITS)
		return "Dependency";
	return om_sched_part(s, j->req->partition) ? NULL : "PartitionDown";
}

/* ---- timers, a binary heap by begin time */
static int list_room(struct om_list *l)
{
	uint32_t cap = l->cap ? l->cap * 2 : 16;
	struct om_entry **v;

	if (l->n < l->cap)
		return 0;
	v = realloc(l->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	l->cap = cap;
	return 0;
}

static bool sooner(const struct om_entry *a, const struct om_entry *b)
{
	return a->job->req->begin_ns < b->job->req->begin_ns;
}

static void put(struct om_list *l, uint32_t i, struct om_entry *e)
{
	l->v[i] = e;
	e->at = i;
}

static void sift_up(struct om_list *l, uint32_t i)
{
	struct om_entry *e = l->v[i];

	for (; i > 0 && sooner(e, l->v[(i - 1) / 2]); i = (i - 1) / 2)
		put(l, i, l->v[(i - 1) / 2]);
	put(l, i, e);
}

static void sift_down(struct om_list *l, uint32_t i)
{
	struct om_entry *e = l->v[i];
	uint32_t child;

	while ((child = 2 * i + 1) < l->n) {
		if (child + 1 < l->n && sooner(l->v[child + 1], l->v[child]))
			child++;
		if (!sooner(l->v[child], e))
			break;
		put(l, i, l->v[child]);
		i = child;
	}
	put(l, i, e);
}

static void timer_remove(struct om_list *l, struct om_entry *e)
{
	struct om_entry *last = l->v[--l->n];

	if (last == e)
		return;
	put(l, e->at, last);
	sift_up(l, last->at);
	sift_down(l, last->at);
}

static void list_remove(struct om_list *l, struct om_entry *e)
{
	put(l, e->at, l->v[--l->n]);
}

/* ---- entries */
static int enter(struct om_sched *s, struct om_entry *e,
		 enum om_entry_state state)
{
	struct om_list *l = state == OM_ENTRY_TIMER ? &s->timers :
			    state == OM_ENTRY_LIMITED ? &s->limited :
							&s->single;

	e->state = state;
	if (state == OM_ENTRY_READY) {
		e->job->reason = "Priority";
		om_shape_add(s, e->shape, e);
		return 0;
	}
	if (list_room(l) < 0)
		return -ENOMEM;
	put(l, l->n++, e);
	if (state == OM_ENTRY_TIMER)
		sift_up(l, e->at);
	e->job->reason = state == OM_ENTRY_TIMER ? "BeginTime" :
			 state == OM_ENTRY_LIMITED ? "ArrayTaskLimit" :
						     "Dependency";
	return 0;
}

static void leave(struct om_sched *s, struct om_entry *e)
{
	switch (e->state) {
	case OM_ENTRY_READY: om_shape_remove(s, e->shape, e); break;
	case OM_ENTRY_TIMER: timer_remove(&s->timers, e); break;
	case OM_ENTRY_LIMITED: list_remove(&s->limited, e); break;
	case OM_ENTRY_SINGLE: list_remove(&s->single, e); break;
	}
}

void om_queue_drop(struct om_sched *s, struct om_entry *e)
{
	leave(s, e);
	if (e->shape)
		om_shape_put(s, e->shape);
	e->job->queued = NULL;
	free(e);
}

/* An entry that is in no list could not be found again. */
static void give_up(struct om_sched *s, struct om_entry *e)
{
	if (e->shape)
		om_shape_put(s, e->shape);
	e->job->queued = NULL;
	free(e);
	s->lost = true;
}

static void move(struct om_sched *s, struct om_entry *e,
		 enum om_entry_state state)
{
	leave(s, e);
	if (enter(s, e, state) < 0)
		give_up(s, e);
}

void om_queue_limit(struct om_sched *s, struct om_entry *e)
{
	move(s, e, OM_ENTRY_LIMITED);
}

/* A singleton that is kept back by nothing but its twin. */
static bool waits_for_twin(const struct om_sched *s, const struct om_job *j,
			   uint64_t *ret_twin)
{
	bool singleton = false;

	for (uint32_t i = 0; i < j->deps; i++)
		singleton |= j->dep[i].kind == OM__DEPENDENCY_KIND__SINGLETON;
	if (!singleton || j->held || !only_singleton(s, j))
		return false;
	*ret_twin = om_depend_twin(s->m, j);
	return *ret_twin != 0;
}

static void queue_single(struct om_sched *s, struct om_job *j, uint64_t twin)
{
	struct om_entry *e = calloc(1, sizeof(*e));

	if (!e) {
		s->lost = true;
		return;
	}
	e->job = j;
	e->behind = twin;
	j->queued = e;
	if (enter(s, e, OM_ENTRY_SINGLE) < 0)
		give_up(s, e);
}

static void queue_one(struct om_sched *s, struct om_job *j)
{
	struct om_part *p = om_sched_part(s, j->req->partition);
	struct om_entry *e = calloc(1, sizeof(*e));
	enum om_entry_state state = OM_ENTRY_READY;
	int rc;

	rc = e ? om_shape_get(s, p, j->req, &e->shape, NULL) : -ENOMEM;
	if (rc < 0) {
		/* Bad strings are refused at submit; an old log may hold
		 * some all the same: such a job waits and says so. */
		s->lost |= rc == -ENOMEM;
		j->reason = "BadConstraint";
		free(e);
		return;
	}
	e->job = j;
	e->order.key = om_queue_key(j);
	e->order.id = j->id;
	e->order.value = (uint64_t)om_part_limit_s(p, j->req->time_limit_s);
	j->queued = e;
	j->priority = j->req->priority;
	if (j->req->begin_ns > 0)
		state = OM_ENTRY_TIMER;
	else if (om_queue_array_full(j))
		state = OM_ENTRY_LIMITED;
	if (enter(s, e, state) < 0)
		give_up(s, e);
}

void om_sched_job_gone(struct om_sched *s, struct om_job *j)
{
	if (j->queued)
		om_queue_drop(s, j->queued);
	s->ended = true;
}

void om_sched_job_pending(struct om_sched *s, struct om_job *j)
{
	const char *bar;
	uint64_t twin;
	bool never;

	if (j->queued)
		om_queue_drop(s, j->queued);
	if (!is_pending(j)) {
		s->ended = true;
		/* Its time limit may be another now. */
		if (j->alloc && !om_job_is_over(j) && j->start_ns &&
		    om_ends_add(s, j->id, om_ends_of(s, j, j->start_ns)) < 0)
			s->lost = true;
		return;
	}
	if (waits_for_twin(s, j, &twin)) {
		queue_single(s, j, twin);
		return;
	}
	bar = om_queue_bar(s, j, &never);
	if (bar)
		j->reason = bar;
	else
		queue_one(s, j);
}

static void wake_timers(struct om_sched *s, int64_t now_ns)
{
	while (s->timers.n && s->timers.v[0]->job->req->begin_ns <= now_ns) {
		struct om_entry *e = s->timers.v[0];

		move(s, e, om_queue_array_full(e->job) ? OM_ENTRY_LIMITED :
							 OM_ENTRY_READY);
	}
}

static void wake_limited(struct om_sched *s)
{
	for (uint32_t i = s->limited.n; i-- > 0;)
		if (!om_queue_array_full(s->limited.v[i]->job))
			move(s, s->limited.v[i], OM_ENTRY_READY);
}

static void wake_singles(struct om_sched *s)
{
	s->ended = false;
	for (uint32_t i = s->single.n; i-- > 0;) {
		struct om_entry *e = s->single.v[i];
		Om__JobState end;
		bool known;

		if (!om_model_end_state(s->m, e->behind, &end, &known) && known)
			continue;
		om_sched_job_pending(s, e->job);
		/* It may have gone to the end of the list, seen already. */
	}
	s->ended = false;
}

void om_queue_wake(struct om_sched *s, int64_t now_ns)
{
	wake_timers(s, now_ns);
	wake_limited(s);
	if (s->ended || s->freed)
		wake_singles(s);
}

int64_t om_queue_next_ns(const struct om_sched *s)
{
	return s->timers.n ? s->timers.v[0]->job->req->begin_ns : 0;
}

int om_queue_fill(struct om_sched *s)
{
	struct om_job *j, *next;

	s->lost = false;
	DL_FOREACH_SAFE(s->m->pending, j, next)
		om_sched_job_pending(s, j);
	DL_FOREACH(s->m->active, j)
		if (j->alloc && om_ends_add(s, j->id, om_ends_of(s, j, 0)) < 0)
			s->lost = true;
	return s->lost ? -ENOMEM : 0;
}

static void free_list(struct om_list *l)
{
	while (l->n) {
		struct om_entry *e = l->v[--l->n];

		e->job->queued = NULL;
		free(e);
	}
	free(l->v);
	*l = (struct om_list){ .v = NULL };
}

void om_queue_clear(struct om_sched *s)
{
	struct om_shape *sh, *next;

	HASH_ITER(hh, s->shapes, sh, next)
		while (sh->jobs)
			om_queue_drop(s, om_shape_first(sh));
	HASH_ITER(hh, s->shapes, sh, next)
		if (sh->entries) {
			/* The lists below hold the rest of them. */
			sh->entries = 1;
			om_shape_put(s, sh);
		}
	free_list(&s->timers);
	free_list(&s->limited);
	free_list(&s->single);
	om_shape_trim(s, 0);
	om_ends_clear(s);
}
