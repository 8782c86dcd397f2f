/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * run: a job from its allocation to its end.
 *
 *	run_start        allocated; batch: its step is created and ordered
 *	run_started      a step runs: RUNNING
 *	run_step_over    the last part of a step is over: perhaps the job too
 *	run_end          somebody wants it to end, or it must
 *	run_act          COMPLETING: does what is left to do; may run twice
 *
 * A job whose end was asked for gently (cancelled, time is up, requeued) gets
 * SIGTERM and kill_wait_s; every other end leaves nothing at once (JobEnd).
 */
#ifndef OM_SCHED_CTLD_RUN_H
#define OM_SCHED_CTLD_RUN_H

#include "sched/ctld/ctld.h"
#include "sched/ctld/peer.h"

struct run;

struct run *run_create(struct omctld *c, struct om_error *err);
void run_destroy(struct run *r);
/* After a restart: deadlines, clients to come back, what was under way. */
void run_recover(struct omctld *c);

om_start_fn run_start;			/* arg: struct omctld * */
void run_started(struct omctld *c, struct om_job *j, struct om_step *s);
void run_step_over(struct omctld *c, struct om_job *j, struct om_step *s,
		   const Om__StepExit *last, const char *node);

struct run_why {
	Om__JobState why;
	uint32_t uid;
	bool by_user;			/* uid counts */
	const char *text;		/* or NULL */
};
/* A job that holds nothing is over at once. */
int run_end(struct omctld *c, struct om_job *j, const struct run_why *w,
	    struct om_error *err);
/* Array tasks that were not started yet; all of them: tasks NULL. */
int run_cancel_tasks(struct omctld *c, struct om_job *parent,
		     const struct om_idset *tasks, struct om_error *err);
void run_act(struct omctld *c, struct om_job *j);
/* Something of j's is gone from node for good: the node is clean. */
void run_node_clean(struct omctld *c, struct om_job *j, const char *node);

/* An attached job's client, new or back. */
int run_attach(struct omctld *c, struct om_job *j, struct peer *p,
	       uint32_t id, struct om_error *err);
/* It is over: nobody is waited for any more. */
void run_detach(struct omctld *c, struct om_job *j);
/* Tells the attached client how j stands; or any peer. */
void run_tell(struct omctld *c, const struct om_job *j);
void run_tell_to(struct omctld *c, const struct om_job *j, struct peer *p,
		 uint32_t id);
/* A new limit of a job that runs. */
void run_set_limit(struct omctld *c, struct om_job *j);

#endif
