/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodes: registration, comparison with the log, time-outs, readings. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/nodecmd.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/order.h"
#include "sched/ctld/queue.h"
#include "sched/ctld/reconcile.h"
#include "sched/ctld/run.h"
#include "sched/ctld/shell.h"
#include "sched/ctld/steps.h"
#include "sched/model/alloc.h"

#define S(x) OM__JOB_STATE__##x
#define TICK_NS OM_NS_PER_S
#define LATE_NS (3 * TICK_NS)
#define QUIET_NS (2 * OM_NS_PER_S)	/* away so long: no new work */
#define HOLD_OFF_NS (3 * OM_NS_PER_S)	/* of starts, after our own start */
#define REPORT_MS 1000
#define NOT_RESPONDING "not responding"
#define FEATURES_MAX 256
#define CPUS_MAX 65536

/* om_node.shell */
struct node {
	struct om_node *m;
	struct peer *peer;
	int64_t heard_ns;		/* mono: when it said something */
	int64_t gone_ns;		/* mono: since when it is away */
	bool failed;			/* its jobs were told so */
	Om__NodeReport report;		/* the readings, merged */
};

struct nodes {
	struct omctld *ctld;
	struct om_timer *tick;
	int64_t ticked_ns;		/* mono: when it last came */
};

struct peer *nodes_peer(const struct om_node *n)
{
	const struct node *s = n->shell;

	return s ? s->peer : NULL;
}

const Om__NodeReport *nodes_report_of(const struct om_node *n)
{
	const struct node *s = n->shell;

	return s ? &s->report : NULL;
}

struct om_node *nodes_of_peer(const struct peer *p)
{
	return p->node ? p->node->m : NULL;
}

static struct node *node_get(struct om_node *m)
{
	struct node *n = m->shell;

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->m = m;
	n->gone_ns = om_mono_ns(om_clock_system());
	om__node_report__init(&n->report);
	m->shell = n;
	return n;
}

void nodes_forget(struct om_node *m)
{
	struct node *n = m->shell;

	if (n && n->peer)
		n->peer->node = NULL;
	free(n);
	m->shell = NULL;
}

const struct om_conf_node *nodes_configured(const struct om_config *conf,
					    const char *name)
{
	for (size_t i = 0; i < conf->nodes; i++)
		if (om_str_eq(conf->node[i].name, name))
			return conf->node + i;
	return NULL;
}

/* ------------------------------------------------------------- lost, failed */

/* A job loses its part on a node: what else it has is ended too. */
static void fail_job(struct omctld *c, struct om_job *j, struct om_node *m,
		     const char *text)
{
	struct run_why why = { .why = S(NODE_FAIL), .text = text };
	const char *name = m->name;
	uint64_t id = j->id;

	/* It is not known to have started there: it merely goes elsewhere.
	 * But it may have, so not if it must never start twice. */
	if (j->state == S(CONFIGURING) && !j->req->once &&
	    j->req->kind == OM__JOB_KIND__BATCH)
		why.why = S(BOOT_FAIL);
	if (j->ending == S(PENDING))
		run_end(c, j, &why, NULL);
	steps_lost(c, j, m);
	j = om_model_job(c->model, id);
	if (j && j->alloc && !om_job_is_over(j))
		run_node_clean(c, j, name);
}

static void fail_jobs(struct omctld *c, struct om_node *m, const char *text)
{
	struct om_job *j, *next;

	DL_FOREACH_SAFE(c->model->active, j, next) {
		struct om_share *sh = om_alloc_share(j, m->name);

		if (sh && !sh->clean)
			fail_job(c, j, m, text);
	}
}

static int emit_up(struct omctld *c, struct om_node *m, bool up,
		   const char *text, struct om_error *err)
{
	Om__EvNode e = OM__EV_NODE__INIT;

	e.name = (char *)(uintptr_t)m->name;
	e.has_up = 1;
	e.up = up;
	/* The reason of a drain is not to be lost by a broken cable. */
	if (!m->drain)
		e.text = (char *)(uintptr_t)text;
	return EMIT(c, NODE_STATE, node_state, &e, err);
}

/*
 * A node says something at least every quarter of its time-out; one whose
 * cable is cut or power gone says nothing, and no packet tells of that. It
 * counts as away since it was last heard.
 */
