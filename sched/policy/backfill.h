/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * backfill: EASY. The first job of an exclusive partition that cannot start
 * is promised the nodes that it can have soonest, by the time limits of what
 * runs; another may start before it only if it ends by then, or takes of
 * those nodes no more than the promise leaves over.
 *
 *   cpus |  runs  |#########|
 *        | runs longer |####|   # promised to the first job
 *        |~~~~~~~~|#########|   ~ may be filled by a job that ends in time,
 *        |extra..............|  . or by any that fits into the extra cpus
 *        now      start_ns
 *
 * Promises are kept as long as running jobs obey their limits and no node
 * fails: a new one is never later than the one before.
 */
#ifndef OM_SCHED_POLICY_BACKFILL_H
#define OM_SCHED_POLICY_BACKFILL_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/policy/room.h"

struct om_entry;
struct om_placement;
struct om_sched;
struct om_shape;
struct om_where;

/* What the first job gets of a node, and what others may have of it. */
struct om_reserved {
	uint32_t at;			/* node index */
	struct om_share share;
	struct om_hold extra;
};

struct om_reservation {
	uint64_t job_id;		/* 0: none */
	uint64_t epoch;			/* of the cluster when it was made */
	int64_t start_ns;
	struct om_reserved *part;
	uint32_t parts;
};

void om_reservation_fini(struct om_reservation *r);

/*
 * May this job start now on nodes that are free for it, seen from the jobs
 * before it? Fills hold[] (by node) with what is promised to others at a time
 * when the job would still run, *ret_held says whether anything is; and
 * *ret_by_ns is when it would have to be over to be in nobody's way. To be
 * undone by om_backfill_release. 0 or -ENOMEM.
 */
struct om_backfill {
	bool held;
	int64_t by_ns;			/* INT64_MAX: nothing is promised */
	uint64_t for_job;		/* whose promise comes first */
};
int om_backfill_check(struct om_sched *s, const struct om_shape *sh,
		      const struct om_entry *e, int64_t now_ns,
		      struct om_backfill *ret);
void om_backfill_release(struct om_sched *s);
/* A job was started until end_ns: promises shrink by what it took. */
void om_backfill_started(struct om_sched *s, const struct om_placement *p,
			 int64_t end_ns);

/*
 * When an ask could start by the time limits of what runs, with nothing else
 * in between: 1, *ret_ns, the placement (to be finished) and, unless NULL, the
 * rooms at that time before it is placed (to be freed; filled in where the
 * placement is); 0 if never; -ENOMEM.
 */
int om_backfill_when(struct om_sched *s, const struct om_ask *a,
		     const struct om_where *w, int64_t now_ns,
		     int64_t *ret_ns, struct om_room **ret_room,
		     struct om_placement *ret);

#endif
