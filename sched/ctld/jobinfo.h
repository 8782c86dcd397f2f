/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobinfo: jobs of the model as the commands and the history see them. */
#ifndef OM_SCHED_CTLD_JOBINFO_H
#define OM_SCHED_CTLD_JOBINFO_H

#include "lib/base/buf.h"
#include "sched/ctld/peer.h"
#include "sched/model/info.h"

/* A job with its steps; strings borrowed from j and from this. */
struct jobinfo {
	Om__JobInfo info;
	Om__Usage usage;
	struct jobinfo_step {
		Om__StepInfo info;
		Om__Usage usage;
	} *step;
	Om__StepInfo **steps;
	char *dependency;
};

int jobinfo_init(struct jobinfo *ji, const struct om_job *j, bool steps);
void jobinfo_fini(struct jobinfo *ji);
/* As JobInfo, the answer to a JobWait. */
void jobinfo_send(struct peer *p, uint32_t id, const struct om_job *j);
/*
 * Appends j as a field "job" of a JobListReply that is packed by hand, so
 * that a list of 50,000 needs no 50,000 structs. 0 or -ENOMEM.
 */
int jobinfo_append(struct om_buf *out, const struct om_job *j, bool steps);
int jobinfo_append_info(struct om_buf *out, const Om__JobInfo *info);
/* The field next_id of the same. */
int jobinfo_append_next(struct om_buf *out, uint64_t next_id);
/* Sends what was so packed as a JobListReply. */
void jobinfo_send_list(struct peer *p, uint32_t id, const struct om_buf *body);
/* The exit of the whole job, from its steps. */
void jobinfo_exit(const struct om_job *j, uint32_t *ret_code,
		  uint32_t *ret_signal);

#endif
