/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctldrig: see ctldrig.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "tests/unit/ctldrig.h"

#define RETRY_NS (20 * OM_NS_PER_MS)

void rig_uuid(uint8_t uuid[16])
{
	assert_int_equal(getrandom(uuid, 16, 0), 16);
}

void rig_free(void *body)
{
	if (body)
		protobuf_c_message_free_unpacked(body, NULL);
}

/* --------------------------------------------------------------------- omctld */

/* The port lies below those that the kernel gives to whoever connects. */
static void write_conf(struct rig *r, const char *extra)
{
	FILE *f = fopen(r->conf, "we");

	assert_non_null(f);
	fprintf(f,
		"controller_user = root\nmunge_socket = \"%s\"\n"
		"state_dir = \"%s/state\"\nrun_dir = \"%s/run\"\n"
		"spool_dir = \"%s/spool\"\ncontroller_port = %d\n"
		"allow_root_jobs = yes\nkill_wait = 1s\nlog_level = %s\n%s\n",
		r->munged.socket, r->dir, r->dir, r->dir,
		20000 + getpid() % 12000,
		getenv("OM_TEST_LOG") ? "debug" : "error", extra ? extra : "");
	assert_int_equal(fclose(f), 0);
}

static const char *ctld_program(void)
{
	const char *set = getenv("OMCTLD");

	return set ? set : "./omctld";
}

void rig_ctld_start(struct rig *r)
{
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (r->limit) {
			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, r->limit);
		}
		execl(ctld_program(), "omctld", "-c", r->conf, (char *)NULL);
		_exit(127);
	}
}

int rig_ctld_end(struct rig *r, int signo)
{
	int status = 0;

	if (r->pid <= 0)
		return 0;
	kill(r->pid, signo);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	r->pid = 0;
	return status;
}

/* OM_TEST_DUMP: a command to be run with OM_CONF before the test fails. */
static void dump(const struct rig *r)
{
	const char *command = getenv("OM_TEST_DUMP");

	setenv("OM_CONF", r->conf, 1);
	if (command && system(command) != 0)
		print_message("the dump failed\n");
	for (unsigned i = 0; i < r->nodes; i++) {
		const struct rig_step *s;

		LL_FOREACH(r->node[i].held, s)
			print_message("%s holds job=%llu step=%u inc=%u over=%d\n",
				      r->node[i].name,
				      (unsigned long long)s->job, s->step,
				      s->inc, s->over);
	}
}

void rig_wait_for(struct rig *r, bool (*done)(void *arg), const char *what,
		  void *arg)
{
	int64_t end = om_mono_ns(om_loop_clock(r->loop)) +
		      RIG_WAIT_MS * OM_NS_PER_MS;

	while (!done(arg)) {
		if (om_mono_ns(om_loop_clock(r->loop)) > end) {
			dump(r);
			fail_msg("waited in vain: %s", what);
		}
		assert_true(om_loop_turn(r->loop, 50 * OM_NS_PER_MS, NULL) >= 0);
	}
}

void rig_turns(struct rig *r, int64_t ns)
{
	int64_t end = om_mono_ns(om_loop_clock(r->loop)) + ns, now;

	while ((now = om_mono_ns(om_loop_clock(r->loop))) < end)
		assert_true(om_loop_turn(r->loop, end - now, NULL) >= 0);
}

/* ---------------------------------------------------------------------- nodes */

static void conn_config(const struct rig *r, enum om_role role,
			struct om_auth_config *ret)
{
	*ret = (struct om_auth_config){
		.munge_socket = r->munged.socket, .server_uid = 0, .role = role,
	};
}

struct rig_step *rig_node_step(struct rig_node *n, uint64_t job, uint32_t step)
{
	struct rig_step *s;

	LL_FOREACH(n->held, s)
		if (s->job == job && s->step == step)
			return s;
	return NULL;
}

