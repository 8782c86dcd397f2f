/* SPDX-License-Identifier: GPL-3.0-or-later */
/* private: what the parts of sched/model share among themselves. */
#ifndef OM_SCHED_MODEL_PRIVATE_H
#define OM_SCHED_MODEL_PRIVATE_H

#include "sched/model/model.h"

struct om_ended {
	uint64_t id;
	Om__JobState state;
	uint32_t dependents;
	UT_hash_handle hh;
};

/* Moves j to the list that its state and pending set call for. */
void model_relist(struct om_model *m, struct om_job *j);
/* Before an array is added; 0 or -ENOMEM. */
int model_reserve_array(struct om_model *m);
void model_add_job(struct om_model *m, struct om_job *j);
void model_add_uuid(struct om_model *m, struct om_job *j);
void model_remove_job(struct om_model *m, struct om_job *j);
void model_free_job(struct om_model *m, struct om_job *j);
struct om_node *model_add_node(struct om_model *m, const char *name);
void model_remove_node(struct om_model *m, struct om_node *n);
int model_set(struct om_model *m, const char *key, const char *value);

/* -EPROTO with both names if the table refuses; else the state is set. */
int model_move(struct om_model *m, struct om_job *j, Om__JobState to,
	       struct om_error *err);
/* j->pending of a parent changed, or one of its tasks ended. */
void model_settle_parent(struct om_model *m, struct om_job *parent,
			 int64_t at_ns);
/* A job that waits for another counts there. */
void model_depend(struct om_model *m, const struct om_job *j);
void model_undepend(struct om_model *m, struct om_job *j);

/* A task of an array as a job of its own; pending still holds its index. */
struct om_job *model_make_task(struct om_job *parent, uint32_t index);
/* Fills a new job from the submitted event; the job is not in m yet. */
int model_read_submitted(struct om_model *m, struct om_job *j,
			 const Om__EvSubmitted *ev, struct om_error *err);

/* Adds a step whose event was judged already. */
int model_add_step(struct om_model *m, struct om_job *j,
		   const Om__EvStepCreated *e, int64_t at_ns,
		   struct om_error *err);

typedef int model_apply_fn(struct om_model *m, const Om__Event *ev,
			   struct om_error *err);
model_apply_fn apply_submitted, apply_held, apply_released, apply_allocated,
	apply_started, apply_step_created, apply_step_node, apply_ending,
	apply_node_clean, apply_finished, apply_requeued, apply_updated,
	apply_node_joined, apply_node_state, apply_node_set,
	apply_node_removed;

/* The job of an event, or NULL with err set. */
struct om_job *apply_find_job(struct om_model *m, uint64_t id,
			      struct om_error *err);
int apply_node_settings(struct om_node *n, char **set, size_t count,
			struct om_error *err);
int apply_registration(struct om_model *m, struct om_node *n,
		       const Om__NodeRegister *reg, struct om_error *err);

#endif
