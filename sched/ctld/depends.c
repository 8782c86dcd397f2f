/* SPDX-License-Identifier: GPL-3.0-or-later */
/* depends: a hash from a job to the ids of those who wait for it. */
#include <stdlib.h>
#include <uthash.h>

#include "sched/ctld/depends.h"

struct waited_for {
	uint64_t id;
	uint64_t *by;
	size_t n, cap;
	UT_hash_handle hh;
};

struct depends {
	struct waited_for *by_id;
};

struct depends *depends_create(struct om_error *err)
{
	struct depends *d = calloc(1, sizeof(*d));

	if (!d)
		om_fail_nomem(err);
	return d;
}

static void drop(struct depends *d, struct waited_for *w)
{
	HASH_DEL(d->by_id, w);
	free(w->by);
	free(w);
}

void depends_destroy(struct depends *d)
{
	if (!d)
		return;
	while (d->by_id)
		drop(d, d->by_id);
	free(d);
}

static int add_one(struct depends *d, uint64_t id, uint64_t by)
{
	struct waited_for *w;

	HASH_FIND(hh, d->by_id, &id, sizeof(id), w);
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -ENOMEM;
		w->id = id;
		HASH_ADD(hh, d->by_id, id, sizeof(w->id), w);
	}
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 2;
		uint64_t *list = realloc(w->by, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		w->by = list;
		w->cap = cap;
	}
	w->by[w->n++] = by;
	return 0;
}

int depends_add(struct omctld *c, const struct om_job *j)
{
	int rc = 0;

	for (uint32_t i = 0; i < j->deps && rc == 0; i++)
		if (j->dep[i].job_id)
			rc = add_one(c->depends, j->dep[i].job_id, j->id);
	return rc;
}

void depends_changed(struct omctld *c, uint64_t id, bool over)
{
	struct waited_for *w;

	HASH_FIND(hh, c->depends->by_id, &id, sizeof(id), w);
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		struct om_job *j = om_model_job(c->model, w->by[i]);

		/* It may be over, or forgotten, or have been changed. */
		if (j && j->state == OM__JOB_STATE__PENDING)
			om_sched_job_pending(c->sched, j);
	}
	if (over)
		drop(c->depends, w);
}