static void fill_exit(const struct rig_step *s, uint32_t lie, Om__StepExit *x,
		      Om__TaskExit *t, Om__TaskExit **list)
{
	om__step_exit__init(x);
	om__task_exit__init(t);
	x->job_id = s->job;
	x->step_id = s->step;
	x->incarnation = s->inc;
	t->status = s->status;
	*list = t;
	x->task = list;
	x->n_task = 1;
	x->has_why = s->why != OM__JOB_STATE__PENDING || lie;
	x->why = lie ? (Om__JobState)lie : s->why;
	x->has_job_clean = 1;
	x->job_clean = s->last_of_job;
}

static void send_exit(struct rig_node *n, const struct rig_step *s)
{
	Om__StepExit x;
	Om__TaskExit t, *list;

	fill_exit(s, n->lie, &x, &t, &list);
	if (n->accepted && !n->mute)
		om_conn_send(n->conn, OM_MSG_STEP_EXIT, 0, &x.base);
}

static void step_ends(struct rig_node *n, struct rig_step *s, uint32_t status,
		      Om__JobState why)
{
	if (s->over)
		return;
	s->over = true;
	s->status = status;
	s->why = why;
	send_exit(n, s);
}

void rig_node_exit(struct rig_node *n, uint64_t job, uint32_t step,
		   uint32_t status)
{
	struct rig_step *s = rig_node_step(n, job, step);

	assert_non_null(s);
	step_ends(n, s, status, OM__JOB_STATE__PENDING);
}

/* "exit N" of the script, or of a step's command. */
static uint32_t exit_of(const Om__StepLaunch *m)
{
	Om__Launch *l = om__launch__unpack(NULL, m->launch.len, m->launch.data);
	const char *p = NULL;
	uint32_t code = 0;

	assert_non_null(l);
	if (l->has_script)
		p = memmem(l->script.data, l->script.len, "exit ", 5);
	else if (l->n_argv > 1)
		p = l->argv[1];
	if (p)
		code = (uint32_t)atoi(l->has_script ? p + 5 : p);
	om__launch__free_unpacked(l, NULL);
	return code << 8;
}

static bool began_before(const struct rig_node *n, const Om__StepLaunch *m)
{
	const struct rig_step *s;

	LL_FOREACH(n->held, s)
		if (s->job == m->job_id && s->step == m->step_id &&
		    s->inc == m->incarnation)
			return true;
	LL_FOREACH(n->done, s)
		if (s->job == m->job_id && s->step == m->step_id &&
		    s->inc == m->incarnation)
			fail_msg("an acknowledged step was ordered again");
	return false;
}

static void on_launch(struct rig_node *n, const Om__StepLaunch *m)
{
	Om__StepStarted st = OM__STEP_STARTED__INIT;
	struct rig_step *s;

	n->launches++;
	if (began_before(n, m))
		return;
	st.job_id = m->job_id;
	st.step_id = m->step_id;
	st.incarnation = m->incarnation;
	if (n->fail_code) {
		st.has_code = 1;
		st.code = n->fail_code;
		st.text = (char *)(uintptr_t)"so it was wanted";
		n->fail_code = 0;
		om_conn_send(n->conn, OM_MSG_STEP_STARTED, 0, &st.base);
		return;
	}
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	n->rig->executions++;
	s->job = m->job_id;
	s->step = m->step_id;
	s->inc = m->incarnation;
	s->last_of_job = m->last_of_job;
	LL_PREPEND(n->held, s);
	if (!n->mute)
		om_conn_send(n->conn, OM_MSG_STEP_STARTED, 0, &st.base);
	if (!n->hold)
		step_ends(n, s, exit_of(m), OM__JOB_STATE__PENDING);
}

static void on_ack(struct rig_node *n, const Om__StepAck *m)
{
	struct rig_step *s = rig_node_step(n, m->job_id, m->step_id);

	if (!s || !s->over || s->inc != m->incarnation)
		return;
	LL_DELETE(n->held, s);
	LL_PREPEND(n->done, s);
}

