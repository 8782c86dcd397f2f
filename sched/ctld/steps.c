/* SPDX-License-Identifier: GPL-3.0-or-later */
/* steps: creation, what nodes tell of them, signals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/nodecmd.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/order.h"
#include "sched/ctld/reconcile.h"
#include "sched/ctld/run.h"
#include "sched/ctld/shell.h"
#include "sched/ctld/spec.h"
#include "sched/ctld/steps.h"
#include "sched/model/alloc.h"
#include "sched/model/apply.h"

#define S(x) OM__JOB_STATE__##x
#define STEPS_MAX (1u << 24)	/* of one job, see order_step_key */
#define LIVE_MAX 10000		/* of them at a time */

/* ------------------------------------------------------------- what nodes say */

static void tell_step(struct om_job *j, const struct om_step *s,
		      const char *text)
{
	struct step_shell *ss = shell_step(j, s->id);
	Om__StepEvent e = OM__STEP_EVENT__INIT;

	if (!ss || !ss->attach.w.peer)
		return;
	e.job_id = j->id;
	e.step_id = s->id;
	e.state = s->state;
	e.has_exit_code = e.has_exit_signal = 1;
	e.exit_code = s->exit_code;
	e.exit_signal = s->exit_signal;
	e.text = (char *)(uintptr_t)text;
	peer_send(ss->attach.w.peer, OM_MSG_STEP_EVENT, ss->attach.w.id,
		  &e.base);
}

/* 0, or -Exxx if the part was over or is unknown. */
static int emit_part(struct omctld *c, const Om__StepExit *x, const char *node,
		     struct om_error *err)
{
	Om__EvStepNode e = OM__EV_STEP_NODE__INIT;

	e.exit = (Om__StepExit *)(uintptr_t)x;
	e.node = (char *)(uintptr_t)node;
	return EMIT(c, STEP_NODE, step_node, &e, err);
}

/* Logs the end of a part; true if the whole step is over by it. */
static bool part_over(struct omctld *c, struct om_job *j, struct om_step *s,
		      const char *node, const Om__StepExit *x)
{
	struct om_error err = OM_ERROR_INIT;

	if (emit_part(c, x, node, &err) < 0) {
		om_log_error("step's end refused job=%llu step=%u error=\"%s\"",
			     (unsigned long long)j->id, s->id,
			     om_error_text(&err));
		return false;
	}
	if (s->parts_over < s->parts)
		return false;
	tell_step(j, s, x->text);
	if (s->id != OM_STEP_BATCH)
		om_store_drop_launch(c->store, order_step_key(j->id, s->id));
	shell_step_drop(j, s->id);
	return true;
}

/* The step's part on node that goes on, of this incarnation; or NULL. */
static struct om_step_part *live_part(struct om_job *j, uint32_t incarnation,
				      uint32_t step_id,
				      const struct om_node *node,
				      struct om_step **ret_step)
{
	struct om_step_part *part;

	if (!j || !j->alloc || om_job_is_over(j) ||
	    j->incarnation != incarnation)
		return NULL;
	*ret_step = om_alloc_step(j, step_id);
	if (!*ret_step)
		return NULL;
	part = reconcile_find_part(*ret_step, node);
	return part && !part->over ? part : NULL;
}

void steps_take_exit(struct omctld *c, struct peer *p, struct om_node *node,
		     const Om__StepExit *x)
{
	struct om_job *j = om_model_job(c->model, x->job_id);
	struct om_step *s = NULL;

	if (!live_part(j, x->incarnation, x->step_id, node, &s)) {
		/* Told before, or not wanted any more. */
		order_ack(p, x);
		return;
	}
	if (part_over(c, j, s, node->name, x)) {
		order_ack(p, x);
		run_step_over(c, j, s, x, node->name);
	} else if (!journal_failed(c->journal)) {
		order_ack(p, x);
	}
}

void steps_exit(struct omctld *c, struct peer *p, uint32_t id,
		const ProtobufCMessage *body)
{
	(void)id;
	if (nodes_of_peer(p))
		steps_take_exit(c, p, nodes_of_peer(p),
				(const Om__StepExit *)body);
}

static void make_exit(const struct om_job *j, const struct om_step *s,
		      Om__JobState why, const char *text, Om__StepExit *x)
{
	om__step_exit__init(x);
	x->job_id = j->id;
	x->step_id = s->id;
	x->incarnation = j->incarnation;
	x->has_why = 1;
	x->why = why;
	x->text = (char *)(uintptr_t)text;
}

void steps_part_failed(struct omctld *c, struct om_job *j, struct om_step *s,
		       struct om_node *node, Om__JobState why, const char *text)
{
	Om__StepExit x;

