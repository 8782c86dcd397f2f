/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * omctld under random submits, cancels, requeues, cut and rebooted nodes and
 * kill -9 at random moments. Whatever happened, in the end
 *
 *   - every job that was promised is over, and in the history once
 *   - no step of an incarnation began twice (the rig fails on that)
 *   - the nodes hold nothing and nothing on them is allocated
 *
 * SEED and ROUNDS may be set; the seed is printed.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <utlist.h>

#include "tests/unit/ctldrig.h"

#define S(x) OM__JOB_STATE__##x
#define NODES 3
#define SUBMITS 2000		/* at most */

struct chaos {
	struct rig r;
	struct rig_client c;
	struct {
		uint8_t uuid[16];
		uint64_t id;
		uint32_t request;
		struct rig_job job;
	} submit[SUBMITS];
	unsigned submits;
	unsigned kills, cuts, reboots;
	unsigned waits_for;		/* for a debugger */
};

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static void on_message(struct rig_client *c, enum om_msg type, uint32_t id,
		       const ProtobufCMessage *body)
{
	struct chaos *k = c->arg;

	if (type != OM_MSG_SUBMITTED)
		return;
	for (unsigned i = 0; i < k->submits; i++) {
		uint64_t job = ((const Om__Submitted *)body)->job_id;

		if (k->submit[i].request != id)
			continue;
		if (k->submit[i].id)
			assert_int_equal(k->submit[i].id, job);
		k->submit[i].id = job;
	}
}

static void send_one(struct chaos *k, unsigned i)
{
	k->submit[i].job.uuid = k->submit[i].uuid;
	k->submit[i].request = rig_send_submit(&k->c, &k->submit[i].job);
}

static void do_submit(struct chaos *k)
{
	struct rig_job j = { .code = (int)pick(3), .requeue = pick(2) };
	unsigned i = k->submits;

	if (i == SUBMITS)
		return;
	k->submits++;
	rig_uuid(k->submit[i].uuid);
	if (pick(4) == 0) {
		j.nodes = 1 + pick(NODES);
		j.tasks = j.nodes * (1 + pick(8));
	}
	if (pick(10) == 0)
		j.array = "1-6";
	k->submit[i].job = j;
	send_one(k, i);
}

static uint64_t some_job(struct chaos *k)
{
	unsigned i = k->submits ? pick(k->submits) : 0;
	uint64_t id = k->submits ? k->submit[i].id : 0;

	return id && k->submit[i].job.array ? id + pick(7) : id;
}

static void do_control(struct chaos *k, Om__JobVerb verb)
{
	Om__JobControl m = OM__JOB_CONTROL__INIT;
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	uint64_t id = some_job(k);

	if (!id)
		return;
	f.job_id = &id;
	f.n_job_id = 1;
	m.verb = verb;
	m.filter = &f;
	om_conn_send(k->c.conn, OM_MSG_JOB_CONTROL, ++k->c.next_id, &m.base);
}

/* Ends one of the steps that a node holds. */
static void do_exit(struct chaos *k)
{
	struct rig_node *n = k->r.node + pick(NODES);
	struct rig_step *s;

	LL_FOREACH(n->held, s)
		if (!s->over && pick(2)) {
			rig_node_exit(n, s->job, s->step, pick(2) << 8);
			return;
		}
}

static void do_cut(struct chaos *k)
{
	struct rig_node *n = k->r.node + pick(NODES);

	rig_node_cut(n);
	if (pick(5) == 0) {
		/* A reboot: nothing that ran is left, nor remembered. */
		struct rig_step *s, *next;

		LL_FOREACH_SAFE(n->held, s, next)
			free(s);
		n->held = NULL;
		n->boot[pick(16)]++;
		k->reboots++;
	}
	rig_turns(&k->r, pick(60) * OM_NS_PER_MS);
	rig_node_connect(n);
	k->cuts++;
}

static void do_kill(struct chaos *k)
{
	rig_ctld_end(&k->r, pick(4) ? SIGKILL : SIGTERM);
	rig_client_close(&k->c);
	rig_ctld_start(&k->r);
	rig_client_connect(&k->r, &k->c);
	for (unsigned i = 0; i < k->submits; i++)
		if (!k->submit[i].id)
			send_one(k, i);
	k->kills++;
}

static void do_hold(struct chaos *k)
{
	struct rig_node *n = k->r.node + pick(NODES);

	n->hold = !n->hold;
}

static void act(struct chaos *k)
{
	switch (pick(40)) {
	case 0: do_kill(k); break;
	case 1: case 2: do_cut(k); break;
	case 3: do_hold(k); break;
	case 4: case 5: do_control(k, OM__JOB_VERB__CANCEL); break;
	case 6: do_control(k, OM__JOB_VERB__REQUEUE); break;
	case 7: do_control(k, OM__JOB_VERB__HOLD); break;
	case 8: do_control(k, OM__JOB_VERB__RELEASE); break;
	case 9: rig_turns(&k->r, pick(40) * OM_NS_PER_MS); break;
	case 10: case 11: case 12: case 13: case 14: do_exit(k); break;
	default: do_submit(k); break;
	}
	if (pick(3) == 0)
		rig_turns(&k->r, 0);
	/* The client may have been cut off by a stop under way. */
	if (!k->c.ready)
		rig_client_connect(&k->r, &k->c);
}

