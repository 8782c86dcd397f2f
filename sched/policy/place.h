/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place: which nodes a job gets.
 *
 * A job fits if and only if a placement is found. Of those, the one of least
 * marginal cost is taken: exactly so for a single task; for a gang some good
 * layouts are priced (nodes that are cheap, nodes that are large, tasks spread
 * one by one) and the least of these wins. In an exclusive partition, where
 * nobody competes for a cpu that a task has, a gang gets as few nodes as it
 * can, among them the cheapest.
 */
#ifndef OM_SCHED_POLICY_PLACE_H
#define OM_SCHED_POLICY_PLACE_H

#include "sched/policy/policy.h"
#include "sched/policy/room.h"
#include "sched/policy/where.h"

struct om_place {
	const struct om_room *room;
	uint32_t rooms;
	const struct om_hold *hold;	/* by index, or NULL */
	const struct om_econ_market *market;
	const uint64_t *open;		/* a bit for each room with anything
					 * free; NULL: look at all */
};

/* 1: *ret is filled and to be finished; 0: does not fit now; -ENOMEM. */
int om_place(const struct om_place *p, const struct om_ask *a,
	     const struct om_where *w, struct om_placement *ret);

/* How many nodes a placement would have to look at. */
uint32_t om_place_open(const struct om_place *p, const struct om_where *w);

/* Is node x at price a better than node y at price b? Ties: lower index. */
static inline bool om_place_better(double a, uint32_t x, double b, uint32_t y)
{
	return a != b ? a < b : x < y;
}

/* The share that tasks of a have on a node. */
struct om_share om_place_share(const struct om_room *r, const struct om_ask *a,
			       uint32_t tasks);

#endif
