/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: start, run, end of jobs; what is over is in finish.c. */
#include <signal.h>
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/finish.h"
#include "sched/ctld/jobinfo.h"
#include "sched/ctld/order.h"
#include "sched/ctld/run.h"
#include "sched/ctld/shell.h"
#include "sched/model/alloc.h"
#include "sched/model/apply.h"

#define S(x) OM__JOB_STATE__##x
#define GRACE_NS (10 * OM_NS_PER_S)	/* for an attached client to return */
#define GRACE_RESTART_NS (30 * OM_NS_PER_S)
/* A batch job's limit is kept by its step daemon; this is for one that does
 * not answer. */
#define BACKSTOP_NS (60 * OM_NS_PER_S)
#define TICK_NS OM_NS_PER_S

struct run {
	struct omctld *ctld;
	struct om_timer *tick;
	struct job_shell *attached;	/* jobs that live with a client */
};

/* ------------------------------------------------------------------- start */

static void log_failure(const struct om_job *j, const char *what,
			const struct om_error *err)
{
	om_log_error("%s failed job=%llu error=\"%s\"", what,
		     (unsigned long long)j->id, om_error_text(err));
}

static bool is_unlimited(int64_t seconds)
{
	return seconds <= 0 || seconds >= INT64_MAX / OM_NS_PER_S;
}

static void set_deadline(struct omctld *c, struct om_job *j, int64_t used_ns)
{
	struct job_shell *sh = shell_of(j);
	int64_t limit = j->req->time_limit_s;

	if (used_ns < 0)
		used_ns = 0;		/* the clock was put back */
	sh->deadline_ns = is_unlimited(limit) ? 0 :
		ctld_mono(c) + limit * OM_NS_PER_S - used_ns;
	if (sh->deadline_ns < 0)
		sh->deadline_ns = 1;
}

static int create_batch_step(struct omctld *c, struct om_job *j,
			     struct om_error *err)
{
	Om__EvStepCreated e = OM__EV_STEP_CREATED__INIT;
	char *node = (char *)(uintptr_t)j->alloc->share[0].node->name;
	uint32_t tasks = 1;

	e.job_id = j->id;
	e.step_id = OM_STEP_BATCH;
	e.name = (char *)(uintptr_t)"batch";
	e.node = &node;
	e.n_node = 1;
	e.tasks = &tasks;
	e.n_tasks = 1;
	return EMIT(c, STEP_CREATED, step_created, &e, err);
}

static int start_event(struct omctld *c, const struct om_job *j,
		       const struct om_step *s, struct om_error *err)
{
	Om__EvStarted e = OM__EV_STARTED__INIT;

	e.job_id = j->id;
	e.has_step_id = s != NULL;
	e.step_id = s ? s->id : 0;
	return EMIT(c, STARTED, started, &e, err);
}

/* An allocated job: orders its script, or gives it to its client. */
static int launch(struct omctld *c, struct om_job *j, struct om_error *err)
{
	struct om_step *s;
	int rc;

	if (!shell_get(j))
		return om_fail_nomem(err);
	set_deadline(c, j, 0);
	if (j->req->kind != OM__JOB_KIND__BATCH) {
		rc = start_event(c, j, NULL, err);
		if (rc == 0)
			run_tell(c, j);
		return rc;
	}
	rc = create_batch_step(c, j, err);
	s = rc == 0 ? om_alloc_step(j, OM_STEP_BATCH) : NULL;
	if (s && !shell_step_get(j, s))
		rc = om_fail_nomem(err);
	return s && rc == 0 ? order_launch(c, j, s, 0, err) : rc;
}

/* The allocation could not be put to use: the job must not hang in it. */
static void launch_failed(struct omctld *c, struct om_job *j,
			  const struct om_error *err)
{
	struct run_why why = { .why = S(BOOT_FAIL), .text = err->text };

	log_failure(j, "launch", err);
	if (!journal_failed(c->journal))
		run_end(c, j, &why, NULL);
}

static int fill_lists(Om__EvAllocated *e, const struct om_placement *p,
		      void *store)
{
	e->mem = store;
	e->node = (char **)(void *)(e->mem + p->shares);
	e->cpus = (uint32_t *)(void *)(e->node + p->shares);
	e->slots = e->cpus + p->shares;
	e->n_node = e->n_cpus = e->n_slots = e->n_mem = p->shares;
	for (uint32_t i = 0; i < p->shares; i++) {
		e->node[i] = (char *)(uintptr_t)p->share[i].node->name;
		e->cpus[i] = p->share[i].cpus;
		e->slots[i] = p->share[i].slots;
		e->mem[i] = p->share[i].mem;
	}
	return 0;
}

