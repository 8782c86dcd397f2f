/* SPDX-License-Identifier: GPL-3.0-or-later */
/* submit: checks, dependencies, the event, the answer. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/log.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/finish.h"
#include "sched/ctld/history.h"
#include "sched/ctld/order.h"
#include "sched/ctld/run.h"
#include "sched/ctld/spec.h"
#include "sched/ctld/submit.h"
#include "sched/ctld/users.h"
#include "sched/model/apply.h"
#include "sched/model/request.h"

#define S(x) OM__JOB_STATE__##x

/* A submit under way: everything that the steps of it need. */
struct submission {
	struct omctld *ctld;
	struct peer *peer;
	uint32_t id;			/* of the request */
	const Om__Submit *msg;
	Om__Launch *launch;
	struct om_request *req;
	Om__JobSpec spec;		/* the event's; strings borrowed */
	Om__Dependency **dep;		/* those that are not met yet */
};

int submit_notes(const Om__JobSpec *s, struct om_strvec *notes)
{
	int rc = 0;

	if (s->checkpoint_s)
		rc |= om_strvec_add(notes, "--checkpoint has no effect yet");
	if (s->max_freeze_ms)
		rc |= om_strvec_add(notes, "--max-freeze has no effect yet");
	if (s->has_migrate && s->migrate != OM__MIGRATE_MODE__AUTO)
		rc |= om_strvec_add(notes, "--migrate has no effect yet: nothing is moved");
	if (s->home && *s->home)
		rc |= om_strvec_add(notes, "--home has no effect yet");
	if (s->hint && *s->hint)
		rc |= om_strvec_add(notes, "--hint has no effect yet");
	return rc < 0 ? -ENOMEM : 0;
}

static void submission_fini(struct submission *s)
{
	if (s->launch)
		om__launch__free_unpacked(s->launch, NULL);
	om_request_put(s->ctld->model, s->req);
	free(s->dep);
}

/* -------------------------------------------------------------------- checks */

static int check_who(struct submission *s, struct om_error *err)
{
	const struct omctld *c = s->ctld;
	int rc = access_check(c->access, s->peer->uid, ACT_SUBMIT, err);

	if (rc < 0)
		return rc;
	if (s->peer->uid == 0 && !c->config->allow_root_jobs &&
	    !access_may(ACCESS_ADMIN, ACT_SUBMIT_ROOT))
		return om_fail(err, -EPERM, "jobs of root are refused\n"
			       "submit as another user, or set allow_root_jobs = true");
	if (finish_live(c) >= c->config->max_jobs)
		return om_fail(err, -EAGAIN,
			       "%llu jobs are waiting or running, max_jobs allows %u\n"
			       "try again later, or: omctl set max_jobs=%llu",
			       (unsigned long long)finish_live(c),
			       c->config->max_jobs,
			       2ULL * c->config->max_jobs);
	return 0;
}

static int check_priority(const struct submission *s, struct om_error *err)
{
	if (s->msg->spec->priority <= 0)
		return 0;
	return access_check(s->ctld->access, s->peer->uid, ACT_JOB_RAISE, err);
}

static int check_bounds(struct submission *s, struct om_error *err)
{
	const Om__JobSpec *spec = s->msg->spec;
	int rc;

	if (s->msg->uuid.len != 16)
		return om_fail(err, -EINVAL, "a submit's uuid has 16 bytes");
	rc = spec_check(spec, s->ctld->config->max_array, err);
	if (rc == 0)
		rc = check_priority(s, err);
	if (rc == 0)
		rc = launch_check(&s->msg->launch, spec->kind, &s->launch, err);
	if (rc == 0 && spec->kind != OM__JOB_KIND__BATCH && !s->msg->attached &&
	    !s->msg->test_only)
		rc = om_fail(err, -EINVAL,
			     "an allocation needs a client that stays attached");
	return rc;
}

/* The scheduler's word, and the defaults that it fills in. */
static int check_fit(struct submission *s, struct om_error *err)
{
	struct omctld *c = s->ctld;
	const Om__JobSpec *from = s->msg->spec;
	int rc;

	s->req = om_request_create(c->model, from);
	if (!s->req)
		return om_fail_nomem(err);
	rc = om_sched_check(c->sched, s->req, s->peer->uid, err);
	if (rc < 0)
		return rc;
	om__job_spec__init(&s->spec);
	om_request_to_spec(s->req, &s->spec);
	s->spec.has_hold = from->hold;
	s->spec.hold = from->hold;
	s->spec.array = from->array && *from->array ? from->array : NULL;
	return 0;
}

/* -------------------------------------------------------------- dependencies */