static void on_kill(struct rig_node *n, const Om__StepKill *m)
{
	struct rig_step *s, *next;

	n->kills++;
	LL_FOREACH_SAFE(n->held, s, next)
		if (s->job == m->job_id &&
		    (!m->has_step_id || m->step_id == s->step) &&
		    (!m->has_incarnation || m->incarnation == s->inc) &&
		    (m->signal == SIGTERM || m->signal == SIGKILL))
			step_ends(n, s, m->signal, m->why);
}

static void on_end(struct rig_node *n, const Om__JobEnd *m)
{
	Om__JobClean jc = OM__JOB_CLEAN__INIT;
	struct rig_step *s, *next;

	n->ends++;
	LL_FOREACH_SAFE(n->held, s, next)
		if (s->job == m->job_id &&
		    (!m->has_incarnation || s->inc <= m->incarnation))
			step_ends(n, s, SIGKILL, OM__JOB_STATE__CANCELLED);
	jc.job_id = m->job_id;
	jc.has_incarnation = m->has_incarnation;
	jc.incarnation = m->incarnation;
	if (!n->mute)
		om_conn_send(n->conn, OM_MSG_JOB_CLEAN, 0, &jc.base);
}

/* What ended since the registration was written is told now. */
static void on_accepted(struct rig_node *n)
{
	const struct rig_step *s;

	n->accepted = true;
	LL_FOREACH(n->held, s)
		if (s->over)
			send_exit(n, s);
}

static void node_message(void *arg, struct om_conn *c, enum om_msg type,
			 uint32_t id, const ProtobufCMessage *body)
{
	struct rig_node *n = arg;

	(void)c;
	(void)id;
	switch (type) {
	case OM_MSG_NODE_ACCEPTED:
		on_accepted(n);
		break;
	case OM_MSG_STEP_LAUNCH:
		on_launch(n, (const Om__StepLaunch *)body);
		break;
	case OM_MSG_STEP_ACK:
		on_ack(n, (const Om__StepAck *)body);
		break;
	case OM_MSG_STEP_KILL:
		on_kill(n, (const Om__StepKill *)body);
		break;
	case OM_MSG_JOB_END:
		on_end(n, (const Om__JobEnd *)body);
		break;
	case OM_MSG_REPLY:
		fail_msg("a node was refused: %s",
			 ((const Om__Reply *)body)->text);
		break;
	default:
		break;
	}
}

#define HELD_MAX 4096

static void send_register(struct rig_node *n)
{
	Om__NodeRegister m = OM__NODE_REGISTER__INIT;
	Om__Topology top = OM__TOPOLOGY__INIT;
	static Om__StepOnNode on[HELD_MAX], *onp[HELD_MAX];
	static Om__StepExit x[HELD_MAX];
	static Om__TaskExit t[HELD_MAX], *tp[HELD_MAX];
	const struct rig_step *s;

	top.has_cpus = top.has_memory = 1;
	top.cpus = n->cpus;
	top.memory = UINT64_C(64) << 30;
	m.name = n->name;
	m.boot_id.data = n->boot;
	m.boot_id.len = sizeof(n->boot);
	m.session = (uint64_t)rand();
	m.topology = &top;
	m.step = onp;
	LL_FOREACH(n->held, s) {
		size_t i = m.n_step++;

		assert_true(i < HELD_MAX);
		om__step_on_node__init(on + i);
		on[i].job_id = s->job;
		on[i].step_id = s->step;
		on[i].incarnation = s->inc;
		if (s->over) {
			fill_exit(s, n->lie, x + i, t + i, tp + i);
			on[i].exit = x + i;
		}
		onp[i] = on + i;
	}
	om_conn_send(n->conn, OM_MSG_NODE_REGISTER, 1, &m.base);
}

static void node_ready(void *arg, struct om_conn *c, const struct om_peer *peer)
{
	struct rig_node *n = arg;

	(void)c;
	(void)peer;
	n->ready = true;
	send_register(n);
}