int run_start(void *arg, struct om_job *j, uint32_t array_index,
	      const struct om_placement *p, struct om_error *err)
{
	struct omctld *c = arg;
	Om__EvAllocated e = OM__EV_ALLOCATED__INIT;
	struct om_error failed = OM_ERROR_INIT;
	om_autofree void *store = malloc(p->shares * 32);
	int rc;

	if (!store)
		return om_fail_nomem(err);
	fill_lists(&e, p, store);
	e.job_id = j->id;
	e.incarnation = j->incarnation + 1;
	if (om_job_is_array(j)) {
		e.job_id = om_array_task_id(j, array_index);
		e.has_array_id = e.has_array_index = 1;
		e.array_id = j->id;
		e.array_index = array_index;
	}
	rc = EMIT(c, ALLOCATED, allocated, &e, err);
	if (rc < 0)
		return rc;
	j = om_model_job(c->model, e.job_id);
	rc = launch(c, j, &failed);
	if (rc < 0)
		launch_failed(c, j, &failed);
	return 0;
}

void run_started(struct omctld *c, struct om_job *j, struct om_step *s)
{
	struct om_error err = OM_ERROR_INIT;

	if (s->state != S(CONFIGURING))
		return;
	if (start_event(c, j, s, &err) < 0)
		log_failure(j, "start", &err);
}

/* ---------------------------------------------------------------- step ends */

static Om__JobState state_of_exit(const struct om_step *s,
				  const Om__StepExit *last)
{
	/* What no job can end as is a node's mistake, or its lie. */
	if (last && last->has_why && last->why != S(PENDING) &&
	    last->why != S(COMPLETED) && last->why != S(FAILED) &&
	    om_state_may(S(COMPLETING), last->why))
		return last->why;
	/* a step that never started has no exit code to tell of it */
	return s->exit_code || s->exit_signal || s->state == S(FAILED) ?
		S(FAILED) : S(COMPLETED);
}

static int emit_clean(struct omctld *c, const struct om_job *j,
		      const char *node, struct om_error *err)
{
	Om__EvNodeClean e = OM__EV_NODE_CLEAN__INIT;

	e.job_id = j->id;
	e.node = (char *)(uintptr_t)node;
	return EMIT(c, NODE_CLEAN, node_clean, &e, err);
}

static void emit_ending(struct omctld *c, struct om_job *j,
			const struct run_why *w)
{
	Om__EvEnding e = OM__EV_ENDING__INIT;
	struct om_error err = OM_ERROR_INIT;

	e.job_id = j->id;
	e.why = w->why;
	e.text = (char *)(uintptr_t)w->text;
	e.has_uid = w->by_user;
	e.uid = w->uid;
	if (EMIT(c, ENDING, ending, &e, &err) < 0)
		log_failure(j, "ending", &err);
}

void run_step_over(struct omctld *c, struct om_job *j, struct om_step *s,
		   const Om__StepExit *last, const char *node)
{
	struct run_why why = {
		.why = state_of_exit(s, last),
		.text = last && last->text && *last->text ? last->text : NULL,
	};
	bool clean = last && last->job_clean;

	if (s->id != OM_STEP_BATCH) {
		if (j->state == S(COMPLETING))
			run_act(c, j);
		return;
	}
	/* Most jobs: one node, which has cleaned up by itself. */
	if (clean && j->ending == S(PENDING) && j->alloc->shares == 1) {
		finish_job(c, j, why.why, why.text);
		return;
	}
	if (j->ending == S(PENDING))
		emit_ending(c, j, &why);
	if (clean)
		emit_clean(c, j, node, NULL);
	run_act(c, j);
}

/* -------------------------------------------------------------------- ends */

static bool ends_gently(Om__JobState why)
{
	return why == S(CANCELLED) || why == S(TIMEOUT) || why == S(PREEMPTED);
}

static bool has_live_parts(const struct om_job *j)
{
	const struct om_step *s;

	LL_FOREACH(j->alloc->step, s)
		if (s->parts_over < s->parts)
			return true;
	return false;
}

static bool is_clean(const struct om_job *j)
{
	for (uint32_t i = 0; i < j->alloc->shares; i++)
		if (!j->alloc->share[i].clean)
			return false;
	return true;
}

/* Has the job another try? Only what can begin anew without its client. */
static bool goes_again(const struct om_job *j)
{
	if (j->req->kind != OM__JOB_KIND__BATCH || shell_of(j)->give_up)
		return false;
	return j->ending == S(PREEMPTED) ||
	       (j->ending == S(NODE_FAIL) && j->req->requeue) ||
	       (j->ending == S(BOOT_FAIL) && j->restarts < 3);
}

static void requeue(struct omctld *c, struct om_job *j)
{
	Om__EvJob e = OM__EV_JOB__INIT;
	struct om_error err = OM_ERROR_INIT;

	om_log_info("requeued job=%llu reason=\"%s\"",
		    (unsigned long long)j->id,
		    j->ending_text ? j->ending_text : om_state_name(j->ending));
	e.job_id = j->id;
	if (EMIT(c, REQUEUED, requeued, &e, &err) < 0) {
		log_failure(j, "requeue", &err);
		return;
	}
	shell_drop(j);
}

