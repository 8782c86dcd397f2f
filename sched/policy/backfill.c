/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backfill: promises to first jobs and what they leave to others. */
#include <stdlib.h>
#include <string.h>

#include "sched/policy/sched.h"

/* Jobs of a partition that a promise is tried for, until one can have it. */
#define HEADS_MAX 64
/* A job that is over its limit, or cleaning up, ends this soon. */
#define SOON_NS 1000000000

void om_reservation_fini(struct om_reservation *r)
{
	free(r->part);
	*r = (struct om_reservation){ .job_id = 0 };
}

/* ---- the cluster as jobs end one after the other */
struct future {
	struct om_sched *s;
	const struct om_ask *a;
	const struct om_where *w;
	struct om_room *room;		/* filled in where open has a bit */
	uint64_t *open;			/* free now, or somebody ended there */
	uint64_t tasks;			/* that fit now, all nodes together */
	uint32_t nodes;			/* with room for one at least */
};

static void count(struct future *f, uint32_t at, int sign)
{
	uint32_t fit;

	if (!om_where_has(f->w, at))
		return;
	fit = om_room_fit(f->room + at, f->a, NULL);
	f->tasks += (uint64_t)((int64_t)fit * sign);
	f->nodes += (uint32_t)((fit > 0) * sign);
}

/* Full nodes are not even copied until a job ends there. */
static void open_room(struct future *f, uint32_t at)
{
	uint64_t bit = (uint64_t)1 << (at % 64);

	if (f->open[at / 64] & bit)
		return;
	f->open[at / 64] |= bit;
	f->room[at] = f->s->room[at];
	count(f, at, 1);
}

static int future_init(struct future *f)
{
	uint32_t rooms = f->s->rooms, words = rooms / 64 + 1;

	f->room = malloc((rooms + 1) * sizeof(*f->room));
	f->open = calloc(words, sizeof(*f->open));
	if (!f->room || !f->open)
		return -ENOMEM;
	for (uint32_t i = 0; rooms && i < words; i++)
		for (uint64_t bits = f->s->open[i]; bits; bits &= bits - 1)
			open_room(f, i * 64 + (uint32_t)__builtin_ctzll(bits));
	return 0;
}

static void job_ends(struct future *f, const struct om_job *j)
{
	const struct om_part *p = om_sched_part(f->s, j->req->partition);

	for (uint32_t i = 0; i < j->alloc->shares; i++) {
		const struct om_share *sh = j->alloc->share + i;
		uint32_t at = sh->node->index;

		if (sh->clean || at >= f->s->rooms)
			continue;
		open_room(f, at);
		count(f, at, -1);
		om_room_give(f->room + at, sh, j->req->exclusive,
			     f->s->mixed && !(p && p->oversubscribe));
		count(f, at, 1);
	}
}

static int try_place(const struct future *f, struct om_placement *ret)
{
	struct om_place p = om_sched_place(f->s, false);

	if (f->tasks < f->a->tasks || f->nodes < f->a->nodes_min)
		return 0;
	p.room = f->room;
	p.open = f->open;
	return om_place(&p, f->a, f->w, ret);
}

/*
 * The running job of an end, or NULL if it is out of date: then it was put
 * right and the walk goes on from where it was.
 */
static const struct om_job *job_of(struct om_sched *s, struct om_treap *n)
{
	const struct om_job *j = om_model_job(s->m, n->id);
	int64_t end_ns;

	if (!j || !j->alloc || om_job_is_over(j)) {
		om_ends_drop(s, n->id);
		return NULL;
	}
	end_ns = j->start_ns ? om_ends_of(s, j, 0) : n->key;
	if (end_ns <= n->key)
		return j;
	if (om_ends_add(s, j->id, end_ns) < 0)
		s->lost = true;
	return NULL;
}

/* Lets jobs end in order until the ask fits. */
static int walk(struct future *f, int64_t now_ns, int64_t *ret_ns,
		struct om_placement *ret)
{
	struct om_treap *n = om_treap_first(f->s->ends);
	int rc = 0;

