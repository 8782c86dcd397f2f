/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * forecast: when a job will start, if every job runs as long as its time
 * limit allows, nobody submits anything more, and jobs start in their order.
 *
 * An estimate for people: backfilling and early ends make it sooner, what
 * comes before it in the queue meanwhile makes it later.
 */
#ifndef OM_SCHED_POLICY_FORECAST_H
#define OM_SCHED_POLICY_FORECAST_H

#include "sched/policy/sched.h"

/* What is asked about: an entry of the queue, or a request that would come
 * last (order as a job's at now). */
struct om_forecast {
	const struct om_ask *ask;
	const struct om_where *where;
	struct om_treap order;		/* key and id, see om_entry */
	const struct om_part *part;
};

/* 1: *ret_ns and the placement then (to be finished); 0: cannot be told;
 * -ENOMEM. */
int om_forecast(struct om_sched *s, const struct om_forecast *f,
		int64_t now_ns, int64_t *ret_ns, struct om_placement *ret);

/* The ready job after (prio, key, id) in the order of all partitions; NULL at
 * the end. Start with priority INT32_MAX and key INT64_MIN. */
struct om_cursor {
	int32_t priority;
	int64_t key;
	uint64_t id;
};
#define OM_CURSOR_INIT { .priority = INT32_MAX, .key = INT64_MIN, .id = 0 }
struct om_entry *om_queue_next(struct om_sched *s, struct om_cursor *c);
/* Does an entry come before what is asked about? */
bool om_forecast_ahead(const struct om_entry *e, const struct om_forecast *f);

#endif