static void node_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct rig_node *n = arg;

	(void)err;
	om_conn_destroy(c);
	n->conn = NULL;
	n->ready = n->accepted = false;
	if (!n->away)
		om_timer_start(n->retry, RETRY_NS, 0);
}

static const struct om_conn_handler node_handler = {
	.ready = node_ready, .message = node_message, .closed = node_closed,
};

static void on_retry(void *arg)
{
	rig_node_connect(arg);
}

void rig_node_connect(struct rig_node *n)
{
	struct om_auth_config auth;

	n->away = false;
	if (n->conn)
		return;
	if (!n->retry)
		n->retry = om_timer_create(n->rig->loop, on_retry, n, NULL);
	conn_config(n->rig, OM_ROLE_NODE, &auth);
	n->conn = om_conn_connect(n->rig->loop, n->rig->addr, 0, &auth,
				  &node_handler, n, NULL);
	if (!n->conn)
		om_timer_start(n->retry, RETRY_NS, 0);
}

void rig_node_cut(struct rig_node *n)
{
	n->away = true;
	om_timer_stop(n->retry);
	om_conn_destroy(n->conn);
	n->conn = NULL;
	n->ready = n->accepted = false;
}

/* --------------------------------------------------------------------- client */

static void client_ready(void *arg, struct om_conn *c, const struct om_peer *p)
{
	struct rig_client *cl = arg;

	(void)c;
	(void)p;
	cl->ready = true;
}

/* The message outlives the callback: a copy by way of the wire form. */
static void client_message(void *arg, struct om_conn *c, enum om_msg type,
			   uint32_t id, const ProtobufCMessage *body)
{
	struct rig_client *cl = arg;
	struct rig_msg *m;
	om_autofree uint8_t *bytes = NULL;
	size_t len;

	(void)c;
	if (cl->on_message) {
		cl->on_message(cl, type, id, body);
		return;
	}
	len = protobuf_c_message_get_packed_size(body);
	bytes = malloc(len + 1);
	m = calloc(1, sizeof(*m));
	assert_true(bytes && m);
	protobuf_c_message_pack(body, bytes);
	m->type = type;
	m->id = id;
	m->body = om_msg_unpack(type, bytes, len, NULL);
	assert_non_null(m->body);
	LL_APPEND(cl->in, m);
}

static void client_closed(void *arg, struct om_conn *c,
			  const struct om_error *err)
{
	struct rig_client *cl = arg;

	(void)err;
	om_conn_destroy(c);
	cl->conn = NULL;
	cl->ready = false;
	cl->lost = true;
}

static const struct om_conn_handler client_handler = {
	.ready = client_ready, .message = client_message,
	.closed = client_closed,
};

/* Again and again: omctld may be starting, a stale socket may be there. */
static bool is_connected(void *arg)
{
	struct rig_client *cl = arg;
	struct om_auth_config auth;

	if (cl->ready)
		return true;
	if (!cl->conn) {
		conn_config(cl->rig, OM_ROLE_CLIENT, &auth);
		cl->conn = om_conn_connect(cl->rig->loop, cl->rig->addr, 0,
					   &auth, &client_handler, cl, NULL);
	}
	return false;
}

void rig_client_connect(struct rig *r, struct rig_client *c)
{
	c->rig = r;
	c->lost = false;
	rig_wait(r, is_connected, c);
}

void rig_client_close(struct rig_client *c)
{
	struct rig_msg *m, *next;

	om_conn_destroy(c->conn);
	LL_FOREACH_SAFE(c->in, m, next) {
		rig_free(m->body);
		free(m);
	}
	c->conn = NULL;
	c->in = NULL;
	c->ready = false;
}

struct expected {
	struct rig_client *c;
	uint32_t id;
	struct rig_msg *found;
};

static bool has_come(void *arg)
{
	struct expected *e = arg;
	struct rig_msg *m;

	if (e->c->lost)
		fail_msg("omctld ended the connection");
	LL_FOREACH(e->c->in, m)
		if (m->id == e->id)
			break;
	e->found = m;
	return m != NULL;
}

