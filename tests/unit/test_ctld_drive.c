/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omctld as its nodes and commands see it, from submit to history. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/ctldrig.h"

#define S(x) OM__JOB_STATE__##x

static void ignore_message(struct rig_client *c, enum om_msg type, uint32_t id,
			   const ProtobufCMessage *body)
{
	(void)c;
	(void)type;
	(void)id;
	(void)body;
}

static void a_job_runs_and_its_exit_code_is_told(void **state)
{
	struct rig_fixture *f = *state;
	uint64_t id = rig_submit(&f->c, &(struct rig_job){ .code = 7 });
	Om__JobInfo *j = rig_wait_job(&f->c, id);

	assert_int_equal(j->state, S(FAILED));
	assert_int_equal(j->exit_code, 7);
	assert_int_equal(f->r.executions, 1);
	rig_free(j);
}

static void the_same_uuid_is_one_job(void **state)
{
	struct rig_fixture *f = *state;
	uint8_t uuid[16];
	uint64_t a, b;

	rig_uuid(uuid);
	a = rig_submit(&f->c, &(struct rig_job){ .uuid = uuid });
	b = rig_submit(&f->c, &(struct rig_job){ .uuid = uuid });
	assert_int_equal(a, b);
	rig_free(rig_wait_job(&f->c, a));
	assert_int_equal(rig_submit(&f->c, &(struct rig_job){ .uuid = uuid }),
			 a);
	assert_int_equal(f->r.executions, 1);
}

static void an_array_runs_each_task_once(void **state)
{
	struct rig_fixture *f = *state;
	uint64_t id = rig_submit(&f->c, &(struct rig_job){ .array = "1-50" });
	Om__JobInfo *j = rig_wait_job(&f->c, id);

	assert_int_equal(j->state, S(COMPLETED));
	assert_int_equal(f->r.executions, 50);
	rig_free(j);
	j = rig_wait_job(&f->c, id + 7);
	assert_int_equal(j->array_index, 7);
	assert_int_equal(j->array_id, id);
	rig_free(j);
	assert_true(rig_submit(&f->c, &(struct rig_job){ .code = 0 }) ==
		    id + 51);
}

static void a_held_job_waits_for_its_release(void **state)
{
	struct rig_fixture *f = *state;
	uint64_t id = rig_submit(&f->c, &(struct rig_job){ .hold = true });

	rig_free(rig_wait_job(&f->c,
			      rig_submit(&f->c, &(struct rig_job){ 0 })));
	rig_wait_state(&f->c, id, S(PENDING));
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__RELEASE, id), 0);
	rig_free(rig_wait_job(&f->c, id));
	assert_int_equal(f->r.executions, 2);
}

static void a_dependent_job_starts_after_the_other_is_done(void **state)
{
	struct rig_fixture *f = *state;
	uint64_t first, second;

	f->r.node[0].hold = f->r.node[1].hold = true;
	first = rig_submit(&f->c, &(struct rig_job){ 0 });
	second = rig_submit(&f->c, &(struct rig_job){ .after_ok = first });
	rig_wait_state(&f->c, first, S(RUNNING));
	rig_wait_state(&f->c, second, S(PENDING));
	f->r.node[0].hold = f->r.node[1].hold = false;
	for (int i = 0; i < 2; i++)
		if (rig_node_step(f->r.node + i, first, OM_STEP_BATCH))
			rig_node_exit(f->r.node + i, first, OM_STEP_BATCH, 0);
	rig_free(rig_wait_job(&f->c, second));
	assert_int_equal(f->r.executions, 2);
}

/* The code with which a submit is refused. */
static int refusal(struct rig_client *c, const struct rig_job *j)
{
	Om__Reply *r = rig_next(c, rig_send_submit(c, j), OM_MSG_REPLY);
	int code = r->code;

	assert_true(r->text && *r->text);
	rig_free(r);
	return code;
}

static void a_dependency_on_what_is_over_is_judged_at_once(void **state)
{
	struct rig_fixture *f = *state;
	uint64_t good = rig_submit(&f->c, &(struct rig_job){ .code = 0 });
	uint64_t bad = rig_submit(&f->c, &(struct rig_job){ .code = 1 });

	rig_free(rig_wait_job(&f->c, good));
	rig_free(rig_wait_job(&f->c, bad));
	rig_free(rig_wait_job(&f->c, rig_submit(&f->c, &(struct rig_job){
						.after_ok = good })));
	assert_int_equal(refusal(&f->c, &(struct rig_job){ .after_ok = bad }),
			 -EINVAL);
	assert_int_equal(refusal(&f->c, &(struct rig_job){ .after_ok = 4711 }),
			 -EINVAL);
}