static void check_silence(struct omctld *c, struct node *n, int64_t now)
{
	int64_t limit = c->config->node_timeout_s * OM_NS_PER_S;
	struct peer *p = n->peer;

	if (now - n->heard_ns <= limit / 2)
		return;
	nodes_lost_peer(c, p);
	n->gone_ns = n->heard_ns;
	peer_doom(p, "nothing is heard of the node");
}

static void check_node(struct omctld *c, struct om_node *m, int64_t now)
{
	struct node *n = node_get(m);
	int64_t limit = c->config->node_timeout_s * OM_NS_PER_S;
	char text[160];

	if (n && n->peer)
		check_silence(c, n, now);
	if (!n || n->peer)
		return;
	if (m->up && now - n->gone_ns >= QUIET_NS) {
		om_log_warn("node does not respond node=%s", m->name);
		emit_up(c, m, false, NOT_RESPONDING, NULL);
	}
	if (n->failed || now - n->gone_ns < limit)
		return;
	n->failed = true;
	om_log_warn("node timed out node=%s jobs=%u", m->name, m->jobs);
	snprintf(text, sizeof(text), "node %s did not respond for %lld s",
		 m->name, (long long)c->config->node_timeout_s);
	fail_jobs(c, m, text);
}

static void on_tick(void *arg)
{
	struct nodes *n = arg;
	struct omctld *c = n->ctld;
	int64_t now = ctld_mono(c);
	bool late = now - n->ticked_ns > LATE_NS;

	n->ticked_ns = now;
	/* We were away ourselves: what they said waits to be read. */
	for (uint32_t i = 0; late && i < c->model->nodes; i++)
		if (c->model->node[i])
			nodes_heard(c, c->model->node[i]);
	for (uint32_t i = 0; i < c->model->nodes; i++)
		if (c->model->node[i] && !journal_failed(c->journal))
			check_node(c, c->model->node[i], now);
}

void nodes_heard(struct omctld *c, struct om_node *m)
{
	struct node *n = m->shell;

	if (n)
		n->heard_ns = ctld_mono(c);
}

void nodes_lost_peer(struct omctld *c, struct peer *p)
{
	struct node *n = p->node;

	p->node = NULL;
	if (!n || n->peer != p)
		return;
	n->peer = NULL;
	n->gone_ns = ctld_mono(c);
	om_log_info("node disconnected node=%s", n->m->name);
}

/* ------------------------------------------------------------- registration */

static int check_registration(const Om__NodeRegister *r, struct om_error *err)
{
	if (om_hostname_check(r->name) < 0)
		return om_fail(err, -EINVAL, "'%.64s' is no name for a node",
			       r->name);
	if (r->boot_id.len < 8 || r->boot_id.len > 64)
		return om_fail(err, -EINVAL, "the boot id has %zu bytes",
			       r->boot_id.len);
	if (r->topology->cpus == 0 || r->topology->cpus > CPUS_MAX)
		return om_fail(err, -EINVAL, "a node of %u processors",
			       r->topology->cpus);
	if (r->n_feature > FEATURES_MAX)
		return om_fail(err, -EINVAL, "%zu features, at most %d",
			       r->n_feature, FEATURES_MAX);
	if (r->has_speed && !(r->speed > 0 && r->speed < 1e6))
		return om_fail(err, -EINVAL, "a speed of %g", r->speed);
	return 0;
}

/* What is logged: what the node is, not what it does at the moment. The
 * configuration overrules it. */
struct lasting {
	Om__NodeRegister r;
	Om__Topology topology;
};

static void make_lasting(struct omctld *c, const Om__NodeRegister *r,
			 struct lasting *ret)
{
	const struct om_conf_node *conf = nodes_configured(c->config, r->name);

	ret->r = *r;
	ret->topology = *r->topology;
	ret->r.topology = &ret->topology;
	ret->r.step = NULL;
	ret->r.n_step = 0;
	ret->r.jobs = NULL;
	ret->r.n_jobs = 0;
	ret->r.session = 0;
	if (!conf)
		return;
	if (conf->address)
		ret->r.address = conf->address;
	if (conf->cpus) {
		ret->topology.cpus = conf->cpus;
		ret->topology.has_cpus = 1;
	}
	if (conf->memory) {
		ret->topology.memory = conf->memory;
		ret->topology.has_memory = 1;
	}
	if (conf->speed > 0) {
		ret->r.speed = conf->speed;
		ret->r.has_speed = 1;
	}
	if (conf->features.n) {
		ret->r.feature = conf->features.v;
		ret->r.n_feature = conf->features.n;
	}
}

