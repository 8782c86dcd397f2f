/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * board: the prices of all nodes for single tasks of one shape, cheapest on
 * top. Brought up to date from the log of changed nodes, so that a placement
 * costs O(changes * log nodes) and not a look at every node.
 */
#ifndef OM_SCHED_POLICY_BOARD_H
#define OM_SCHED_POLICY_BOARD_H

#include "sched/policy/room.h"
#include "sched/policy/where.h"

/* Which nodes changed, a ring; number seq is at seq % size. */
struct om_change_log {
	uint32_t *at;
	uint64_t size;			/* a power of two */
	uint64_t next;			/* number of the next entry */
};

struct om_board {
	uint32_t *heap;			/* node indexes, cheapest first */
	uint32_t *pos;			/* place in heap by node, or NONE */
	double *price;			/* by node */
	uint32_t count, nodes;
	uint64_t seen;			/* log entries taken in */
	uint64_t prices;		/* generation of the market */
	bool valid;
};

struct om_market_view {
	const struct om_room *room;
	uint32_t rooms;
	const struct om_econ_market *market;
	uint64_t generation;
	const struct om_change_log *log;
};

/* Brings the board up to date: 0 or -ENOMEM. */
int om_board_update(struct om_board *b, const struct om_market_view *v,
		    const struct om_ask *a, const struct om_where *w);
/* The cheapest node; false if none has room. */
bool om_board_top(const struct om_board *b, uint32_t *ret_at,
		  double *ret_price);
void om_board_fini(struct om_board *b);

#endif