	while (n && n->key != INT64_MAX && rc == 0) {
		int64_t key = n->key;
		uint64_t id = n->id;
		const struct om_job *j = job_of(f->s, n);

		/* Thousands may end at one time; enough is enough. */
		if (j) {
			job_ends(f, j);
			rc = try_place(f, ret);
			*ret_ns = key > now_ns ? key : now_ns + SOON_NS;
		}
		n = om_treap_after(f->s->ends, key, id, UINT64_MAX);
	}
	return rc;
}

int om_backfill_when(struct om_sched *s, const struct om_ask *a,
		     const struct om_where *w, int64_t now_ns,
		     int64_t *ret_ns, struct om_room **ret_room,
		     struct om_placement *ret)
{
	struct future f = { .s = s, .a = a, .w = w };
	int rc = future_init(&f);

	*ret = (struct om_placement){ .share = NULL };
	*ret_ns = now_ns;
	if (rc == 0)
		rc = try_place(&f, ret);
	if (rc == 0)
		rc = walk(&f, now_ns, ret_ns, ret);
	free(f.open);
	if (rc > 0 && ret_room)
		*ret_room = f.room;
	else
		free(f.room);
	return rc;
}

/* ---- promises */
static void set_part(struct om_reserved *part, const struct om_ask *a,
		     const struct om_room *room, const struct om_share *share)
{
	uint32_t at = share->node->index;
	uint32_t cpus = om_room_free_cpus(room + at, a->oversubscribe);
	uint64_t mem = om_room_free_mem(room + at);

	part->at = at;
	part->share = *share;
	part->extra = (struct om_hold){
		.cpus = cpus > share->cpus ? cpus - share->cpus : 0,
		.mem = mem > share->mem ? mem - share->mem : 0,
		.whole = a->exclusive,
	};
}

/* 1: promised; 0: no time can be given, or it is now; -ENOMEM. */
static int promise(struct om_sched *s, struct om_part *p, struct om_shape *sh,
		   int64_t now_ns)
{
	struct om_reservation *r = &p->resv;
	struct om_room *room = NULL;
	struct om_placement where;
	int64_t start_ns;
	int rc = om_backfill_when(s, &sh->key.ask, sh->where, now_ns,
				  &start_ns, &room, &where);

	if (rc < 0)
		return rc;
	om_reservation_fini(r);
	if (rc == 0)
		sh->no_promise = s->epoch;
	else if (start_ns > now_ns)
		r->part = calloc(where.shares, sizeof(*r->part));
	if (rc > 0 && start_ns > now_ns && !r->part)
		rc = -ENOMEM;
	if (r->part) {
		r->job_id = sh->order.id;
		r->epoch = s->epoch;
		r->start_ns = start_ns;
		r->parts = where.shares;
		for (uint32_t i = 0; i < where.shares; i++)
			set_part(r->part + i, &sh->key.ask, room,
				 where.share + i);
	}
	om_placement_fini(&where);
	free(room);
	return rc < 0 ? rc : r->part != NULL;
}

static bool still_good(const struct om_sched *s, const struct om_reservation *r,
		       int64_t now_ns)
{
	return r->job_id && r->epoch == s->epoch && r->start_ns > now_ns;
}

/* Does the first job of a shape come before an entry of another? */
static bool ahead(const struct om_shape *head, const struct om_shape *sh,
		  const struct om_entry *e)
{
	if (head->part->priority != sh->part->priority)
		return head->part->priority > sh->part->priority;
	return om_shape_before(&head->order, &e->order);
}

static bool overlap(const struct om_part *a, const struct om_part *b)
{
	if (a == b)
		return true;
	for (uint32_t i = 0; i < a->words && i < b->words; i++)
		if (a->bit[i] & b->bit[i])
			return true;
	return false;
}

/* Finds the promise of a partition that counts for an entry of sh: that to the
 * first job in order, and before it, that can be told a time. */