static void a_dependency_that_can_never_be_says_so(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobListReply *l;
	struct rig_node *n;
	uint64_t first, second;

	f->r.node[0].hold = f->r.node[1].hold = true;
	first = rig_submit(&f->c, &(struct rig_job){ 0 });
	second = rig_submit(&f->c, &(struct rig_job){ .after_ok = first });
	rig_wait_state(&f->c, first, S(RUNNING));
	n = f->r.node + (rig_node_step(f->r.node, first, OM_STEP_BATCH) == NULL);
	rig_node_exit(n, first, OM_STEP_BATCH, 1 << 8);
	rig_free(rig_wait_job(&f->c, first));
	l = rig_list(&f->c, second);
	assert_int_equal(l->n_job, 1);
	assert_string_equal(l->job[0]->reason, "DependencyNeverSatisfied");
	rig_free(l);
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__CANCEL, second), 0);
}

static void tasks_of_an_array_are_cancelled_one_by_one(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobControl m = OM__JOB_CONTROL__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__ArrayTask at = OM__ARRAY_TASK__INIT, *list = &at;
	Om__JobWait w = OM__JOB_WAIT__INIT;
	Om__JobInfo *j;
	Om__JobListReply *l;
	uint64_t id;

	id = rig_submit(&f->c, &(struct rig_job){ .array = "1-10",
						  .hold = true });
	w.job_id = id + 5;
	om_conn_send(f->c.conn, OM_MSG_JOB_WAIT, 7777, &w.base);
	at.array_id = id;
	at.tasks = (char *)(uintptr_t)"4-6,99";
	filter.array_task = &list;
	filter.n_array_task = 1;
	m.verb = OM__JOB_VERB__CANCEL;
	m.filter = &filter;
	rig_free(rig_call(&f->c, OM_MSG_JOB_CONTROL, &m.base,
			  OM_MSG_JOB_CONTROL_REPLY));
	j = rig_next(&f->c, 7777, OM_MSG_JOB_INFO);
	assert_int_equal(j->state, S(CANCELLED));
	assert_int_equal(j->array_index, 5);
	rig_free(j);
	l = rig_list(&f->c, id);
	assert_string_equal(l->job[0]->array_pending, "1-3,7-10");
	rig_free(l);
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__RELEASE, id), 0);
	rig_free(rig_wait_job(&f->c, id));
	assert_int_equal(f->r.executions, 7);
}

static void bad_submits_are_refused_with_a_reason(void **state)
{
	struct rig_fixture *f = *state;

	assert_int_equal(refusal(&f->c, &(struct rig_job){ .array = "x" }),
			 -EINVAL);
	assert_int_equal(refusal(&f->c, &(struct rig_job){ .array = "1-9999999" }),
			 -EINVAL);
	assert_true(refusal(&f->c, &(struct rig_job){ .tasks = 100000 }) < 0);
	assert_true(refusal(&f->c, &(struct rig_job){ .name = "a\nb" }) < 0);
}

/* It asks and asks and never reads: others are served, it is cut off. */
static void a_client_that_does_not_read_is_cut_off(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_client deaf = { .rig = &f->r };
	Om__JobList m = OM__JOB_LIST__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	char name[256];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 2000; i++)
		rig_free(rig_next(&f->c, rig_send_submit(&f->c,
			&(struct rig_job){ .hold = true, .name = name }),
			OM_MSG_SUBMITTED));
	rig_client_connect(&f->r, &deaf);
	om_conn_pause(deaf.conn, true);
	m.filter = &filter;
	for (int i = 0; i < 800; i++)
		om_conn_send(deaf.conn, OM_MSG_JOB_LIST, 1, &m.base);
	rig_turns(&f->r, 2 * OM_NS_PER_S);
	rig_free(rig_list(&f->c, 1));
	/* What it has not read yet it may; then comes the end. */
	deaf.on_message = ignore_message;
	om_conn_pause(deaf.conn, false);
	while (!deaf.lost)
		rig_turns(&f->r, 10 * OM_NS_PER_MS);
	rig_client_close(&deaf);
}

static void a_cancelled_job_is_killed_and_says_so(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].hold = f->r.node[1].hold = true;
	id = rig_submit(&f->c, &(struct rig_job){ .tasks = 16, .nodes = 2 });
	rig_wait_state(&f->c, id, S(RUNNING));
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__CANCEL, id), 0);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(CANCELLED));
	assert_string_equal(j->reason_text, "cancelled by root");
	rig_free(j);
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__CANCEL, id),
			 -EALREADY);
}

