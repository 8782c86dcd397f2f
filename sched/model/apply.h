/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * apply: the fold. One function derives the model from events; it has no
 * side effects beyond the model and is what a restart replays.
 *
 * States move by a table; an event that the table refuses is -EPROTO with
 * both state names, and leaves the model as it was.
 */
#ifndef OM_SCHED_MODEL_APPLY_H
#define OM_SCHED_MODEL_APPLY_H

#include "sched/model/model.h"

int om_apply(struct om_model *m, const Om__Event *ev, struct om_error *err);

/* The model as records, and back; snapshot + later events == all events. */
typedef int om_snapshot_fn(void *arg, const Om__Snapshot *rec,
			   struct om_error *err);
int om_model_save(const struct om_model *m, int64_t now_ns, om_snapshot_fn *fn,
		  void *arg, struct om_error *err);
int om_model_restore(struct om_model *m, const Om__Snapshot *rec,
		     struct om_error *err);

/* Removes a job that is over (its history row is written). A job that others
 * depend on leaves its end state behind in a small table. */
void om_model_forget(struct om_model *m, struct om_job *j);

/* May a job go from one state to another? */
bool om_state_may(Om__JobState from, Om__JobState to);
const char *om_state_name(Om__JobState s);	/* "running" */
/* As users write it, any case, also short forms ("R", "PD", "CD"). */
int om_state_parse(const char *word, Om__JobState *ret);

#endif
