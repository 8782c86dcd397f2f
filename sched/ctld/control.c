/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * control: what is done to jobs by their filter: cancel, hold, release,
 * requeue, signal, update, finish. Each job is judged for itself; those that
 * were refused are named in the answer.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/filter.h"
#include "sched/ctld/order.h"
#include "sched/ctld/run.h"
#include "sched/ctld/shell.h"
#include "sched/ctld/spec.h"
#include "sched/ctld/users.h"
#include "sched/model/apply.h"
#include "sched/model/request.h"

#define S(x) OM__JOB_STATE__##x
#define REFUSED_MAX 1000	/* named in one answer */

struct control {
	struct omctld *ctld;
	struct peer *peer;
	const Om__JobControl *msg;
	Om__JobControlReply reply;
	Om__JobControlReply__Refused *refused[REFUSED_MAX];
};

typedef int verb_fn(struct control *k, struct om_job *j,
		    const struct om_idset *tasks, struct om_error *err);

static void refuse(struct control *k, uint64_t id, const struct om_error *err)
{
	Om__JobControlReply__Refused *r;

	if (k->reply.n_refused == REFUSED_MAX)
		return;
	r = malloc(sizeof(*r));
	if (!r)
		return;
	om__job_control_reply__refused__init(r);
	r->job_id = id;
	r->code = err->code;
	r->text = strdup(om_error_text(err));
	if (!r->text) {
		free(r);
		return;
	}
	k->refused[k->reply.n_refused++] = r;
}


static int not_over(const struct om_job *j, struct om_error *err)
{
	/* An array whose tasks all have jobs of their own is no more to be
	 * acted on by itself; nothing is wrong with naming it. */
	if (!om_job_is_over(j))
		return 0;
	return om_fail(err, -EALREADY, "it is %s already",
		       om_state_name(j->state));
}

static int needs_running(const struct om_job *j, const char *what,
			 struct om_error *err)
{
	int rc = not_over(j, err);

	if (rc < 0)
		return rc;
	if (!j->alloc || j->ending != S(PENDING))
		return om_fail(err, -EINVAL, "it is %s: only a running job can be %s",
			       om_state_name(j->state), what);
	return 0;
}

/* --------------------------------------------------------------------- verbs */

static int do_cancel(struct control *k, struct om_job *j,
		     const struct om_idset *tasks, struct om_error *err)
{
	char text[128];
	struct run_why why = {
		.why = S(CANCELLED), .uid = k->peer->uid, .by_user = true,
		.text = text,
	};
	int rc;

	if (om_job_is_array(j))
		return run_cancel_tasks(k->ctld, j, tasks, err);
	rc = not_over(j, err);
	if (rc < 0)
		return rc;
	snprintf(text, sizeof(text), "cancelled by %s",
		 users_name(k->peer->uid));
	return run_end(k->ctld, j, &why, err);
}

static int only_pending(const struct om_job *j, const struct om_idset *tasks,
			const char *what, struct om_error *err)
{
	int rc = not_over(j, err);

	if (rc < 0)
		return rc;
	if (tasks)
		return om_fail(err, -EINVAL,
			       "tasks of an array are %s all together: name the array",
			       what);
	if (j->state != S(PENDING))
		return om_fail(err, -EINVAL, "it is %s: only what waits can be %s",
			       om_state_name(j->state), what);
	return 0;
}

static int do_hold(struct control *k, struct om_job *j,
		   const struct om_idset *tasks, struct om_error *err)
{
	Om__EvJob e = OM__EV_JOB__INIT;
	int rc = only_pending(j, tasks, "held", err);

	if (rc < 0)
		return rc;
	/* An owner's hold does not make an operator's into one of his own. */
	if (j->held && (j->held_by_admin || k->peer->uid == j->uid))
		return 0;
	e.job_id = j->id;
	e.has_uid = 1;
	e.uid = k->peer->uid;
	return EMIT(k->ctld, HELD, held, &e, err);
}

static int do_release(struct control *k, struct om_job *j,
		      const struct om_idset *tasks, struct om_error *err)
{
	Om__EvJob e = OM__EV_JOB__INIT;
	int rc = only_pending(j, tasks, "released", err);

	if (rc < 0)
		return rc;
	if (!j->held)
		return om_fail(err, -EALREADY, "it is not held");
	if (j->held_by_admin)
		rc = access_check_owned(k->ctld->access, k->peer->uid, j->uid,
					ACT_JOB_RELEASE_ADMIN, err);
	if (rc < 0)
		return rc;
	e.job_id = j->id;
	e.has_uid = 1;
	e.uid = k->peer->uid;
	return EMIT(k->ctld, RELEASED, released, &e, err);
}

