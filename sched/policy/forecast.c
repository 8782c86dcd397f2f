/* SPDX-License-Identifier: GPL-3.0-or-later */
/* forecast: the queue played forward on a copy of the rooms. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "sched/policy/forecast.h"

/* Looks at a node that one forecast may cost, about. */
#define LOOKS_MAX 2000000u
#define JOBS_MIN 20u
#define JOBS_MAX 500u

struct play_end {
	int64_t at_ns;
	struct om_share *share;		/* borrowed from a job, or owned */
	uint32_t shares;
	bool owned, exclusive, own_cpus;
};

struct play {
	struct om_sched *s;
	struct om_room *room;
	struct play_end *end;		/* a heap, the soonest on top */
	uint32_t ends, cap;
	int64_t now_ns;
};

static int push(struct play *p, struct play_end e)
{
	uint32_t i = p->ends;

	if (p->ends == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 64;
		struct play_end *end = realloc(p->end, cap * sizeof(*end));

		if (!end)
			return -ENOMEM;
		p->end = end;
		p->cap = cap;
	}
	p->ends++;
	for (; i > 0 && e.at_ns < p->end[(i - 1) / 2].at_ns; i = (i - 1) / 2)
		p->end[i] = p->end[(i - 1) / 2];
	p->end[i] = e;
	return 0;
}

static struct play_end pop(struct play *p)
{
	struct play_end top = p->end[0], last = p->end[--p->ends];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < p->ends) {
		if (child + 1 < p->ends &&
		    p->end[child + 1].at_ns < p->end[child].at_ns)
			child++;
		if (last.at_ns <= p->end[child].at_ns)
			break;
		p->end[i] = p->end[child];
		i = child;
	}
	p->end[i] = last;
	return top;
}

