/* SPDX-License-Identifier: GPL-3.0-or-later */
/* waits: JobWait, answered when the job is over, be that before or later. */
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "sched/ctld/clients.h"
#include "sched/ctld/access.h"
#include "sched/ctld/history.h"
#include "sched/ctld/jobinfo.h"
#include "sched/ctld/waits.h"
#include "sched/model/apply.h"

struct job_wait {
	struct waiter w;
	struct wait_list *list;
	struct job_wait *prev, *next;
};

/* All who wait for one job. */
struct wait_list {
	uint64_t job_id;
	struct waits *waits;
	struct job_wait *waiting;
	UT_hash_handle hh;
};

struct waits {
	struct wait_list *by_job;
};

struct waits *waits_create(struct om_error *err)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (!w)
		om_fail_nomem(err);
	return w;
}

static void wait_free(struct job_wait *jw)
{
	struct wait_list *list = jw->list;

	waiter_remove(&jw->w);
	DL_DELETE(list->waiting, jw);
	free(jw);
	if (list->waiting)
		return;
	HASH_DEL(list->waits->by_job, list);
	free(list);
}

void waits_destroy(struct waits *w)
{
	if (!w)
		return;
	while (w->by_job)
		wait_free(w->by_job->waiting);
	free(w);
}

static void on_gone(struct waiter *w)
{
	wait_free((struct job_wait *)w);
}

static struct wait_list *list_get(struct waits *w, uint64_t job_id)
{
	struct wait_list *list;

	HASH_FIND(hh, w->by_job, &job_id, sizeof(job_id), list);
	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->job_id = job_id;
	list->waits = w;
	HASH_ADD(hh, w->by_job, job_id, sizeof(list->job_id), list);
	return list;
}

static int wait_add(struct waits *w, struct peer *p, uint32_t id,
		    uint64_t job_id)
{
	struct job_wait *jw = calloc(1, sizeof(*jw));
	struct wait_list *list = jw ? list_get(w, job_id) : NULL;

	if (!list) {
		free(jw);
		return -ENOMEM;
	}
	jw->list = list;
	waiter_add(p, &jw->w, id, on_gone);
	DL_APPEND(list->waiting, jw);
	return 0;
}

/* Does job id exist and is not over? An array task may have no job yet. */
static bool is_alive(const struct om_model *m, uint64_t id)
{
	const struct om_job *j = om_model_job(m, id);
	uint32_t index;

	if (j)
		return !om_job_is_over(j);
	j = om_model_array_of(m, id, &index);
	return j && om_idset_has(&j->pending, index);
}

void waits_handle(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	uint64_t job_id = ((const Om__JobWait *)body)->job_id;
	const struct om_job *j = om_model_job(c->model, job_id);
	struct om_error err = OM_ERROR_INIT;

	if (!peer_may(p, id, ACT_JOB_WAIT))
		return;
	if (j && om_job_is_over(j)) {
		jobinfo_send(p, id, j);
		return;
	}
	if (!is_alive(c->model, job_id)) {
		history_send_job(p, id, job_id);
		return;
	}
	if (wait_add(c->waits, p, id, job_id) < 0)
		peer_fail(p, id, om_fail_nomem(&err), &err);
}

void waits_job_over(struct omctld *c, const struct om_job *j)
{
	struct wait_list *list;
	bool last;

	HASH_FIND(hh, c->waits->by_job, &j->id, sizeof(j->id), list);
	for (; list; list = last ? NULL : list) {
		struct job_wait *jw = list->waiting;

		last = !jw->next;
		jobinfo_send(jw->w.peer, jw->w.id, j);
		wait_free(jw);
	}
}

/* Of an array task that never became a job: its parent's data, its id. */
static void answer_cancelled(struct job_wait *jw, const struct om_job *parent,
			     uint32_t index)
{
	Om__JobInfo info;
	Om__Usage usage;

	if (om_job_info(parent, &info, &usage) < 0) {
		peer_doom(jw->w.peer, "out of memory for its messages");
		return;
	}
	info.job_id = om_array_task_id(parent, index);
	info.has_array_index = 1;
	info.array_index = index;
	info.state = OM__JOB_STATE__CANCELLED;
	peer_send(jw->w.peer, OM_MSG_JOB_INFO, jw->w.id, &info.base);
	om_job_info_fini(&info);
}

void waits_tasks_cancelled(struct omctld *c, const struct om_job *parent,
			   const struct om_idset *tasks)
{
	struct wait_list *list, *next;
	uint32_t index;

	HASH_ITER(hh, c->waits->by_job, list, next) {
		struct job_wait *jw, *jw_next;

		if (list->job_id <= parent->id ||
		    !om_idset_select(&parent->all,
				     list->job_id - parent->id - 1, &index) ||
		    !om_idset_has(tasks, index))
			continue;
		DL_FOREACH_SAFE(list->waiting, jw, jw_next) {
			bool last = !jw_next;

			answer_cancelled(jw, parent, index);
			wait_free(jw);
			if (last)
				break;
		}
	}
}