static bool same_registration(const Om__NodeRegister *a,
			      const Om__NodeRegister *b)
{
	size_t na = om__node_register__get_packed_size(a);
	size_t nb = b ? om__node_register__get_packed_size(b) : 0;
	om_autofree uint8_t *pa = malloc(na + 1), *pb = malloc(nb + 1);

	if (!b || na != nb || !pa || !pb)
		return false;
	om__node_register__pack(a, pa);
	om__node_register__pack(b, pb);
	return memcmp(pa, pb, na) == 0;
}

static int join(struct omctld *c, const Om__NodeRegister *r,
		struct om_error *err)
{
	struct om_node *m = om_model_node(c->model, r->name);
	Om__EvNode e = OM__EV_NODE__INIT;
	struct lasting lasting;
	int rc;

	make_lasting(c, r, &lasting);
	if (m && m->up && same_registration(&lasting.r, m->registration))
		return 0;
	e.name = r->name;
	e.registration = &lasting.r;
	rc = EMIT(c, NODE_JOINED, node_joined, &e, err);
	m = om_model_node(c->model, r->name);
	if (rc == 0 && m && m->reason && !m->drain)
		rc = emit_up(c, m, true, "", err);
	return rc;
}

static bool has_rebooted(const struct om_node *m, const Om__NodeRegister *r)
{
	const ProtobufCBinaryData *old;

	if (!m || !m->registration)
		return false;
	old = &m->registration->boot_id;
	return old->len != r->boot_id.len ||
	       memcmp(old->data, r->boot_id.data, old->len) != 0;
}

/* --------------------------------------------------------------- comparison */

static void take_held(struct omctld *c, struct peer *p, struct om_node *m,
		      const Om__StepOnNode *held)
{
	struct om_job *j = om_model_job(c->model, held->job_id);
	struct step_shell *ss = NULL;
	struct om_step *s;

	switch (reconcile_held(j, m, held)) {
	case HELD_KEEP:
		s = om_alloc_step(j, held->step_id);
		ss = shell_step_get(j, s);
		if (ss)
			ss->confirmed[reconcile_find_part(s, m) - s->part] =
				true;
		run_started(c, j, s);
		break;
	case HELD_KILL:
		om_log_warn("killing an unwanted step node=%s job=%llu step=%u inc=%u",
			    m->name, (unsigned long long)held->job_id,
			    held->step_id, held->incarnation);
		order_kill_stale(p, held->job_id, held->step_id,
				 held->incarnation);
		order_end_stale(p, held->job_id, held->incarnation);
		break;
	case HELD_TAKE_EXIT:
		steps_take_exit(c, p, m, held->exit);
		break;
	case HELD_ACK:
		order_ack(p, held->exit);
		break;
	}
}

static bool is_held(const Om__NodeRegister *r, const struct om_job *j,
		    const struct om_step *s)
{
	for (size_t i = 0; i < r->n_step; i++)
		if (r->step[i]->job_id == j->id &&
		    r->step[i]->step_id == s->id &&
		    r->step[i]->incarnation == j->incarnation)
			return true;
	return false;
}

static bool job_is_there(const Om__NodeRegister *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_jobs; i++)
		if (r->jobs[i] == id)
			return true;
	for (size_t i = 0; i < r->n_step; i++)
		if (r->step[i]->job_id == id)
			return true;
	return false;
}

static void check_part(struct omctld *c, struct om_job *j, struct om_step *s,
		       struct om_step_part *part, const Om__NodeRegister *r)
{
	uint32_t at = (uint32_t)(part - s->part);
	const struct step_shell *ss = shell_step(j, s->id);
	struct part_facts facts = {
		.held = is_held(r, j, s),
		.confirmed = ss && ss->confirmed[at],
		.job_there = job_is_there(r, j->id),
	};
	struct om_error err = OM_ERROR_INIT;