static int do_requeue(struct control *k, struct om_job *j,
		      const struct om_idset *tasks, struct om_error *err)
{
	char text[128];
	struct run_why why = {
		.why = S(PREEMPTED), .uid = k->peer->uid, .by_user = true,
		.text = text,
	};
	int rc = needs_running(j, "requeued", err);

	(void)tasks;
	if (rc < 0)
		return rc;
	if (j->req->kind != OM__JOB_KIND__BATCH)
		return om_fail(err, -EINVAL,
			       "only batch jobs can begin anew without their client");
	snprintf(text, sizeof(text), "requeued by %s",
		 users_name(k->peer->uid));
	return run_end(k->ctld, j, &why, err);
}

static int do_signal(struct control *k, struct om_job *j,
		     const struct om_idset *tasks, struct om_error *err)
{
	struct order_kill kill = { .signal = k->msg->signal,
				   .batch_only = k->msg->batch_only };
	int rc = needs_running(j, "signalled", err);

	(void)tasks;
	if (rc < 0)
		return rc;
	if (kill.signal == 0 || kill.signal > 64)
		return om_fail(err, -EINVAL, "%u is no signal", kill.signal);
	order_kill(k->ctld, j, NULL, &kill);
	return 0;
}

static int do_finish(struct control *k, struct om_job *j,
		     const struct om_idset *tasks, struct om_error *err)
{
	const Om__JobControl *m = k->msg;
	bool failed = m->exit_code || m->exit_signal;
	struct run_why why = { .why = failed ? S(FAILED) : S(COMPLETED) };
	struct job_shell *sh;
	int rc = not_over(j, err);

	(void)tasks;
	if (rc < 0)
		return rc;
	if (j->req->kind == OM__JOB_KIND__BATCH)
		return om_fail(err, -EINVAL,
			       "a batch job ends with its script; cancel it");
	if (m->exit_code > 255 || m->exit_signal > 64)
		return om_fail(err, -EINVAL, "no exit code: %u:%u",
			       m->exit_code, m->exit_signal);
	sh = shell_get(j);
	if (!sh)
		return om_fail_nomem(err);
	sh->has_exit = true;
	sh->exit_code = m->exit_code;
	sh->exit_signal = m->exit_signal;
	if (j->state == S(COMPLETING))
		return 0;
	return run_end(k->ctld, j, &why, err);
}

/* -------------------------------------------------------------------- update */

/* What may change while a job runs. */
static bool is_light(const Om__JobSpec *u)
{
	Om__JobSpec rest = *u;
	Om__JobSpec none = OM__JOB_SPEC__INIT;

	rest.has_time_limit_s = 0;
	rest.time_limit_s = none.time_limit_s;
	rest.name = rest.comment = rest.account = NULL;
	rest.has_priority = 0;
	rest.priority = none.priority;
	rest.has_requeue = 0;
	rest.requeue = none.requeue;
	return om__job_spec__get_packed_size(&rest) == 0;
}

static int check_update(struct control *k, struct om_job *j,
			const Om__JobSpec *u, struct om_error *err)
{
	bool raise = u->has_priority && u->priority > j->req->priority &&
		     u->priority > 0;
	int rc = spec_check(u, k->ctld->config->max_array, err);

	if (rc < 0)
		return rc;
	if (u->array || u->has_kind || u->has_hold)
		return om_fail(err, -EINVAL,
			       "kind, array and hold cannot be changed so");
	if (j->alloc && !is_light(u))
		return om_fail(err, -EINVAL,
			       "of a running job only time limit, name, comment, "
			       "account, priority and requeue can change");
	raise |= j->alloc && u->has_time_limit_s &&
		 (u->time_limit_s == 0 ||
		  u->time_limit_s > j->req->time_limit_s);
	if (raise)
		rc = access_check(k->ctld->access, k->peer->uid, ACT_JOB_RAISE,
				  err);
	for (size_t i = 0; i < u->n_dependency && rc == 0; i++)
		if (u->dependency[i]->job_id >= k->ctld->model->next_job_id)
			rc = om_fail(err, -EINVAL, "there has been no job %llu yet",
				     (unsigned long long)u->dependency[i]->job_id);
	return rc;
}

/* The scheduler judges what the job would be. */
static int check_fit(struct control *k, struct om_job *j, const Om__JobSpec *u,
		     struct om_error *err)
{
	struct om_request *r;
	int rc;

