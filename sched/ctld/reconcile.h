/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reconcile: what a node says it holds, against what the log says it should.
 * Pure judgements; nodes.c acts on them.
 *
 *	node holds        log says                     verdict
 *	step, over        its part goes on             TAKE_EXIT
 *	step, over        part over, job gone or anew  ACK (and END)
 *	step, running     its part goes on             KEEP
 *	step, running     anything else                KILL
 *	nothing           part goes on, unconfirmed    RELAUNCH
 *	nothing           part goes on, was started    VANISHED
 *	nothing           part goes on, job is ending  VANISHED
 */
#ifndef OM_SCHED_CTLD_RECONCILE_H
#define OM_SCHED_CTLD_RECONCILE_H

#include "sched/model/model.h"

enum held_verdict { HELD_KEEP, HELD_KILL, HELD_TAKE_EXIT, HELD_ACK };
enum part_verdict { PART_FINE, PART_RELAUNCH, PART_VANISHED };

/* A step that node holds; j is the job of that id, or NULL. */
enum held_verdict reconcile_held(const struct om_job *j,
				 const struct om_node *node,
				 const Om__StepOnNode *held);

struct part_facts {
	bool held;		/* the node holds it, running or over */
	bool confirmed;		/* the node told this process it had started */
	bool job_there;		/* the job's cgroup exists on the node */
};
/* A part that the log says goes on there. */
enum part_verdict reconcile_part(const struct om_job *j,
				 const struct om_step *s,
				 const struct part_facts *facts);

/* The part of s on node, or NULL. */
struct om_step_part *reconcile_find_part(const struct om_step *s,
					 const struct om_node *node);

#endif
