/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The store on a disk that fails at each single operation, in a machine that
 * loses power at each, and in a process that is killed at any moment: what
 * was told durable is there, what is there is a beginning of what was
 * appended, and a snapshot is whole or not there.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "tests/unit/faultvfs.h"
#include "tests/unit/storeutil.h"

#define RECORDS 40	/* of a snapshot: three slices */

/* ---- a scenario that does everything, in a dozen commits */
struct told {
	uint64_t appended, durable;
	uint64_t snapshot;		/* mark of the last one begun */
	uint64_t launches, histories;	/* 1..n are durable */
};

static void put_job(struct fixture *f, uint64_t id)
{
	Om__JobInfo info = OM__JOB_INFO__INIT;
	char text[3000];

	memset(text, 'x', sizeof(text));
	info.job_id = id;
	info.state = OM__JOB_STATE__COMPLETED;
	info.name = "job";
	om_store_put_launch(f->store, id, text, sizeof(text), NULL);
	om_store_put_history(f->store, &info, NULL);
	fixture_append(f, id);
}

static void scenario(struct fixture *f, struct told *t)
{
	for (uint64_t i = 1; i <= 4 && !f->failed_calls; i++) {
		put_job(f, i);
		fixture_append(f, 100 + i);
		fixture_settle(f);
		if (!f->failed_calls)
			t->launches = t->histories = i;
	}
	for (uint64_t round = 1; round <= 2 && !f->failed_calls; round++) {
		for (uint64_t i = 0; i < 30; i++)
			fixture_append(f, 200 + i);
		if (fixture_snapshot(f, round * 1000, RECORDS) == 0)
			t->snapshot = round * 1000;
		fixture_append(f, 300);
		fixture_settle(f);
		while (!f->failed_calls &&
		       om_store_snapshot_begin(f->store, NULL) == -EBUSY) {
			om_loop_turn(f->loop, OM_NS_PER_MS, NULL);
			om_store_flush(f->store);
		}
		/* That began one; it is never ended, which is allowed once. */
		if (round == 1) {
			t->appended = om_store_last(f->store);
			t->durable = f->durable;
			fixture_close(f);
			if (!fixture_open(f, NULL))
				return;
		}
	}
	t->appended = om_store_last(f->store);
	t->durable = f->durable;
}

static void check(struct fixture *f, const struct told *t, unsigned n)
{
	struct om_error err = OM_ERROR_INIT;
	struct replayed r;

	if (!fixture_open(f, &err))
		fail_msg("operation %u: reopening: %s", n, err.text);
	if (fixture_replay(f, &r, &err) < 0)
		fail_msg("operation %u: replay: %s", n, err.text);
	if (om_store_last(f->store) < t->durable)
		fail_msg("operation %u: %llu was durable, %llu is there", n,
			 (unsigned long long)t->durable,
			 (unsigned long long)om_store_last(f->store));
	if (om_store_last(f->store) > t->appended)
		fail_msg("operation %u: more than was appended", n);
	if (r.mark && (r.mark > t->snapshot || r.records != RECORDS))
		fail_msg("operation %u: snapshot %llu of %u records", n,
			 (unsigned long long)r.mark, r.records);
	for (uint64_t i = 1; i <= t->launches; i++) {
		om_autofree uint8_t *data = NULL;
		size_t len;

		if (om_store_get_launch(f->store, i, &data, &len, &err) < 0 ||
		    len != 3000)
			fail_msg("operation %u: launch %llu: %s", n,
				 (unsigned long long)i, err.text);
	}
	/* It goes on from there. */
	fixture_append(f, 1);
	fixture_settle(f);
	if (f->failed_calls)
		fail_msg("operation %u: going on: %s", n, f->failed.text);
	fixture_close(f);
	if ((uint64_t)fixture_sql(f, "SELECT count(*) FROM history") <
	    t->histories)
		fail_msg("operation %u: history rows are lost", n);
}

