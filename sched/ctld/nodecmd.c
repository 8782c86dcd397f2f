/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodecmd: NodeList and NodeControl. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/log.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/nodecmd.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/users.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define REASON_MAX 512
#define SETTINGS_MAX 32

/* Somebody waits until nodes hold no jobs; in ctld's list. */
struct drain_wait {
	struct waiter w;
	struct omctld *ctld;
	struct om_strvec names;
	struct drain_wait *prev, *next;
};

const char *nodecmd_state(const struct om_node *m)
{
	if (!m->up)
		return "down";
	if (m->drain)
		return m->jobs ? "draining" : "drained";
	if (!m->jobs)
		return "idle";
	return m->cpus_alloc >= m->cpus || m->exclusive ? "allocated" : "mixed";
}

/* --------------------------------------------------------------------- list */

static const char **partitions_of(const struct omctld *c,
				  const struct om_node *m, size_t *ret)
{
	const struct om_config *conf = c->config;
	const char **list = calloc(conf->partitions + 1, sizeof(*list));

	*ret = 0;
	for (size_t i = 0; list && i < conf->partitions; i++) {
		const struct om_conf_partition *p = conf->partition + i;
		struct om_strvec names = OM_STRVEC_INIT;
		bool in = !p->nodes || !strcmp(p->nodes, "all");

		if (!in && om_hostlist_expand(p->nodes, &names, NULL) == 0)
			for (size_t k = 0; k < names.n && !in; k++)
				in = !strcmp(names.v[k], m->name);
		om_strvec_fini(&names);
		if (in)
			list[(*ret)++] = p->name;
	}
	return list;
}

#define SET(f, v)                  \
	do {                       \
		i->f = (v);        \
		i->has_##f = 1;    \
	} while (0)

static void fill_info(const struct om_node *m, Om__NodeInfo *i)
{
	const Om__NodeReport *r = nodes_report_of(m);

	om__node_info__init(i);
	i->name = TEXT(m->name);
	i->state = TEXT(nodecmd_state(m));
	i->address = m->address;
	if (m->registration) {
		i->topology = m->registration->topology;
		i->version = m->registration->version;
	}
	SET(speed, m->speed);
	i->feature = (char **)(uintptr_t)m->feature;
	i->n_feature = m->features;
	SET(cpus_alloc, m->cpus_alloc);
	SET(mem_alloc, m->mem_alloc);
	i->report = (Om__NodeReport *)(uintptr_t)r;
	SET(drain, m->drain);
	i->reason = TEXT(m->reason);
	SET(reason_uid, m->reason_uid);
	SET(reason_ns, m->reason_ns);
	SET(seen_ns, m->seen_ns);
	SET(jobs, m->jobs);
	SET(load_limit, m->load_limit);
	SET(load_limit_local, m->load_limit_local);
	SET(load_limit_guest, m->load_limit_guest);
	SET(guest_cpu, m->guest_cpu);
	SET(block, m->block);
	SET(stay, m->stay);
	SET(quiet, m->quiet);
	SET(local_stay, m->local_stay);
}

/* The nodes meant: all, or those of a list; -ENOENT names an unknown one. */
static int pick(struct omctld *c, const char *list, struct om_node ***ret,
		size_t *ret_n, struct om_error *err)
{
	struct om_strvec names = OM_STRVEC_INIT;
	struct om_node **node = calloc(c->model->nodes + OM_HOSTLIST_LIMIT,
				       sizeof(*node));
	size_t n = 0;
	int rc = node ? 0 : om_fail_nomem(err);

	if (rc == 0 && list && *list && strcmp(list, "all"))
		rc = om_hostlist_expand(list, &names, err);
	else
		for (uint32_t i = 0; rc == 0 && i < c->model->nodes; i++)
			if (c->model->node[i])
				node[n++] = c->model->node[i];
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		node[n] = om_model_node(c->model, names.v[i]);
		if (!node[n++])
			rc = om_fail(err, -ENOENT, "there is no node %s\n"
				     "omnode list shows those there are",
				     names.v[i]);
	}
	om_strvec_fini(&names);
	if (rc < 0) {
		free(node);
		return rc;
	}
	*ret = node;
	*ret_n = n;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct om_node *x = *(struct om_node *const *)a;
	const struct om_node *y = *(struct om_node *const *)b;

	return strverscmp(x->name, y->name);
}

