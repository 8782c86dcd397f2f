/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alloc: what a job holds on nodes, and the nodes' sums over it. */
#ifndef OM_SCHED_MODEL_ALLOC_H
#define OM_SCHED_MODEL_ALLOC_H

#include "sched/model/model.h"

/* Builds job's allocation from the event and adds it to the nodes' sums.
 * -ENOENT for an unknown node, -EPROTO for lists of unequal length. */
int om_alloc_add(struct om_model *m, struct om_job *j,
		 const Om__EvAllocated *ev, struct om_error *err);
/* Nothing of the job is left on this share: its node has it back. */
void om_alloc_release_share(struct om_job *j, struct om_share *s);
/* Releases what is left and frees the allocation. */
void om_alloc_remove(struct om_model *m, struct om_job *j);
struct om_share *om_alloc_share(const struct om_job *j, const char *node);
struct om_step *om_alloc_step(const struct om_job *j, uint32_t step_id);

#endif
