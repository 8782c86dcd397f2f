/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limits: which part of a request is too much for some state of the cluster,
 * and how much of it would do. */
#ifndef OM_SCHED_POLICY_LIMITS_H
#define OM_SCHED_POLICY_LIMITS_H

#include "sched/policy/sched.h"

/* What of a request can be made smaller. */
enum om_knob {
	OM_KNOB_CPUS_PER_TASK, OM_KNOB_MEM_NODE, OM_KNOB_MEM_CPU,
	OM_KNOB_NODES, OM_KNOB_TASKS,
};

/* Rooms of the cluster with nothing running and every node well; owned, NULL
 * without memory. */
struct om_room *om_limits_empty(const struct om_sched *s);

bool om_limits_fits(const struct om_place *p, const struct om_ask *a,
		    const struct om_where *w);
/* The largest value of the knob, below what a asks, with which it fits; 0 if
 * there is none. Memory in bytes, whole megabytes. */
uint64_t om_limits_largest(const struct om_place *p, const struct om_ask *a,
			   const struct om_where *w, enum om_knob knob);

/* The first thing of a that does not fit; false if all of it does, or if it
 * is not for want of any one thing. */
bool om_limits_first(const struct om_place *p, const struct om_ask *a,
		     const struct om_where *w, enum om_knob *ret);
uint64_t om_limits_asked(const struct om_ask *a, enum om_knob knob);
/* "-c 8", "--mem=3G". */
const char *om_limits_option(enum om_knob knob, uint64_t value, char *buf,
			     size_t size);

/*
 * Could this ever run? 0 or -EINVAL with limit, asked, most available and,
 * after a newline, a line to copy. Nodes of the partition that have not
 * registered yet are given the benefit of the doubt.
 */
int om_limits_check(const struct om_sched *s, const struct om_request *r,
		    const struct om_ask *a, const struct om_where *w,
		    struct om_error *err);

#endif
