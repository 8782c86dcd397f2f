/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobs: the table of what this node holds, and orders to start more. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/noded.h"

#define GONE_MAX (sizeof(((struct noded *)0)->gone) / sizeof(uint64_t))

int64_t noded_wall(const struct noded *n)
{
	return om_wall_ns(om_loop_clock(n->loop));
}

void noded_journal(struct noded *n, const Om__NodeRecord *r)
{
	struct om_error err = OM_ERROR_INIT;

	if (journal_add(n->journal, r, &err) < 0)
		om_log_error("%s", om_error_text(&err));
}

/* ------------------------------------------------------------------ the table */

struct njob *jobs_find(struct noded *n, uint64_t id)
{
	struct njob *j;

	HASH_FIND(hh, n->jobs, &id, sizeof(id), j);
	return j;
}

struct njob *jobs_add(struct noded *n, uint64_t id, uint32_t inc, uid_t uid,
		      const char *user)
{
	struct njob *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->user = user ? strdup(user) : NULL;
	if (user && !j->user) {
		free(j);
		return NULL;
	}
	j->id = id;
	j->inc = inc;
	j->uid = uid;
	j->noded = n;
	j->prologued = !n->conf->prolog;
	j->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	HASH_ADD(hh, n->jobs, id, sizeof(j->id), j);
	return j;
}

struct nstep *jobs_step(struct njob *j, uint32_t id)
{
	struct nstep *s;

	DL_FOREACH(j->steps, s)
		if (s->id == id)
			return s;
	return NULL;
}

void jobs_step_free(struct nstep *s)
{
	orphan_end(s);
	om_conn_destroy(s->conn);
	om_timer_destroy(s->grace);
	om_buf_fini(&s->launch);
	om_buf_fini(&s->record);
	om_buf_fini(&s->started);
	free(s->task);
	DL_DELETE(s->job->steps, s);
	free(s);
}

static void later_free(struct later *l)
{
	while (l) {
		struct later *next = l->next;

		om__step_launch__free_unpacked(l->order, NULL);
		free(l);
		l = next;
	}
}

static void job_free(struct noded *n, struct njob *j)
{
	struct nstep *s, *next;

	DL_FOREACH_SAFE(j->steps, s, next)
		jobs_step_free(s);
	ending_fini(j);
	hook_cancel(j->hook);
	if (j->last)
		om__step_exit__free_unpacked(j->last, NULL);
	later_free(j->later);
	om_idset_fini(&j->over);
	HASH_DEL(n->jobs, j);
	free(j->user);
	free(j);
}

void jobs_gone(struct noded *n, struct njob *j)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	struct later *later = om_take(j->later);

	r.has_job_gone = true;
	r.job_gone = j->id;
	noded_journal(n, &r);
	n->gone[n->gone_at] = j->id;
	n->gone_inc[n->gone_at] = j->inc;
	n->gone_at = (n->gone_at + 1) % GONE_MAX;
	job_free(n, j);
	for (struct later *l = later; l; l = l->next)
		jobs_launch(n, l->order);
	later_free(later);
}

bool jobs_was_here(const struct noded *n, uint64_t id, uint32_t inc)
{
	for (size_t i = 0; i < GONE_MAX; i++)
		if (n->gone[i] == id && n->gone_inc[i] >= inc)
			return true;
	return false;
}

void jobs_destroy(struct noded *n)
{
	struct njob *j, *next;

	HASH_ITER(hh, n->jobs, j, next)
		job_free(n, j);
}

/* ---------------------------------------------------------------- refusals */

static void refuse(struct noded *n, uint64_t job, uint32_t step, uint32_t inc,
		   int code, const char *text)
{
	Om__StepStarted m = OM__STEP_STARTED__INIT;

	m.job_id = job;
	m.step_id = step;
	m.incarnation = inc;
	m.has_code = true;
	m.code = code;
	m.text = (char *)text;
	om_log_warn("step not started job=%" PRIu64 " step=%u: %s", job, step,
		    text);
	ctldlink_send(n->ctld, OM_MSG_STEP_STARTED, &m.base);
}

