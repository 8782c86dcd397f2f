/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodes: rooms, sums of partitions and the log of changes. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sched/policy/sched.h"

#define LOG_MIN 1024
/*
 * Small clusters are priced as if they had so many nodes: with n = 2 the
 * curve n^u is so flat that a node three times as fast would get four tasks
 * a processor while another idles. Any larger base keeps the bound.
 */
#define MARKET_MIN 8

static int grow_log(struct om_sched *s, uint32_t rooms)
{
	uint64_t size = s->log.size ? s->log.size : LOG_MIN;
	uint32_t *at;

	while (size < (uint64_t)rooms * 2)
		size *= 2;
	if (size == s->log.size)
		return 0;
	at = calloc(size, sizeof(*at));
	if (!at)
		return -ENOMEM;
	free(s->log.at);
	s->log.at = at;
	s->log.size = size;
	/* Numbers mean other places now: no board may read old ones. */
	s->market_generation++;
	return 0;
}

static int grow(struct om_sched *s, uint32_t rooms)
{
	uint32_t cap = s->room_cap ? s->room_cap : 16;
	struct om_room *room;
	struct om_hold *hold;
	uint64_t *open;

	if (rooms <= s->rooms)
		return 0;
	while (cap < rooms)
		cap *= 2;
	if (cap > s->room_cap) {
		room = realloc(s->room, cap * sizeof(*room));
		if (room)
			s->room = room;
		hold = realloc(s->hold, cap * sizeof(*hold));
		if (hold)
			s->hold = hold;
		open = realloc(s->open, (cap / 64 + 1) * sizeof(*open));
		if (open)
			s->open = open;
		if (!room || !hold || !open)
			return -ENOMEM;
		s->room_cap = cap;
	}
	if (grow_log(s, rooms) < 0)
		return -ENOMEM;
	for (uint32_t at = s->rooms; at < rooms; at++) {
		s->room[at] = (struct om_room){ .node = NULL };
		s->hold[at] = (struct om_hold)OM_HOLD_NONE;
		if (at % 64 == 0)
			s->open[at / 64] = 0;
	}
	if (rooms % 64 == 0)
		s->open[rooms / 64] = 0;	/* one word more than rooms */
	s->rooms = rooms;
	return 0;
}

/* Where a node belongs, if it came, went or has other features. */
static int read_places(struct om_sched *s, uint32_t at)
{
	const struct om_node *n = s->m->node[at];
	bool own = false, shared = false;
	struct om_where *w, *next;

	for (uint32_t i = 0; i < s->parts; i++) {
		struct om_part *p = s->part + i;
		bool in = n && om_part_has(p, n->name);

		if (om_part_set_at(p, at, in) < 0)
			return -ENOMEM;
		own |= in && !p->oversubscribe;
		shared |= in && p->oversubscribe;
	}
	s->mixed |= own && shared;
	HASH_ITER(hh, s->wheres, w, next)
		if (om_where_read_at(w, s->m, at) < 0)
			return -ENOMEM;
	return 0;
}

static void count_nodes(struct om_sched *s, int change)
{
	double load = s->market.load_max, speed = s->market.speed_max;

	s->market_nodes += (uint32_t)change;
	om_econ_market_init(&s->market, s->market_nodes > MARKET_MIN ?
						s->market_nodes : MARKET_MIN);
	s->market.load_max = load > 1 ? load : 1;
	s->market.speed_max = speed;
	s->market_generation++;
}

static void sum_parts(struct om_sched *s, uint32_t at,
		      const struct om_room *old, const struct om_room *now)
{
	for (uint32_t i = 0; i < s->parts; i++) {
		struct om_part *p = s->part + i;

		if (om_part_has_at(p, at))
			p->free_cpus +=
				(uint64_t)om_room_free_cpus(now, p->oversubscribe) -
				om_room_free_cpus(old, p->oversubscribe);
	}
}

static void set_open(struct om_sched *s, uint32_t at, const struct om_room *r)
{
	uint64_t mask = (uint64_t)1 << (at % 64);

	if (om_room_free_cpus(r, 0) ||
	    (s->oversubscribe && om_room_free_cpus(r, s->oversubscribe)))
		s->open[at / 64] |= mask;
	else
		s->open[at / 64] &= ~mask;
}

