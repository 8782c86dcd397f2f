/* SPDX-License-Identifier: GPL-3.0-or-later */
/* waits: who wants to hear how a job ended. */
#ifndef OM_SCHED_CTLD_WAITS_H
#define OM_SCHED_CTLD_WAITS_H

#include "sched/ctld/ctld.h"

struct waits;
struct waits *waits_create(struct om_error *err);
void waits_destroy(struct waits *w);
/* Job j (or array) is over: answers all who wait for it. */
void waits_job_over(struct omctld *c, const struct om_job *j);
/* Tasks of parent that will never start: answers those who wait for them. */
void waits_tasks_cancelled(struct omctld *c, const struct om_job *parent,
			   const struct om_idset *tasks);

#endif
