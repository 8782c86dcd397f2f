/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The history: every filter against a plain loop over the same rows, pages,
 * and how long the worst questions take with 100,000 jobs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "tests/unit/storeutil.h"

/* Sanitizers are slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 10
#else
#define SLOWER 1
#endif
#define LIMIT_MS (50 * SLOWER)

/* ---- rows made from a number */
struct row {
	uint64_t id, array_id;
	uint32_t index, uid;
	Om__JobState state;
	char name[16], account[8], partition[8], nodelist[24];
	int64_t submit_ns, end_ns;
};

static unsigned mix(uint64_t id, unsigned salt)
{
	uint64_t x = (id + 1) * UINT64_C(0x9e3779b97f4a7c15) + salt;

	x ^= x >> 31;
	x *= UINT64_C(0xbf58476d1ce4e5b9) + salt * 2;
	return (unsigned)(x >> 40);
}

/* Ids 1..; every 50 ids from 100 on, 20 are tasks of an array. */
static struct row make_row(uint64_t id)
{
	static const Om__JobState rare[] = {
		OM__JOB_STATE__FAILED, OM__JOB_STATE__CANCELLED,
		OM__JOB_STATE__TIMEOUT, OM__JOB_STATE__NODE_FAIL,
	};
	struct row r = { .id = id };

	if (id > 100 && id % 50 < 20) {
		r.array_id = id - id % 50;
		r.index = (uint32_t)(id % 50);
	}
	r.uid = 1000 + mix(id, 1) % 7;
	if (mix(id, 8) % 500 == 0)
		r.uid = 77;
	r.state = mix(id, 2) % 20 ? OM__JOB_STATE__COMPLETED :
		  rare[mix(id, 3) % 4];
	if (mix(id, 9) % 700 == 0)
		r.state = OM__JOB_STATE__OUT_OF_MEMORY;
	snprintf(r.name, sizeof(r.name), "name%u", mix(id, 4) % 40);
	if (mix(id, 10) % 900 == 0)
		strcpy(r.name, "rare");
	snprintf(r.account, sizeof(r.account), "a%u", mix(id, 5) % 3);
	snprintf(r.partition, sizeof(r.partition), "p%u", mix(id, 6) % 2);
	snprintf(r.nodelist, sizeof(r.nodelist), "n[%u-%u]",
		 1 + mix(id, 7) % 50, 51 + mix(id, 7) % 4);
	r.submit_ns = (int64_t)id * 1000;
	r.end_ns = r.submit_ns + 1 + mix(id, 11) % 50000;
	return r;
}

static void put_row(struct fixture *f, const struct row *r)
{
	Om__JobInfo j = OM__JOB_INFO__INIT;

	j.job_id = r->id;
	j.has_array_id = r->array_id != 0;
	j.array_id = r->array_id;
	j.has_array_index = j.has_array_id;
	j.array_index = r->index;
	j.state = r->state;
	j.uid = r->uid;
	j.name = (char *)r->name;
	j.account = (char *)r->account;
	j.partition = (char *)r->partition;
	j.nodelist = (char *)r->nodelist;
	j.cwd = "/home/somebody/some/folder/of/usual/length";
	j.std_out = "/home/somebody/some/folder/of/usual/length/job-%j.out";
	j.has_submit_ns = j.has_end_ns = true;
	j.submit_ns = r->submit_ns;
	j.end_ns = r->end_ns;
	assert_int_equal(om_store_put_history(f->store, &j, NULL), 0);
}

static void fill(struct fixture *f, uint64_t n)
{
	fixture_must_open(f);
	for (uint64_t id = 1; id <= n; id++) {
		struct row r = make_row(id);

		put_row(f, &r);
		if (id % 2000 == 0) {
			fixture_append(f, id);
			fixture_settle(f);
		}
	}
	fixture_append(f, n);
	fixture_settle(f);
}

/* ---- asking */
struct answer {
	bool come;
	int n;
	uint64_t id[OM_STORE_HISTORY_MAX];
	struct om_error err;
};

static void on_rows(void *arg, Om__JobInfo **row, int n,
		    const struct om_error *err)
{
	struct answer *a = arg;

	a->come = true;
	a->n = n;
	a->err = *err;
	for (int i = 0; i < n; i++)
		a->id[i] = row[i]->job_id;
}

