/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * EASY: who may start before the first in the queue. The random tests judge
 * each start by a slow reference that tries every set of nodes at every end
 * of a running job.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utlist.h>

#include "sched/policy/sched.h"
#include "tests/unit/model_fixture.h"

#define CASES 400
#define TURNS 60
#define NODES_MAX 4

/* ---- by hand */
static struct om_job *submit(struct fix *f, uint32_t tasks, int64_t limit_s)
{
	Om__JobSpec spec = fix_spec(tasks, 1);

	spec.has_time_limit_s = true;
	spec.time_limit_s = limit_s;
	return fix_submit(f, &spec);
}

static void setup(struct fix *f, uint32_t nodes, uint32_t cpus)
{
	fix_init(f, OM_PART_EXCLUSIVE);
	fix_nodes(f, nodes, cpus, 8 * FIX_G);
	fix_sched(f);
}

static void a_short_job_fills_the_gap(void **state)
{
	struct fix f;
	struct om_job *head, *lengthy, *brief;

	(void)state;
	setup(&f, 1, 4);
	submit(&f, 3, 100);
	assert_int_equal(fix_run_all(&f), 1);
	head = submit(&f, 4, 100);
	lengthy = submit(&f, 1, 101);
	brief = submit(&f, 1, 100);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(brief->alloc);
	assert_null(lengthy->alloc);
	assert_string_equal(head->reason, "Resources");
	assert_string_equal(lengthy->reason, "Priority");
	fix_fini(&f);
}

static void a_long_job_may_use_what_the_first_leaves(void **state)
{
	struct fix f;
	struct om_job *extra, *too_much;

	(void)state;
	setup(&f, 2, 4);
	submit(&f, 6, 100);		/* two cpus stay free */
	assert_int_equal(fix_run_all(&f), 1);
	submit(&f, 7, 100);		/* then one of eight is left */
	too_much = submit(&f, 2, 10000);
	extra = submit(&f, 1, 10000);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(extra->alloc);
	assert_null(too_much->alloc);
	/* And one only. */
	submit(&f, 1, 10000);
	assert_int_equal(fix_run_all(&f), 0);
	fix_fini(&f);
}

static void a_short_job_behind_a_long_one_of_its_kind_starts(void **state)
{
	struct fix f;
	struct om_job *brief;

	(void)state;
	setup(&f, 1, 4);
	submit(&f, 3, 100);
	assert_int_equal(fix_run_all(&f), 1);
	submit(&f, 4, 100);
	for (int i = 0; i < 50; i++)
		submit(&f, 1, 200);
	assert_int_equal(fix_run_all(&f), 0);
	brief = submit(&f, 1, 50);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(brief->alloc);
	fix_fini(&f);
}

static void the_first_job_starts_when_it_was_promised(void **state)
{
	struct fix f;
	struct om_job *first, *head;

	(void)state;
	setup(&f, 2, 2);
	first = submit(&f, 3, 60);
	assert_int_equal(fix_run_all(&f), 1);
	head = submit(&f, 4, 60);
	for (int i = 0; i < 20; i++)
		submit(&f, 1, 1000);
	assert_int_equal(fix_run_all(&f), 0);
	f.now_ns += 60 * FIX_S;
	fix_finish(&f, first, OM__JOB_STATE__TIMEOUT);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(head->alloc);
	fix_fini(&f);
}

static void what_was_kept_back_starts_with_the_first_gone(void **state)
{
	struct fix f;
	struct om_job *head, *kept;

	(void)state;
	setup(&f, 1, 4);
	submit(&f, 3, 100);
	assert_int_equal(fix_run_all(&f), 1);
	head = submit(&f, 4, 100);
	kept = submit(&f, 1, 1000);
	assert_int_equal(fix_run_all(&f), 0);
	fix_finish(&f, head, OM__JOB_STATE__CANCELLED);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(kept->alloc);
	fix_fini(&f);
}

static void a_job_that_can_never_be_told_a_time_holds_nobody(void **state)
{
	struct fix f;
	struct om_job *other;

	(void)state;
	setup(&f, 2, 4);
	fix_node_state(&f, "n2", false, false);
	submit(&f, 8, 100);		/* needs the node that is down */
	other = submit(&f, 1, 100000);
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(other->alloc);
	fix_fini(&f);
}

