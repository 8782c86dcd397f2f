/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nsteps: a step as omnoded sees it: the connection to its step daemon. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/noded.h"

#define TASKS_MAX 65536

static const struct om_peer step_peer = { .role = OM_ROLE_STEP };

static void send_ack(struct om_conn *c, uint64_t job, uint32_t step,
		     uint32_t inc)
{
	Om__StepAck m = OM__STEP_ACK__INIT;

	m.job_id = job;
	m.step_id = step;
	m.incarnation = inc;
	om_conn_send(c, OM_MSG_STEP_ACK, 0, &m.base);
}

/*
 * A connection that belongs to no step: not yet (its step daemon has not said
 * whose it is), or no more (the acknowledgement is on its way).
 */
struct loose {
	struct noded *noded;
	struct om_conn *conn;
	struct loose *prev, *next;
};

static struct loose *loose_add(struct noded *n)
{
	struct loose *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->noded = n;
	DL_APPEND(n->loose, l);
	return l;
}

static void loose_free(struct loose *l)
{
	DL_DELETE(l->noded->loose, l);
	om_conn_destroy(l->conn);
	free(l);
}

static void loose_closed(void *arg, struct om_conn *c,
			 const struct om_error *err)
{
	(void)c;
	(void)err;
	loose_free(arg);
}

static const struct om_conn_handler parting = {
	.closed = loose_closed,
};

void nstep_drop_loose(struct noded *n)
{
	struct loose *l, *next;

	DL_FOREACH_SAFE(n->loose, l, next)
		loose_free(l);
}

/* Its report is taken, so it may end. */
static void let_go(struct nstep *s)
{
	struct om_conn *c = om_take(s->conn);
	struct loose *l = loose_add(s->job->noded);

	if (!l) {
		/* It will tell the next omnoded, which knows it already. */
		om_conn_destroy(c);
		return;
	}
	l->conn = c;
	send_ack(c, s->job->id, s->id, s->job->inc);
	om_conn_set_handler(c, &parting, l);
	om_conn_finish(c);
}

/* ----------------------------------------------------------- what it says */

int nstep_set_tasks(struct nstep *s, const Om__StepStarted *m)
{
	if (!m->n_pid || m->n_pid > TASKS_MAX || s->task)
		return 0;
	s->task = calloc(m->n_pid, sizeof(*s->task));
	if (!s->task)
		return -ENOMEM;
	s->tasks = (uint32_t)m->n_pid;
	for (uint32_t i = 0; i < s->tasks; i++) {
		s->task[i].pid = (pid_t)m->pid[i];
		s->task[i].rank = s->first_rank + i;
		s->task[i].pidfd = -1;
	}
	return 0;
}

static void journal_started(struct nstep *s, const Om__StepStarted *m)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;

	r.started = (Om__StepStarted *)m;
	noded_journal(s->job->noded, &r);
}

static void on_started(struct nstep *s, const Om__StepStarted *m)
{
	struct noded *n = s->job->noded;

	if (m->has_code && m->code < 0) {
		let_go(s);
		jobs_refuse(s, m->code, m->text ? m->text : "");
		return;
	}
	if (s->state == NSTEP_AWAY || s->state == NSTEP_ORPHAN)
		orphan_end(s);
	s->state = NSTEP_RUNNING;
	om_buf_fini(&s->launch);
	if (nstep_set_tasks(s, m) < 0)
		om_log_error("out of memory: ends of tasks may be lost job=%" PRIu64,
			     s->job->id);
	if (!om_buf_len(&s->started)) {
		size_t len = om__step_started__get_packed_size(m);

		if (om_buf_reserve(&s->started, len) == 0) {
			om__step_started__pack(m, (uint8_t *)s->started.data +
					       s->started.tail);
			om_buf_commit(&s->started, len);
		}
		journal_started(s, m);
	}
	ctldlink_send(n->ctld, OM_MSG_STEP_STARTED, &m->base);
}

static Om__StepExit *copy_exit(const Om__StepExit *e)
{
	size_t len = om__step_exit__get_packed_size(e);
	om_autofree uint8_t *p = malloc(len ? len : 1);

	if (!p)
		return NULL;
	om__step_exit__pack(e, p);
	return om__step_exit__unpack(NULL, len, p);
}