static void ask(struct fixture *f, const Om__JobFilter *filter,
		struct answer *a)
{
	const struct om_clock *clock = om_loop_clock(f->loop);
	int64_t deadline = om_mono_ns(clock) + 60 * OM_NS_PER_S;

	a->come = false;
	assert_int_equal(om_store_history(f->store, filter, on_rows, a, NULL),
			 0);
	while (!a->come) {
		assert_true(om_mono_ns(clock) < deadline);
		om_loop_turn(f->loop, OM_NS_PER_S, NULL);
	}
}

/* ---- the same by a plain loop */
static bool in_ids(const Om__JobFilter *q, const struct row *r)
{
	for (size_t i = 0; i < q->n_job_id; i++)
		if (q->job_id[i] == r->id ||
		    (r->array_id && q->job_id[i] == r->array_id))
			return true;
	for (size_t i = 0; i < q->n_array_task; i++)	/* "3-7,9" always */
		if (q->array_task[i]->array_id == r->array_id && r->array_id &&
		    ((r->index >= 3 && r->index <= 7) || r->index == 9))
			return true;
	return !q->n_job_id && !q->n_array_task;
}

static bool in_states(const Om__JobFilter *q, const struct row *r)
{
	for (size_t i = 0; i < q->n_state; i++)
		if (q->state[i] == r->state)
			return true;
	return !q->n_state;
}

static bool on_node(const struct row *r, const char *node)
{
	struct om_strvec names = OM_STRVEC_INIT;
	bool has = false;

	assert_int_equal(om_hostlist_expand(r->nodelist, &names, NULL), 0);
	for (size_t i = 0; i < names.n; i++)
		has |= !strcmp(names.v[i], node);
	om_strvec_fini(&names);
	return has;
}

static bool matches(const Om__JobFilter *q, const struct row *r)
{
	return in_ids(q, r) && in_states(q, r) &&
	       (!q->has_uid || q->uid == r->uid) &&
	       (!q->name || !strcmp(q->name, r->name)) &&
	       (!q->account || !strcmp(q->account, r->account)) &&
	       (!q->partition || !strcmp(q->partition, r->partition)) &&
	       (!q->has_since_ns || r->end_ns >= q->since_ns) &&
	       (!q->has_until_ns || r->submit_ns <= q->until_ns) &&
	       (!q->has_after_id || r->id < q->after_id) &&
	       (!q->node || on_node(r, q->node));
}

static void expect(struct fixture *f, const Om__JobFilter *q, uint64_t rows)
{
	static struct answer a;
	int n = 0, limit = q->has_limit ? (int)q->limit : OM_STORE_HISTORY_MAX;

	ask(f, q, &a);
	if (a.n < 0)
		fail_msg("%s", a.err.text);
	for (uint64_t id = rows; id > 0 && n < limit; id--) {
		struct row r = make_row(id);

		if (!matches(q, &r))
			continue;
		if (n >= a.n || a.id[n] != id)
			fail_msg("row %d should be job %llu", n,
				 (unsigned long long)id);
		n++;
	}
	assert_int_equal(a.n, n);
}

/* A random filter; ids, states and tasks live in the caller's room. */
struct room {
	uint64_t id[3];
	Om__JobState state[3];
	Om__ArrayTask task, *tasks[1];
	char name[16];
};