static void a_low_partition_respects_a_promise_on_its_nodes(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *low;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	f.part[0].priority = 5;
	fix_partition(&f, "low", "n2", OM_PART_EXCLUSIVE, 1);
	fix_nodes(&f, 2, 2, 8 * FIX_G);
	fix_sched(&f);
	submit(&f, 3, 100);
	assert_int_equal(fix_run_all(&f), 1);
	submit(&f, 4, 100);
	spec.partition = "low";
	spec.has_time_limit_s = true;
	spec.time_limit_s = 500;
	low = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 0);
	assert_string_equal(low->reason, "Priority");
	fix_fini(&f);
}

static void a_limit_made_longer_moves_the_promise(void **state)
{
	struct fix f;
	struct om_job *runs, *gap;
	struct om_request *r;

	(void)state;
	setup(&f, 1, 2);
	runs = submit(&f, 1, 100);
	assert_int_equal(fix_run_all(&f), 1);
	submit(&f, 2, 100);
	gap = submit(&f, 1, 150);
	assert_int_equal(fix_run_all(&f), 0);
	r = runs->req;
	r->time_limit_s = 200;		/* as EvUpdated would */
	om_sched_job_pending(f.s, runs);
	om_sched_resources_freed(f.s);
	submit(&f, 1, 1000);
	f.s->freed = true;		/* anything that wakes the queue */
	f.s->epoch++;
	assert_int_equal(fix_run_all(&f), 1);
	assert_non_null(gap->alloc);
	fix_fini(&f);
}

/* ---- the reference */
struct ref_job {			/* on nodes until end */
	int64_t end_ns;
	uint32_t cpus[NODES_MAX];
	uint64_t mem[NODES_MAX];
	bool exclusive;
};

struct ref {
	const struct fix *f;
	struct ref_job run[64];
	uint32_t runs;
};

static bool ref_member(const struct fix *f, const struct om_job *j,
		       uint32_t node)
{
	if (j->req->exclude &&
	    !strcmp(j->req->exclude, f->m->node[node]->name))
		return false;
	/* "low" has the first two nodes only. */
	return !j->req->partition || strcmp(j->req->partition, "low") ||
	       node < 2;
}

static uint32_t ref_fit(const struct ref *r, const struct om_job *j,
			uint32_t node, int64_t at_ns)
{
	const struct om_node *n = r->f->m->node[node];
	int64_t cpus = n->cpus, mem = (int64_t)n->memory;
	uint32_t jobs = 0, k = 0;

	if (!n->up || n->drain || !ref_member(r->f, j, node))
		return 0;
	for (uint32_t i = 0; i < r->runs; i++) {
		const struct ref_job *o = r->run + i;

		if (o->end_ns <= at_ns || !o->cpus[node])
			continue;
		if (o->exclusive)
			return 0;
		cpus -= o->cpus[node];
		mem -= (int64_t)o->mem[node];
		jobs++;
	}
	if ((j->req->exclusive && jobs) ||
	    (int64_t)j->req->mem_per_node > mem)
		return 0;
	while (k < j->req->tasks &&
	       (int64_t)(k + 1) * j->req->cpus_per_task <= cpus)
		k++;
	return k;
}

static bool ref_fits(const struct ref *r, const struct om_job *j, int64_t at_ns)
{
	for (uint32_t set = 1; set < 1u << r->f->m->nodes; set++) {
		uint32_t nodes = (uint32_t)__builtin_popcount(set), sum = 0;
		bool ok = nodes >= j->req->nodes_min && nodes <= j->req->tasks;

		for (uint32_t i = 0; ok && i < r->f->m->nodes; i++) {
			uint32_t k = set >> i & 1 ? ref_fit(r, j, i, at_ns) : 0;

			sum += k;
			ok = k > 0 || !(set >> i & 1);
		}
		if (ok && sum >= j->req->tasks)
			return true;
	}
	return false;
}

/* When j can start if nothing but what runs is there; INT64_MAX: never. */
static int64_t ref_earliest(const struct ref *r, const struct om_job *j)
{
	int64_t at = r->f->now_ns, best = INT64_MAX;

	for (;;) {
		int64_t next = INT64_MAX;

		if (ref_fits(r, j, at)) {
			best = at;
			break;
		}
		for (uint32_t i = 0; i < r->runs; i++)
			if (r->run[i].end_ns > at && r->run[i].end_ns < next)
				next = r->run[i].end_ns;
		if (next == INT64_MAX)
			break;
		at = next;
	}
	return best;
}