void *rig_next(struct rig_client *c, uint32_t id, enum om_msg expect)
{
	struct expected e = { .c = c, .id = id };
	ProtobufCMessage *body;

	rig_wait(c->rig, has_come, &e);
	LL_DELETE(c->in, e.found);
	body = e.found->body;
	if (e.found->type != expect && e.found->type == OM_MSG_REPLY)
		fail_msg("refused: %s", ((Om__Reply *)body)->text);
	assert_int_equal(e.found->type, expect);
	free(e.found);
	return body;
}

void *rig_call(struct rig_client *c, enum om_msg type,
	       const ProtobufCMessage *msg, enum om_msg expect)
{
	uint32_t id = ++c->next_id;

	assert_int_equal(om_conn_send(c->conn, type, id, msg), 0);
	return rig_next(c, id, expect);
}

/* ----------------------------------------------------------------------- jobs */

static size_t pack_launch(const struct rig_job *j, uint8_t *buf, size_t size)
{
	Om__Launch l = OM__LAUNCH__INIT;
	char script[64];
	size_t len;

	l.script.len = (size_t)snprintf(script, sizeof(script),
					"#!/bin/sh\nexit %d\n", j->code);
	l.script.data = (uint8_t *)script;
	l.has_script = 1;
	l.cwd = (char *)(uintptr_t)"/tmp";
	len = om__launch__get_packed_size(&l);
	assert_true(len <= size);
	om__launch__pack(&l, buf);
	return len;
}

static void fill_spec(const struct rig_job *j, Om__JobSpec *s)
{
	om__job_spec__init(s);
	s->name = (char *)(uintptr_t)j->name;
	s->array = (char *)(uintptr_t)j->array;
	s->has_tasks = 1;
	s->tasks = j->tasks ? j->tasks : 1;
	s->has_nodes_min = s->has_nodes_max = j->nodes != 0;
	s->nodes_min = s->nodes_max = j->nodes;
	s->has_hold = 1;
	s->has_requeue = j->requeue || j->once;
	s->hold = j->hold;
	s->requeue = j->requeue;
	s->has_time_limit_s = j->time_limit_s != 0;
	s->time_limit_s = j->time_limit_s;
}

uint32_t rig_send_submit(struct rig_client *c, const struct rig_job *j)
{
	Om__Submit m = OM__SUBMIT__INIT;
	Om__JobSpec spec;
	Om__Dependency dep = OM__DEPENDENCY__INIT, *deps = &dep;
	uint8_t uuid[16], launch[256];

	rig_uuid(uuid);
	fill_spec(j, &spec);
	if (j->after_ok) {
		dep.kind = OM__DEPENDENCY_KIND__AFTER_OK;
		dep.has_job_id = 1;
		dep.job_id = j->after_ok;
		spec.dependency = &deps;
		spec.n_dependency = 1;
	}
	m.uuid.data = j->uuid ? (uint8_t *)(uintptr_t)j->uuid : uuid;
	m.uuid.len = 16;
	m.spec = &spec;
	m.launch.len = pack_launch(j, launch, sizeof(launch));
	m.launch.data = launch;
	om_conn_send(c->conn, OM_MSG_SUBMIT, ++c->next_id, &m.base);
	return c->next_id;
}

uint64_t rig_submit(struct rig_client *c, const struct rig_job *j)
{
	Om__Submitted *m = rig_next(c, rig_send_submit(c, j),
				    OM_MSG_SUBMITTED);
	uint64_t id = m->job_id;

	rig_free(m);
	return id;
}

Om__JobInfo *rig_wait_job(struct rig_client *c, uint64_t id)
{
	Om__JobWait w = OM__JOB_WAIT__INIT;

	w.job_id = id;
	return rig_call(c, OM_MSG_JOB_WAIT, &w.base, OM_MSG_JOB_INFO);
}