static int add_running(struct play *p)
{
	struct om_job *j;

	DL_FOREACH(p->s->m->active, j) {
		const struct om_part *part =
			om_sched_part(p->s, j->req->partition);
		struct play_end e = {
			.at_ns = om_ends_of(p->s, j, p->now_ns),
			.exclusive = j->req->exclusive,
			.own_cpus = p->s->mixed &&
				    !(part && part->oversubscribe),
		};

		if (!j->alloc)
			continue;
		e.share = j->alloc->share;
		e.shares = j->alloc->shares;
		/* Over its limit: it is being ended. */
		if (e.at_ns <= p->now_ns)
			e.at_ns = p->now_ns + 1;
		if (push(p, e) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The next job ends; false if none will. */
static bool let_one_end(struct play *p)
{
	struct play_end e;

	if (p->ends == 0 || p->end[0].at_ns == INT64_MAX)
		return false;
	e = pop(p);
	p->now_ns = e.at_ns;
	for (uint32_t i = 0; i < e.shares; i++)
		if (!e.share[i].clean && e.share[i].node->index < p->s->rooms)
			om_room_give(p->room + e.share[i].node->index,
				     e.share + i, e.exclusive, e.own_cpus);
	if (e.owned)
		free(e.share);
	return true;
}

/* Lets jobs end until the ask fits. 1, 0 (never), -ENOMEM. */
static int wait_for(struct play *p, const struct om_ask *a,
		    const struct om_where *w, struct om_placement *ret)
{
	struct om_place place = om_sched_place(p->s, false);
	int rc;

	place.room = p->room;
	place.open = NULL;
	while ((rc = om_place(&place, a, w, ret)) == 0)
		if (!let_one_end(p))
			return 0;
	return rc;
}

static int play_job(struct play *p, const struct om_entry *e)
{
	const struct om_shape *sh = e->shape;
	struct om_placement where;
	struct play_end end = { .owned = true };
	int rc = wait_for(p, &sh->key.ask, sh->where, &where);

	if (rc <= 0)
		return rc;
	for (uint32_t i = 0; i < where.shares; i++)
		om_room_take(p->room + where.share[i].node->index,
			     &sh->key.ask, where.share[i].slots);
	end.at_ns = om_ends_at(p->now_ns, (int64_t)e->order.value);
	end.share = om_take(where.share);
	end.shares = where.shares;
	end.exclusive = sh->key.ask.exclusive;
	end.own_cpus = !sh->key.ask.oversubscribe;
	if (push(p, end) < 0) {
		free(end.share);
		return -ENOMEM;
	}
	return 1;
}

bool om_forecast_ahead(const struct om_entry *e, const struct om_forecast *f)
{
	const struct om_part *p = e->shape->part;

	if (p->priority != f->part->priority)
		return p->priority > f->part->priority;
	return om_shape_before(&e->order, &f->order);
}

static bool is_after(const struct om_part *p, const struct om_cursor *c)
{
	return p->priority <= c->priority;
}

/* The first in a partition's order after (key, id), over its shapes. */
static struct om_entry *next_in(const struct om_part *p, int64_t key,
				uint64_t id)
{
	struct om_treap *best = NULL;
	struct om_treap *n = om_treap_first(p->shapes);

	/* Shapes stand by their first job: once that is beyond the best one
	 * found, no later shape has anything before it. */
	for (; n; n = om_treap_after(p->shapes, n->key, n->id, UINT64_MAX)) {
		struct om_treap *e;

		if (best && !om_shape_before(n, best))
			break;
		e = om_treap_after(((struct om_shape *)n)->jobs, key, id,
				   UINT64_MAX);
		if (e && (!best || om_shape_before(e, best)))
			best = e;
	}
	return (struct om_entry *)best;
}

struct om_entry *om_queue_next(struct om_sched *s, struct om_cursor *c)
{
	struct om_entry *best = NULL;

	for (uint32_t i = 0; i < s->parts; i++) {
		struct om_part *p = s->part + i;
		bool same = p->priority == c->priority;
		struct om_entry *e;

		if (!p->shapes || !is_after(p, c))
			continue;
		e = next_in(p, same ? c->key : INT64_MIN, same ? c->id : 0);
		if (e && (!best || p->priority > best->shape->part->priority ||
			  (p->priority == best->shape->part->priority &&
			   om_shape_before(&e->order, &best->order))))
			best = e;
	}
	if (best)
		*c = (struct om_cursor){
			.priority = best->shape->part->priority,
			.key = best->order.key,
			.id = best->order.id,
		};
	return best;
}

static uint64_t copies(const struct om_entry *e)
{
	return om_job_is_array(e->job) ? om_idset_size(&e->job->pending) : 1;
}

/* Starts all that is ahead. 1: done; 0: too much, or one never starts. */
static int play_ahead(struct play *p, const struct om_forecast *f)
{
	uint32_t left = LOOKS_MAX / (p->s->rooms + 1);
	struct om_cursor c = OM_CURSOR_INIT;
	struct om_entry *e;
	int rc;

	left = left > JOBS_MAX ? JOBS_MAX : left < JOBS_MIN ? JOBS_MIN : left;
	while ((e = om_queue_next(p->s, &c)) && om_forecast_ahead(e, f)) {
		uint64_t n = copies(e);

		/* One that no end of a job can help is in nobody's way. */
		if (e->shape->no_promise == p->s->epoch)
			continue;
		if (n > left)
			return 0;
		for (left -= (uint32_t)n; n; n--) {
			rc = play_job(p, e);
			if (rc <= 0)
				return rc;
		}
	}
	return 1;
}

int om_forecast(struct om_sched *s, const struct om_forecast *f,
		int64_t now_ns, int64_t *ret_ns, struct om_placement *ret)
{
	struct play p = { .s = s, .now_ns = now_ns };
	int rc = 0;

	*ret = (struct om_placement){ .share = NULL };
	p.room = malloc((s->rooms + 1) * sizeof(*p.room));
	if (!p.room || add_running(&p) < 0)
		rc = -ENOMEM;
	if (rc == 0 && s->rooms)
		memcpy(p.room, s->room, s->rooms * sizeof(*p.room));
	if (rc == 0)
		rc = play_ahead(&p, f);
	if (rc > 0)
		rc = wait_for(&p, f->ask, f->where, ret);
	if (rc > 0)
		*ret_ns = p.now_ns;
	for (uint32_t i = 0; i < p.ends; i++)
		if (p.end[i].owned)
			free(p.end[i].share);
	free(p.end);
	free(p.room);
	return rc;
}
