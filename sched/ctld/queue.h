/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue: keeps the scheduler informed of what events changed, and runs it at
 * the end of a turn if there was something, a bounded number of starts each.
 */
#ifndef OM_SCHED_CTLD_QUEUE_H
#define OM_SCHED_CTLD_QUEUE_H

#include "sched/ctld/ctld.h"

struct queue;
struct queue *queue_create(struct omctld *c, struct om_error *err);
void queue_destroy(struct queue *q);

/* After an event was applied and appended (journal's applied_fn). */
void queue_applied(struct omctld *c, const Om__Event *ev);
/* A job or array is over; tasks of an array were cancelled unstarted. */
void queue_job_over(struct omctld *c, struct om_job *j);
void queue_tasks_gone(struct omctld *c, struct om_job *parent);
/* Before om_model_forget. */
void queue_job_forgotten(struct omctld *c, struct om_job *j);
/* Readings of a node changed. */
void queue_node_reported(struct omctld *c, struct om_node *n);
/* Something changed that the scheduler should look at. */
void queue_kick(struct omctld *c);
/* After a start: no job is started before the nodes had time to come back. */
void queue_hold_off(struct omctld *c, int64_t ns);
void queue_nodes_are_back(struct omctld *c);
/* The turn hook. */
void queue_turn(struct omctld *c);

#endif