Om__JobListReply *rig_list(struct rig_client *c, uint64_t id)
{
	Om__JobList m = OM__JOB_LIST__INIT;
	Om__JobFilter f = OM__JOB_FILTER__INIT;

	f.job_id = &id;
	f.n_job_id = id != 0;
	m.filter = &f;
	m.has_steps = 1;
	m.steps = 1;
	return rig_call(c, OM_MSG_JOB_LIST, &m.base, OM_MSG_JOB_LIST_REPLY);
}

void rig_wait_state(struct rig_client *c, uint64_t id, Om__JobState state)
{
	int64_t end = om_mono_ns(om_clock_system()) +
		      RIG_WAIT_MS * OM_NS_PER_MS;

	for (;;) {
		Om__JobListReply *l = rig_list(c, id);
		bool there = l->n_job && l->job[0]->state == state;
		int now = l->n_job ? (int)l->job[0]->state : -1;

		rig_free(l);
		if (there)
			return;
		if (om_mono_ns(om_clock_system()) > end)
			fail_msg("job %llu is in state %d, not %d",
				 (unsigned long long)id, now, (int)state);
		rig_turns(c->rig, 10 * OM_NS_PER_MS);
	}
}

int rig_control(struct rig_client *c, Om__JobVerb verb, uint64_t id)
{
	Om__JobControl m = OM__JOB_CONTROL__INIT;
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	Om__JobControlReply *r;
	int code;

	f.job_id = &id;
	f.n_job_id = 1;
	m.verb = verb;
	m.filter = &f;
	r = rig_call(c, OM_MSG_JOB_CONTROL, &m.base, OM_MSG_JOB_CONTROL_REPLY);
	code = r->n_refused ? r->refused[0]->code : 0;
	rig_free(r);
	return code;
}

/* ---------------------------------------------------------------------- start */

static bool all_accepted(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < r->nodes; i++)
		if (!r->node[i].accepted)
			return false;
	return true;
}

void rig_start(struct rig *r, unsigned nodes, const char *extra)
{
	memset(r, 0, sizeof(*r));
	signal(SIGPIPE, SIG_IGN);
	munged_start(&r->munged);
	snprintf(r->dir, sizeof(r->dir), "/tmp/om-ctld-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(chmod(r->dir, 0755), 0);
	snprintf(r->conf, sizeof(r->conf), "%s/openmosix.conf", r->dir);
	snprintf(r->addr, sizeof(r->addr), "unix:%s/run/omctld.sock", r->dir);
	write_conf(r, extra);
	r->loop = om_loop_create(NULL);
	assert_non_null(r->loop);
	rig_ctld_start(r);
	r->nodes = nodes;
	for (unsigned i = 0; i < nodes; i++) {
		struct rig_node *n = r->node + i;

		n->rig = r;
		n->cpus = 8;
		snprintf(n->name, sizeof(n->name), "n%u", i + 1);
		memset(n->boot, (int)i + 1, sizeof(n->boot));
		rig_node_connect(n);
	}
	rig_wait(r, all_accepted, r);
}

static void free_steps(struct rig_step *s)
{
	while (s) {
		struct rig_step *next = s->next;

		free(s);
		s = next;
	}
}

void rig_stop(struct rig *r)
{
	char command[128];

	for (unsigned i = 0; i < r->nodes; i++) {
		rig_node_cut(r->node + i);
		om_timer_destroy(r->node[i].retry);
		free_steps(r->node[i].held);
		free_steps(r->node[i].done);
	}
	rig_ctld_end(r, SIGKILL);
	om_loop_destroy(r->loop);
	munged_stop(&r->munged);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
}

int rig_setup(void **state)
{
	struct rig_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	rig_start(&f->r, 2, "node_timeout = 5s\n");
	rig_client_connect(&f->r, &f->c);
	*state = f;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig_fixture *f = *state;

	rig_client_close(&f->c);
	rig_stop(&f->r);
	free(f);
	return 0;
}

void rig_need(void)
{
	if (geteuid() != 0 || access("/usr/sbin/munged", X_OK) < 0) {
		fprintf(stderr, "needs root and munged\n");
		exit(77);
	}
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
}