	make_exit(j, s, why, text, &x);
	om_log_warn("step's part failed job=%llu step=%u node=%s reason=\"%s\"",
		    (unsigned long long)j->id, s->id, node->name, text);
	if (part_over(c, j, s, node->name, &x))
		run_step_over(c, j, s, &x, node->name);
}

void steps_lost(struct omctld *c, struct om_job *j, struct om_node *node)
{
	struct om_step *s;

	LL_FOREACH(j->alloc->step, s) {
		struct om_step_part *part = reconcile_find_part(s, node);
		Om__StepExit x;

		if (!part || part->over)
			continue;
		make_exit(j, s, j->ending != S(PENDING) ? j->ending :
							  S(NODE_FAIL),
			  "its node is lost", &x);
		part_over(c, j, s, node->name, &x);
	}
}

/* A batch script that cannot start is its job's end; the node may be at
 * fault, the job may be. */
static void start_failed(struct omctld *c, struct om_job *j, struct om_step *s,
			 struct om_node *node, const Om__StepStarted *m)
{
	const char *text = m->text && *m->text ? m->text : "it did not start";
	char full[400];

	snprintf(full, sizeof(full), "%.300s (on %s)", text, node->name);
	if (m->code == -EHOSTDOWN)
		nodecmd_drain_faulty(c, node, text);
	steps_part_failed(c, j, s, node,
			  m->code == -EHOSTDOWN ? S(BOOT_FAIL) : S(FAILED),
			  full);
}

void steps_started(struct omctld *c, struct peer *p, uint32_t id,
		   const ProtobufCMessage *body)
{
	const Om__StepStarted *m = (const Om__StepStarted *)body;
	struct om_job *j = om_model_job(c->model, m->job_id);
	struct om_node *node = nodes_of_peer(p);
	struct om_step *s = NULL;
	struct om_step_part *part;
	struct step_shell *ss;

	(void)id;
	part = node ? live_part(j, m->incarnation, m->step_id, node, &s) : NULL;
	if (!part)
		return;
	if (m->code < 0) {
		start_failed(c, j, s, node, m);
		return;
	}
	ss = shell_step_get(j, s);
	if (ss)
		ss->confirmed[part - s->part] = true;
	run_started(c, j, s);
}

/* ------------------------------------------------------------------ creation */

static struct om_step *find_uuid(const struct om_job *j, const uint8_t *uuid)
{
	struct om_step *s;

	LL_FOREACH(j->alloc->step, s)
		if (memcmp(s->uuid, uuid, sizeof(s->uuid)) == 0)
			return s;
	return NULL;
}

static int check_create(struct omctld *c, struct peer *p,
			const Om__StepCreate *m, struct om_job **ret,
			struct om_error *err)
{
	struct om_job *j = om_model_job(c->model, m->job_id);
	const struct om_step *s;
	uint32_t live = 0;
	int rc;

	if (!j)
		return om_fail(err, -ESRCH, "no job %llu runs",
			       (unsigned long long)m->job_id);
	rc = access_check_owned(c->access, p->uid, j->uid, ACT_STEP_CREATE,
				err);
	if (rc < 0)
		return rc;
	if (m->uuid.len != 16)
		return om_fail(err, -EINVAL, "a step's uuid has 16 bytes");
	if (!j->alloc || om_job_is_over(j) || j->ending != S(PENDING))
		return om_fail(err, j->state == S(PENDING) ? -EAGAIN : -ESRCH,
			       "job %llu is %s: no step can start in it",
			       (unsigned long long)j->id,
			       om_state_name(j->state));
	LL_FOREACH(j->alloc->step, s)
		live += s->parts_over < s->parts;
	if (live >= LIVE_MAX || j->alloc->next_step >= STEPS_MAX)
		return om_fail(err, -EAGAIN, "job %llu has %u steps running",
			       (unsigned long long)j->id, live);
	if (m->name && (strlen(m->name) > 256 ||
			!om_str_is_tame(m->name, strlen(m->name))))
		return om_fail(err, -EINVAL, "the step's name is too long, or has control characters");
	*ret = j;
	return 0;
}

/* Ranks are numbered in the order of the step's nodes: see om_step_order. */
static int emit_created(struct omctld *c, const struct om_job *j,
			const Om__StepCreate *m,
			const struct om_step_request *req,
			const uint32_t *tasks, struct om_error *err)
{
	const struct om_allocation *a = j->alloc;
	om_autofree char **node = calloc(a->shares, sizeof(*node));
	om_autofree uint32_t *count = calloc(a->shares, sizeof(*count));
	om_autofree uint32_t *order = calloc(a->shares, sizeof(*order));
	Om__EvStepCreated e = OM__EV_STEP_CREATED__INIT;
	int n;

	if (!node || !count || !order)
		return om_fail_nomem(err);
	n = om_step_order(a, req, tasks, order, err);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		node[i] = (char *)(uintptr_t)a->share[order[i]].node->name;
		count[i] = tasks[order[i]];
	}
	e.n_node = (size_t)n;
	e.job_id = j->id;
	e.step_id = a->next_step;
	e.name = m->name;
	e.node = node;
	e.tasks = count;
	e.n_tasks = e.n_node;
	e.has_uuid = e.has_daemons = 1;
	e.uuid = m->uuid;
	e.daemons = m->daemons;
	return EMIT(c, STEP_CREATED, step_created, &e, err);
}