/* ------------------------------------------------------------------ the end */

static bool all_promised(void *arg)
{
	struct chaos *k = arg;

	for (unsigned i = 0; i < k->submits; i++)
		if (!k->submit[i].id)
			return false;
	return true;
}

static void undrain(struct chaos *k)
{
	Om__NodeControl m = OM__NODE_CONTROL__INIT;

	m.verb = OM__NODE_VERB__NODE_UNDRAIN;
	m.nodes = (char *)(uintptr_t)"n[1-3]";
	rig_free(rig_call(&k->c, OM_MSG_NODE_CONTROL, &m.base, OM_MSG_REPLY));
}

/* Everything may run out now. */
static void settle(struct chaos *k)
{
	rig_wait(&k->r, all_promised, k);
	k->c.on_message = NULL;
	undrain(k);
	for (unsigned i = 0; i < NODES; i++) {
		struct rig_step *s;

		k->r.node[i].hold = false;
		LL_FOREACH(k->r.node[i].held, s)
			if (!s->over)
				rig_node_exit(k->r.node + i, s->job, s->step, 0);
	}
	for (unsigned i = 0; i < k->submits; i++)
		rig_control(&k->c, OM__JOB_VERB__RELEASE, k->submit[i].id);
}

static void check_jobs(struct chaos *k)
{
	for (unsigned i = 0; i < k->submits; i++) {
		Om__JobInfo *j;

		k->waits_for = i;
		j = rig_wait_job(&k->c, k->submit[i].id);
		assert_int_equal(j->job_id, k->submit[i].id);
		assert_true(j->state >= S(COMPLETED));
		rig_free(j);
		for (unsigned o = 0; o < i; o++)
			assert_true(k->submit[o].id != k->submit[i].id);
	}
}

static bool nothing_held(void *arg)
{
	struct chaos *k = arg;

	for (unsigned i = 0; i < NODES; i++)
		if (k->r.node[i].held)
			return false;
	return true;
}

static void check_nodes(struct chaos *k)
{
	Om__NodeList m = OM__NODE_LIST__INIT;
	Om__NodeListReply *l;

	rig_wait(&k->r, nothing_held, k);
	l = rig_call(&k->c, OM_MSG_NODE_LIST, &m.base, OM_MSG_NODE_LIST_REPLY);
	assert_int_equal(l->n_node, NODES);
	for (size_t i = 0; i < l->n_node; i++) {
		assert_string_equal(l->node[i]->state, "idle");
		assert_int_equal(l->node[i]->cpus_alloc, 0);
		assert_int_equal(l->node[i]->mem_alloc, 0);
		assert_int_equal(l->node[i]->jobs, 0);
	}
	rig_free(l);
}

static void check_history(struct chaos *k)
{
	Om__JobList m = OM__JOB_LIST__INIT;
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	Om__JobListReply *l;
	size_t found = 0;

	f.has_limit = 1;
	f.limit = 9999;
	m.filter = &f;
	l = rig_call(&k->c, OM_MSG_HISTORY, &m.base, OM_MSG_JOB_LIST_REPLY);
	for (size_t i = 0; i < l->n_job; i++) {
		if (i)
			assert_true(l->job[i]->job_id < l->job[i - 1]->job_id);
		for (unsigned o = 0; o < k->submits; o++)
			found += k->submit[o].id == l->job[i]->job_id &&
				 !k->submit[o].job.array;
	}
	for (unsigned o = 0; o < k->submits; o++)
		found += k->submit[o].job.array != NULL;
	assert_int_equal(found, k->submits);
	rig_free(l);
}

static void whatever_happens_all_comes_out_even(void **state)
{
	unsigned rounds = getenv("ROUNDS") ? (unsigned)atoi(getenv("ROUNDS")) :
					     1200;
	unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) :
					 (unsigned)time(NULL);
	struct chaos *k = calloc(1, sizeof(*k));

	(void)state;
	print_message("SEED=%u ROUNDS=%u\n", seed, rounds);
	rig_start(&k->r, NODES, "node_timeout = 60s\n");
	srand(seed);
	k->c.arg = k;
	k->c.on_message = on_message;
	rig_client_connect(&k->r, &k->c);
	while (rounds--)
		act(k);
	settle(k);
	check_jobs(k);
	check_nodes(k);
	check_history(k);
	print_message("%u submits, %u kills, %u cuts of which %u reboots\n",
		      k->submits, k->kills, k->cuts, k->reboots);
	rig_client_close(&k->c);
	rig_stop(&k->r);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_all_comes_out_even),
	};

	if (geteuid() != 0 || access("/usr/sbin/munged", X_OK) < 0) {
		fprintf(stderr, "needs root and munged\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