static void random_filter(Om__JobFilter *q, struct room *room, unsigned *seed,
			  uint64_t rows)
{
	unsigned bits = (unsigned)rand_r(seed), x = (unsigned)rand_r(seed);

	*q = (Om__JobFilter)OM__JOB_FILTER__INIT;
	if (bits % 5 == 0) {
		q->job_id = room->id;
		q->n_job_id = 1 + x % 3;
		for (size_t i = 0; i < 3; i++)
			room->id[i] = ((uint64_t)rand_r(seed) % rows + 25) /
				      50 * 50 + x % 2;
	}
	if (bits % 7 == 0) {
		room->task = (Om__ArrayTask)OM__ARRAY_TASK__INIT;
		room->task.array_id = 200 + (uint64_t)x % 10 * 50;
		room->task.tasks = "3-7,9";
		room->tasks[0] = &room->task;
		q->array_task = room->tasks;
		q->n_array_task = 1;
	}
	if (bits & 1 << 4) {
		q->state = room->state;
		q->n_state = 1 + x % 3;
		for (size_t i = 0; i < 3; i++)
			room->state[i] = 5 + (Om__JobState)rand_r(seed) % 6;
	}
	q->has_uid = bits >> 5 & 1;
	q->uid = x % 9 ? 1000 + x % 7 : 77;
	snprintf(room->name, sizeof(room->name), "name%u", x % 42);
	if (bits & 1 << 6)
		q->name = x % 3 ? room->name : "rare";
	if ((bits >> 7) % 4 == 0)
		q->account = "a1";
	if ((bits >> 9) % 4 == 0)
		q->partition = "p0";
	if ((bits >> 11) % 4 == 0)
		q->node = x % 2 ? "n7" : "n52";
	q->has_since_ns = (bits >> 13) % 3 == 0;
	q->since_ns = (int64_t)((uint64_t)rand_r(seed) % rows) * 1000;
	q->has_until_ns = (bits >> 15) % 3 == 0;
	q->until_ns = (int64_t)((uint64_t)rand_r(seed) % rows) * 1000;
	q->has_after_id = (bits >> 17) % 4 == 0;
	q->after_id = 1 + (uint64_t)rand_r(seed) % rows;
	q->has_limit = (bits >> 19) % 3 == 0;
	q->limit = 1 + x % 100;
}

static void any_filter_finds_what_a_plain_loop_finds(void **state)
{
	const uint64_t rows = 6000;
	struct fixture *f = *state;
	unsigned seed = (unsigned)getpid();
	struct room room;
	Om__JobFilter q;

	print_message("seed %u\n", seed);
	fill(f, rows);
	for (int i = 0; i < 400; i++) {
		random_filter(&q, &room, &seed, rows);
		expect(f, &q, rows);
	}
}

static void pages_join_without_gap_or_overlap(void **state)
{
	static struct answer a;
	struct fixture *f = *state;
	Om__JobFilter q = OM__JOB_FILTER__INIT;
	uint64_t next = 3000;

	fill(f, 3000);
	q.has_limit = true;
	q.limit = 700;
	do {
		ask(f, &q, &a);
		for (int i = 0; i < a.n; i++)
			assert_int_equal(a.id[i], next--);
		q.has_after_id = true;
		q.after_id = a.n ? a.id[a.n - 1] : 0;
	} while (a.n == 700);
	assert_int_equal(next, 0);
}

static void a_row_put_again_replaces_the_old_one(void **state)
{
	static struct answer a;
	struct fixture *f = *state;
	Om__JobFilter q = OM__JOB_FILTER__INIT;
	struct row r = make_row(5);

	fill(f, 10);
	q.name = "again";
	ask(f, &q, &a);
	assert_int_equal(a.n, 0);
	strcpy(r.name, "again");
	put_row(f, &r);
	fixture_append(f, 1);
	ask(f, &q, &a);			/* not before it is durable */
	assert_int_equal(a.n, 0);
	fixture_settle(f);
	ask(f, &q, &a);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.id[0], 5);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM history"), 10);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM history_body"),
			 10);
}

static void a_bad_task_list_is_an_error_not_a_crash(void **state)
{
	static struct answer a;
	struct fixture *f = *state;
	Om__JobFilter q = OM__JOB_FILTER__INIT;
	Om__ArrayTask task = OM__ARRAY_TASK__INIT, *tasks[] = { &task };
	uint64_t id = UINT64_MAX;

	fill(f, 10);
	task.array_id = UINT64_MAX;
	task.tasks = "3-";
	q.array_task = tasks;
	q.n_array_task = 1;
	ask(f, &q, &a);
	assert_int_equal(a.n, -EINVAL);
	assert_true(a.err.text[0]);
	task.tasks = "3-4";
	q.job_id = &id;
	q.n_job_id = 1;
	ask(f, &q, &a);
	assert_int_equal(a.n, 0);
}

static void close_answers_what_was_asked(void **state)
{
	static struct answer a;
	struct fixture *f = *state;
	Om__JobFilter q = OM__JOB_FILTER__INIT;

	fill(f, 100);
	a.come = false;
	assert_int_equal(om_store_history(f->store, &q, on_rows, &a, NULL), 0);
	fixture_close(f);
	assert_true(a.come);
	assert_int_equal(a.n, 100);
}