/*
 * The last step of a job whose end the node may settle by itself: what its
 * step daemon did not clean (an epilog is to be run), ending.c does, and the
 * report waits for it.
 */
static bool settle_here(struct njob *j, const struct nstep *s,
			const Om__StepExit *e)
{
	return s->last_of_job && !e->job_clean && j->state == NJOB_OPEN &&
	       j->steps == s && !s->next && j->noded->conf->epilog;
}

void nstep_over(struct nstep *s, const Om__StepExit *told)
{
	struct njob *j = s->job;
	struct noded *n = j->noded;
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	Om__StepExit e = *told;
	bool settle = settle_here(j, s, told);
	bool clean = e.job_clean && j->state == NJOB_OPEN && j->steps == s &&
		     !s->next;

	if (!e.has_why && s->why != OM__JOB_STATE__COMPLETED) {
		/* We killed it while its step daemon was away. */
		e.has_why = true;
		e.why = s->why;
	}
	r.exit = &e;
	noded_journal(n, &r);
	if (settle)
		j->last = copy_exit(&e);
	if (!settle || !j->last)
		outbox_put(n->outbox, &e, true);
	/* Not remembered: a launch that is said again would run again. */
	if (om_idset_add_range(&j->over, s->id, s->id) < 0)
		om_log_error("out of memory job=%" PRIu64, j->id);
	jobs_step_free(s);
	if (clean)
		jobs_gone(n, j);
	else if (j->last)
		ending_begin(j);
	else
		ending_check(j);
}

static void on_exit_report(struct nstep *s, const Om__StepExit *e)
{
	let_go(s);
	nstep_over(s, e);
}

static bool is_of(const struct nstep *s, uint64_t job, uint32_t step,
		  uint32_t inc)
{
	return s->job->id == job && s->id == step && s->job->inc == inc;
}

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct nstep *s = arg;
	const Om__StepStarted *started = (const Om__StepStarted *)body;
	const Om__StepExit *e = (const Om__StepExit *)body;

	(void)c;
	(void)id;
	if (type == OM_MSG_STEP_STARTED &&
	    is_of(s, started->job_id, started->step_id, started->incarnation))
		on_started(s, started);
	else if (type == OM_MSG_STEP_EXIT &&
		 is_of(s, e->job_id, e->step_id, e->incarnation))
		on_exit_report(s, e);
}

/* A step daemon makes the step's group before it starts anything. */
static bool was_begun(const struct nstep *s)
{
	struct cgroup_group g;

	if (cgroup_group_open(s->job->noded->place.tree, s->job->id, s->id, &g,
			      NULL) < 0)
		return false;
	cgroup_group_close(&g);
	return true;
}

/* At once if the zygote lives, else when the next one does. */
static void retry_queued(void *arg)
{
	jobs_zygote_is_back(arg);
}

/* It never closes by itself before its exit is acknowledged: it is dead. */
static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct nstep *s = arg;

	(void)err;
	om_conn_destroy(c);
	s->conn = NULL;
	if (s->state == NSTEP_FORKING && !was_begun(s)) {
		/* The zygote died with the order in its hands. */
		s->state = NSTEP_QUEUED;
		if (s->job->state >= NJOB_KILLING) {
			struct njob *j = s->job;

			jobs_refuse(s, -ECANCELED, "cancelled before it started");
			ending_check(j);
			return;
		}
		om_loop_defer(s->job->noded->loop, &s->job->noded->retry,
			      retry_queued, s->job->noded);
		return;
	}
	om_log_warn("step daemon died job=%" PRIu64 " step=%u", s->job->id,
		    s->id);
	orphan_begin(s);
}

static const struct om_conn_handler handler = {
	.message = on_message,
	.closed = on_closed,
};

/* ------------------------------------------------------------- starting one */

static int check_user(const struct nstep *s, const struct user *u,
		      struct om_error *err)
{
	const struct noded *n = s->job->noded;