/* Takes a room's new state over. */
static void enter(struct om_sched *s, uint32_t at, const struct om_room *now)
{
	struct om_room *old = s->room + at;
	struct om_econ_node en;

	sum_parts(s, at, old, now);
	if (om_room_grew(old, now, s->load_limits > 0)) {
		s->freed = true;
		s->epoch++;
	} else if (old->usable != now->usable || now->cpus < old->cpus ||
		   now->mem < old->mem) {
		s->epoch++;
	}
	*old = *now;
	set_open(s, at, now);
	s->log.at[s->log.next++ % s->log.size] = at;
	if (!now->node)
		return;
	om_room_econ(now, &en);
	if (om_econ_market_see(&s->market, &en))
		s->market_generation++;
}

static int look(struct om_sched *s, uint32_t at, uint32_t own)
{
	const struct om_node *n = s->m->node[at];
	const struct om_room none = { .node = NULL };
	struct om_room now = { .node = NULL };

	if (n)
		om_room_read(&now, n);
	now.cpus_own = own;
	if (om_room_same(s->room + at, &now))
		return 0;
	if (s->room[at].node != n || s->room[at].name != now.name ||
	    s->room[at].feature != now.feature) {
		/* Its sums leave by the old places and come by the new. */
		int came = (n != NULL) - (s->room[at].node != NULL);

		enter(s, at, &none);
		if (came)
			count_nodes(s, came);
		if (read_places(s, at) < 0)
			return -ENOMEM;
		s->freed = true;	/* names and features count too */
		s->epoch++;
	}
	enter(s, at, &now);
	return 0;
}

void om_nodes_look(struct om_sched *s, uint32_t at)
{
	if (at >= s->m->nodes)
		return;
	if (grow(s, s->m->nodes) < 0 || look(s, at, s->room[at].cpus_own) < 0)
		s->lost = true;
}

/* The cpus on each node that are one task's own, where that matters. */
static uint32_t *count_own(struct om_sched *s)
{
	uint32_t *own = calloc(s->rooms + 1, sizeof(*own));
	struct om_job *j;

	if (!own)
		return NULL;
	DL_FOREACH(s->m->active, j) {
		struct om_part *p = om_sched_part(s, j->req->partition);

		if (!j->alloc || (p && p->oversubscribe))
			continue;
		for (uint32_t i = 0; i < j->alloc->shares; i++) {
			const struct om_share *sh = j->alloc->share + i;

			if (!sh->clean && sh->node->index < s->rooms)
				own[sh->node->index] += sh->cpus;
		}
	}
	return own;
}

void om_nodes_look_all(struct om_sched *s)
{
	uint32_t *own = NULL;
	bool was_mixed = s->mixed;

	s->rescan = false;
	if (grow(s, s->m->nodes) < 0 || (s->mixed && !(own = count_own(s)))) {
		s->lost = true;
		return;
	}
	for (uint32_t at = 0; at < s->rooms; at++)
		if (look(s, at, own ? own[at] : 0) < 0)
			s->lost = true;
	free(own);
	/* Found out on the way: once more, with own cpus counted. */
	if (s->mixed && !was_mixed)
		om_nodes_look_all(s);
}

void om_nodes_taken(struct om_sched *s, const struct om_placement *p, bool own)
{
	for (uint32_t i = 0; i < p->shares; i++) {
		uint32_t at = p->share[i].node->index;
		uint32_t cpus = s->room[at].cpus_own;

		if (own && s->mixed)
			cpus += p->share[i].cpus;
		if (look(s, at, cpus) < 0)
			s->lost = true;
	}
}

void om_nodes_fini(struct om_sched *s)
{
	free(s->room);
	free(s->hold);
	free(s->open);
	free(s->log.at);
	s->room = NULL;
	s->hold = NULL;
	s->open = NULL;
	s->log = (struct om_change_log){ .at = NULL };
	s->rooms = s->room_cap = 0;
	s->market_nodes = 0;
	s->mixed = false;
}