static int send_list(struct omctld *c, struct peer *p, uint32_t id,
		     struct om_node **node, size_t n, struct om_error *err)
{
	om_autofree Om__NodeInfo *info = calloc(n + 1, sizeof(*info));
	om_autofree Om__NodeInfo **list = calloc(n + 1, sizeof(*list));
	Om__NodeListReply r = OM__NODE_LIST_REPLY__INIT;

	if (!info || !list)
		return om_fail_nomem(err);
	qsort(node, n, sizeof(*node), by_name);
	for (size_t i = 0; i < n; i++) {
		fill_info(node[i], info + i);
		info[i].partition = (char **)(uintptr_t)partitions_of(
			c, node[i], &info[i].n_partition);
		if (node[i]->reason && node[i]->drain)
			info[i].reason_user = TEXT(users_name(
				node[i]->reason_uid));
		list[i] = info + i;
	}
	r.node = list;
	r.n_node = n;
	peer_send(p, OM_MSG_NODE_LIST_REPLY, id, &r.base);
	for (size_t i = 0; i < n; i++)
		free(info[i].partition);
	return 0;
}

void nodes_list(struct omctld *c, struct peer *p, uint32_t id,
		const ProtobufCMessage *body)
{
	const Om__NodeList *m = (const Om__NodeList *)body;
	struct om_error err = OM_ERROR_INIT;
	om_autofree struct om_node **node = NULL;
	size_t n = 0;
	int rc;

	if (!peer_may(p, id, ACT_NODE_VIEW))
		return;
	rc = pick(c, m->nodes, &node, &n, &err);
	if (rc == 0)
		rc = send_list(c, p, id, node, n, &err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
}

/* ------------------------------------------------------------------ control */

static int drain(struct omctld *c, struct om_node *m, bool on,
		 const char *reason, uint32_t uid, struct om_error *err)
{
	Om__EvNode e = OM__EV_NODE__INIT;

	e.name = TEXT(m->name);
	e.has_drain = e.has_uid = 1;
	e.drain = on;
	e.uid = uid;
	e.text = on ? TEXT(reason ? reason : "no reason given") : NULL;
	return EMIT(c, NODE_STATE, node_state, &e, err);
}

void nodecmd_drain_faulty(struct omctld *c, struct om_node *m, const char *text)
{
	struct om_error err = OM_ERROR_INIT;

	om_log_error("node drained node=%s reason=\"%s\"", m->name, text);
	if (!m->drain && drain(c, m, true, text, c->config->controller_uid,
			       &err) < 0)
		om_log_error("draining failed node=%s error=\"%s\"", m->name,
			     om_error_text(&err));
}

static int set(struct omctld *c, const struct om_node *m,
	       const Om__NodeControl *nc, struct om_error *err)
{
	Om__EvNode e = OM__EV_NODE__INIT;

	e.name = TEXT(m->name);
	e.set = nc->set;
	e.n_set = nc->n_set;
	return EMIT(c, NODE_SET, node_set, &e, err);
}

static int remove_node(struct omctld *c, struct om_node *m,
		       struct om_error *err)
{
	Om__EvNode e = OM__EV_NODE__INIT;
	om_autofree char *name = strdup(m->name);
	int rc;

	if (!name)
		return om_fail_nomem(err);
	if (nodes_peer(m))
		return om_fail(err, -EBUSY, "node %s is connected\n"
			       "stop omnoded there first", m->name);
	if (m->jobs)
		return om_fail(err, -EBUSY, "node %s holds %u jobs", m->name,
			       m->jobs);
	e.name = name;
	nodes_forget(m);
	rc = EMIT(c, NODE_REMOVED, node_removed, &e, err);
	if (rc == 0)
		om_sched_reconfigure(c->sched, c->config, err);
	return rc;
}

static int control_one(struct omctld *c, struct om_node *m, uint32_t uid,
		       const Om__NodeControl *nc, struct om_error *err)
{
	switch (nc->verb) {
	case OM__NODE_VERB__NODE_DRAIN:
		return drain(c, m, true, nc->reason, uid, err);
	case OM__NODE_VERB__NODE_UNDRAIN:
		return drain(c, m, false, NULL, uid, err);
	case OM__NODE_VERB__NODE_SET:
		return set(c, m, nc, err);
	case OM__NODE_VERB__NODE_REMOVE:
		return remove_node(c, m, err);
	default:
		return om_fail(err, -EINVAL, "unknown verb %d", nc->verb);
	}
}

static enum access_action action_of(Om__NodeVerb verb)
{
	return verb == OM__NODE_VERB__NODE_SET ? ACT_NODE_SET :
	       verb == OM__NODE_VERB__NODE_REMOVE ? ACT_NODE_REMOVE :
						    ACT_NODE_DRAIN;
}

static int check_control(const Om__NodeControl *m, struct om_error *err)
{
	if (!*m->nodes)
		return om_fail(err, -EINVAL, "no nodes are named");
	if (m->reason && strlen(m->reason) > REASON_MAX)
		return om_fail(err, -EINVAL,
			       "the reason has %zu characters, at most %d fit",
			       strlen(m->reason), REASON_MAX);
	if (m->n_set > SETTINGS_MAX)
		return om_fail(err, -EINVAL, "%zu settings, at most %d",
			       m->n_set, SETTINGS_MAX);
	return 0;
}

/* ------------------------------------------------------------ wait for empty */

static bool all_empty(struct omctld *c, const struct om_strvec *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct om_node *m = om_model_node(c->model, names->v[i]);

		if (m && m->jobs)
			return false;
	}
	return true;
}