void run_act(struct omctld *c, struct om_job *j)
{
	struct job_shell *sh = shell_get(j);

	if (j->state != S(COMPLETING) || !j->alloc || !sh)
		return;
	if (ends_gently(j->ending) && has_live_parts(j))
		return;
	if (!is_clean(j)) {
		if (!sh->end_sent)
			order_end(c, j);
		sh->end_sent = true;
		return;
	}
	if (goes_again(j))
		requeue(c, j);
	else
		finish_job(c, j, sh->give_up ? S(CANCELLED) : j->ending, NULL);
}

void run_node_clean(struct omctld *c, struct om_job *j, const char *node)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_share *sh = om_alloc_share(j, node);

	if (!sh)
		return;
	if (!sh->clean && emit_clean(c, j, node, &err) < 0) {
		log_failure(j, "node clean", &err);
		return;
	}
	run_act(c, j);
}

static int end_pending(struct omctld *c, struct om_job *j,
		       const struct run_why *w)
{
	/* A job that never ran cannot have completed or failed. */
	Om__JobState state = w->why == S(COMPLETED) || w->why == S(FAILED) ||
			     w->why == S(PREEMPTED) ? S(CANCELLED) : w->why;

	return finish_job(c, j, state, w->text);
}

int run_end(struct omctld *c, struct om_job *j, const struct run_why *w,
	    struct om_error *err)
{
	struct order_kill kill = { .signal = SIGTERM, .why = w->why,
				   .then_kill = true };

	if (om_job_is_over(j))
		return om_fail(err, -EALREADY, "the job is %s already",
			       om_state_name(j->state));
	if (j->state == S(PENDING))
		return end_pending(c, j, w);
	if (j->ending != S(PENDING)) {
		/* Whoever cancels a job that is about to be requeued does not
		 * want it back. */
		if (w->why == S(CANCELLED) && shell_of(j))
			shell_of(j)->give_up = true;
		order_kill(c, j, NULL, &kill);
		return 0;
	}
	emit_ending(c, j, w);
	if (journal_failed(c->journal))
		return om_fail(err, -EIO, "the event log has failed");
	if (ends_gently(w->why))
		order_kill(c, j, NULL, &kill);
	run_act(c, j);
	return 0;
}

/* ----------------------------------------------------------------- clients */

static void attached_add(struct run *r, struct job_shell *sh)
{
	if (sh->in_attached)
		return;
	DL_APPEND(r->attached, sh);
	sh->in_attached = true;
}

void run_detach(struct omctld *c, struct om_job *j)
{
	struct job_shell *sh = shell_of(j);

	if (!sh || !sh->in_attached)
		return;
	DL_DELETE(c->run->attached, sh);
	sh->in_attached = false;
	waiter_remove(&sh->attach.w);
}

void run_tell(struct omctld *c, const struct om_job *j)
{
	struct job_shell *sh = shell_of(j);

	if (sh && sh->attach.w.peer)
		run_tell_to(c, j, sh->attach.w.peer, sh->attach.w.id);
}

void run_tell_to(struct omctld *c, const struct om_job *j, struct peer *p,
		 uint32_t id)
{
	Om__JobEvent e = OM__JOB_EVENT__INIT;
	struct placing place = { .store = NULL };
	struct jobinfo ji;

	(void)c;
	if (jobinfo_init(&ji, j, true) < 0 ||
	    (j->alloc && j->state == S(RUNNING) &&
	     placing_init(&place, j, NULL) < 0)) {
		peer_doom(p, "out of memory for its messages");
		return;
	}
	e.job_id = j->id;
	e.state = j->state;
	e.job = &ji.info;
	e.allocation = place.store ? &place.msg : NULL;
	peer_send(p, OM_MSG_JOB_EVENT, id, &e.base);
	placing_fini(&place);
	jobinfo_fini(&ji);
}

int run_attach(struct omctld *c, struct om_job *j, struct peer *p, uint32_t id,
	       struct om_error *err)
{
	struct job_shell *sh = shell_get(j);

	if (!sh)
		return om_fail_nomem(err);
	attached_add(c->run, sh);
	attach_set(&sh->attach, p, id);
	return 0;
}

static void client_gone(struct omctld *c, struct job_shell *sh)
{
	struct run_why why = {
		.why = S(CANCELLED),
		.text = "the command that it was made for went away",
	};

	sh->attach.lost_ns = 0;
	om_log_info("client gone job=%llu", (unsigned long long)sh->job->id);
	run_end(c, sh->job, &why, NULL);
}

/* -------------------------------------------------------------------- ticks */