static int find_promise(struct om_sched *s, struct om_part *p,
			const struct om_shape *sh, const struct om_entry *e,
			int64_t now_ns)
{
	struct om_treap *n = om_treap_first(p->shapes);
	int rc = 0;

	for (int tries = 0; n && rc == 0 && tries < HEADS_MAX;
	     n = om_treap_after(p->shapes, n->key, n->id, UINT64_MAX)) {
		struct om_shape *head = (struct om_shape *)n;

		if (!ahead(head, sh, e))
			return 0;
		/* What fits now is kept back by others, not by want of room. */
		if (head == sh || head->no_promise == s->epoch)
			continue;
		if (p->resv.job_id == n->id && still_good(s, &p->resv, now_ns))
			return 1;
		tries++;
		rc = promise(s, p, head, now_ns);
	}
	return rc;
}

static void hold(struct om_sched *s, const struct om_reservation *r)
{
	for (uint32_t i = 0; i < r->parts; i++) {
		const struct om_hold *extra = &r->part[i].extra;
		struct om_hold *h = s->hold + r->part[i].at;

		h->whole |= extra->whole;
		if (extra->cpus < h->cpus)
			h->cpus = extra->cpus;
		if (extra->mem < h->mem)
			h->mem = extra->mem;
	}
}

/* When it goes, those that were kept back for it are looked at again. */
static void note_promised(struct om_sched *s, uint64_t job_id)
{
	const struct om_job *j = om_model_job(s->m, job_id);
	struct om_entry *e = j ? j->queued : NULL;

	if (e)
		e->promised = true;
}

int om_backfill_check(struct om_sched *s, const struct om_shape *sh,
		      const struct om_entry *e, int64_t now_ns,
		      struct om_backfill *ret)
{
	int64_t end_ns = om_ends_at(now_ns, (int64_t)e->order.value);

	*ret = (struct om_backfill){ .by_ns = INT64_MAX };
	for (uint32_t i = 0; i < s->parts; i++) {
		struct om_part *p = s->part + i;
		int rc;

		if (p->oversubscribe || !p->shapes || !overlap(p, sh->part))
			continue;
		rc = find_promise(s, p, sh, e, now_ns);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		if (p->resv.start_ns < ret->by_ns) {
			ret->by_ns = p->resv.start_ns;
			ret->for_job = p->resv.job_id;
		}
		if (p->resv.start_ns < end_ns) {
			note_promised(s, p->resv.job_id);
			hold(s, &p->resv);
			ret->held = true;
		}
	}
	return 0;
}

void om_backfill_release(struct om_sched *s)
{
	for (uint32_t i = 0; i < s->parts; i++) {
		const struct om_reservation *r = &s->part[i].resv;

		for (uint32_t k = 0; k < r->parts; k++)
			s->hold[r->part[k].at] = (struct om_hold)OM_HOLD_NONE;
	}
}

/* What a started job takes of the rest. More than that is taken by those only
 * who come before the promised one: then another promise is due. */
static bool take_extra(struct om_hold *extra, const struct om_share *sh)
{
	if (extra->whole || extra->cpus < sh->cpus || extra->mem < sh->mem)
		return false;
	extra->cpus -= sh->cpus;
	extra->mem -= sh->mem;
	return true;
}

static void shrink(struct om_sched *s, struct om_reservation *r,
		   const struct om_placement *p)
{
	uint32_t i = 0, k = 0;

	/* Both lists are in the order of node indexes. */
	while (i < r->parts && k < p->shares) {
		uint32_t at = p->share[k].node->index;

		if (r->part[i].at < at)
			i++;
		else if (r->part[i].at > at)
			k++;
		else if (!take_extra(&r->part[i++].extra, p->share + k++)) {
			r->job_id = 0;
			s->head_gone = true;
		}
	}
}

void om_backfill_started(struct om_sched *s, const struct om_placement *p,
			 int64_t end_ns)
{
	for (uint32_t i = 0; i < s->parts; i++)
		if (s->part[i].resv.job_id &&
		    s->part[i].resv.start_ns < end_ns)
			shrink(s, &s->part[i].resv, p);
}