	switch (reconcile_part(j, s, &facts)) {
	case PART_FINE:
		break;
	case PART_RELAUNCH:
		if (order_launch(c, j, s, at, &err) < 0)
			steps_part_failed(c, j, s, part->node, S(FAILED),
					  om_error_text(&err));
		break;
	case PART_VANISHED:
		steps_part_failed(c, j, s, part->node,
				  j->ending != S(PENDING) ? S(CANCELLED) :
							    S(NODE_FAIL),
				  "the node has lost track of it");
		break;
	}
}

/* Each step of j that should go on at m. A step that ends may end the job, so
 * look anew after each. */
static void check_parts(struct omctld *c, uint64_t id, struct om_node *m,
			const Om__NodeRegister *r)
{
	struct om_job *j = om_model_job(c->model, id);
	uint32_t count = 0, seen;

	do {
		struct om_step *s;

		seen = 0;
		if (!j || !j->alloc || om_job_is_over(j))
			return;
		LL_FOREACH(j->alloc->step, s)
			if (seen++ == count)
				break;
		if (s) {
			struct om_step_part *part = reconcile_find_part(s, m);

			if (part && !part->over)
				check_part(c, j, s, part, r);
			count++;
			j = om_model_job(c->model, id);
			seen = count;
		}
		if (!s)
			return;
	} while (seen == count);
}

static void compare(struct omctld *c, struct peer *p, struct om_node *m,
		    const Om__NodeRegister *r)
{
	struct om_job *j, *next;

	for (size_t i = 0; i < r->n_step && !journal_failed(c->journal); i++)
		take_held(c, p, m, r->step[i]);
	for (size_t i = 0; i < r->n_jobs; i++) {
		struct om_share *sh;

		j = om_model_job(c->model, r->jobs[i]);
		sh = j && !om_job_is_over(j) ? om_alloc_share(j, m->name) :
					       NULL;
		if (!sh || sh->clean)
			order_end_stale(p, r->jobs[i], 0);
	}
	DL_FOREACH_SAFE(c->model->active, j, next) {
		struct om_share *sh = om_alloc_share(j, m->name);

		if (!sh || sh->clean || journal_failed(c->journal))
			continue;
		if (j->state == S(COMPLETING) && shell_get(j)) {
			struct order_kill kill = { .signal = 15, .why = j->ending,
						   .then_kill = true };

			shell_of(j)->end_sent = false;
			order_kill(c, j, NULL, &kill);
		}
		check_parts(c, j->id, m, r);
		j = om_model_job(c->model, j->id);
		if (j)
			run_act(c, j);
	}
}

static void welcome(struct omctld *c, struct peer *p, uint32_t id)
{
	Om__NodeAccepted a = OM__NODE_ACCEPTED__INIT;

	a.report_ms = REPORT_MS;
	a.cluster = c->config->cluster_name;
	peer_send(p, OM_MSG_NODE_ACCEPTED, id, &a.base);
}

static void connect_peer(struct peer *p, struct node *n)
{
	if (n->peer && n->peer != p) {
		n->peer->node = NULL;
		peer_doom(n->peer, "its node registered anew");
	}
	if (p->node && p->node != n)
		p->node->peer = NULL;
	n->peer = p;
	n->heard_ns = ctld_mono(p->ctld);
	p->node = n;
	n->failed = false;
}

static void count_back(struct omctld *c)
{
	for (uint32_t i = 0; i < c->model->nodes; i++) {
		const struct om_node *m = c->model->node[i];

		if (m && m->up && !nodes_peer(m))
			return;
	}
	queue_nodes_are_back(c);
}