static void a_requeued_job_has_a_new_incarnation(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].hold = f->r.node[1].hold = true;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	rig_wait_state(&f->c, id, S(RUNNING));
	f->r.node[0].hold = f->r.node[1].hold = false;
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__REQUEUE, id), 0);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(COMPLETED));
	assert_int_equal(j->restarts, 1);
	assert_int_equal(f->r.executions, 2);
	rig_free(j);
}

/* Only how a job can end is believed; such a job must not hang for ever. */
static void a_node_that_lies_ends_its_job_all_the_same(void **state)
{
	static const uint32_t lie[] = { S(RUNNING), S(SUSPENDED), S(COMPLETING),
					S(CONFIGURING), 999, UINT32_MAX };
	struct rig_fixture *f = *state;

	for (size_t i = 0; i < sizeof(lie) / sizeof(*lie); i++) {
		Om__JobInfo *j;

		f->r.node[0].lie = f->r.node[1].lie = lie[i];
		j = rig_wait_job(&f->c, rig_submit(&f->c,
						   &(struct rig_job){ 0 }));
		assert_int_equal(j->state, S(COMPLETED));
		rig_free(j);
	}
}

static void a_node_that_is_cut_off_keeps_its_job(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_node *n;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].hold = f->r.node[1].hold = true;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	rig_wait_state(&f->c, id, S(RUNNING));
	n = f->r.node + (rig_node_step(f->r.node, id, OM_STEP_BATCH) == NULL);
	rig_node_cut(n);
	rig_node_exit(n, id, OM_STEP_BATCH, 3 << 8);
	rig_turns(&f->r, 100 * OM_NS_PER_MS);
	rig_wait_state(&f->c, id, S(RUNNING));
	rig_node_connect(n);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->exit_code, 3);
	assert_int_equal(f->r.executions, 1);
	rig_free(j);
}

static void a_rebooted_node_has_lost_its_jobs(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_node *n;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].hold = f->r.node[1].hold = true;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	rig_wait_state(&f->c, id, S(RUNNING));
	n = f->r.node + (rig_node_step(f->r.node, id, OM_STEP_BATCH) == NULL);
	rig_node_cut(n);
	n->boot[0] ^= 0xff;
	free(n->held);
	n->held = NULL;
	rig_node_connect(n);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(NODE_FAIL));
	rig_free(j);
}

static void a_step_that_the_log_does_not_want_is_killed(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_node *n = f->r.node;
	struct rig_step *s = calloc(1, sizeof(*s));

	rig_node_cut(n);
	s->job = 4711;
	s->inc = 1;
	n->held = s;
	rig_node_connect(n);
	while (!s->over)
		rig_turns(&f->r, 10 * OM_NS_PER_MS);
	assert_true(n->kills >= 1);
}

static void a_node_that_stays_away_fails_its_jobs(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_node *n;
	Om__JobInfo *j;
	uint64_t lost, again;

	f->r.node[0].hold = f->r.node[1].hold = true;
	lost = rig_submit(&f->c, &(struct rig_job){ .tasks = 8, .nodes = 1 });
	rig_wait_state(&f->c, lost, S(RUNNING));
	n = f->r.node + (rig_node_step(f->r.node, lost, OM_STEP_BATCH) == NULL);
	again = rig_submit(&f->c, &(struct rig_job){ .tasks = 12, .nodes = 2,
						     .requeue = true });
	rig_wait_state(&f->c, again, S(PENDING));
	rig_node_cut(n);
	/* node_timeout is 5 s */
	j = rig_wait_job(&f->c, lost);
	assert_int_equal(j->state, S(NODE_FAIL));
	assert_non_null(strstr(j->reason_text, "did not respond"));
	rig_free(j);
	rig_wait_state(&f->c, again, S(PENDING));
	/* It comes back with the old incarnation, which must not live on. */
	rig_node_connect(n);
	while (!rig_node_step(n, lost, OM_STEP_BATCH) ||
	       !rig_node_step(n, lost, OM_STEP_BATCH)->over) {
		if (!rig_node_step(n, lost, OM_STEP_BATCH))
			break;
		rig_turns(&f->r, 10 * OM_NS_PER_MS);
	}
	assert_true(n->kills >= 1);
	rig_wait_state(&f->c, again, S(RUNNING));
}

static bool is_down(struct rig_client *c, const char *name)
{
	Om__NodeList m = OM__NODE_LIST__INIT;
	Om__NodeListReply *l;
	bool down;

	m.nodes = (char *)(uintptr_t)name;
	l = rig_call(c, OM_MSG_NODE_LIST, &m.base, OM_MSG_NODE_LIST_REPLY);
	assert_int_equal(l->n_node, 1);
	down = !strcmp(l->node[0]->state, "down");
	rig_free(l);
	return down;
}

