/* SPDX-License-Identifier: GPL-3.0-or-later */
/* apply: dispatch of events, and what all kinds share. */
#include "sched/model/apply.h"
#include "sched/model/private.h"

struct om_job *apply_find_job(struct om_model *m, uint64_t id,
			      struct om_error *err)
{
	struct om_job *j = om_model_job(m, id);

	if (!j)
		om_fail(err, -ENOENT, "job %llu is unknown",
			(unsigned long long)id);
	return j;
}

int model_move(struct om_model *m, struct om_job *j, Om__JobState to,
	       struct om_error *err)
{
	if (!om_state_may(j->state, to))
		return om_fail(err, -EPROTO, "job %llu cannot go from %s to %s",
			       (unsigned long long)j->id,
			       om_state_name(j->state), om_state_name(to));
	if (!om_job_is_array(j)) {
		if (j->state == OM__JOB_STATE__PENDING)
			m->jobs_pending--;
		else if (to == OM__JOB_STATE__PENDING)
			m->jobs_pending++;
	}
	j->state = to;
	return 0;
}

static int apply_setting(struct om_model *m, const Om__Event *ev,
			 struct om_error *err)
{
	if (model_set(m, ev->setting->key, ev->setting->value) < 0)
		return om_fail_nomem(err);
	return 0;
}

static model_apply_fn *handler_of(const Om__Event *ev)
{
	switch (ev->what_case) {
	case OM__EVENT__WHAT_SUBMITTED: return apply_submitted;
	case OM__EVENT__WHAT_HELD: return apply_held;
	case OM__EVENT__WHAT_RELEASED: return apply_released;
	case OM__EVENT__WHAT_ALLOCATED: return apply_allocated;
	case OM__EVENT__WHAT_STARTED: return apply_started;
	case OM__EVENT__WHAT_STEP_CREATED: return apply_step_created;
	case OM__EVENT__WHAT_STEP_NODE: return apply_step_node;
	case OM__EVENT__WHAT_ENDING: return apply_ending;
	case OM__EVENT__WHAT_NODE_CLEAN: return apply_node_clean;
	case OM__EVENT__WHAT_FINISHED: return apply_finished;
	case OM__EVENT__WHAT_REQUEUED: return apply_requeued;
	case OM__EVENT__WHAT_UPDATED: return apply_updated;
	case OM__EVENT__WHAT_NODE_JOINED: return apply_node_joined;
	case OM__EVENT__WHAT_NODE_STATE: return apply_node_state;
	case OM__EVENT__WHAT_NODE_SET: return apply_node_set;
	case OM__EVENT__WHAT_NODE_REMOVED: return apply_node_removed;
	case OM__EVENT__WHAT_SETTING: return apply_setting;
	default: return NULL;
	}
}

int om_apply(struct om_model *m, const Om__Event *ev, struct om_error *err)
{
	model_apply_fn *fn = handler_of(ev);

	if (!fn)
		return om_fail(err, -EPROTO,
			       "event of an unknown kind: written by a newer version?");
	return fn(m, ev, err);
}
