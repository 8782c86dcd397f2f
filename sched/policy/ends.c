/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ends: when running jobs end at the latest, in order.
 *
 * Entries are put in at the start and checked when they are come upon: that
 * a job ended early need not be told.
 */
#include <stdlib.h>
#include <utlist.h>

#include "sched/policy/sched.h"

#define TIDY_MIN 256

int64_t om_ends_at(int64_t now_ns, int64_t seconds)
{
	if (seconds >= (INT64_MAX - now_ns) / 1000000000)
		return INT64_MAX;
	return now_ns + seconds * 1000000000;
}

int64_t om_ends_of(const struct om_sched *s, const struct om_job *j,
		   int64_t now_ns)
{
	const struct om_part *p = om_sched_part(s, j->req->partition);
	int64_t limit = j->req->time_limit_s;

	if (p)
		limit = om_part_limit_s(p, limit);
	else if (limit <= 0)
		limit = INT64_MAX;
	/* Not begun yet: it will not before now. */
	return om_ends_at(j->start_ns ? j->start_ns : now_ns, limit);
}

static void drop(struct om_sched *s, struct om_end *e)
{
	om_treap_remove(&s->ends, &e->order);
	HASH_DEL(s->end_by_id, e);
	free(e);
}

int om_ends_add(struct om_sched *s, uint64_t job_id, int64_t end_ns)
{
	struct om_end *e;

	HASH_FIND(hh, s->end_by_id, &job_id, sizeof(job_id), e);
	if (e)
		drop(s, e);
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->order.key = end_ns;
	e->order.id = job_id;
	om_treap_insert(&s->ends, &e->order);
	HASH_ADD(hh, s->end_by_id, order.id, sizeof(job_id), e);
	return 0;
}

void om_ends_drop(struct om_sched *s, uint64_t job_id)
{
	struct om_end *e;

	HASH_FIND(hh, s->end_by_id, &job_id, sizeof(job_id), e);
	if (e)
		drop(s, e);
}

void om_ends_clear(struct om_sched *s)
{
	struct om_end *e, *next;

	HASH_ITER(hh, s->end_by_id, e, next) {
		HASH_DEL(s->end_by_id, e);
		free(e);
	}
	s->ends = NULL;
}

void om_ends_tidy(struct om_sched *s)
{
	struct om_end *e, *next;

	if (HASH_COUNT(s->end_by_id) < TIDY_MIN + 2 * s->m->jobs_active)
		return;
	HASH_ITER(hh, s->end_by_id, e, next) {
		const struct om_job *j = om_model_job(s->m, e->order.id);

		if (!j || !j->alloc || om_job_is_over(j))
			drop(s, e);
	}
}