	if (u->uid == 0 && !n->conf->allow_root_jobs)
		return om_fail(err, -EPERM, "jobs of root are not allowed on %s (allow_root_jobs)",
			       n->place.name);
	if (!user_in_group(u, s->gid))
		return om_fail(err, -EPERM, "user %s is not in group %u on %s",
			       u->name, s->gid, n->place.name);
	return 0;
}

static int send_order(struct nstep *s, const struct user *u)
{
	Om__StepUser m = OM__STEP_USER__INIT;
	const struct njob *j = s->job;
	int rc;

	m.name = u->name;
	m.home = u->home;
	m.shell = u->shell;
	m.group = u->group;
	m.n_group = u->groups;
	m.has_clean_job = true;
	m.clean_job = s->last_of_job && !j->noded->conf->epilog;
	rc = om_conn_send(s->conn, OM_MSG_STEP_USER, 0, &m.base);
	if (rc == 0)
		rc = om_conn_send_raw(s->conn, om_buf_str(&s->launch),
				      om_buf_len(&s->launch));
	return rc;
}

/* Only now: of a step that was never ordered nothing is to be remembered. */
static void journal_launch(struct nstep *s)
{
	struct om_error err = OM_ERROR_INIT;

	if (journal_add_packed(s->job->noded->journal, om_buf_str(&s->record),
			       om_buf_len(&s->record), &err) < 0)
		om_log_error("%s", om_error_text(&err));
}

static int start(struct nstep *s, const struct user *u, struct om_error *err)
{
	struct noded *n = s->job->noded;
	om_autofd int theirs = -1;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return om_fail_errno(err, "cannot make a socketpair");
	theirs = pair[1];
	rc = zygotelink_fork(n->zygote, s->job->id, s->id, theirs, err);
	if (rc < 0) {
		close(pair[0]);
		return rc;
	}
	s->conn = om_conn_adopt(n->loop, pair[0], NULL, true, &step_peer,
				&handler, s, err);
	if (!s->conn)
		return err->code;
	rc = send_order(s, u);
	return rc < 0 ? om_fail(err, rc, "cannot order a step: %s",
				strerror(-rc)) : 0;
}

void nstep_go(struct nstep *s, const struct user *u)
{
	struct om_error err = OM_ERROR_INIT;
	int rc = check_user(s, u, &err);

	if (rc < 0) {
		jobs_refuse(s, rc, om_error_text(&err));
		return;
	}
	rc = start(s, u, &err);
	if (rc == -EAGAIN)
		return;		/* jobs_zygote_is_back tries again */
	if (rc < 0) {
		jobs_refuse(s, -EHOSTDOWN, om_error_text(&err));
		return;
	}
	s->state = NSTEP_FORKING;
	journal_launch(s);
}

/* ------------------------------------------------------ what the zygote says */

void nstep_not_forked(struct noded *n, uint64_t job, uint32_t step, int code)
{
	struct njob *j = jobs_find(n, job);
	struct nstep *s = j ? jobs_step(j, step) : NULL;
	char text[128];

	if (!s)
		return;
	snprintf(text, sizeof(text), "cannot fork a step daemon: %s",
		 strerror(-code));
	jobs_refuse(s, -EHOSTDOWN, text);
}

static bool take_status(struct nstep *s, pid_t pid, int status)
{
	for (uint32_t i = 0; s->task && i < s->tasks; i++) {
		struct nstep_task *t = s->task + i;

		if (t->pid != pid || t->known)
			continue;
		t->known = true;
		t->status = status;
		orphan_task(s, t);
		return true;
	}
	return false;
}

/* A step daemon (then its connection tells more) or an orphaned task. */
void nstep_exited(struct noded *n, pid_t pid, int status)
{
	struct njob *j, *next;
	struct nstep *s, *ns;

	HASH_ITER(hh, n->jobs, j, next)
		DL_FOREACH_SAFE(j->steps, s, ns)
			if (take_status(s, pid, status))
				return;
}

/* ------------------------------------------------------------------ orders */

