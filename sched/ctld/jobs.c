/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobs: lists of jobs, and why one waits. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/filter.h"
#include "sched/ctld/jobinfo.h"
#include "sched/model/apply.h"

/* ---------------------------------------------------------------------- list */

struct lister {
	struct om_buf out;
	bool steps;
	uint64_t after, last;		/* paging by id */
	uint32_t left;			/* 0: without limit */
	bool limited, more;
	int rc;
};

static void list_one(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	struct lister *l = arg;

	/* An array is one line while tasks of it wait, then they speak. */
	if (om_job_is_array(j) && !tasks && j->pending.count == 0)
		return;
	if (l->rc < 0 || j->id <= l->after)
		return;
	if (l->limited && l->left == 0) {
		l->more = true;
		return;
	}
	l->left--;
	l->last = j->id;
	l->rc = jobinfo_append(&l->out, j, l->steps);
}

/* A task without a job of its own, asked for by its id or 123_7. */
static void list_task(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	struct om_idset both = OM_IDSET_INIT;
	struct lister *l = arg;
	struct jobinfo ji;
	char *pending;
	uint64_t from = 0;
	uint32_t index;

	if (!tasks || !om_job_is_array(j)) {
		list_one(arg, j, tasks);
		return;
	}
	while (from <= INT32_MAX &&
	       om_idset_next(tasks, (uint32_t)from, &index)) {
		from = (uint64_t)index + 1;
		if (om_idset_has(&j->pending, index))
			om_idset_add_range(&both, index, index);
	}
	if (both.count && l->rc == 0 && jobinfo_init(&ji, j, false) == 0) {
		pending = ji.info.array_pending;
		ji.info.array_pending = om_idset_format(&both);
		l->rc = jobinfo_append_info(&l->out, &ji.info);
		free(ji.info.array_pending);
		ji.info.array_pending = pending;
		jobinfo_fini(&ji);
	}
	om_idset_fini(&both);
}

void jobs_list(struct omctld *c, struct peer *p, uint32_t id,
	       const ProtobufCMessage *body)
{
	const Om__JobList *m = (const Om__JobList *)body;
	const Om__JobFilter *f = m->filter;
	struct lister l = {
		.steps = m->steps, .after = f->after_id, .left = f->limit,
		.limited = f->limit != 0,
	};
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (!peer_may(p, id, ACT_JOB_VIEW))
		return;
	rc = filter_each(c->model, f, list_task, NULL, &l, &err);
	if (rc == 0 && l.rc == 0 && l.more)
		l.rc = jobinfo_append_next(&l.out, l.last);
	if (rc == 0 && l.rc < 0)
		rc = om_fail_nomem(&err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
	else
		jobinfo_send_list(p, id, &l.out);
	om_buf_fini(&l.out);
}

/* ----------------------------------------------------------------------- why */

static void send_why(struct peer *p, uint32_t id, struct om_why *why)
{
	Om__JobWhyReply m = OM__JOB_WHY_REPLY__INIT;
	Om__JobWhyReply__Reason reason[16], *list[16];

	for (unsigned i = 0; i < why->count && i < 16; i++) {
		om__job_why_reply__reason__init(reason + i);
		reason[i].token = (char *)(uintptr_t)why->reason[i].token;
		reason[i].text = why->reason[i].text;
		reason[i].has_never = 1;
		reason[i].never = why->reason[i].never;
		list[i] = reason + i;
	}
	m.reason = list;
	m.n_reason = why->count > 16 ? 16 : why->count;
	m.has_start_ns = why->start_ns != 0;
	m.start_ns = why->start_ns;
	m.help = why->help[0] ? why->help : NULL;
	peer_send(p, OM_MSG_JOB_WHY_REPLY, id, &m.base);
}

void jobs_why(struct omctld *c, struct peer *p, uint32_t id,
	      const ProtobufCMessage *body)
{
	uint64_t job_id = ((const Om__JobWhy *)body)->job_id;
	struct om_job *j = om_model_job(c->model, job_id);
	struct om_error err = OM_ERROR_INIT;
	om_autofree struct om_why *why = calloc(1, sizeof(*why));
	uint32_t index;

	if (!peer_may(p, id, ACT_JOB_WHY))
		return;
	if (!j)
		j = om_model_array_of(c->model, job_id, &index);
	if (!why)
		om_fail_nomem(&err);
	else if (!j)
		om_fail(&err, -ESRCH, "job %llu neither waits nor runs\n"
			"omhist -j %llu tells how it ended",
			(unsigned long long)job_id,
			(unsigned long long)job_id);
	else if (j->state != OM__JOB_STATE__PENDING)
		om_fail(&err, -EALREADY, "job %llu does not wait: it is %s",
			(unsigned long long)job_id, om_state_name(j->state));
	if (err.code) {
		peer_fail(p, id, err.code, &err);
		return;
	}
	om_sched_why(c->sched, j, ctld_wall(c), why);
	send_why(p, id, why);
}