static int by_time(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* The best of seven runs: other work on the machine is not the question. */
static void time_query(struct fixture *f, const char *what,
		       const Om__JobFilter *q)
{
	const struct om_clock *clock = om_clock_system();
	static struct answer a;
	int64_t t[7];

	for (int i = 0; i < 7; i++) {
		t[i] = om_mono_ns(clock);
		ask(f, q, &a);
		t[i] = om_mono_ns(clock) - t[i];
	}
	if (a.n < 0)
		fail_msg("%s", a.err.text);
	qsort(t, 7, sizeof(t[0]), by_time);
	print_message("%-36s %5d rows %8.2f ms\n", what, a.n,
		      (double)t[0] / 1e6);
	if (t[0] > LIMIT_MS * OM_NS_PER_MS)
		fail_msg("%s: over %d ms", what, LIMIT_MS);
}

#define ROWS 120000

static void time_single(struct fixture *f)
{
	Om__JobFilter q = OM__JOB_FILTER__INIT;
	Om__JobState oom = OM__JOB_STATE__OUT_OF_MEMORY;
	Om__JobState failed = OM__JOB_STATE__FAILED;
	uint64_t id = 54321;

	q.n_job_id = 1;
	q.job_id = &id;
	time_query(f, "one job", &q);
	id = 54300;
	time_query(f, "one array", &q);
	q.n_job_id = 0;
	q.has_limit = true;
	q.limit = 1000;
	time_query(f, "the last 1000", &q);
	q.has_uid = true;
	q.uid = 1003;
	time_query(f, "1000 of a user of many", &q);
	q.uid = 77;
	time_query(f, "a user of few", &q);
	q.uid = 4711;
	time_query(f, "a user of none", &q);
	q.has_uid = false;
	q.n_state = 1;
	q.state = &oom;
	time_query(f, "a rare state", &q);
	q.state = &failed;
	time_query(f, "1000 of a state of some", &q);
	q.has_since_ns = true;
	q.since_ns = (int64_t)(ROWS - 5000) * 1000;
	time_query(f, "that, ended lately", &q);
	q.n_state = 0;
	q.name = "rare";
	time_query(f, "a rare name, ended lately", &q);
}

/* Conditions that many rows meet each and few or none together: a scan. */
static void time_worst(struct fixture *f)
{
	Om__JobFilter q = OM__JOB_FILTER__INIT;
	Om__JobState completed = OM__JOB_STATE__COMPLETED;

	q.has_until_ns = true;
	q.until_ns = 3000000;
	time_query(f, "only old ones", &q);
	q.has_since_ns = true;
	q.since_ns = 2990000;
	time_query(f, "a narrow window long ago", &q);
	q.has_uid = true;
	q.uid = 1001;
	q.n_state = 1;
	q.state = &completed;
	q.name = "name7";
	q.account = "a9";
	time_query(f, "common each, none together", &q);
	q = (Om__JobFilter)OM__JOB_FILTER__INIT;
	q.node = "n999";
	time_query(f, "a node no job was on", &q);
	q.node = "n1";
	q.has_limit = true;
	q.limit = 1000;
	time_query(f, "1000 of a node", &q);
}

static void any_question_to_120000_jobs_takes_under_50_ms(void **state)
{
	struct fixture *f = *state;
	int64_t t = om_mono_ns(om_clock_system());

	fill(f, ROWS);
	t = om_mono_ns(om_clock_system()) - t;
	print_message("%.1f us a row to write, %.0f bytes a row on disk\n",
		      (double)t / ROWS / 1e3, (double)
		      fixture_sql(f, "SELECT page_count * 4096 FROM pragma_page_count")
		      / ROWS);
	time_single(f);
	time_worst(f);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_create, fixture_destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_filter_finds_what_a_plain_loop_finds),
		T(pages_join_without_gap_or_overlap),
		T(a_row_put_again_replaces_the_old_one),
		T(a_bad_task_list_is_an_error_not_a_crash),
		T(close_answers_what_was_asked),
		T(any_question_to_120000_jobs_takes_under_50_ms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