static void ref_add(struct ref *r, const struct om_job *j,
		    const struct om_share *share, uint32_t shares,
		    int64_t start_ns)
{
	struct ref_job *o = r->run + r->runs++;

	assert_true(r->runs <= 64);
	*o = (struct ref_job){ .exclusive = j->req->exclusive };
	o->end_ns = j->req->time_limit_s ?
			    start_ns + j->req->time_limit_s * FIX_S : INT64_MAX;
	for (uint32_t i = 0; i < shares; i++) {
		o->cpus[share[i].node->index] = share[i].cpus;
		o->mem[share[i].node->index] = share[i].mem;
	}
}

static void ref_init(struct ref *r, const struct fix *f)
{
	struct om_job *j;

	*r = (struct ref){ .f = f };
	DL_FOREACH(f->m->active, j)
		ref_add(r, j, j->alloc->share, j->alloc->shares, j->start_ns);
}

/* ---- judging by it */
struct world {
	uint64_t seed;
	int64_t promise_ns[4096];	/* by job id; 0: none */
	uint32_t backfilled, promised, kept;
	bool quiet;			/* no nodes change, one partition */
};

static int32_t part_priority(const struct fix *f, const struct om_job *j)
{
	return f->part[j->req->partition &&
		       !strcmp(j->req->partition, "low")].priority;
}

static bool before(const struct fix *f, const struct om_job *a,
		   const struct om_job *b)
{
	if (part_priority(f, a) != part_priority(f, b))
		return part_priority(f, a) > part_priority(f, b);
	if (om_queue_key(a) != om_queue_key(b))
		return om_queue_key(a) < om_queue_key(b);
	return a->id < b->id;
}

/* The first of each partition that can be told a time keeps that time. */
static void judge(struct fix *f, struct om_job *j, const struct om_placement *p)
{
	struct world *w = f->arg;
	struct ref now, then;
	bool done[2] = { false, false };
	struct om_job *o;

	ref_init(&now, f);
	then = now;
	ref_add(&then, j, p->share, p->shares, f->now_ns);
	for (;;) {
		struct om_job *head = NULL;
		int64_t t;
		int part;

		/* The next in order of a partition not judged yet. */
		DL_FOREACH(f->m->pending, o) {
			part = o->req->partition != NULL;
			if (!done[part] && before(f, o, j) && o->priority < 1000 &&
			    (!head || before(f, o, head)))
				head = o;
		}
		if (!head)
			break;
		part = head->req->partition != NULL;
		t = ref_earliest(&now, head);
		head->priority = 1000;		/* judged in this round */
		if (t == INT64_MAX)
			continue;
		done[part] = true;
		if (t == f->now_ns)
			continue;	/* an other's promise is in its way */
		w->backfilled++;
		if (ref_earliest(&then, head) > t)
			fail_msg("job %llu, started out of turn, keeps job %llu from %lld s",
				 (unsigned long long)j->id,
				 (unsigned long long)head->id,
				 (long long)((t - f->now_ns) / FIX_S));
		if (w->quiet && head->id < 4096 &&
		    (!w->promise_ns[head->id] || w->promise_ns[head->id] > t)) {
			w->promise_ns[head->id] = t;
			w->promised++;
		}
	}
	DL_FOREACH(f->m->pending, o)
		o->priority = o->req->priority;
	if (w->quiet && j->id < 4096 && w->promise_ns[j->id]) {
		assert_true(f->now_ns <= w->promise_ns[j->id]);
		w->kept++;
	}
}

static void random_submit(struct fix *f, struct world *w)
{
	Om__JobSpec spec = fix_spec(1 + fix_random(&w->seed, 6),
				    1 + fix_random(&w->seed, 2));
	uint32_t nodes = 1 + fix_random(&w->seed, 2);
	char name[16];

	/* Behind one without a limit nothing can be promised. */
	spec.has_time_limit_s = w->quiet || fix_random(&w->seed, 25) > 0;
	spec.time_limit_s = 1 + fix_random(&w->seed, 20) * 10;
	spec.has_nodes_min = fix_random(&w->seed, 4) == 0;
	spec.nodes_min = nodes < spec.tasks ? nodes : spec.tasks;
	spec.has_mem_per_node = fix_random(&w->seed, 3) == 0;
	spec.mem_per_node = (1 + fix_random(&w->seed, 4)) * FIX_G;
	spec.has_exclusive = spec.exclusive = fix_random(&w->seed, 10) == 0;
	if (fix_random(&w->seed, 6) == 0) {
		snprintf(name, sizeof(name), "n%u",
			 1 + fix_random(&w->seed, f->m->nodes));
		spec.exclude = name;
	}
	if (f->config.partitions > 1 && fix_random(&w->seed, 2))
		spec.partition = "low";
	fix_submit(f, &spec);
}

