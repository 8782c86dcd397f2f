/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reconcile: see the table in reconcile.h. */
#include "sched/ctld/reconcile.h"
#include "sched/model/alloc.h"

struct om_step_part *reconcile_find_part(const struct om_step *s,
					 const struct om_node *node)
{
	for (uint32_t i = 0; i < s->parts; i++)
		if (s->part[i].node == node)
			return s->part + i;
	return NULL;
}

/* Does the log say that this very step goes on there? */
static bool is_wanted(const struct om_job *j, const struct om_node *node,
		      const Om__StepOnNode *held)
{
	const struct om_step *s;
	const struct om_step_part *part;

	if (!j || !j->alloc || om_job_is_over(j) ||
	    j->incarnation != held->incarnation)
		return false;
	s = om_alloc_step(j, held->step_id);
	part = s ? reconcile_find_part(s, node) : NULL;
	return part && !part->over;
}

enum held_verdict reconcile_held(const struct om_job *j,
				 const struct om_node *node,
				 const Om__StepOnNode *held)
{
	bool wanted = is_wanted(j, node, held);

	if (held->exit)
		return wanted ? HELD_TAKE_EXIT : HELD_ACK;
	return wanted ? HELD_KEEP : HELD_KILL;
}

enum part_verdict reconcile_part(const struct om_job *j,
				 const struct om_step *s,
				 const struct part_facts *f)
{
	if (f->held)
		return PART_FINE;
	if (j->ending != OM__JOB_STATE__PENDING || f->confirmed)
		return PART_VANISHED;
	/*
	 * Nothing runs twice: a step that some node has confirmed to somebody
	 * (an earlier process of ours), and of whose job this node knows, may
	 * have been here and ended without a trace.
	 */
	if (s->state != OM__JOB_STATE__CONFIGURING && f->job_there)
		return PART_VANISHED;
	if (s->state != OM__JOB_STATE__CONFIGURING && s->parts == 1)
		return PART_VANISHED;
	return PART_RELAUNCH;
}
