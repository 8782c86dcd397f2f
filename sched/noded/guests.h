/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guests: how many threads of jobs are runnable, by what the kernel counted. */
#ifndef OM_NODED_GUESTS_H
#define OM_NODED_GUESTS_H

#include "sched/noded/cgroup.h"

struct guests;
struct guests *guests_create(void);
void guests_destroy(struct guests *g);

/*
 * The mean over the last dt seconds. cpus: processors that the jobs' groups
 * used in that time; while that is next to nothing no thread is looked at.
 */
double guests_runnable(struct guests *g, const struct cgroup_tree *tree,
		       double cpus, double dt);

#endif
