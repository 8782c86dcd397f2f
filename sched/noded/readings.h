/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * readings: load, memory, network and disk of this node.
 *
 * Load is the mean number of runnable threads (running or waiting for a
 * processor), smoothed over some seconds. Guests are the threads in jobs'
 * cgroups; of each the kernel keeps how long it ran and waited. What is not
 * theirs is local: on a whole machine what else is runnable, on a virtual node
 * (a PID namespace) the processor time its own cgroup used beside its jobs'.
 */
#ifndef OM_NODED_READINGS_H
#define OM_NODED_READINGS_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/cgroup.h"

struct readings;
/* All borrowed. spool_dir: whose disk is told of. */
struct readings *readings_create(const struct cgroup_tree *tree,
				 const struct om_clock *clock,
				 const char *spool_dir, struct om_error *err);
void readings_destroy(struct readings *r);
/* Reads anew; true if m holds anything that changed noticeably. */
bool readings_take(struct readings *r, Om__NodeReport *m);
/* Everything counts as changed the next time. */
void readings_reset(struct readings *r);

#endif
