/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * run: a scheduling turn.
 *
 * Shapes are looked at in the order of partition priority, then of their
 * first job. What starts goes back into the order with its next job; what has
 * no room is blocked until something is freed, so each shape fails once.
 */
#include <stdlib.h>

#include "sched/policy/sched.h"

/* Shapes without room that one turn tries before it lets others work. */
#define TRIES_MAX 1000
/* Nodes that are looked at one by one rather than kept in order. */
#define FEW_OPEN 16
/* Jobs of a shape tried in place of its first, which is too long. */
#define BEHIND_MAX 8
/* Of these, the smallest are remembered to spare larger ones the try. */
#define SMALL_MAX 16

struct turn {
	struct om_sched *s;
	int64_t now_ns;
	om_start_fn *fn;
	void *arg;
	struct om_error *err;
	struct om_seen {
		int64_t key;
		uint64_t id;
	} *seen;			/* by partition: last one that failed */
	unsigned started, tries;
	const struct om_shape *small[SMALL_MAX];	/* no room for these */
	unsigned smalls;
};

static void wake_blocked(struct om_sched *s, bool behind_only)
{
	struct om_shape *sh = s->blocked, *next;

	for (; sh; sh = next) {
		next = sh->next_blocked;
		if (sh->behind || !behind_only)
			om_shape_unblock(s, sh);
	}
}

/* Brings everything up to date; true if there may be something to do. */
static bool refresh(struct om_sched *s, int64_t now_ns)
{
	if (s->rescan)
		om_nodes_look_all(s);
	om_queue_wake(s, now_ns);
	if (s->freed) {
		/* Others were passed over for want of cpus, not blocked. */
		s->work = true;
		wake_blocked(s, false);
	} else if (s->head_gone) {
		wake_blocked(s, true);
	}
	s->freed = s->head_gone = false;
	om_shape_trim(s, 64);
	om_ends_tidy(s);
	return s->work;
}

/* The next shape in order that has not failed in this turn. */
static struct om_shape *next_shape(const struct turn *t)
{
	struct om_shape *best = NULL;

	for (uint32_t i = 0; i < t->s->parts; i++) {
		struct om_part *p = t->s->part + i;
		struct om_treap *n = om_treap_after(p->shapes, t->seen[i].key,
						    t->seen[i].id,
						    p->free_cpus);

		if (!n || (best && (best->part->priority > p->priority ||
				    (best->part->priority == p->priority &&
				     !om_shape_before(n, &best->order)))))
			continue;
		best = (struct om_shape *)n;
	}
	return best;
}

static void failed(struct turn *t, struct om_shape *sh, bool behind)
{
	struct om_seen *seen = t->seen + sh->part->index;
	struct om_entry *first = om_shape_first(sh);

	seen->key = sh->order.key;
	seen->id = sh->order.id;
	if (first)
		first->job->reason = behind ? "Priority" : "Resources";
	om_shape_block(t->s, sh, behind);
	t->tries++;
}

/* What is asked for each cpu only counts without a number for the node. */
static uint64_t mem_per_cpu(const struct om_ask *a)
{
	return a->mem_per_node ? 0 : a->mem_per_cpu;
}

/* Does whatever has room for b have room for a? */
static bool needs_no_more(const struct om_shape *a, const struct om_shape *b)
{
	const struct om_ask *x = &a->key.ask, *y = &b->key.ask;

	return a->where == b->where && x->tasks <= y->tasks &&
	       x->cpus_per_task <= y->cpus_per_task &&
	       x->mem_per_node <= y->mem_per_node &&
	       mem_per_cpu(x) <= mem_per_cpu(y) &&
	       x->nodes_min == y->nodes_min && x->nodes_max == y->nodes_max &&
	       x->tasks_per_node == y->tasks_per_node &&
	       x->load_limit == y->load_limit && x->exclusive <= y->exclusive;
}