static void check_clients(struct run *r, int64_t now)
{
	struct job_shell *sh, *next;

	DL_FOREACH_SAFE(r->attached, sh, next)
		if (sh->attach.lost_ns && !sh->attach.w.peer &&
		    now - sh->attach.lost_ns >= GRACE_NS)
			client_gone(r->ctld, sh);
}

static void step_gone(struct omctld *c, struct om_job *j,
		      struct step_shell *ss)
{
	const struct om_step *s = om_alloc_step(j, ss->id);
	struct order_kill kill = { .signal = SIGTERM, .why = S(CANCELLED),
				   .then_kill = true };

	ss->attach.lost_ns = 0;
	if (s && s->parts_over < s->parts)
		order_kill(c, j, s, &kill);
}

static void check_job(struct omctld *c, struct om_job *j, int64_t now)
{
	struct job_shell *sh = shell_of(j);
	struct run_why why = { .why = S(TIMEOUT),
			       .text = "its time limit was reached" };
	struct step_shell *ss, *next;
	bool batch = j->req->kind == OM__JOB_KIND__BATCH;

	if (!sh)
		return;
	LL_FOREACH_SAFE(sh->step, ss, next)
		if (ss->attach.lost_ns && !ss->attach.w.peer &&
		    now - ss->attach.lost_ns >= GRACE_NS)
			step_gone(c, j, ss);
	if (sh->deadline_ns && j->ending == S(PENDING) &&
	    now >= sh->deadline_ns + (batch ? BACKSTOP_NS : 0))
		run_end(c, j, &why, NULL);
}

static void on_tick(void *arg)
{
	struct run *r = arg;
	struct omctld *c = r->ctld;
	int64_t now = ctld_mono(c);
	struct om_job *j, *next;

	if (journal_failed(c->journal))
		return;
	check_clients(r, now);
	DL_FOREACH_SAFE(c->model->active, j, next)
		check_job(c, j, now);
	finish_forget(c, now);
}

void run_set_limit(struct omctld *c, struct om_job *j)
{
	int64_t end = 0;

	if (!shell_of(j) || !j->alloc)
		return;
	set_deadline(c, j, j->start_ns ? ctld_wall(c) - j->start_ns : 0);
	if (shell_of(j)->deadline_ns)
		end = ctld_wall(c) + shell_of(j)->deadline_ns - ctld_mono(c);
	order_limit(c, j, end);
}

/* ------------------------------------------------------------------- begin */

struct run *run_create(struct omctld *c, struct om_error *err)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r) {
		om_fail_nomem(err);
		return NULL;
	}
	r->ctld = c;
	r->tick = om_timer_create(c->loop, on_tick, r, err);
	if (!r->tick) {
		free(r);
		return NULL;
	}
	om_timer_start(r->tick, TICK_NS, TICK_NS);
	return r;
}

void run_destroy(struct run *r)
{
	if (!r)
		return;
	om_timer_destroy(r->tick);
	free(r);
}

/* An event that should have followed the last one may be missing: go on from
 * whatever state the log ends in. */
static void resume(struct omctld *c, struct om_job *j)
{
	struct om_step *batch = om_alloc_step(j, OM_STEP_BATCH);
	struct om_error err = OM_ERROR_INIT;

	if (j->state == S(COMPLETING))
		run_act(c, j);
	else if (j->req->kind == OM__JOB_KIND__BATCH && !batch &&
		 launch(c, j, &err) < 0)
		launch_failed(c, j, &err);
	else if (batch && batch->parts_over == batch->parts)
		run_step_over(c, j, batch, NULL, NULL);
	else if (j->req->kind != OM__JOB_KIND__BATCH &&
		 j->state == S(CONFIGURING) && launch(c, j, &err) < 0)
		launch_failed(c, j, &err);
}

static void recover_job(struct omctld *c, struct om_job *j)
{
	struct job_shell *sh;

	if (om_job_is_over(j)) {
		finish_recovered(c, j);
		return;
	}
	if (j->req->kind == OM__JOB_KIND__BATCH && !j->alloc)
		return;
	sh = shell_get(j);
	if (!sh) {
		om_log_error("out of memory job=%llu", (unsigned long long)j->id);
		return;
	}
	if (j->req->kind != OM__JOB_KIND__BATCH) {
		attached_add(c->run, sh);
		sh->attach.lost_ns = ctld_mono(c) + GRACE_RESTART_NS - GRACE_NS;
	}
	if (!j->alloc)
		return;
	set_deadline(c, j, j->start_ns ? ctld_wall(c) - j->start_ns : 0);
	resume(c, j);
}

void run_recover(struct omctld *c)
{
	struct om_job *j, *next;

	HASH_ITER(by_id, c->model->job_by_id, j, next)
		recover_job(c, j);
	finish_sort(c);
}
