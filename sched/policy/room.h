/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * room: a node as placement sees it, and how many tasks of a job fit there.
 *
 * A room is a flat copy of what counts, so that the same code places on the
 * cluster as it is now and on the cluster as it will be when running jobs
 * have ended.
 *
 * Load: readings lag behind launches, so the load of cluster work is taken to
 * be at least the cpus allocated. A load limit L lets a task go to a node if
 * the load that it finds there, tasks of its own job that are there before it
 * counted, is not above L.
 */
#ifndef OM_SCHED_POLICY_ROOM_H
#define OM_SCHED_POLICY_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/econ/cost.h"
#include "sched/model/model.h"

struct om_room {
	const struct om_node *node;	/* NULL: no such node */
	const char *name;
	const void *feature;		/* tells when features change */
	bool usable;			/* up, not drained, not blocked */
	bool exclusive;			/* a job there shares with nobody */
	uint32_t cpus;			/* that cluster work may use */
	uint32_t cpus_alloc, jobs;
	uint32_t cpus_own;		/* given to one task each */
	uint64_t mem, mem_alloc;
	uint64_t mem_busy;		/* by reading; 0: not known */
	double speed;
	double load, load_local, load_guest;
	double limit, limit_local, limit_guest;	/* 0: none */
	double net;
	uint32_t all_cpus;		/* the node's own count */
};

/* What a job needs, numbers only; what is the same for the same class. */
struct om_ask {
	uint32_t tasks, nodes_min, nodes_max, cpus_per_task, tasks_per_node;
	uint64_t mem_per_node, mem_per_cpu;
	double load_limit;
	uint32_t oversubscribe;		/* 0: a cpu is given to one task */
	bool exclusive;			/* whole nodes */
};

/* A limit on what may be taken of a node beyond what is free: what a
 * reservation leaves over. */
struct om_hold {
	uint32_t cpus;
	uint64_t mem;
	bool whole;			/* nothing at all may be taken */
};
#define OM_HOLD_NONE { .cpus = UINT32_MAX, .mem = UINT64_MAX, .whole = false }

/* Reads a node; cpus_own stays as it is. */
void om_room_read(struct om_room *r, const struct om_node *n);
/* Is there more room than in the older state? Loads count if asked. */
bool om_room_grew(const struct om_room *old, const struct om_room *now,
		  bool loads);
bool om_room_same(const struct om_room *a, const struct om_room *b);

/* Cpus that an ask of this kind may still get. */
uint32_t om_room_free_cpus(const struct om_room *r, uint32_t oversubscribe);
uint64_t om_room_free_mem(const struct om_room *r);
/* How many of a's tasks fit, 0 if none; hold may be NULL. */
uint32_t om_room_fit(const struct om_room *r, const struct om_ask *a,
		     const struct om_hold *hold);

/* What so many tasks of a take there. */
uint32_t om_room_take_cpus(const struct om_room *r, const struct om_ask *a,
			   uint32_t tasks);
uint64_t om_room_take_mem(const struct om_ask *a, uint32_t tasks);
/* Puts an allocation into the room, or takes it out again. */
void om_room_take(struct om_room *r, const struct om_ask *a, uint32_t tasks);
void om_room_give(struct om_room *r, const struct om_share *s, bool exclusive,
		  bool own);

/*
 * The marginal cost of tasks there; total is how many the whole job has, for
 * what they say to each other over the network.
 */
double om_room_price(const struct om_room *r, const struct om_econ_market *m,
		     const struct om_ask *a, uint32_t tasks, uint32_t total);
void om_room_econ(const struct om_room *r, struct om_econ_node *ret);

#endif