static void a_removed_node_leaves_its_jobs_listed(void **state)
{
	struct rig_fixture *f = *state;
	Om__NodeControl m = OM__NODE_CONTROL__INIT;
	uint64_t id = rig_submit(&f->c, &(struct rig_job){ .tasks = 16,
							   .nodes = 2 });

	rig_free(rig_wait_job(&f->c, id));
	rig_node_cut(f->r.node);
	while (!is_down(&f->c, "n1"))
		rig_turns(&f->r, 100 * OM_NS_PER_MS);
	m.verb = OM__NODE_VERB__NODE_REMOVE;
	m.nodes = (char *)(uintptr_t)"n1";
	rig_free(rig_call(&f->c, OM_MSG_NODE_CONTROL, &m.base, OM_MSG_REPLY));
	rig_free(rig_wait_job(&f->c, id));
	rig_ctld_end(&f->r, SIGKILL);
	rig_client_close(&f->c);
	rig_ctld_start(&f->r);
	rig_client_connect(&f->r, &f->c);
	rig_free(rig_wait_job(&f->c, id));
	rig_node_connect(f->r.node);
	while (!f->r.node[0].accepted)
		rig_turns(&f->r, 10 * OM_NS_PER_MS);
	id = rig_submit(&f->c, &(struct rig_job){ .tasks = 16, .nodes = 2 });
	rig_free(rig_wait_job(&f->c, id));
}

static void a_drain_waits_until_the_node_is_empty(void **state)
{
	struct rig_fixture *f = *state;
	Om__NodeControl m = OM__NODE_CONTROL__INIT;
	struct rig_node *n;
	uint32_t ask;
	uint64_t id;

	f->r.node[0].hold = f->r.node[1].hold = true;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	rig_wait_state(&f->c, id, S(RUNNING));
	n = f->r.node + (rig_node_step(f->r.node, id, OM_STEP_BATCH) == NULL);
	m.verb = OM__NODE_VERB__NODE_DRAIN;
	m.nodes = n->name;
	m.reason = (char *)(uintptr_t)"new memory";
	m.has_wait = 1;
	m.wait = 1;
	ask = ++f->c.next_id;
	om_conn_send(f->c.conn, OM_MSG_NODE_CONTROL, ask, &m.base);
	rig_turns(&f->r, 50 * OM_NS_PER_MS);
	assert_null(f->c.in);
	rig_node_exit(n, id, OM_STEP_BATCH, 0);
	rig_free(rig_next(&f->c, ask, OM_MSG_REPLY));
	assert_int_equal(rig_control(&f->c, OM__JOB_VERB__CANCEL, id),
			 -EALREADY);
}

static void a_failed_launch_drains_the_node_and_goes_elsewhere(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].fail_code = f->r.node[1].fail_code = -EHOSTDOWN;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	rig_turns(&f->r, 100 * OM_NS_PER_MS);
	f->r.node[0].fail_code = f->r.node[1].fail_code = 0;
	/* Both may be drained by now: then nothing can run it. */
	rig_wait_state(&f->c, id, S(PENDING));
	{
		Om__NodeControl m = OM__NODE_CONTROL__INIT;

		m.verb = OM__NODE_VERB__NODE_UNDRAIN;
		m.nodes = (char *)(uintptr_t)"n[1-2]";
		rig_free(rig_call(&f->c, OM_MSG_NODE_CONTROL, &m.base,
				  OM_MSG_REPLY));
	}
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(COMPLETED));
	assert_true(j->restarts >= 1);
	rig_free(j);
}

static void a_job_over_its_nodes_is_cleaned_on_each(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id = rig_submit(&f->c, &(struct rig_job){ .tasks = 16,
							   .nodes = 2 });

	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(COMPLETED));
	assert_int_equal(f->r.node[0].ends, 1);
	assert_int_equal(f->r.node[1].ends, 1);
	rig_free(j);
}

/* ----------------------------------------------------------------- settings */

/* Sets one key; 0 or the code of the refusal. */
static int set_key(struct rig_client *c, const char *key, const char *value)
{
	Om__ConfigSet m = OM__CONFIG_SET__INIT;
	Om__Setting s = OM__SETTING__INIT, *list = &s;
	Om__Reply *r;
	int code;

	s.key = (char *)(uintptr_t)key;
	s.value = (char *)(uintptr_t)value;
	m.setting = &list;
	m.n_setting = 1;
	r = rig_call(c, OM_MSG_CONFIG_SET, &m.base, OM_MSG_REPLY);
	code = r->code;
	rig_free(r);
	return code;
}

