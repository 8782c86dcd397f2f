/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: containers and lookups; what changes them is in apply*.c. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sched/model/alloc.h"
#include "sched/model/apply.h"
#include "sched/model/intern.h"
#include "sched/model/private.h"
#include "sched/model/request.h"

struct om_model *om_model_create(struct om_error *err)
{
	struct om_model *m = calloc(1, sizeof(*m));

	if (m)
		m->intern = om_intern_create();
	if (!m || !m->intern) {
		free(m);
		om_fail_nomem(err);
		return NULL;
	}
	m->next_job_id = 1;
	return m;
}

void model_free_job(struct om_model *m, struct om_job *j)
{
	om_alloc_remove(m, j);
	om_request_put(m, j->req);
	om_intern_put(m->intern, j->user);
	om_intern_put(m->intern, j->cwd);
	om_intern_put(m->intern, j->std_out);
	om_intern_put(m->intern, j->submit_host);
	om_intern_put(m->intern, j->ending_text);
	om_idset_fini(&j->pending);
	om_idset_fini(&j->all);
	free(j->dep);
	free(j);
}

void model_remove_node(struct om_model *m, struct om_node *n)
{
	HASH_DELETE(by_name, m->node_by_name, n);
	m->node[n->index] = NULL;
	if (n->registration)
		om__node_register__free_unpacked(n->registration, NULL);
	for (uint32_t i = 0; i < n->features; i++)
		om_intern_put(m->intern, n->feature[i]);
	free(n->feature);
	om_intern_put(m->intern, n->reason);
	om_intern_put(m->intern, n->name);
	free(n->address);
	free(n);
}

void om_model_destroy(struct om_model *m)
{
	struct om_job *j, *next_job;
	struct om_node *n, *next_node;
	struct om_ended *e, *next_ended;
	struct om_setting *s, *next_setting;

	if (!m)
		return;
	HASH_CLEAR(by_uuid, m->by_uuid);
	HASH_ITER(by_id, m->job_by_id, j, next_job) {
		HASH_DELETE(by_id, m->job_by_id, j);
		model_free_job(m, j);
	}
	HASH_ITER(by_name, m->node_by_name, n, next_node)
		model_remove_node(m, n);
	HASH_ITER(hh, m->ended, e, next_ended) {
		HASH_DEL(m->ended, e);
		free(e);
	}
	LL_FOREACH_SAFE(m->setting, s, next_setting) {
		free(s->key);
		free(s->value);
		free(s);
	}
	free(m->node);
	free(m->array);
	om_intern_destroy(m->intern);
	free(m);
}

struct om_job *om_model_job(const struct om_model *m, uint64_t id)
{
	struct om_job *j;

	HASH_FIND(by_id, m->job_by_id, &id, sizeof(id), j);
	return j;
}

struct om_node *om_model_node(const struct om_model *m, const char *name)
{
	struct om_node *n;

	HASH_FIND(by_name, m->node_by_name, name, strlen(name), n);
	return n;
}

uint64_t om_model_submitted(const struct om_model *m, uint32_t uid,
			    const uint8_t uuid[16])
{
	struct om_job *j;

	HASH_FIND(by_uuid, m->by_uuid, uuid, 16, j);
	return j && j->uid == uid ? j->id : 0;
}

uint64_t om_array_task_id(const struct om_job *parent, uint32_t index)
{
	return parent->id + 1 + om_idset_rank(&parent->all, index);
}

/* How many parents of arrays have an id below this. */
static size_t arrays_below(const struct om_model *m, uint64_t id)
{
	size_t low = 0, high = m->arrays;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (m->array[mid]->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct om_job *om_model_array_of(const struct om_model *m, uint64_t id,
				 uint32_t *ret_index)
{
	size_t at = arrays_below(m, id);
	struct om_job *j = at ? m->array[at - 1] : NULL;

	/* Ids of an array follow its own, so only the one before may be it. */
	if (!j || !om_idset_select(&j->all, id - j->id - 1, ret_index))
		return NULL;
	return j;
}

/* Makes room for a parent of an array; 0 or -ENOMEM. */
int model_reserve_array(struct om_model *m)
{
	size_t cap = m->array_cap ? m->array_cap * 2 : 16;
	struct om_job **list;

	if (m->arrays < m->array_cap)
		return 0;
	list = realloc(m->array, cap * sizeof(*list));
	if (!list)
		return -ENOMEM;
	m->array = list;
	m->array_cap = cap;
	return 0;
}

/* There is room for it. */
static void add_array(struct om_model *m, struct om_job *j)
{
	size_t at = arrays_below(m, j->id);

	memmove(m->array + at + 1, m->array + at,
		(m->arrays - at) * sizeof(*m->array));
	m->array[at] = j;
	m->arrays++;
}

static void remove_array(struct om_model *m, const struct om_job *j)
{
	size_t at = arrays_below(m, j->id);

	if (at == m->arrays || m->array[at] != j)
		return;
	m->arrays--;
	memmove(m->array + at, m->array + at + 1,
		(m->arrays - at) * sizeof(*m->array));
}

bool om_model_end_state(const struct om_model *m, uint64_t id,
			Om__JobState *ret, bool *ret_known)
{
	struct om_job *j = om_model_job(m, id);
	struct om_ended *e;

	*ret_known = true;
	if (j) {
		if (!om_job_is_over(j))
			return false;
		*ret = j->state;
		return true;
	}
	HASH_FIND(hh, m->ended, &id, sizeof(id), e);
	*ret_known = e != NULL;
	if (e)
		*ret = e->state;
	return e != NULL;
}

const char *om_model_setting(const struct om_model *m, const char *key)
{
	struct om_setting *s;

	LL_FOREACH(m->setting, s)
		if (strcmp(s->key, key) == 0)
			return s->value;
	return NULL;
}

int model_set(struct om_model *m, const char *key, const char *value)
{
	struct om_setting *s;
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	LL_FOREACH(m->setting, s)
		if (strcmp(s->key, key) == 0)
			break;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || !(s->key = strdup(key))) {
			free(s);
			free(copy);
			return -ENOMEM;
		}
		LL_PREPEND(m->setting, s);
	}
	free(s->value);
	s->value = copy;
	return 0;
}