static int create(struct omctld *c, struct om_job *j, const Om__StepCreate *m,
		  struct om_step **ret, struct om_error *err)
{
	struct om_step_request req = {
		.tasks = m->tasks, .nodes = m->nodes,
		.tasks_per_node = m->tasks_per_node,
		.cpus_per_task = m->cpus_per_task,
		.nodelist = m->nodelist,
		.daemons = m->daemons, .overlap = m->overlap,
	};
	om_autofree uint32_t *tasks = calloc(j->alloc->shares, sizeof(*tasks));
	uint32_t id = j->alloc->next_step;
	struct step_shell *ss;
	int rc;

	if (!tasks)
		return om_fail_nomem(err);
	rc = om_step_layout(j->alloc, &req, tasks, err);
	if (rc < 0)
		return rc;
	rc = emit_created(c, j, m, &req, tasks, err);
	if (rc < 0)
		return rc;
	rc = om_store_put_launch(c->store, order_step_key(j->id, id),
				 m->launch.data, m->launch.len, err);
	if (rc < 0) {
		journal_fail(c->journal, err);
		return rc;
	}
	*ret = om_alloc_step(j, id);
	ss = shell_step_get(j, *ret);
	if (!ss)
		return om_fail_nomem(err);
	ss->cpus_per_task = m->cpus_per_task;
	return 0;
}

static void answer_created(struct peer *p, uint32_t id, struct om_job *j,
			   struct om_step *s)
{
	Om__StepCreated m = OM__STEP_CREATED__INIT;
	struct step_shell *ss = shell_step_get(j, s);
	struct placing place;

	if (!ss || placing_init(&place, j, s) < 0) {
		peer_doom(p, "out of memory for its messages");
		return;
	}
	m.step_id = s->id;
	m.allocation = &place.msg;
	peer_send(p, OM_MSG_STEP_CREATED, id, &m.base);
	placing_fini(&place);
	attach_set(&ss->attach, p, id);
	if (s->parts_over == s->parts)
		tell_step(j, s, NULL);
}

static void order_all(struct omctld *c, struct om_job *j, struct om_step *s)
{
	uint64_t id = j->id;
	uint32_t step_id = s->id;

	for (uint32_t i = 0; s && i < s->parts; i++) {
		struct om_error err = OM_ERROR_INIT;

		if (order_launch(c, j, s, i, &err) < 0)
			steps_part_failed(c, j, s, s->part[i].node, S(FAILED),
					  om_error_text(&err));
		j = om_model_job(c->model, id);
		s = j ? om_alloc_step(j, step_id) : NULL;
	}
}

void steps_create(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__StepCreate *m = (const Om__StepCreate *)body;
	struct om_error err = OM_ERROR_INIT;
	Om__Launch *launch = NULL;
	struct om_job *j = NULL;
	struct om_step *s;
	int rc = check_create(c, p, m, &j, &err);

	s = rc == 0 ? find_uuid(j, m->uuid.data) : NULL;
	if (s) {
		answer_created(p, id, j, s);
		return;
	}
	if (rc == 0)
		rc = launch_check_step(&m->launch, &launch, &err);
	if (rc == 0) {
		om__launch__free_unpacked(launch, NULL);
		rc = create(c, j, m, &s, &err);
	}
	if (rc < 0) {
		peer_fail(p, id, rc, &err);
		return;
	}
	answer_created(p, id, j, s);
	order_all(c, j, s);
}

void steps_signal(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__StepSignal *m = (const Om__StepSignal *)body;
	struct om_job *j = om_model_job(c->model, m->job_id);
	struct om_step *s = j ? om_alloc_step(j, m->step_id) : NULL;
	struct order_kill kill = { .signal = m->signal };
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (!j || !s || s->parts_over == s->parts)
		rc = om_fail(&err, -ESRCH, "no such step runs");
	else if (m->signal == 0 || m->signal > 64)
		rc = om_fail(&err, -EINVAL, "%u is no signal", m->signal);
	else
		rc = access_check_owned(c->access, p->uid, j->uid,
					ACT_STEP_SIGNAL, &err);
	if (rc < 0) {
		peer_fail(p, id, rc, &err);
		return;
	}
	order_kill(c, j, s, &kill);
	peer_ok(p, id, 1);
}