/* Room only gets less in a turn, so what had none has none. */
static bool larger_than_failed(const struct turn *t, const struct om_shape *sh)
{
	for (unsigned i = 0; i < t->smalls; i++)
		if (needs_no_more(t->small[i], sh))
			return true;
	return false;
}

static void remember_failed(struct turn *t, const struct om_shape *sh)
{
	unsigned n = 0;

	/* Fewer tasks than nodes named: that is why, and no larger one's. */
	if (sh->where->required_count > sh->key.ask.tasks)
		return;
	/* Those that are larger than this one say nothing more. */
	for (unsigned i = 0; i < t->smalls; i++)
		if (!needs_no_more(sh, t->small[i]))
			t->small[n++] = t->small[i];
	if (n < SMALL_MAX)
		t->small[n++] = sh;
	t->smalls = n;
}

/* Tells the model, then everything here that depends on it. */
static int start(struct turn *t, struct om_entry *e,
		 const struct om_placement *p)
{
	struct om_sched *s = t->s;
	struct om_job *j = e->job;
	const struct om_part *part = e->shape->part;
	int64_t end_ns = om_ends_at(t->now_ns, (int64_t)e->order.value);
	bool array = om_job_is_array(j), last = true;
	uint32_t index = j->array_index;
	uint64_t id = j->id;
	int rc;

	if (array) {
		om_idset_next(&j->pending, 0, &index);
		id = om_array_task_id(j, index);
		last = j->pending.count == 1 &&
		       j->pending.range->first == j->pending.range->last;
	}
	if (last)
		om_queue_drop(s, e);
	rc = t->fn(t->arg, j, index, p, t->err);
	if (rc < 0) {
		if (last)
			om_sched_job_pending(s, j);
		return rc;
	}
	t->started++;
	om_nodes_taken(s, p, !part->oversubscribe);
	if (om_ends_add(s, id, end_ns) < 0)
		s->lost = true;
	om_backfill_started(s, p, end_ns);
	if (!last && j->queued && om_queue_array_full(j))
		om_queue_limit(s, j->queued);
	return 0;
}

/*
 * A single task: by the board, without a look at all nodes. Where so few have
 * anything free that looking is quicker than making a board, one is not made.
 */
static int place_single(struct turn *t, struct om_shape *sh,
			struct om_placement *ret)
{
	struct om_place where = om_sched_place(t->s, false);
	uint32_t at;
	int rc;

	if (!sh->has_board && om_place_open(&where, sh->where) <= FEW_OPEN)
		return om_place(&where, &sh->key.ask, sh->where, ret);
	rc = om_shape_board(t->s, sh);
	if (rc < 0 || !om_board_top(&sh->board, &at, &ret->cost))
		return rc;
	ret->share = malloc(sizeof(*ret->share));
	if (!ret->share)
		return -ENOMEM;
	*ret->share = om_place_share(t->s->room + at, &sh->key.ask, 1);
	ret->shares = 1;
	return 1;
}

/* The first in the shape after e that is over by then, or NULL. */
static struct om_entry *next_short(const struct turn *t,
				   const struct om_shape *sh,
				   const struct om_entry *e, int64_t by_ns)
{
	uint64_t max_s = by_ns > t->now_ns ?
		(uint64_t)(by_ns - t->now_ns) / 1000000000 : 0;

	return (struct om_entry *)om_treap_after(sh->jobs, e->order.key,
						 e->order.id, max_s);
}

/*
 * The first job of the shape is in the way of a promise on the nodes that
 * are cheapest. On others perhaps? Or one behind it that is short enough, for
 * the promises to all that are before that one?
 */
static int start_around(struct turn *t, struct om_shape *sh,
			struct om_backfill b, const struct om_placement *p)
{
	struct om_entry *e = om_shape_first(sh);
	struct om_place where = om_sched_place(t->s, true);
	struct om_placement other;
	int rc = om_place(&where, &sh->key.ask, sh->where, &other);