void jobs_refuse(struct nstep *s, int code, const char *text)
{
	struct njob *j = s->job;
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	Om__StepAck ack = OM__STEP_ACK__INIT;

	refuse(j->noded, j->id, s->id, j->inc, code, text);
	ack.job_id = j->id;
	ack.step_id = s->id;
	ack.incarnation = j->inc;
	r.ack = &ack;	/* in the journal: no such step */
	noded_journal(j->noded, &r);
	jobs_step_free(s);
}

/* -------------------------------------------------- what a launch waits for */

static void go_all(struct njob *j);

static void refuse_all(struct njob *j, int code, const char *text)
{
	struct nstep *s, *next;

	DL_FOREACH_SAFE(j->steps, s, next)
		if (s->state == NSTEP_QUEUED)
			jobs_refuse(s, code, text);
}

/* Nobody of that uid: the job's fault. No answer: this node's. */
static void on_user(void *arg, uid_t uid, const struct user *user,
		    const struct om_error *err)
{
	struct noded *n = arg;
	struct njob *j, *next;

	HASH_ITER(hh, n->jobs, j, next) {
		if (j->uid != uid || j->state != NJOB_OPEN)
			continue;
		if (user)
			go_all(j);
		else
			refuse_all(j, err->code == -ENOENT ? -ENOENT :
				   -EHOSTDOWN, om_error_text(err));
	}
}

/* A user that was found once is asked for again when the cache is old. */
static const struct user *know_user(struct njob *j)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;
	const struct user *u = users_find(n->users, j->uid);

	if (!u && users_ask(n->users, j->uid, on_user, n, &err) < 0)
		refuse_all(j, -EHOSTDOWN, om_error_text(&err));
	return u;
}

static void on_prolog(void *arg, int code, const char *text)
{
	struct njob *j = arg;

	j->hook = NULL;
	j->state = NJOB_OPEN;
	if (code == 0) {
		j->prologued = true;
		go_all(j);
		return;
	}
	om_log_error("prolog failed job=%" PRIu64 ": %s", j->id, text);
	refuse_all(j, -EHOSTDOWN, text);
}

static void start_prolog(struct njob *j, const struct user *u)
{
	struct noded *n = j->noded;
	struct om_error err = OM_ERROR_INIT;
	struct hook_spec spec = {
		.path = n->conf->prolog,
		.what = "prolog",
		.job = j->id,
		.uid = j->uid,
		.user = u->name,
		.node = n->place.name,
		.timeout_ns = n->conf->hook_timeout_s * OM_NS_PER_S,
	};

	j->state = NJOB_PROLOG;
	if (hook_start(n->loop, &spec, on_prolog, j, &j->hook, &err) < 0)
		on_prolog(j, err.code, om_error_text(&err));
}

/* Starts every step of j that waits, if nothing is left to wait for. */
static void go_all(struct njob *j)
{
	const struct user *u;
	struct nstep *s, *next;

	if (j->state != NJOB_OPEN)
		return;
	u = know_user(j);
	if (!u)
		return;
	if (!j->user)
		j->user = strdup(u->name);
	if (!j->prologued) {
		start_prolog(j, u);
		return;
	}
	DL_FOREACH_SAFE(j->steps, s, next)
		if (s->state == NSTEP_QUEUED)
			nstep_go(s, u);
}

void jobs_zygote_is_back(struct noded *n)
{
	struct njob *j, *next;

	HASH_ITER(hh, n->jobs, j, next)
		go_all(j);
}

/* ------------------------------------------------------------------ launches */

static int copy_order(struct nstep *s, const Om__StepLaunch *m)
{
	Om__StepLaunch bare = *m;
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	size_t len;

	bare.launch.len = 0;
	r.launch = &bare;
	len = om__node_record__get_packed_size(&r);
	if (om_buf_reserve(&s->record, len) < 0 ||
	    om_frame_add(&s->launch, OM_MSG_STEP_LAUNCH, 0, &m->base, NULL) < 0)
		return -ENOMEM;
	om__node_record__pack(&r, (uint8_t *)s->record.data + s->record.tail);
	om_buf_commit(&s->record, len);
	return 0;
}