static int never(const Om__Dependency *d, Om__JobState end,
		 struct om_error *err)
{
	return om_fail(err, -EINVAL,
		       "--dependency: job %llu is %s, so this can never start",
		       (unsigned long long)d->job_id, om_state_name(end));
}

/* Of a job that is over: 1 if it is met by that, else -EINVAL. */
static int judge(const Om__Dependency *d, Om__JobState end,
		 struct om_error *err)
{
	bool ok = end == S(COMPLETED);

	if ((d->kind == OM__DEPENDENCY_KIND__AFTER_OK && !ok) ||
	    (d->kind == OM__DEPENDENCY_KIND__AFTER_NOT_OK && ok))
		return never(d, end, err);
	return 1;
}

/* 1: met already; 0: it is to be waited for; -ENOENT: ask the history. */
static int look_at(struct omctld *c, const Om__Dependency *d,
		   struct om_error *err)
{
	const struct om_job *j;
	Om__JobState end;
	uint32_t index;
	bool known;

	if (d->kind == OM__DEPENDENCY_KIND__SINGLETON)
		return 0;
	if (d->job_id >= c->model->next_job_id)
		return om_fail(err, -EINVAL,
			       "--dependency: there has been no job %llu yet",
			       (unsigned long long)d->job_id);
	if (om_model_end_state(c->model, d->job_id, &end, &known))
		return judge(d, end, err);
	if (known)
		return 0;
	j = om_model_array_of(c->model, d->job_id, &index);
	if (j && om_idset_has(&j->pending, index))
		return om_fail(err, -EINVAL,
			       "--dependency: task %u of array %llu was not started yet\n"
			       "depend on the whole array: %llu", index,
			       (unsigned long long)j->id,
			       (unsigned long long)j->id);
	return -ENOENT;
}

/* A submit that waits for the history to say how a job ended. */
struct parked {
	Om__Submit *msg;
	size_t at;			/* which dependency */
};

static void proceed(struct submission *s, size_t from, bool met);

static void parked_free(void *arg)
{
	struct parked *k = arg;

	om__submit__free_unpacked(k->msg, NULL);
	free(k);
}

static void on_ended(struct peer *p, uint32_t id, void *arg,
		     const Om__JobInfo *info)
{
	struct parked *k = arg;
	const Om__Dependency *d = k->msg->spec->dependency[k->at];
	struct submission s = { .ctld = p->ctld, .peer = p, .id = id,
				.msg = k->msg };
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (info)
		rc = judge(d, info->state, &err);
	else if (d->kind == OM__DEPENDENCY_KIND__AFTER_OK ||
		 d->kind == OM__DEPENDENCY_KIND__AFTER_NOT_OK)
		rc = om_fail(&err, -EINVAL,
			     "--dependency: nobody knows how job %llu ended",
			     (unsigned long long)d->job_id);
	else
		rc = 1;
	if (rc < 0)
		peer_fail(p, id, rc, &err);
	else
		proceed(&s, k->at, true);
}

static int park(struct submission *s, size_t at, struct om_error *err)
{
	size_t len = om__submit__get_packed_size(s->msg);
	om_autofree uint8_t *bytes = malloc(len);
	struct parked *k = calloc(1, sizeof(*k));
	uint64_t job_id = s->msg->spec->dependency[at]->job_id;
	int rc;

	if (bytes && k) {
		om__submit__pack(s->msg, bytes);
		k->msg = om__submit__unpack(NULL, len, bytes);
	}
	if (!k || !k->msg) {
		free(k);
		return om_fail_nomem(err);
	}
	k->at = at;
	rc = history_ask_job(s->peer, s->id, job_id, on_ended, parked_free, k,
			     err);
	if (rc < 0)
		parked_free(k);
	return rc;
}

/* 0: s->spec has those that are to be waited for; 1: parked; or -Exxx. Before
 * "from" all were looked at, and "met" says what came of that one. */
static int check_dependencies(struct submission *s, size_t from, bool met,
			      struct om_error *err)
{
	const Om__JobSpec *spec = s->msg->spec;
	int rc;

	s->dep = calloc(spec->n_dependency + 1, sizeof(*s->dep));
	if (!s->dep)
		return om_fail_nomem(err);
	for (size_t i = 0; i < spec->n_dependency; i++) {
		Om__Dependency *d = spec->dependency[i];

		rc = look_at(s->ctld, d, err);
		/* What the history answered is not asked again. */
		if (rc == -ENOENT && met && i <= from)
			rc = 1;
		if (rc == -ENOENT) {
			rc = park(s, i, err);
			return rc < 0 ? rc : 1;
		}
		if (rc < 0)
			return rc;
		if (rc == 0)
			s->dep[s->spec.n_dependency++] = d;
	}
	s->spec.dependency = s->dep;
	return 0;
}

