/* SPDX-License-Identifier: GPL-3.0-or-later */
/* part: a partition as the scheduler keeps it. */
#ifndef OM_SCHED_POLICY_PART_H
#define OM_SCHED_POLICY_PART_H

#include "lib/conf/config.h"
#include "sched/policy/backfill.h"
#include "sched/policy/names.h"
#include "sched/policy/treap.h"

struct om_part {
	char *name, *hosts;		/* as configured */
	bool is_default;
	bool shared;
	int32_t priority;
	uint32_t oversubscribe;		/* 0: exclusive; else tasks a cpu */
	int64_t max_time_s, default_time_s;	/* INT64_MAX: none */
	uint64_t default_mem_per_cpu;
	struct om_strvec allow_users, allow_groups;
	bool all_nodes;
	struct om_names nodes;
	uint32_t index;
	uint64_t *bit;			/* its nodes, by index */
	uint32_t words;

	/* Shapes with ready jobs, in the order of their first; the value is
	 * the least of free cpus that could help, UINT64_MAX: none. */
	struct om_treap *shapes;
	uint64_t ready;			/* jobs, an array is one */
	uint64_t free_cpus;		/* on all its nodes together */
	struct om_reservation resv;
};

int om_part_init(struct om_part *p, const struct om_conf_partition *conf,
		 uint32_t index, struct om_error *err);
void om_part_fini(struct om_part *p);
bool om_part_has(const struct om_part *p, const char *node);
static inline bool om_part_has_at(const struct om_part *p, uint32_t at)
{
	return at / 64 < p->words && (p->bit[at / 64] >> (at % 64) & 1);
}
/* Sets or clears a node's bit: 0 or -ENOMEM. */
int om_part_set_at(struct om_part *p, uint32_t at, bool in);
/* The limit that holds for a job, in seconds; INT64_MAX: none. */
int64_t om_part_limit_s(const struct om_part *p, int64_t asked_s);

#endif