void nstep_kill(struct nstep *s, const Om__StepKill *m)
{
	if (s->conn) {
		if (m->signal == SIGKILL || m->kill_after_ms) {
			s->end_signo = (int)m->signal;
			s->end_why = m->has_why ? m->why :
						  OM__JOB_STATE__COMPLETED;
			s->end_grace_ns = m->kill_after_ms * OM_NS_PER_MS;
		}
		om_conn_send(s->conn, OM_MSG_STEP_KILL, 0, &m->base);
		return;
	}
	if (s->state == NSTEP_QUEUED) {
		if (m->signal == SIGKILL || m->signal == SIGTERM)
			jobs_refuse(s, -ECANCELED, "cancelled before it started");
		return;
	}
	orphan_kill(s, (int)m->signal, m->has_why ? m->why :
		    OM__JOB_STATE__COMPLETED, m->kill_after_ms * OM_NS_PER_MS);
}

void nstep_limit(struct nstep *s, int64_t end_ns)
{
	Om__JobLimit m = OM__JOB_LIMIT__INIT;

	s->end_ns = end_ns;
	m.job_id = s->job->id;
	m.end_ns = end_ns;
	if (s->conn)
		om_conn_send(s->conn, OM_MSG_JOB_LIMIT, 0, &m.base);
	else if (s->state == NSTEP_ORPHAN)
		orphan_limit(s);
}

/* --------------------------------------- step daemons of an earlier omnoded */

/*
 * The journal does not know it (somebody removed it): it is taken as it is.
 * Whose it is stays unknown, so no epilog will be run.
 */
static struct nstep *find_stray(struct noded *n, const Om__StepStarted *m)
{
	struct njob *j = jobs_find(n, m->job_id);

	if (!j)
		j = jobs_add(n, m->job_id, m->incarnation, (uid_t)-1, NULL);
	if (!j || j->inc != m->incarnation ||
	    om_idset_has(&j->over, m->step_id))
		return NULL;
	om_log_warn("a step daemon of an unknown step job=%" PRIu64 " step=%u",
		    m->job_id, m->step_id);
	return jobs_stray(j, m->step_id);
}

static void adopt_step(struct loose *l, const Om__StepStarted *m)
{
	struct noded *n = l->noded;
	struct njob *j = jobs_find(n, m->job_id);
	struct nstep *s = j && j->inc == m->incarnation ?
			  jobs_step(j, m->step_id) : NULL;
	Om__StepKill kill = OM__STEP_KILL__INIT;

	if (!s)
		s = find_stray(n, m);
	if (!s || s->conn) {
		/* Of an incarnation that is not the one held here. */
		kill.job_id = m->job_id;
		kill.signal = SIGKILL;
		om_conn_send(l->conn, OM_MSG_STEP_KILL, 0, &kill.base);
		return;
	}
	om_log_info("step daemon is back job=%" PRIu64 " step=%u", m->job_id,
		    m->step_id);
	s->conn = om_take(l->conn);
	loose_free(l);
	om_conn_set_handler(s->conn, &handler, s);
	on_started(s, m);
}

/* What an unwanted step daemon says later is acknowledged, so that it ends. */
static void loose_message(void *arg, struct om_conn *c, enum om_msg type,
			  uint32_t id, const ProtobufCMessage *body)
{
	const Om__StepExit *e = (const Om__StepExit *)body;

	(void)id;
	if (type == OM_MSG_STEP_EXIT)
		send_ack(c, e->job_id, e->step_id, e->incarnation);
	else if (type == OM_MSG_STEP_STARTED)
		adopt_step(arg, (const Om__StepStarted *)body);
}

static const struct om_conn_handler stranger = {
	.message = loose_message,
	.closed = loose_closed,
};

void nstep_accept(struct noded *n, int fd)
{
	struct om_error err = OM_ERROR_INIT;
	struct loose *l = loose_add(n);

	if (!l) {
		close(fd);
		return;
	}
	l->conn = om_conn_adopt(n->loop, fd, NULL, true, &step_peer, &stranger,
				l, &err);
	if (!l->conn) {
		om_log_error("cannot take a step daemon back: %s",
			     om_error_text(&err));
		loose_free(l);
	}
}
