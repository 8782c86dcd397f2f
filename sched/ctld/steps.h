/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * steps: from a StepCreate, or a batch script's order, to the last part's end.
 */
#ifndef OM_SCHED_CTLD_STEPS_H
#define OM_SCHED_CTLD_STEPS_H

#include "sched/ctld/ctld.h"
#include "sched/ctld/peer.h"

/* A part's end as its node tells it: judged, logged, acknowledged. */
void steps_take_exit(struct omctld *c, struct peer *p, struct om_node *node,
		     const Om__StepExit *x);
/* A part ends that its node says nothing of. j may be over afterwards. */
void steps_part_failed(struct omctld *c, struct om_job *j, struct om_step *s,
		       struct om_node *node, Om__JobState why,
		       const char *text);
/* All parts of j that go on at node, which is lost or says it is clean. Does
 * not end the job by that. */
void steps_lost(struct omctld *c, struct om_job *j, struct om_node *node);

#endif