	om_backfill_release(t->s);
	if (rc > 0) {
		rc = start(t, e, &other);
		om_placement_fini(&other);
		return rc < 0 ? rc : 1;
	}
	for (int i = 0; rc == 0 && i < BEHIND_MAX; i++) {
		e = next_short(t, sh, e, b.by_ns);
		if (!e)
			return 0;
		rc = om_backfill_check(t->s, sh, e, t->now_ns, &b);
		om_backfill_release(t->s);
		if (rc == 0 && !b.held) {
			rc = start(t, e, p);
			return rc < 0 ? rc : 1;
		}
	}
	return rc;
}

static int try_placed(struct turn *t, struct om_shape *sh,
		      const struct om_placement *p)
{
	struct om_entry *e = om_shape_first(sh);
	struct om_backfill b;
	int rc = om_backfill_check(t->s, sh, e, t->now_ns, &b);

	if (rc < 0)
		return rc;
	if (b.held) {
		rc = start_around(t, sh, b, p);
		if (rc == 0)
			failed(t, sh, true);
		return rc;
	}
	om_backfill_release(t->s);
	rc = start(t, e, p);
	return rc < 0 ? rc : 1;
}

/* 1: started one; 0: the shape failed; or -Exxx. */
static int try_shape(struct turn *t, struct om_shape *sh)
{
	struct om_placement p = { .share = NULL };
	bool single = sh->key.ask.tasks == 1 && sh->key.ask.nodes_min <= 1;
	struct om_place where = om_sched_place(t->s, false);
	int rc;

	if (larger_than_failed(t, sh)) {
		failed(t, sh, false);
		return 0;
	}
	rc = single ? place_single(t, sh, &p) :
		      om_place(&where, &sh->key.ask, sh->where, &p);
	if (rc < 0)
		return om_fail_nomem(t->err);
	if (rc == 0) {
		failed(t, sh, false);
		remember_failed(t, sh);
		return 0;
	}
	rc = try_placed(t, sh, &p);
	om_placement_fini(&p);
	return rc;
}

/* The first of a partition may have been passed over without a try. */
static void name_reasons(struct om_sched *s)
{
	for (uint32_t i = 0; i < s->parts; i++) {
		struct om_shape *sh =
			(struct om_shape *)om_treap_first(s->part[i].shapes);

		if (sh && !sh->blocked)
			om_shape_first(sh)->job->reason = "Resources";
	}
}

static int run(struct turn *t, unsigned max)
{
	struct om_shape *sh;
	int rc;

	while (t->started < max && t->tries < TRIES_MAX) {
		if (t->s->head_gone) {
			/* Kept back for a job that has started now. */
			t->s->head_gone = false;
			wake_blocked(t->s, true);
			for (uint32_t i = 0; i < t->s->parts; i++)
				t->seen[i] = (struct om_seen){ INT64_MIN, 0 };
		}
		sh = next_shape(t);
		if (!sh) {
			t->s->work = false;
			name_reasons(t->s);
			return 0;
		}
		rc = try_shape(t, sh);
		if (rc < 0)
			return rc;
	}
	return 1;
}

int om_sched_run(struct om_sched *s, int64_t now_ns, unsigned max,
		 om_start_fn *fn, void *arg, int64_t *ret_next_ns,
		 struct om_error *err)
{
	struct turn t = { .s = s, .now_ns = now_ns, .fn = fn, .arg = arg,
			  .err = err };
	int rc = 0;

	*ret_next_ns = 0;
	if (s->lost && (rc = om_sched_rebuild(s, err)) < 0)
		return rc;
	if (refresh(s, now_ns)) {
		t.seen = malloc((s->parts + 1) * sizeof(*t.seen));
		if (!t.seen)
			return om_fail_nomem(err);
		for (uint32_t i = 0; i < s->parts; i++)
			t.seen[i] = (struct om_seen){ INT64_MIN, 0 };
		rc = run(&t, max);
		free(t.seen);
	}
	*ret_next_ns = rc > 0 || s->lost ? now_ns : om_queue_next_ns(s);
	return rc < 0 ? rc : (int)t.started;
}