const char *om_model_intern(struct om_model *m, const char *s)
{
	return om_intern_get(m->intern, s);
}

uint64_t om_request_cpus(const struct om_request *r)
{
	return (uint64_t)r->tasks * r->cpus_per_task;
}

/* How many tasks j stands for in the list of pending ones. */
static uint64_t pending_weight(const struct om_job *j)
{
	return om_job_is_array(j) ? om_idset_size(&j->pending) : 1;
}

void model_relist(struct om_model *m, struct om_job *j)
{
	bool active = j->alloc && !om_job_is_over(j);
	bool pending = j->state == OM__JOB_STATE__PENDING && !active &&
		       pending_weight(j) > 0;

	if (j->listed_pending && !pending)
		DL_DELETE(m->pending, j);
	if (j->listed_active && !active) {
		DL_DELETE(m->active, j);
		m->jobs_active--;
	}
	if (pending && !j->listed_pending)
		DL_APPEND(m->pending, j);
	if (active && !j->listed_active) {
		DL_APPEND(m->active, j);
		m->jobs_active++;
	}
	j->listed_pending = pending;
	j->listed_active = active;
}

void model_add_job(struct om_model *m, struct om_job *j)
{
	HASH_ADD(by_id, m->job_by_id, id, sizeof(j->id), j);
	if (om_job_is_array(j))
		add_array(m, j);
	if (j->state == OM__JOB_STATE__PENDING)
		m->jobs_pending += pending_weight(j);
	model_relist(m, j);
}

void model_add_uuid(struct om_model *m, struct om_job *j)
{
	HASH_ADD(by_uuid, m->by_uuid, uuid, 16, j);
}

void model_remove_job(struct om_model *m, struct om_job *j)
{
	struct om_job *found;

	HASH_FIND(by_uuid, m->by_uuid, j->uuid, 16, found);
	if (found == j)
		HASH_DELETE(by_uuid, m->by_uuid, j);
	if (j->listed_pending)
		DL_DELETE(m->pending, j);
	if (j->listed_active) {
		DL_DELETE(m->active, j);
		m->jobs_active--;
	}
	if (om_job_is_array(j))
		remove_array(m, j);
	HASH_DELETE(by_id, m->job_by_id, j);
	model_free_job(m, j);
}

void om_model_forget(struct om_model *m, struct om_job *j)
{
	struct om_ended *e;

	if (j->dependents > 0 && (e = calloc(1, sizeof(*e)))) {
		e->id = j->id;
		e->state = j->state;
		e->dependents = j->dependents;
		HASH_ADD(hh, m->ended, id, sizeof(e->id), e);
	}
	model_remove_job(m, j);
}

void model_depend(struct om_model *m, const struct om_job *j)
{
	for (uint32_t i = 0; i < j->deps; i++) {
		struct om_job *on = om_model_job(m, j->dep[i].job_id);
		struct om_ended *e;

		HASH_FIND(hh, m->ended, &j->dep[i].job_id, sizeof(uint64_t), e);
		if (on)
			on->dependents++;
		else if (e)
			e->dependents++;
	}
}

/* j waits no longer: it was started or is over. */
void model_undepend(struct om_model *m, struct om_job *j)
{
	for (uint32_t i = 0; i < j->deps; i++) {
		struct om_job *on = om_model_job(m, j->dep[i].job_id);
		struct om_ended *e;

		HASH_FIND(hh, m->ended, &j->dep[i].job_id, sizeof(uint64_t), e);
		if (on && on->dependents > 0)
			on->dependents--;
		else if (e && --e->dependents == 0) {
			HASH_DEL(m->ended, e);
			free(e);
		}
	}
	free(j->dep);
	j->dep = NULL;
	j->deps = 0;
}

struct om_node *model_add_node(struct om_model *m, const char *name)
{
	struct om_node *n = calloc(1, sizeof(*n));
	struct om_node **list;
	uint32_t at = 0;

	if (!n)
		return NULL;
	while (at < m->nodes && m->node[at])
		at++;
	if (at == m->nodes) {
		list = realloc(m->node, (m->nodes + 1) * sizeof(*list));
		if (!list) {
			free(n);
			return NULL;
		}
		m->node = list;
		m->nodes++;
	}
	n->name = om_intern_get(m->intern, name);
	if (!n->name) {
		m->node[at] = NULL;
		free(n);
		return NULL;
	}
	n->speed = 1.0;
	n->index = at;
	m->node[at] = n;
	HASH_ADD_KEYPTR(by_name, m->node_by_name, n->name, strlen(n->name), n);
	return n;
}