/* Runs the scenario with the fault at operation n; false: it had no effect. */
static bool run_one(enum fault fault, unsigned n, unsigned seed)
{
	struct told t = { .appended = 0 };
	struct om_error err = OM_ERROR_INIT;
	void *state = NULL;
	struct fixture *f;
	bool struck;

	fixture_create_fast(&state);
	f = state;
	f->checkpoint_pages = 20;
	f->slice_bytes = 4096;
	faultvfs_arm(fault, n);
	if (fixture_open(f, &err)) {
		scenario(f, &t);
		if (f->failed_calls > 1)
			fail_msg("failed_fn was called %u times",
				 f->failed_calls);
		if (f->failed_calls && (f->failed.code >= 0 ||
					!f->failed.text[0]))
			fail_msg("failed_fn without a reason");
		if (f->failed_calls && fault == FAULT_FULL &&
		    f->failed.code != -ENOSPC && f->failed.code != -EIO)
			fail_msg("full disk told as: %s", f->failed.text);
		if (f->failed_calls && fixture_append(f, 1) >= 0)
			fail_msg("append after the failure was accepted");
		fixture_close(f);
		if (t.durable < f->durable)
			t.durable = f->durable;
	} else if (!err.text[0]) {
		fail_msg("operation %u: refused without a reason", n);
	}
	struck = faultvfs_count() >= n;
	if (fault == FAULT_CRASH)
		faultvfs_crash(seed);
	faultvfs_arm(FAULT_NONE, 0);
	check(f, &t, n);
	fixture_destroy(&state);
	return struck;
}

static void at_every_operation(enum fault fault, unsigned seed, unsigned step)
{
	unsigned n = 1;

	while (run_one(fault, n, seed ? seed + n : 0))
		n += step;
	print_message("%u operations\n", n);
	assert_true(n > 200);
}

static void a_full_disk_at_any_write_loses_nothing(void **state)
{
	(void)state;
	at_every_operation(FAULT_FULL, 0, 1);
}

static void an_io_error_at_any_operation_loses_nothing(void **state)
{
	(void)state;
	at_every_operation(FAULT_IOERR, 0, 1);
}

static void a_power_cut_at_any_operation_loses_nothing(void **state)
{
	(void)state;
	at_every_operation(FAULT_CRASH, 0, 1);
}

static void a_power_cut_that_keeps_some_writes_loses_nothing(void **state)
{
	unsigned seed = (unsigned)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	at_every_operation(FAULT_CRASH, seed, 1);
}

/* ---- kill -9 */
static void child_main(struct fixture *f, int out)
{
	uint64_t told = 0, id = 0;

	if (!fixture_open(f, NULL))
		_exit(1);
	for (;;) {
		for (unsigned n = 1 + id % 7; n > 0; n--)
			fixture_append(f, ++id);
		if (id % 50 < 7)
			fixture_snapshot(f, id, 500);
		om_store_flush(f->store);
		/* Sometimes wait for the disk, sometimes run ahead of it. */
		om_loop_turn(f->loop, om_store_last(f->store) >
			     f->durable + 300 ? OM_NS_PER_S : 0, NULL);
		if (f->durable > told) {
			told = f->durable;
			if (write(out, &told, sizeof(told)) != sizeof(told))
				_exit(2);
		}
	}
}

/* Kills the child when it has told so many numbers; the last it told. */
static uint64_t run_and_kill(struct fixture *f, unsigned numbers)
{
	uint64_t seq, last = 0;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(p[0]);
		child_main(f, p[1]);
	}
	close(p[1]);
	while (numbers-- && read(p[0], &seq, sizeof(seq)) == sizeof(seq))
		last = seq;
	kill(pid, SIGKILL);
	/* It may have told more between our last read and its end. */
	while (read(p[0], &seq, sizeof(seq)) == sizeof(seq))
		last = seq;
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void kill_minus_nine_loses_nothing_that_was_told(void **state)
{
	struct fixture *f = *state;
	struct om_error err = OM_ERROR_INIT;
	unsigned seed = (unsigned)getpid();

	print_message("seed %u\n", seed);
	for (int round = 0; round < 15; round++) {
		unsigned numbers = 1 + (unsigned)rand_r(&seed) % 200;
		uint64_t told = run_and_kill(f, numbers);
		struct replayed r;

		assert_true(told > 0);
		if (!fixture_open(f, &err))
			fail_msg("reopening: %s", err.text);
		assert_true(om_store_last(f->store) >= told);
		if (fixture_replay(f, &r, &err) < 0)
			fail_msg("replay: %s", err.text);
		if (r.mark)
			assert_int_equal(r.records, 500);
		fixture_close(f);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_create, fixture_destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(kill_minus_nine_loses_nothing_that_was_told),
		cmocka_unit_test(a_full_disk_at_any_write_loses_nothing),
		cmocka_unit_test(an_io_error_at_any_operation_loses_nothing),
		cmocka_unit_test(a_power_cut_at_any_operation_loses_nothing),
		cmocka_unit_test(a_power_cut_that_keeps_some_writes_loses_nothing),
	};
	int rc;

	faultvfs_install();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	faultvfs_fini();
	return rc;
}
