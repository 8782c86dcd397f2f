/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter: which jobs a command means. */
#ifndef OM_SCHED_CTLD_FILTER_H
#define OM_SCHED_CTLD_FILTER_H

#include "sched/model/model.h"

/* 0 or -EINVAL: bounds of counts and texts. */
int filter_check(const Om__JobFilter *f, struct om_error *err);
bool filter_is_empty(const Om__JobFilter *f);
/* All conditions but job_id and array_task, which filter_each looks up. */
bool filter_match(const struct om_job *j, const Om__JobFilter *f);

/*
 * Calls fn for each job meant. Jobs and arrays given by id are looked up, not
 * searched for. tasks: of an array parent only these (NULL: the whole job);
 * an array's id alone means the parent and each task that has a job. fn may
 * change the job and the lists it is on, but not forget jobs.
 */
typedef void filter_fn(void *arg, struct om_job *j,
		       const struct om_idset *tasks);
/* missing_fn (or NULL) is told of ids that are no job of the model. */
typedef void filter_missing_fn(void *arg, uint64_t job_id);
int filter_each(struct om_model *m, const Om__JobFilter *f, filter_fn *fn,
		filter_missing_fn *missing_fn, void *arg,
		struct om_error *err);

#endif
