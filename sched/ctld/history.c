/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * history: what the store remembers, joined with what the model still holds.
 * The store answers from a thread of its own, so the peer may be gone by then.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/filter.h"
#include "sched/ctld/history.h"
#include "sched/ctld/jobinfo.h"
#include "sched/model/apply.h"

#define ROWS_DEFAULT 1000
#define ROWS_MAX (OM_STORE_HISTORY_MAX - 1)

/* A question under way. */
struct ask {
	struct waiter w;		/* first: it is what the peer knows */
	struct omctld *ctld;
	Om__JobList *list;		/* owned; NULL: about one job */
	bool steps;
	history_job_fn *fn;
	void (*free_arg)(void *arg);
	void *arg;
};

static void ask_free(struct ask *a)
{
	waiter_remove(&a->w);
	if (a->free_arg && a->arg)
		a->free_arg(a->arg);
	if (a->list)
		om__job_list__free_unpacked(a->list, NULL);
	free(a);
}

/* The store calls back in any case; the ask is freed then. */
static void on_gone(struct waiter *w)
{
	(void)w;
}

static void on_job(void *arg, Om__JobInfo **row, int n,
		   const struct om_error *err)
{
	struct ask *a = arg;
	struct peer *p = a->w.peer;

	if (p && n < 0)
		peer_fail(p, a->w.id, n, err);
	else if (p)
		a->fn(p, a->w.id, a->arg, n > 0 ? row[0] : NULL);
	ask_free(a);
}

int history_ask_job(struct peer *p, uint32_t id, uint64_t job_id,
		    history_job_fn *fn, void (*free_arg)(void *arg), void *arg,
		    struct om_error *err)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	struct ask *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return om_fail_nomem(err);
	f.job_id = &job_id;
	f.n_job_id = 1;
	f.has_limit = 1;
	f.limit = 1;
	a->ctld = p->ctld;
	a->fn = fn;
	waiter_add(p, &a->w, id, on_gone);
	rc = om_store_history(p->ctld->store, &f, on_job, a, err);
	if (rc < 0) {
		ask_free(a);
		return rc;
	}
	a->free_arg = free_arg;
	a->arg = arg;
	return 0;
}

static void answer_job(struct peer *p, uint32_t id, void *arg,
		       const Om__JobInfo *info)
{
	struct om_error err = OM_ERROR_INIT;

	(void)arg;
	if (info)
		peer_send(p, OM_MSG_JOB_INFO, id, &info->base);
	else
		peer_fail(p, id, om_fail(&err, -ESRCH, "no such job"), &err);
}

void history_send_job(struct peer *p, uint32_t id, uint64_t job_id)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (job_id == 0 || job_id >= p->ctld->model->next_job_id)
		rc = om_fail(&err, -ESRCH, "there has been no job %llu yet",
			     (unsigned long long)job_id);
	else
		rc = history_ask_job(p, id, job_id, answer_job, NULL, NULL,
				     &err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
}

/* ------------------------------------------------------------------- lists */

/* One line of the answer: from the model or from the store. */
struct line {
	uint64_t id;
	const struct om_job *job;
	const Om__JobInfo *row;
};

struct lines {
	struct line *line;
	size_t n, cap;
	uint64_t below;			/* ids from here on were told before */
	int rc;
};

static void lines_add(struct lines *l, uint64_t id, const struct om_job *j,
		      const Om__JobInfo *row)
{
	if (l->rc < 0 || id >= l->below)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct line *line = realloc(l->line, cap * sizeof(*line));

		if (!line) {
			l->rc = -ENOMEM;
			return;
		}
		l->line = line;
		l->cap = cap;
	}
	l->line[l->n++] = (struct line){ id, j, row };
}

static void add_live(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	(void)tasks;
	/* A parent that has nothing left of its own speaks by its tasks. */
	if (om_job_is_array(j) && j->state != OM__JOB_STATE__PENDING)
		return;
	lines_add(arg, j->id, j, NULL);
}

static int newest_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->id < y->id ? 1 : x->id > y->id ? -1 : 0;
}

static int pack_lines(const struct lines *l, const Om__JobList *ask,
		      struct om_buf *out)
{
	uint32_t limit = ask->filter->limit;
	int rc = 0;
	size_t i;

	for (i = 0; i < l->n && i < limit && rc == 0; i++) {
		const struct line *line = l->line + i;

		rc = line->job ? jobinfo_append(out, line->job, ask->steps) :
				 jobinfo_append_info(out, line->row);
	}
	if (rc == 0 && i < l->n)
		rc = jobinfo_append_next(out, l->line[i - 1].id);
	return rc;
}

static void send_lines(struct peer *p, uint32_t id, const Om__JobList *ask,
		       struct lines *l)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_buf out = OM_BUF_INIT;
	int rc = l->rc;

	if (l->n)
		qsort(l->line, l->n, sizeof(*l->line), newest_first);
	if (rc == 0)
		rc = pack_lines(l, ask, &out);
	if (rc < 0)
		peer_fail(p, id, om_fail_nomem(&err), &err);
	else
		jobinfo_send_list(p, id, &out);
	om_buf_fini(&out);
}

static void on_list(void *arg, Om__JobInfo **row, int n,
		    const struct om_error *err)
{
	struct ask *a = arg;
	struct peer *p = a->w.peer;
	const Om__JobFilter *f = a->list->filter;
	struct lines l = { .below = f->after_id ? f->after_id : UINT64_MAX };

	if (p && n < 0) {
		peer_fail(p, a->w.id, n, err);
	} else if (p) {
		for (int i = 0; i < n; i++)
			if (!om_model_job(a->ctld->model, row[i]->job_id))
				lines_add(&l, row[i]->job_id, NULL, row[i]);
		filter_each(a->ctld->model, f, add_live, NULL, &l, NULL);
		send_lines(p, a->w.id, a->list, &l);
	}
	free(l.line);
	ask_free(a);
}

static Om__JobList *copy_list(const Om__JobList *list)
{
	size_t len = om__job_list__get_packed_size(list);
	om_autofree uint8_t *bytes = malloc(len ? len : 1);

	if (!bytes)
		return NULL;
	om__job_list__pack(list, bytes);
	return om__job_list__unpack(NULL, len, bytes);
}

void history_send_list(struct peer *p, uint32_t id, const Om__JobList *list)
{
	struct om_error err = OM_ERROR_INIT;
	Om__JobFilter f = *list->filter;
	struct ask *a = calloc(1, sizeof(*a));
	uint32_t limit = f.limit ? f.limit : ROWS_DEFAULT;
	int rc;

	if (a)
		a->list = copy_list(list);
	if (!a || !a->list) {
		free(a);
		peer_fail(p, id, om_fail_nomem(&err), &err);
		return;
	}
	limit = limit > ROWS_MAX ? ROWS_MAX : limit;
	a->ctld = p->ctld;
	a->list->filter->limit = limit;
	waiter_add(p, &a->w, id, on_gone);
	/* One more than fits tells whether there is a next page. */
	f.has_limit = 1;
	f.limit = limit + 1;
	rc = om_store_history(p->ctld->store, &f, on_list, a, &err);
	if (rc < 0) {
		peer_fail(p, id, rc, &err);
		ask_free(a);
	}
}

void jobs_history(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__JobList *list = (const Om__JobList *)body;
	struct om_error err = OM_ERROR_INIT;
	int rc;

	(void)c;
	if (!peer_may(p, id, ACT_HISTORY))
		return;
	rc = filter_check(list->filter, &err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
	else
		history_send_list(p, id, list);
}