void nodes_register(struct omctld *c, struct peer *p, uint32_t id,
		    const ProtobufCMessage *body)
{
	const Om__NodeRegister *r = (const Om__NodeRegister *)body;
	struct om_error err = OM_ERROR_INIT;
	struct om_node *m = om_model_node(c->model, r->name);
	struct node *n;
	char text[160];
	int rc = check_registration(r, &err);

	if (rc == 0 && has_rebooted(m, r)) {
		om_log_warn("node was rebooted node=%s jobs=%u", r->name,
			    m->jobs);
		snprintf(text, sizeof(text), "node %s was rebooted", r->name);
		fail_jobs(c, m, text);
	}
	if (rc == 0)
		rc = join(c, r, &err);
	m = rc == 0 ? om_model_node(c->model, r->name) : NULL;
	n = m ? node_get(m) : NULL;
	if (!n) {
		om_log_error("registration refused node=%.64s error=\"%s\"",
			     r->name, om_error_text(&err));
		peer_fail(p, id, rc < 0 ? rc : -ENOMEM, &err);
		return;
	}
	connect_peer(p, n);
	m->seen_ns = ctld_wall(c);
	om_log_info("node registered node=%s steps=%zu jobs=%zu peer=\"%s\"",
		    m->name, r->n_step, r->n_jobs, om_conn_name(p->conn));
	welcome(c, p, id);
	compare(c, p, m, r);
	count_back(c);
}

/* ----------------------------------------------------- readings, clean jobs */

#define MERGE(f)                                  \
	do {                                      \
		if (r->has_##f) {                 \
			n->report.f = r->f;       \
			n->report.has_##f = 1;    \
		}                                 \
	} while (0)

static double sane(double v)
{
	return v >= 0 && v < 1e9 ? v : 0;
}

void nodes_report(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__NodeReport *r = (const Om__NodeReport *)body;
	struct node *n = p->node;
	struct om_node *m = n ? n->m : NULL;

	(void)id;
	if (!m)
		return;
	MERGE(load);
	MERGE(mem_free);
	MERGE(net_rx);
	MERGE(net_tx);
	MERGE(load_guest);
	MERGE(load_local);
	MERGE(idle);
	MERGE(disk_free);
	m->load = sane(n->report.load);
	m->load_local = sane(n->report.load_local);
	m->load_guest = sane(n->report.load_guest);
	m->mem_free = n->report.mem_free;
	m->net_rx = n->report.net_rx;
	m->net_tx = n->report.net_tx;
	m->seen_ns = ctld_wall(c);
	queue_node_reported(c, m);
}

void nodes_clean(struct omctld *c, struct peer *p, uint32_t id,
		 const ProtobufCMessage *body)
{
	const Om__JobClean *jc = (const Om__JobClean *)body;
	struct om_job *j = om_model_job(c->model, jc->job_id);
	struct om_node *m = p->node ? p->node->m : NULL;

	(void)id;
	if (!m)
		return;
	if (jc->code < 0)
		nodecmd_drain_faulty(c, m, jc->text ? jc->text :
						      "its epilog failed");
	if (!j || !j->alloc || om_job_is_over(j) ||
	    j->state != S(COMPLETING) ||
	    (jc->has_incarnation && jc->incarnation != j->incarnation))
		return;
	/* What is clean has no step any more, told or not. */
	steps_lost(c, j, m);
	j = om_model_job(c->model, jc->job_id);
	if (j && j->alloc && !om_job_is_over(j))
		run_node_clean(c, j, m->name);
}

/* -------------------------------------------------------------------- begin */

void nodes_job_over(struct omctld *c, const struct om_job *j)
{
	(void)j;
	nodecmd_check_waits(c);
}

struct nodes *nodes_create(struct omctld *c, struct om_error *err)
{
	struct nodes *n = calloc(1, sizeof(*n));

	if (!n) {
		om_fail_nomem(err);
		return NULL;
	}
	n->ctld = c;
	n->tick = om_timer_create(c->loop, on_tick, n, err);
	if (!n->tick) {
		free(n);
		return NULL;
	}
	om_timer_start(n->tick, TICK_NS, TICK_NS);
	return n;
}

void nodes_destroy(struct nodes *n)
{
	if (!n)
		return;
	for (uint32_t i = 0; i < n->ctld->model->nodes; i++)
		if (n->ctld->model->node[i])
			nodes_forget(n->ctld->model->node[i]);
	om_timer_destroy(n->tick);
	free(n);
}

void nodes_recover(struct omctld *c)
{
	bool any = false;

	for (uint32_t i = 0; i < c->model->nodes; i++) {
		struct om_node *m = c->model->node[i];
		struct node *n = m ? node_get(m) : NULL;

		if (n)
			n->gone_ns = ctld_mono(c);
		any |= m && m->up;
	}
	if (any)
		queue_hold_off(c, HOLD_OFF_NS);
}