/* ------------------------------------------------------------------- answers */

static void answer(struct submission *s, uint64_t job_id, int64_t start_ns,
		   char *nodelist)
{
	Om__Submitted m = OM__SUBMITTED__INIT;
	struct om_strvec notes = OM_STRVEC_INIT;

	if (submit_notes(s->msg->spec, &notes) < 0)
		om_log_warn("out of memory for notes");
	m.job_id = job_id;
	m.note = notes.v;
	m.n_note = notes.n;
	m.has_start_ns = start_ns != 0;
	m.start_ns = start_ns;
	m.nodelist = nodelist;
	peer_send(s->peer, OM_MSG_SUBMITTED, s->id, &m.base);
	om_strvec_fini(&notes);
}

static int test_only(struct submission *s, struct om_error *err)
{
	struct omctld *c = s->ctld;
	struct om_placement p = { .share = NULL };
	om_autofree char *nodelist = NULL;
	om_autofree const char **name = NULL;
	int64_t start_ns = 0;
	int rc = om_sched_test(c->sched, s->req, s->peer->uid, ctld_wall(c),
			       &p, &start_ns, err);

	if (rc < 0)
		return rc;
	name = calloc(p.shares + 1, sizeof(*name));
	for (uint32_t i = 0; name && i < p.shares; i++)
		name[i] = p.share[i].node->name;
	if (name && p.shares)
		nodelist = om_hostlist_compress(name, p.shares);
	om_placement_fini(&p);
	answer(s, 0, start_ns, nodelist);
	return 0;
}

static int record(struct submission *s, uint64_t *ret_id, struct om_error *err)
{
	struct omctld *c = s->ctld;
	Om__EvSubmitted e = OM__EV_SUBMITTED__INIT;
	int rc;

	e.job_id = c->model->next_job_id;
	e.uid = s->peer->uid;
	e.gid = s->peer->gid;
	e.uuid = s->msg->uuid;
	e.spec = &s->spec;
	e.user = (char *)(uintptr_t)users_name(s->peer->uid);
	e.cwd = s->launch->cwd;
	e.std_out = s->launch->std_out;
	e.submit_host = s->launch->submit_host;
	rc = EMIT(c, SUBMITTED, submitted, &e, err);
	if (rc < 0)
		return rc;
	rc = om_store_put_launch(c->store, e.job_id, s->msg->launch.data,
				 s->msg->launch.len, err);
	if (rc < 0) {
		/* A job without its script in the log: do not go on. */
		journal_fail(c->journal, err);
		return rc;
	}
	*ret_id = e.job_id;
	return 0;
}

static int accept_job(struct submission *s, uint64_t id, struct om_error *err)
{
	struct om_job *j = om_model_job(s->ctld->model, id);
	int rc = 0;

	answer(s, id, 0, NULL);
	if (j && s->msg->attached && j->req->kind != OM__JOB_KIND__BATCH) {
		if (!om_job_is_over(j))
			rc = run_attach(s->ctld, j, s->peer, s->id, err);
		run_tell_to(s->ctld, j, s->peer, s->id);
	}
	return rc;
}

/* From the dependencies on; the checks before them were passed. */
static int finish_submit(struct submission *s, size_t from, bool met,
			 struct om_error *err)
{
	uint64_t id;
	int rc = check_bounds(s, err);

	if (rc == 0)
		rc = check_fit(s, err);
	if (rc == 0)
		rc = check_dependencies(s, from, met, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (s->msg->test_only)
		return test_only(s, err);
	rc = record(s, &id, err);
	return rc < 0 ? rc : accept_job(s, id, err);
}

static void proceed(struct submission *s, size_t from, bool met)
{
	struct om_error err = OM_ERROR_INIT;
	uint64_t known = s->msg->uuid.len == 16 && !s->msg->test_only ?
		om_model_submitted(s->ctld->model, s->peer->uid,
				   s->msg->uuid.data) : 0;
	int rc;

	if (known) {
		rc = accept_job(s, known, &err);
	} else {
		rc = check_who(s, &err);
		if (rc == 0)
			rc = finish_submit(s, from, met, &err);
	}
	if (rc < 0)
		peer_fail(s->peer, s->id, rc, &err);
	submission_fini(s);
}

void submit_handle(struct omctld *c, struct peer *p, uint32_t id,
		   const ProtobufCMessage *body)
{
	struct submission s = { .ctld = c, .peer = p, .id = id,
				.msg = (const Om__Submit *)body };

	proceed(&s, 0, false);
}