	if (j->alloc)
		return 0;
	r = om_request_update(k->ctld->model, j->req, u);
	if (!r)
		return om_fail_nomem(err);
	rc = om_sched_check(k->ctld->sched, r, j->uid, err);
	om_request_put(k->ctld->model, r);
	return rc;
}

static int do_update(struct control *k, struct om_job *j,
		     const struct om_idset *tasks, struct om_error *err)
{
	Om__EvUpdated e = OM__EV_UPDATED__INIT;
	Om__JobSpec *u = k->msg->update;
	int rc = not_over(j, err);

	if (rc == 0 && !u)
		rc = om_fail(err, -EINVAL, "nothing to change was given");
	if (rc == 0 && tasks)
		rc = om_fail(err, -EINVAL,
			     "tasks of an array change all together: name the array");
	if (rc == 0)
		rc = check_update(k, j, u, err);
	if (rc == 0)
		rc = check_fit(k, j, u, err);
	if (rc < 0)
		return rc;
	e.job_id = j->id;
	e.spec = u;
	rc = EMIT(k->ctld, UPDATED, updated, &e, err);
	if (rc == 0 && u->has_time_limit_s)
		run_set_limit(k->ctld, j);
	return rc;
}

/* ------------------------------------------------------------------ dispatch */

static const struct {
	verb_fn *fn;
	enum access_action action;
} verbs[] = {
	[OM__JOB_VERB__CANCEL] = { do_cancel, ACT_JOB_CANCEL },
	[OM__JOB_VERB__HOLD] = { do_hold, ACT_JOB_HOLD },
	[OM__JOB_VERB__RELEASE] = { do_release, ACT_JOB_RELEASE },
	[OM__JOB_VERB__REQUEUE] = { do_requeue, ACT_JOB_REQUEUE },
	[OM__JOB_VERB__SIGNAL] = { do_signal, ACT_JOB_SIGNAL },
	[OM__JOB_VERB__UPDATE] = { do_update, ACT_JOB_UPDATE },
	[OM__JOB_VERB__FINISH] = { do_finish, ACT_JOB_FINISH },
};

/* By name, or met by a wide filter? Only what was named is worth a refusal. */
static bool was_named(const struct control *k)
{
	return k->msg->filter->n_job_id || k->msg->filter->n_array_task;
}

static void on_job(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	struct control *k = arg;
	struct om_error err = OM_ERROR_INIT;
	enum access_action action = verbs[k->msg->verb].action;
	int rc;

	if (journal_failed(k->ctld->journal))
		return;
	if (!was_named(k) && om_job_is_over(j))
		return;
	/* The tasks that have jobs were met before: what is left of it? */
	if (om_job_is_array(j) && j->pending.count == 0)
		return;
	rc = access_check_owned(k->ctld->access, k->peer->uid, j->uid, action,
				&err);
	if (rc == 0)
		rc = verbs[k->msg->verb].fn(k, j, tasks, &err);
	if (rc < 0)
		refuse(k, j->id, &err);
	else
		k->reply.count++;
}

static void on_missing(void *arg, uint64_t id)
{
	struct control *k = arg;
	struct om_error err = OM_ERROR_INIT;

	om_fail(&err, -ESRCH, id < k->ctld->model->next_job_id ?
			"it is over" : "there is no such job");
	refuse(k, id, &err);
}

static int check(const struct control *k, struct om_error *err)
{
	if ((unsigned)k->msg->verb >= sizeof(verbs) / sizeof(*verbs))
		return om_fail(err, -EINVAL, "unknown verb %d", k->msg->verb);
	if (filter_is_empty(k->msg->filter) ||
	    (k->msg->filter->has_limit && !was_named(k)))
		return om_fail(err, -EINVAL,
			       "say which jobs: by id, user, name, partition or state");
	return 0;
}

void jobs_control(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	struct control *k = calloc(1, sizeof(*k));
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (!k) {
		peer_fail(p, id, om_fail_nomem(&err), &err);
		return;
	}
	k->ctld = c;
	k->peer = p;
	k->msg = (const Om__JobControl *)body;
	om__job_control_reply__init(&k->reply);
	k->reply.refused = k->refused;
	rc = check(k, &err);
	if (rc == 0)
		rc = filter_each(c->model, k->msg->filter, on_job, on_missing,
				 k, &err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
	else
		peer_send(p, OM_MSG_JOB_CONTROL_REPLY, id, &k->reply.base);
	for (size_t i = 0; i < k->reply.n_refused; i++) {
		free(k->refused[i]->text);
		free(k->refused[i]);
	}
	free(k);
}
