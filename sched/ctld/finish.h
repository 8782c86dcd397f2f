/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * finish: a job's last event, its row of the history, who is told; and after
 * a while forgetting it. Finished jobs stay in the model for some minutes, so
 * that "omq" shows them, but never more than some ten thousand.
 */
#ifndef OM_SCHED_CTLD_FINISH_H
#define OM_SCHED_CTLD_FINISH_H

#include "sched/ctld/ctld.h"

struct finish;
struct finish *finish_create(struct om_error *err);
void finish_destroy(struct finish *f);

/* 0 or -Exxx (logged). j stays in the model until it is forgotten. */
int finish_job(struct omctld *c, struct om_job *j, Om__JobState state,
	       const char *text);
/* Forgets what is over for long; once a second. */
void finish_forget(struct omctld *c, int64_t now_ns);
/* At start: a job that is over already; then all in order. */
void finish_recovered(struct omctld *c, struct om_job *j);
void finish_sort(struct omctld *c);
/* Jobs that are not over; an array counts as one. */
uint64_t finish_live(const struct omctld *c);

#endif