static int64_t end_of(const struct om_job *j)
{
	return j->req->time_limit_s ?
		       j->start_ns + j->req->time_limit_s * FIX_S : INT64_MAX;
}

/* Jobs end at their limit at the latest; many end before. */
static void pass_time(struct fix *f, struct world *w)
{
	int64_t now = f->now_ns + FIX_S * (1 + fix_random(&w->seed, 15));
	struct om_job *j, *next;

	DL_FOREACH(f->m->active, j)
		now = end_of(j) < now ? end_of(j) : now;
	f->now_ns = now;
	DL_FOREACH_SAFE(f->m->active, j, next)
		if (end_of(j) <= now || fix_random(&w->seed, 12) == 0)
			fix_finish(f, j, OM__JOB_STATE__COMPLETED);
}

static void random_case(struct world *w, bool two)
{
	struct fix f;
	uint32_t nodes = 1 + fix_random(&w->seed, NODES_MAX);
	char name[16];

	memset(w->promise_ns, 0, sizeof(w->promise_ns));
	fix_init(&f, OM_PART_EXCLUSIVE);
	if (two) {
		f.part[0].priority = (int32_t)fix_random(&w->seed, 3);
		fix_partition(&f, "low", "n[1-2]", OM_PART_EXCLUSIVE, 1);
	}
	for (uint32_t i = 1; i <= nodes; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		fix_node(&f, name, 1 + fix_random(&w->seed, 4),
			 (2 + fix_random(&w->seed, 4)) * FIX_G, 1, NULL);
	}
	fix_sched(&f);
	f.on_start = judge;
	f.arg = w;
	for (int t = 0; t < TURNS; t++) {
		uint32_t n = f.m->jobs_pending < 12 ?
				     fix_random(&w->seed, 4) : 0;

		while (n--)
			random_submit(&f, w);
		if (!w->quiet && fix_random(&w->seed, 8) == 0) {
			snprintf(name, sizeof(name), "n%u",
				 1 + fix_random(&w->seed, nodes));
			fix_node_state(&f, name, true,
				       fix_random(&w->seed, 2));
		}
		fix_run_all(&f);
		pass_time(&f, w);
	}
	fix_fini(&f);
}

static void run_cases(uint64_t seed, bool two, bool quiet)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->seed = seed;
	w->quiet = quiet;
	for (int i = 0; i < CASES; i++)
		random_case(w, two);
	print_message("%u judged, %u promises, %u of them fell due\n",
		      w->backfilled, w->promised, w->kept);
	assert_true(w->backfilled > CASES);
	assert_true(!quiet || w->kept > CASES / 4);
	free(w);
}

static void nobody_out_of_turn_delays_the_first(void **state)
{
	(void)state;
	run_cases(fix_seed(__func__, 1), false, true);
}

static void nor_with_partitions_and_nodes_that_come_and_go(void **state)
{
	(void)state;
	run_cases(fix_seed(__func__, 2), true, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_job_fills_the_gap),
		cmocka_unit_test(a_long_job_may_use_what_the_first_leaves),
		cmocka_unit_test(a_short_job_behind_a_long_one_of_its_kind_starts),
		cmocka_unit_test(the_first_job_starts_when_it_was_promised),
		cmocka_unit_test(what_was_kept_back_starts_with_the_first_gone),
		cmocka_unit_test(a_job_that_can_never_be_told_a_time_holds_nobody),
		cmocka_unit_test(a_low_partition_respects_a_promise_on_its_nodes),
		cmocka_unit_test(a_limit_made_longer_moves_the_promise),
		cmocka_unit_test(nobody_out_of_turn_delays_the_first),
		cmocka_unit_test(nor_with_partitions_and_nodes_that_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