static void wait_free(struct drain_wait *dw)
{
	waiter_remove(&dw->w);
	DL_DELETE(dw->ctld->drain_waits, dw);
	om_strvec_fini(&dw->names);
	free(dw);
}

static void on_gone(struct waiter *w)
{
	wait_free((struct drain_wait *)w);
}

void nodecmd_check_waits(struct omctld *c)
{
	struct drain_wait *dw, *next;

	DL_FOREACH_SAFE(c->drain_waits, dw, next) {
		if (!all_empty(c, &dw->names))
			continue;
		peer_ok(dw->w.peer, dw->w.id, dw->names.n);
		wait_free(dw);
	}
}

static int wait_empty(struct omctld *c, struct peer *p, uint32_t id,
		      struct om_node **node, size_t n, struct om_error *err)
{
	struct drain_wait *dw = calloc(1, sizeof(*dw));

	if (!dw)
		return om_fail_nomem(err);
	dw->ctld = c;
	waiter_add(p, &dw->w, id, on_gone);
	DL_APPEND(c->drain_waits, dw);
	for (size_t i = 0; i < n; i++)
		if (om_strvec_add(&dw->names, node[i]->name) < 0) {
			wait_free(dw);
			return om_fail_nomem(err);
		}
	nodecmd_check_waits(c);
	return 0;
}

void nodes_control(struct omctld *c, struct peer *p, uint32_t id,
		   const ProtobufCMessage *body)
{
	const Om__NodeControl *m = (const Om__NodeControl *)body;
	struct om_error err = OM_ERROR_INIT;
	om_autofree struct om_node **node = NULL;
	size_t n = 0;
	int rc;

	if (!peer_may(p, id, action_of(m->verb)))
		return;
	rc = check_control(m, &err);
	if (rc == 0)
		rc = pick(c, m->nodes, &node, &n, &err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = control_one(c, node[i], p->uid, m, &err);
	if (rc == 0 && m->wait && m->verb == OM__NODE_VERB__NODE_DRAIN)
		rc = wait_empty(c, p, id, node, n, &err);
	else if (rc == 0)
		peer_ok(p, id, n);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
}
