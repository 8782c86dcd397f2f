/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue: between events and the scheduler. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "sched/ctld/depends.h"
#include "sched/ctld/journal.h"
#include "sched/ctld/queue.h"
#include "sched/ctld/run.h"
#include "sched/model/apply.h"

#define STARTS_A_TURN 256	/* so that replies are not kept waiting */
/* A begin time is awaited on the wall clock, which may be put forward. */
#define LOOK_AGAIN_NS (10 * OM_NS_PER_S)

struct queue {
	struct omctld *ctld;
	struct om_timer *timer;		/* begin times, hold-off */
	bool dirty;
	int64_t hold_until_ns;		/* mono */
};

static void on_timer(void *arg)
{
	queue_kick(arg);
}

struct queue *queue_create(struct omctld *c, struct om_error *err)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q) {
		om_fail_nomem(err);
		return NULL;
	}
	q->ctld = c;
	q->timer = om_timer_create(c->loop, on_timer, c, err);
	if (!q->timer) {
		free(q);
		return NULL;
	}
	return q;
}

void queue_destroy(struct queue *q)
{
	if (!q)
		return;
	om_timer_destroy(q->timer);
	free(q);
}

void queue_kick(struct omctld *c)
{
	c->queue->dirty = true;
	om_loop_wake(c->loop);
}

void queue_hold_off(struct omctld *c, int64_t ns)
{
	c->queue->hold_until_ns = ctld_mono(c) + ns;
	om_timer_start(c->queue->timer, ns, 0);
}

void queue_nodes_are_back(struct omctld *c)
{
	if (!c->queue->hold_until_ns)
		return;
	c->queue->hold_until_ns = 0;
	queue_kick(c);
}

/* A pending job is new to the scheduler, or not what it was. */
static void pending_changed(struct omctld *c, uint64_t id)
{
	struct om_job *j = om_model_job(c->model, id);

	if (!j || om_job_is_over(j))
		return;
	if (j->deps && depends_add(c, j) < 0)
		om_log_error("out of memory for the dependencies of job=%llu",
			     (unsigned long long)id);
	om_sched_job_pending(c->sched, j);
	c->queue->dirty = true;
}

/* "after" is met by a start; of an array, by that of its last task. */
static void started(struct omctld *c, uint64_t id)
{
	const struct om_job *j = om_model_job(c->model, id);
	const struct om_job *parent = j && j->array_id ?
		om_model_job(c->model, j->array_id) : NULL;

	depends_changed(c, id, false);
	if (parent && parent->pending.count == 0)
		depends_changed(c, parent->id, false);
	c->queue->dirty = true;
}

static void node_changed(struct omctld *c, const char *name)
{
	struct om_node *n = om_model_node(c->model, name);

	if (n)
		om_sched_node_changed(c->sched, n);
	c->queue->dirty = true;
}

void queue_applied(struct omctld *c, const Om__Event *ev)
{
	switch (ev->what_case) {
	case OM__EVENT__WHAT_SUBMITTED:
		pending_changed(c, ev->submitted->job_id);
		break;
	case OM__EVENT__WHAT_HELD:
		pending_changed(c, ev->held->job_id);
		break;
	case OM__EVENT__WHAT_RELEASED:
		pending_changed(c, ev->released->job_id);
		break;
	case OM__EVENT__WHAT_UPDATED:
		pending_changed(c, ev->updated->job_id);
		break;
	case OM__EVENT__WHAT_STARTED:
		started(c, ev->started->job_id);
		break;
	case OM__EVENT__WHAT_REQUEUED:
		pending_changed(c, ev->requeued->job_id);
		break;
	case OM__EVENT__WHAT_NODE_CLEAN:
		node_changed(c, ev->node_clean->node);
		break;
	case OM__EVENT__WHAT_NODE_JOINED:
		node_changed(c, ev->node_joined->name);
		break;
	case OM__EVENT__WHAT_NODE_STATE:
		node_changed(c, ev->node_state->name);
		break;
	case OM__EVENT__WHAT_NODE_SET:
		node_changed(c, ev->node_set->name);
		break;
	default:
		break;
	}
}

void queue_job_over(struct omctld *c, struct om_job *j)
{
	for (uint32_t i = 0; j->alloc && i < j->alloc->shares; i++)
		om_sched_node_changed(c->sched, j->alloc->share[i].node);
	om_sched_job_gone(c->sched, j);
	depends_changed(c, j->id, true);
	queue_kick(c);
}

void queue_tasks_gone(struct omctld *c, struct om_job *parent)
{
	if (parent->state != OM__JOB_STATE__PENDING)
		om_sched_job_gone(c->sched, parent);
	else
		om_sched_job_pending(c->sched, parent);
	queue_kick(c);
}

void queue_job_forgotten(struct omctld *c, struct om_job *j)
{
	om_sched_job_gone(c->sched, j);
}

void queue_node_reported(struct omctld *c, struct om_node *n)
{
	om_sched_node_changed(c->sched, n);
	/* A load that fell may let a job in; once a second is soon enough. */
	if (c->model->pending)
		c->queue->dirty = true;
}

static void look_again(struct omctld *c, int64_t next_ns)
{
	int64_t wait = next_ns - ctld_wall(c);

	if (next_ns == 0)
		return;
	if (wait < OM_NS_PER_MS)
		wait = OM_NS_PER_MS;
	om_timer_start(c->queue->timer,
		       wait > LOOK_AGAIN_NS ? LOOK_AGAIN_NS : wait, 0);
}

void queue_turn(struct omctld *c)
{
	struct queue *q = c->queue;
	struct om_error err = OM_ERROR_INIT;
	int64_t next_ns = 0;
	int n;

	if (!q->dirty || c->stopping || journal_failed(c->journal))
		return;
	if (q->hold_until_ns && ctld_mono(c) < q->hold_until_ns)
		return;
	q->hold_until_ns = 0;
	q->dirty = false;
	n = om_sched_run(c->sched, ctld_wall(c), STARTS_A_TURN, run_start, c,
			 &next_ns, &err);
	if (n < 0) {
		om_log_error("scheduling failed error=\"%s\"",
			     om_error_text(&err));
		next_ns = ctld_wall(c) + OM_NS_PER_S;
	} else if (next_ns && next_ns <= ctld_wall(c)) {
		queue_kick(c);
		return;
	}
	look_again(c, next_ns);
}
