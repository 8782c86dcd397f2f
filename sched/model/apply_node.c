/* SPDX-License-Identifier: GPL-3.0-or-later */
/* apply_node: nodes join, change and leave. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/str.h"
#include "sched/model/alloc.h"
#include "sched/model/intern.h"
#include "sched/model/private.h"

static struct om_node *find_node(struct om_model *m, const char *name,
				 struct om_error *err)
{
	struct om_node *n = om_model_node(m, name);

	if (!n)
		om_fail(err, -ENOENT, "node %s is unknown", name);
	return n;
}

/* A deep copy by way of the wire form. */
static Om__NodeRegister *copy_registration(const Om__NodeRegister *reg)
{
	size_t len = om__node_register__get_packed_size(reg);
	uint8_t *bytes = malloc(len ? len : 1);
	Om__NodeRegister *copy;

	if (!bytes)
		return NULL;
	om__node_register__pack(reg, bytes);
	copy = om__node_register__unpack(NULL, len, bytes);
	free(bytes);
	return copy;
}

static int set_features(struct om_model *m, struct om_node *n,
			char **feature, size_t count)
{
	const char **list = calloc(count ? count : 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		list[i] = om_intern_get(m->intern, feature[i]);
	for (uint32_t i = 0; i < n->features; i++)
		om_intern_put(m->intern, n->feature[i]);
	free(n->feature);
	n->feature = list;
	n->features = (uint32_t)count;
	return 0;
}

int apply_registration(struct om_model *m, struct om_node *n,
		       const Om__NodeRegister *reg, struct om_error *err)
{
	const Om__Topology *t = reg->topology;
	Om__NodeRegister *copy = copy_registration(reg);

	if (!copy || set_features(m, n, reg->feature, reg->n_feature) < 0) {
		if (copy)
			om__node_register__free_unpacked(copy, NULL);
		return om_fail_nomem(err);
	}
	if (n->registration)
		om__node_register__free_unpacked(n->registration, NULL);
	n->registration = copy;
	n->cpus = t->cpus ? t->cpus : 1;
	n->cores = t->cores;
	n->sockets = t->sockets;
	n->memory = t->memory;
	n->speed = reg->has_speed && reg->speed > 0 ? reg->speed : 1.0;
	free(n->address);
	n->address = reg->address ? strdup(reg->address) : NULL;
	return 0;
}

struct switch_entry {
	const char *key;
	size_t offset;
	enum { SWITCH_BOOL, SWITCH_DOUBLE, SWITCH_U32 } kind;
};

#define AT(f) offsetof(struct om_node, f)
static const struct switch_entry switches[] = {
	{ "load-limit", AT(load_limit), SWITCH_DOUBLE },
	{ "load-limit-local", AT(load_limit_local), SWITCH_DOUBLE },
	{ "load-limit-guest", AT(load_limit_guest), SWITCH_DOUBLE },
	{ "guest-cpu", AT(guest_cpu), SWITCH_U32 },
	{ "speed", AT(speed), SWITCH_DOUBLE },
	{ "block", AT(block), SWITCH_BOOL },
	{ "stay", AT(stay), SWITCH_BOOL },
	{ "quiet", AT(quiet), SWITCH_BOOL },
	{ "local-stay", AT(local_stay), SWITCH_BOOL },
};

static int set_switch(struct om_node *n, const struct switch_entry *e,
		      const char *value)
{
	char *at = (char *)n + e->offset;

	switch (e->kind) {
	case SWITCH_BOOL:
		if (!strcmp(value, "yes") || !strcmp(value, "1"))
			*(bool *)at = true;
		else if (!strcmp(value, "no") || !strcmp(value, "0"))
			*(bool *)at = false;
		else
			return -EINVAL;
		return 0;
	case SWITCH_DOUBLE:
		return om_parse_positive(value, (double *)(void *)at);
	case SWITCH_U32:
		return om_parse_u32(value, 0, 100, (uint32_t *)(void *)at);
	}
	return -EINVAL;
}

/* One "key=value". */
static int apply_switch(struct om_node *n, const char *text,
			struct om_error *err)
{
	const char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) : 0;

	for (size_t i = 0; eq && i < sizeof(switches) / sizeof(*switches); i++) {
		const struct switch_entry *e = switches + i;

		if (strlen(e->key) != len || strncmp(e->key, text, len))
			continue;
		if (set_switch(n, e, eq + 1) < 0)
			return om_fail(err, -EINVAL,
				       "'%s' is no value for %s (%s)", eq + 1,
				       e->key,
				       e->kind == SWITCH_BOOL ? "yes or no" :
								"a number");
		return 0;
	}
	return om_fail(err, -EINVAL,
		       "'%.60s': a node has load-limit, load-limit-local, load-limit-guest, guest-cpu, speed, block, stay, quiet, local-stay",
		       text);
}

int apply_node_settings(struct om_node *n, char **set, size_t count,
			struct om_error *err)
{
	struct om_node trial = *n;
	int rc = 0;

	/* All or nothing: try on a copy, then take it over. */
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = apply_switch(&trial, set[i], err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		apply_switch(n, set[i], NULL);
	return 0;
}

int apply_node_joined(struct om_model *m, const Om__Event *ev,
		      struct om_error *err)
{
	const Om__EvNode *e = ev->node_joined;
	struct om_node *n = om_model_node(m, e->name);

	if (!e->registration || !e->registration->topology)
		return om_fail(err, -EPROTO, "node %s joined without a registration",
			       e->name);
	if (!n)
		n = model_add_node(m, e->name);
	if (!n)
		return om_fail_nomem(err);
	n->up = true;
	n->seen_ns = ev->at_ns;
	return apply_registration(m, n, e->registration, err);
}

int apply_node_state(struct om_model *m, const Om__Event *ev,
		     struct om_error *err)
{
	const Om__EvNode *e = ev->node_state;
	struct om_node *n = find_node(m, e->name, err);

	if (!n)
		return -ENOENT;
	if (e->has_up)
		n->up = e->up;
	if (e->has_drain)
		n->drain = e->drain;
	if (e->text || (e->has_drain && !e->drain)) {
		om_intern_put(m->intern, n->reason);
		n->reason = om_intern_get(m->intern, e->text);
		n->reason_uid = e->uid;
		n->reason_ns = ev->at_ns;
	}
	return 0;
}

int apply_node_set(struct om_model *m, const Om__Event *ev,
		   struct om_error *err)
{
	const Om__EvNode *e = ev->node_set;
	struct om_node *n = find_node(m, e->name, err);

	if (!n)
		return -ENOENT;
	return apply_node_settings(n, e->set, e->n_set, err);
}

/* Is n, which a job's part may have left clean long ago, in its allocation? */
static bool was_there(const struct om_job *j, const struct om_node *n)
{
	for (uint32_t i = 0; j->alloc && i < j->alloc->shares; i++)
		if (j->alloc->share[i].node == n)
			return true;
	return false;
}

int apply_node_removed(struct om_model *m, const Om__Event *ev,
		       struct om_error *err)
{
	struct om_node *n = find_node(m, ev->node_removed->name, err);
	struct om_job *j, *next;

	if (!n)
		return -ENOENT;
	DL_FOREACH(m->active, j)
		if (was_there(j, n))
			return om_fail(err, -EBUSY, "node %s is of job %llu",
				       n->name, (unsigned long long)j->id);
	/* Jobs that are over point to it too; the history has their places. */
	HASH_ITER(by_id, m->job_by_id, j, next)
		if (was_there(j, n))
			om_alloc_remove(m, j);
	model_remove_node(m, n);
	return 0;
}
