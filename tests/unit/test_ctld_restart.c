/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is left of promises and jobs when omctld is stopped, killed at any
 * moment, or cannot write any more. */
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

struct fixture {
	struct rig r;
	struct rig_client c;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	rig_start(&f->r, 2, "node_timeout = 5s\n");
	rig_client_connect(&f->r, &f->c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rig_client_close(&f->c);
	rig_stop(&f->r);
	free(f);
	return 0;
}

/* ------------------------------------------------------------------ restarts */

static void sigterm_ends_it_well_and_all_is_there_again(void **state)
{
	struct fixture *f = *state;
	uint64_t held = rig_submit(&f->c, &(struct rig_job){ .hold = true });
	uint64_t done = rig_submit(&f->c, &(struct rig_job){ .code = 2 });
	Om__JobInfo *j;
	int status;

	rig_free(rig_wait_job(&f->c, done));
	status = rig_ctld_end(&f->r, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig_client_close(&f->c);
	rig_ctld_start(&f->r);
	rig_client_connect(&f->r, &f->c);
	rig_wait_state(&f->c, held, S(PENDING));
	j = rig_wait_job(&f->c, done);
	assert_int_equal(j->exit_code, 2);
	rig_free(j);
}

#define STORM_JOBS 400

struct storm {
	struct rig *r;
	struct rig_client c;
	uint8_t uuid[STORM_JOBS][16];
	uint64_t job[STORM_JOBS];
	uint32_t first_id;		/* of the requests of this connection */
	unsigned answered;
};

static void storm_message(struct rig_client *c, enum om_msg type, uint32_t id,
			  const ProtobufCMessage *body)
{
	struct storm *s = c->arg;
	uint32_t i = id - s->first_id;
	uint64_t job;

	if (type != OM_MSG_SUBMITTED || i >= STORM_JOBS)
		return;
	job = ((const Om__Submitted *)body)->job_id;
	/* A promise once made is kept: the same answer for ever. */
	if (s->job[i])
		assert_int_equal(s->job[i], job);
	else
		s->answered++;
	s->job[i] = job;
}

static void storm_send(struct storm *s)
{
	s->c.next_id += STORM_JOBS;
	s->first_id = s->c.next_id + 1;
	for (unsigned i = 0; i < STORM_JOBS; i++) {
		struct rig_job j = { .code = (int)(i % 5), .uuid = s->uuid[i] };

		rig_send_submit(&s->c, &j);
	}
}

/* Other jobs: all of these were answered. */
static void storm_renew(struct storm *s)
{
	for (unsigned i = 0; i < STORM_JOBS; i++) {
		rig_uuid(s->uuid[i]);
		s->job[i] = 0;
	}
	s->answered = 0;
}

static bool storm_answered(void *arg)
{
	struct storm *s = arg;

	return s->answered == STORM_JOBS;
}

static void storm_check(struct storm *s)
{
	for (unsigned i = 0; i < STORM_JOBS; i++) {
		Om__JobInfo *j = rig_wait_job(&s->c, s->job[i]);

		assert_int_equal(j->exit_code, i % 5);
		assert_int_equal(j->state, i % 5 ? S(FAILED) : S(COMPLETED));
		assert_int_equal(j->restarts, 0);
		rig_free(j);
		for (unsigned k = 0; k < i; k++)
			assert_true(s->job[k] != s->job[i]);
	}
	assert_int_equal(s->r->executions, STORM_JOBS);
}

static void killed_at_any_moment_nothing_is_lost_or_doubled(void **state)
{
	struct fixture *f = *state;
	struct storm *s = calloc(1, sizeof(*s));
	unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) :
					 (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srand(seed);
	s->r = &f->r;
	s->c.rig = &f->r;
	s->c.arg = s;
	s->c.on_message = storm_message;
	for (unsigned i = 0; i < STORM_JOBS; i++)
		rig_uuid(s->uuid[i]);
	for (int round = 0; round < 12; round++) {
		rig_client_connect(&f->r, &s->c);
		storm_send(s);
		rig_turns(&f->r, rand() % 120 * OM_NS_PER_MS);
		rig_ctld_end(&f->r, SIGKILL);
		rig_client_close(&s->c);
		rig_ctld_start(&f->r);
	}
	rig_client_connect(&f->r, &s->c);
	storm_send(s);
	rig_wait(&f->r, storm_answered, s);
	s->c.on_message = NULL;
	storm_check(s);
	rig_client_close(&s->c);
	free(s);
}

/* Its files may grow to some size only: a disk that is full. */
static void a_full_disk_stops_it_before_it_answers(void **state)
{
	struct fixture *f = *state;
	struct storm *s = calloc(1, sizeof(*s));
	struct rlimit small = { .rlim_cur = 400 << 10, .rlim_max = 400 << 10 };
	unsigned answered;
	int status = 0;

	rig_ctld_end(&f->r, SIGTERM);
	rig_client_close(&f->c);
	f->r.limit = &small;
	rig_ctld_start(&f->r);
	f->r.limit = NULL;
	s->r = &f->r;
	s->c.rig = &f->r;
	s->c.arg = s;
	s->c.on_message = storm_message;
	storm_renew(s);
	rig_client_connect(&f->r, &s->c);
	for (int i = 0; i < 200 && !s->c.lost; i++) {
		if (s->answered == STORM_JOBS)
			storm_renew(s);
		storm_send(s);
		rig_turns(&f->r, 10 * OM_NS_PER_MS);
	}
	assert_true(s->c.lost);
	assert_int_equal(waitpid(f->r.pid, &status, 0), f->r.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	answered = s->answered;
	print_message("%u of the last %u were answered\n", answered,
		      STORM_JOBS);
	rig_ctld_start(&f->r);
	rig_client_connect(&f->r, &s->c);
	/* What was promised is there, the rest can be had now. */
	storm_send(s);
	rig_wait(&f->r, storm_answered, s);
	rig_client_close(&s->c);
	rig_client_connect(&f->r, &f->c);
	free(s);
}

static void history_answers_what_was_forgotten_or_not(void **state)
{
	struct fixture *f = *state;
	Om__JobList m = OM__JOB_LIST__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__JobListReply *l;
	uint64_t id[3];

	for (int i = 0; i < 3; i++) {
		id[i] = rig_submit(&f->c, &(struct rig_job){ .code = i });
		rig_free(rig_wait_job(&f->c, id[i]));
	}
	filter.has_limit = 1;
	filter.limit = 2;
	m.filter = &filter;
	l = rig_call(&f->c, OM_MSG_HISTORY, &m.base, OM_MSG_JOB_LIST_REPLY);
	assert_int_equal(l->n_job, 2);
	assert_int_equal(l->job[0]->job_id, id[2]);
	assert_int_equal(l->next_id, id[1]);
	filter.has_after_id = 1;
	filter.after_id = l->next_id;
	rig_free(l);
	l = rig_call(&f->c, OM_MSG_HISTORY, &m.base, OM_MSG_JOB_LIST_REPLY);
	assert_int_equal(l->n_job, 1);
	assert_int_equal(l->job[0]->job_id, id[0]);
	assert_false(l->has_next_id);
	rig_free(l);
}

/* ------------------------------------------------------- nodes restarted too */

static bool ran(void *arg)
{
	return ((struct rig *)arg)->executions > 0;
}

/* Both nodes took orders and told nothing of it when they went down. */
static void reboot_silent_nodes(struct rig *r)
{
	rig_wait(r, ran, r);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_node *n = r->node + i;

		rig_node_cut(n);
		n->boot[0] ^= 0xff;
		free(n->held);
		n->held = NULL;
		n->mute = false;
		rig_node_connect(n);
	}
}

static void what_must_not_start_twice_does_not_when_in_doubt(void **state)
{
	struct fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].mute = f->r.node[1].mute = true;
	id = rig_submit(&f->c, &(struct rig_job){ .once = true });
	reboot_silent_nodes(&f->r);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(NODE_FAIL));
	assert_int_equal(f->r.executions, 1);
	rig_free(j);
}

static void what_may_not_have_started_is_started_elsewhere(void **state)
{
	struct fixture *f = *state;
	Om__JobInfo *j;
	uint64_t id;

	f->r.node[0].mute = f->r.node[1].mute = true;
	id = rig_submit(&f->c, &(struct rig_job){ 0 });
	reboot_silent_nodes(&f->r);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(COMPLETED));
	assert_int_equal(j->restarts, 1);
	rig_free(j);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sigterm_ends_it_well_and_all_is_there_again),
		T(history_answers_what_was_forgotten_or_not),
		T(killed_at_any_moment_nothing_is_lost_or_doubled),
		T(a_full_disk_stops_it_before_it_answers),
		T(what_must_not_start_twice_does_not_when_in_doubt),
		T(what_may_not_have_started_is_started_elsewhere),
	};

	if (geteuid() != 0 || access("/usr/sbin/munged", X_OK) < 0) {
		fprintf(stderr, "needs root and munged\n");
		return 77;
	}
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