static struct nstep *add_step(struct njob *j, const Om__StepLaunch *m)
{
	struct nstep *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->job = j;
	s->id = m->step_id;
	s->gid = m->gid;
	s->first_rank = m->first_rank;
	s->tasks = m->tasks;
	s->end_ns = m->end_ns;
	s->start_ns = noded_wall(j->noded);
	s->last_of_job = m->last_of_job;
	s->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	s->why = OM__JOB_STATE__COMPLETED;
	DL_APPEND(j->steps, s);
	return s;
}

struct nstep *jobs_stray(struct njob *j, uint32_t id)
{
	Om__StepLaunch m = OM__STEP_LAUNCH__INIT;
	struct nstep *s;

	m.step_id = id;
	s = add_step(j, &m);
	if (s)
		s->state = NSTEP_AWAY;
	return s;
}

static void postpone(struct njob *j, const Om__StepLaunch *m)
{
	size_t len = om__step_launch__get_packed_size(m);
	om_autofree uint8_t *p = malloc(len);
	struct later *l = calloc(1, sizeof(*l));

	if (p && l) {
		om__step_launch__pack(m, p);
		l->order = om__step_launch__unpack(NULL, len, p);
	}
	if (!l || !l->order) {
		free(l);
		refuse(j->noded, m->job_id, m->step_id, m->incarnation,
		       -EHOSTDOWN, "out of memory on the node");
		return;
	}
	LL_APPEND(j->later, l);
	j->end_asked = false;
	ending_begin(j);
}

static void say_again(struct nstep *s)
{
	if (s->conn && om_buf_len(&s->started)) {
		Om__StepStarted *m = (Om__StepStarted *)om_msg_unpack(
			OM_MSG_STEP_STARTED,
			(const uint8_t *)om_buf_str(&s->started),
			om_buf_len(&s->started), NULL);

		if (m) {
			ctldlink_send(s->job->noded->ctld, OM_MSG_STEP_STARTED,
				      &m->base);
			om__step_started__free_unpacked(m, NULL);
		}
	}
}

void jobs_launch(struct noded *n, const Om__StepLaunch *m)
{
	struct njob *j = jobs_find(n, m->job_id);
	struct nstep *s;

	/* Whatever comes twice is answered by what is known already. */
	if (outbox_resend(n->outbox, m->job_id, m->step_id, m->incarnation))
		return;
	if ((j && j->inc > m->incarnation) ||
	    (!j && jobs_was_here(n, m->job_id, m->incarnation))) {
		refuse(n, m->job_id, m->step_id, m->incarnation, -ESRCH,
		       "the job is over on this node");
		return;
	}
	if (j && j->inc < m->incarnation) {
		postpone(j, m);
		return;
	}
	if (j && om_idset_has(&j->over, m->step_id)) {
		refuse(n, m->job_id, m->step_id, m->incarnation, -ESRCH,
		       "the step is over on this node");
		return;
	}
	if (j && j->state >= NJOB_KILLING) {
		refuse(n, m->job_id, m->step_id, m->incarnation, -ESRCH,
		       "the job is being ended on this node");
		return;
	}
	if (j && j->uid != m->uid) {
		/* It was looked up, and the prolog run, for one user only. */
		refuse(n, m->job_id, m->step_id, m->incarnation, -EPERM,
		       "the job is another user's on this node");
		return;
	}
	s = j ? jobs_step(j, m->step_id) : NULL;
	if (s) {
		say_again(s);
		return;
	}
	if (!j)
		j = jobs_add(n, m->job_id, m->incarnation, m->uid, NULL);
	s = j ? add_step(j, m) : NULL;
	if (!s || copy_order(s, m) < 0) {
		refuse(n, m->job_id, m->step_id, m->incarnation, -EHOSTDOWN,
		       "out of memory on the node");
		if (s)
			jobs_step_free(s);
		return;
	}
	go_all(j);
}