static void source_is(struct rig_client *c, const char *key, const char *value,
		      const char *source)
{
	Om__ConfigShow m = OM__CONFIG_SHOW__INIT;
	Om__ConfigShowReply *r;

	m.key = (char *)(uintptr_t)key;
	r = rig_call(c, OM_MSG_CONFIG_SHOW, &m.base, OM_MSG_CONFIG_SHOW_REPLY);
	assert_int_equal(r->n_setting, 1);
	assert_string_equal(r->setting[0]->value, value);
	assert_string_equal(r->setting[0]->source, source);
	rig_free(r);
}

static void what_is_set_at_run_time_outlives_a_kill(void **state)
{
	struct rig_fixture *f = *state;

	assert_int_equal(set_key(&f->c, "max_array", "5"), 0);
	rig_ctld_end(&f->r, SIGKILL);
	rig_client_close(&f->c);
	rig_ctld_start(&f->r);
	rig_client_connect(&f->r, &f->c);
	source_is(&f->c, "max_array", "5", "runtime");
	source_is(&f->c, "kill_wait", "1s", "file");
	assert_int_equal(refusal(&f->c, &(struct rig_job){ .array = "1-6" }),
			 -EINVAL);
	assert_int_equal(set_key(&f->c, "max_array", ""), 0);
	source_is(&f->c, "max_array", "100001", "default");
	rig_free(rig_wait_job(&f->c, rig_submit(&f->c, &(struct rig_job){
						.array = "1-6" })));
}

static void a_wrong_setting_changes_nothing(void **state)
{
	struct rig_fixture *f = *state;

	assert_int_equal(set_key(&f->c, "max_aray", "5"), -ENOENT);
	assert_int_equal(set_key(&f->c, "max_array", "many"), -EINVAL);
	assert_int_equal(set_key(&f->c, "state_dir", "/tmp"), -EINVAL);
	source_is(&f->c, "max_array", "100001", "default");
}

static void a_broken_file_leaves_the_old_configuration(void **state)
{
	struct rig_fixture *f = *state;
	Om__ConfigSet m = OM__CONFIG_SET__INIT;
	Om__Reply *r;
	FILE *file = fopen(f->r.conf, "ae");

	fprintf(file, "max_array = 7\nno_such_key = 1\n");
	fclose(file);
	m.has_reload = 1;
	m.reload = 1;
	r = rig_call(&f->c, OM_MSG_CONFIG_SET, &m.base, OM_MSG_REPLY);
	assert_true(r->code < 0);
	assert_non_null(strstr(r->text, "no_such_key"));
	rig_free(r);
	source_is(&f->c, "max_array", "100001", "default");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_job_runs_and_its_exit_code_is_told),
		RIG_TEST(the_same_uuid_is_one_job),
		RIG_TEST(an_array_runs_each_task_once),
		RIG_TEST(a_held_job_waits_for_its_release),
		RIG_TEST(a_dependent_job_starts_after_the_other_is_done),
		RIG_TEST(a_dependency_on_what_is_over_is_judged_at_once),
		RIG_TEST(a_dependency_that_can_never_be_says_so),
		RIG_TEST(tasks_of_an_array_are_cancelled_one_by_one),
		RIG_TEST(bad_submits_are_refused_with_a_reason),
		RIG_TEST(a_client_that_does_not_read_is_cut_off),
		RIG_TEST(a_cancelled_job_is_killed_and_says_so),
		RIG_TEST(a_requeued_job_has_a_new_incarnation),
		RIG_TEST(a_node_that_lies_ends_its_job_all_the_same),
		RIG_TEST(a_node_that_is_cut_off_keeps_its_job),
		RIG_TEST(a_rebooted_node_has_lost_its_jobs),
		RIG_TEST(a_step_that_the_log_does_not_want_is_killed),
		RIG_TEST(a_node_that_stays_away_fails_its_jobs),
		RIG_TEST(a_removed_node_leaves_its_jobs_listed),
		RIG_TEST(a_drain_waits_until_the_node_is_empty),
		RIG_TEST(a_failed_launch_drains_the_node_and_goes_elsewhere),
		RIG_TEST(a_job_over_its_nodes_is_cleaned_on_each),
		RIG_TEST(what_is_set_at_run_time_outlives_a_kill),
		RIG_TEST(a_wrong_setting_changes_nothing),
		RIG_TEST(a_broken_file_leaves_the_old_configuration),
	};

	rig_need();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
