/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history: questions to the store about jobs that are over. */
#ifndef OM_SCHED_CTLD_HISTORY_H
#define OM_SCHED_CTLD_HISTORY_H

#include "sched/ctld/peer.h"

/* Answers with the JobInfo of a job that is over, or -ESRCH. */
void history_send_job(struct peer *p, uint32_t id, uint64_t job_id);
/* Answers with a JobListReply: rows of the store and jobs of the model. */
void history_send_list(struct peer *p, uint32_t id, const Om__JobList *ask);

/*
 * How a forgotten job ended: fn is called once, later, unless the peer goes
 * before (then gone is called to free arg). info NULL: nobody knows that job.
 */
typedef void history_job_fn(struct peer *p, uint32_t id, void *arg,
			    const Om__JobInfo *info);
int history_ask_job(struct peer *p, uint32_t id, uint64_t job_id,
		    history_job_fn *fn, void (*free_arg)(void *arg), void *arg,
		    struct om_error *err);

#endif
