/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request: JobSpec fields to the compact form that jobs share. */
#include <stdlib.h>
#include <string.h>

#include "sched/model/intern.h"
#include "sched/model/request.h"

/* The fields that are strings, numbers: each list stands once. */
#define STRINGS(X) \
	X(name) X(partition) X(account) X(comment) X(nodelist) X(exclude) \
	X(constraint) X(cluster_mask) X(home) X(hint)
#define NUMBERS(X) \
	X(tasks) X(nodes_min) X(nodes_max) X(cpus_per_task) X(tasks_per_node) \
	X(mem_per_node) X(mem_per_cpu) X(exclusive) X(requeue) \
	X(warn_batch_only) X(time_limit_s) X(begin_ns) X(priority) \
	X(warn_signal) X(warn_before_s) X(array_limit) X(load_limit) \
	X(max_freeze_ms) X(checkpoint_s) X(migrate) X(kind)

static void overlay(struct om_model *m, struct om_request *r,
		    const Om__JobSpec *spec)
{
#define SET_STRING(f)                                        \
	if (spec->f) {                                       \
		om_intern_put(m->intern, r->f);              \
		r->f = om_intern_get(m->intern, spec->f);    \
	}
#define SET_NUMBER(f)                                        \
	if (spec->has_##f)                                   \
		r->f = spec->f;
	STRINGS(SET_STRING)
	NUMBERS(SET_NUMBER)
	if (spec->has_requeue)
		r->once = !spec->requeue;
	if (!r->tasks)
		r->tasks = 1;
	if (!r->cpus_per_task)
		r->cpus_per_task = 1;
}

struct om_request *om_request_create(struct om_model *m,
				     const Om__JobSpec *spec)
{
	struct om_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	overlay(m, r, spec);
	return r;
}

struct om_request *om_request_get(struct om_request *r)
{
	r->refs++;
	return r;
}

void om_request_put(struct om_model *m, struct om_request *r)
{
	if (!r || --r->refs > 0)
		return;
#define PUT_STRING(f) om_intern_put(m->intern, r->f);
	STRINGS(PUT_STRING)
	free(r);
}

struct om_request *om_request_update(struct om_model *m,
				     const struct om_request *r,
				     const Om__JobSpec *spec)
{
	struct om_request *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *r;
	copy->refs = 1;
#define REF_STRING(f) om_intern_ref(copy->f);
	STRINGS(REF_STRING)
	overlay(m, copy, spec);
	return copy;
}

void om_request_to_spec(const struct om_request *r, Om__JobSpec *ret)
{
#define GET_STRING(f) ret->f = (char *)(uintptr_t)r->f;
#define GET_NUMBER(f)          \
	ret->f = r->f;         \
	ret->has_##f = r->f != 0;
	STRINGS(GET_STRING)
	NUMBERS(GET_NUMBER)
	ret->has_requeue = r->requeue || r->once;
}
