/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store on a disk that works: order, durability, snapshots, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "tests/unit/storeutil.h"

static void replay_gives_every_event_in_order(void **state)
{
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.events, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(fixture_append(f, i), i);
	fixture_settle(f);
	assert_int_equal(f->durable, 1000);
	fixture_close(f);
	fixture_must_open(f);
	assert_int_equal(om_store_last(f->store), 1000);
	assert_int_equal(om_store_durable(f->store), 1000);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.events, 1000);
	assert_int_equal(r.first, 1);
	assert_int_equal(r.last, 1000);
	assert_int_equal(fixture_append(f, 7), 1001);
}

static void close_commits_what_is_left(void **state)
{
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	fixture_append(f, 1);
	fixture_append(f, 2);
	fixture_close(f);
	assert_int_equal(f->durable, 2);	/* and says so */
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.events, 2);
}

static void an_event_is_not_durable_before_its_commit(void **state)
{
	struct fixture *f = *state;

	fixture_must_open(f);
	fixture_append(f, 1);
	assert_int_equal(om_store_durable(f->store), 0);
	/* Unflushed, it stays in memory however long the loop turns. */
	om_loop_turn(f->loop, 0, NULL);
	assert_int_equal(om_store_durable(f->store), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event"), 0);
	fixture_settle(f);
	assert_int_equal(om_store_durable(f->store), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event"), 1);
}

static void events_during_a_commit_form_one_batch(void **state)
{
	struct fixture *f = *state;

	fixture_must_open(f);
	fixture_append(f, 1);
	om_store_flush(f->store);
	for (uint64_t i = 2; i <= 500; i++) {
		fixture_append(f, i);
		om_store_flush(f->store);	/* no commit of its own */
	}
	fixture_settle(f);
	assert_int_equal(f->durable, 500);
	assert_int_equal(f->durable_calls, 2);
}

static void replay_after_an_append_is_refused(void **state)
{
	struct fixture *f = *state;
	struct om_error err = OM_ERROR_INIT;
	struct replayed r;

	fixture_must_open(f);
	fixture_append(f, 1);
	assert_int_equal(fixture_replay(f, &r, &err), -EBUSY);
}

static int refuse_event(void *arg, uint64_t seq, const Om__Event *ev,
			struct om_error *err)
{
	unsigned *calls = arg;

	(void)ev;
	(*calls)++;
	return seq == 2 ? om_fail(err, -EPROTO, "not this one") : 0;
}

static void a_callback_ends_the_replay(void **state)
{
	struct fixture *f = *state;
	struct om_error err = OM_ERROR_INIT;
	unsigned calls = 0;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 3; i++)
		fixture_append(f, i);
	fixture_close(f);
	fixture_must_open(f);
	assert_int_equal(om_store_replay(f->store, NULL, refuse_event, &calls,
					 &err), -EPROTO);
	assert_int_equal(calls, 2);
	assert_string_equal(err.text, "not this one");
}

/* ---- launches */
static void expect_launch(struct fixture *f, uint64_t id, const char *text)
{
	om_autofree uint8_t *data = NULL;
	struct om_error err = OM_ERROR_INIT;
	size_t len = 0;
	int rc = om_store_get_launch(f->store, id, &data, &len, &err);

	if (!text) {
		assert_int_equal(rc, -ENOENT);
		assert_true(err.text[0]);
		return;
	}
	if (rc < 0)
		fail_msg("launch %llu: %s", (unsigned long long)id, err.text);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(data, text, len);
}

static void put_launch(struct fixture *f, uint64_t id, const char *text)
{
	assert_int_equal(om_store_put_launch(f->store, id, text, strlen(text),
					     NULL), 0);
}

static void a_launch_is_found_before_and_after_it_is_durable(void **state)
{
	struct fixture *f = *state;

	fixture_must_open(f);
	put_launch(f, 1, "one");
	put_launch(f, 2, "");
	fixture_append(f, 1);
	expect_launch(f, 1, "one");
	expect_launch(f, 2, "");
	expect_launch(f, 3, NULL);
	fixture_settle(f);
	expect_launch(f, 1, "one");
	put_launch(f, 1, "uno");
	expect_launch(f, 1, "uno");
	fixture_append(f, 1);
	fixture_close(f);
	fixture_must_open(f);
	expect_launch(f, 1, "uno");
	expect_launch(f, 2, "");
	expect_launch(f, 3, NULL);
}

static void a_dropped_launch_is_gone_at_once_and_for_good(void **state)
{
	struct fixture *f = *state;

	fixture_must_open(f);
	put_launch(f, 1, "one");
	put_launch(f, 2, "two");
	fixture_append(f, 1);
	fixture_settle(f);
	om_store_drop_launch(f->store, 1);
	expect_launch(f, 1, NULL);	/* though it is on disk still */
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM launch"), 2);
	put_launch(f, 3, "three");
	om_store_drop_launch(f->store, 3);
	expect_launch(f, 3, NULL);
	fixture_append(f, 1);
	fixture_settle(f);
	expect_launch(f, 1, NULL);
	expect_launch(f, 3, NULL);
	expect_launch(f, 2, "two");
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM launch"), 1);
}

static void launches_beyond_the_cache_come_from_disk(void **state)
{
	const struct om_clock *clock = om_clock_system();
	struct fixture *f = *state;
	const size_t len = 1 << 20;
	om_autofree char *big = malloc(len);
	int64_t t;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 40; i++) {
		memset(big, (int)i, len);
		assert_int_equal(om_store_put_launch(f->store, i, big, len,
						     NULL), 0);
	}
	fixture_append(f, 1);
	fixture_settle(f);
	for (uint64_t i = 1; i <= 40; i++) {
		om_autofree uint8_t *data = NULL;
		size_t n;

		assert_int_equal(om_store_get_launch(f->store, i, &data, &n,
						     NULL), 0);
		assert_int_equal(n, len);
		assert_int_equal(data[0], i);
		assert_int_equal(data[len - 1], i);
	}
	for (uint64_t i = 1000; i < 6000; i++)
		put_launch(f, i, "a usual launch would be some 2,000 bytes");
	fixture_append(f, 1);
	fixture_close(f);
	fixture_must_open(f);
	t = om_mono_ns(clock);
	for (uint64_t i = 1000; i < 6000; i++)
		expect_launch(f, i,
			      "a usual launch would be some 2,000 bytes");
	t = om_mono_ns(clock) - t;
	print_message("launch from disk: %.1f us each\n", (double)t / 5e6);
}

/* ---- snapshots */
static void settle_snapshot(struct fixture *f, const char *until_none)
{
	const struct om_clock *clock = om_loop_clock(f->loop);
	int64_t deadline = om_mono_ns(clock) + 30 * OM_NS_PER_S;

	while (fixture_sql(f, until_none) != 0) {
		assert_true(om_mono_ns(clock) < deadline);
		om_store_flush(f->store);
		om_loop_turn(f->loop, OM_NS_PER_MS, NULL);
	}
}

static void a_snapshot_replaces_the_events_before_it(void **state)
{
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 5000; i++)
		fixture_append(f, i);
	/* Not even durable yet; the snapshot must not overtake them. */
	assert_int_equal(fixture_snapshot(f, 11, 9000), 0);
	for (uint64_t i = 5001; i <= 5010; i++)
		fixture_append(f, i);
	assert_int_equal(fixture_snapshot(f, 12, 1), -EBUSY);
	settle_snapshot(f, "SELECT (SELECT count(*) FROM event WHERE seq <="
			" 5000) + (SELECT count(*) = 0 FROM meta)");
	fixture_settle(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event"), 10);
	fixture_close(f);

	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.mark, 11);
	assert_int_equal(r.records, 9000);
	assert_int_equal(r.first, 5001);
	assert_int_equal(r.events, 10);

	assert_int_equal(fixture_snapshot(f, 22, 20), 0);
	settle_snapshot(f, "SELECT count(*) FROM event");
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM snapshot"), 21);
	fixture_close(f);
	fixture_must_open(f);
	assert_int_equal(om_store_last(f->store), 5010);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.mark, 22);
	assert_int_equal(r.records, 20);
	assert_int_equal(r.events, 0);
	assert_int_equal(fixture_append(f, 1), 5011);
}

static void a_snapshot_ended_before_close_is_complete(void **state)
{
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 10; i++)
		fixture_append(f, i);
	assert_int_equal(fixture_snapshot(f, 5, 20000), 0);
	fixture_close(f);
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.mark, 5);
	assert_int_equal(r.records, 20000);
	assert_int_equal(r.events, 0);
}

static void a_snapshot_never_ended_changes_nothing(void **state)
{
	struct fixture *f = *state;
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	struct replayed r;

	fixture_must_open(f);
	fixture_append(f, 1);
	assert_int_equal(om_store_snapshot_add(f->store, &rec, NULL), -EINVAL);
	assert_int_equal(om_store_snapshot_end(f->store, NULL), -EINVAL);
	assert_int_equal(om_store_snapshot_begin(f->store, NULL), 0);
	assert_int_equal(om_store_snapshot_begin(f->store, NULL), -EBUSY);
	assert_int_equal(om_store_snapshot_add(f->store, &rec, NULL), 0);
	fixture_close(f);
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, NULL), 0);
	assert_int_equal(r.records, 0);
	assert_int_equal(r.events, 1);
}

/* ---- what is refused */
static void refused(struct fixture *f, const char *part)
{
	struct om_error err = OM_ERROR_INIT;

	assert_null(fixture_open(f, &err));
	if (!strstr(err.text, part))
		fail_msg("'%s' does not say '%s'", err.text, part);
	assert_true(err.code < 0);
}

static void a_second_store_on_the_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct om_store *first;
	char part[64];

	fixture_must_open(f);
	first = f->store;
	snprintf(part, sizeof(part),
		 "in use by process %d: another omctld runs on it", getpid());
	refused(f, part);
	om_store_close(first);
	fixture_must_open(f);
}

static void loose_modes_and_strangers_are_refused(void **state)
{
	struct fixture *f = *state;
	char keep[sizeof(f->path)];

	fixture_must_open(f);
	fixture_close(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event"), 0);
	chmod(f->dir, 0770);
	refused(f, "can be written by others than its owner (chmod 0700)");
	chmod(f->dir, 0700);
	chmod(f->path, 0640);
	refused(f, "open to others than its owner, mode 0640 (chmod 0600)");
	chmod(f->path, 0600);
	fixture_must_open(f);
	fixture_close(f);
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 4321, 0), 0);
		refused(f, "belongs to uid 4321, not to the user of omctld");
		assert_int_equal(chown(f->path, 0, 0), 0);
		assert_int_equal(chown(f->dir, 4321, 0), 0);
		refused(f, "belongs to uid 4321");
		assert_int_equal(chown(f->dir, 0, 0), 0);
	}
	strcpy(keep, f->path);
	snprintf(f->path, sizeof(f->path), "%s/link", f->dir);
	assert_int_equal(symlink(keep, f->path), 0);
	refused(f, "not a regular file");
	snprintf(f->path, sizeof(f->path), "%s/none/state.db", f->dir);
	refused(f, "cannot use folder");
	strcpy(f->path, keep);
}

static void the_file_is_ours_alone(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0);
	char path[128];
	struct stat st;

	fixture_must_open(f);
	fixture_append(f, 1);
	fixture_settle(f);
	umask(old);
	for (int i = 0; i < 4; i++) {
		static const char *const end[] = { "", "-wal", "-shm",
						   ".lock" };

		snprintf(path, sizeof(path), "%s%s", f->path, end[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void a_newer_or_foreign_file_is_refused(void **state)
{
	struct fixture *f = *state;
	FILE *file;

	fixture_must_open(f);
	fixture_append(f, 1);
	fixture_close(f);
	fixture_sql(f, "PRAGMA user_version = 7");
	refused(f, "was written by a newer openMosix (schema 7, this one knows 1)");
	fixture_sql(f, "PRAGMA user_version = 1");
	fixture_must_open(f);
	fixture_close(f);
	fixture_sql(f, "PRAGMA application_id = 99");
	refused(f, "is an SQLite file, but not openMosix's");
	file = fopen(f->path, "w");
	fputs("This is not a database but a text of some length, long enough.",
	      file);
	for (int i = 0; i < 1000; i++)
		fputs("0123456789", file);
	fclose(file);
	refused(f, "is damaged (file is not a database); stop omctld");
}

static void a_missing_or_mangled_row_is_found(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 5; i++)
		fixture_append(f, i);
	fixture_close(f);
	fixture_sql(f, "DELETE FROM event WHERE seq = 3");
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, &err), -EBADMSG);
	assert_string_equal(err.text, "the store is damaged: row 3 is missing (event)");
	fixture_close(f);
	fixture_sql(f, "INSERT INTO event VALUES(3, 0, x'ff00ff')");
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, &err), -EBADMSG);
	assert_string_equal(err.text, "event 3 of the store cannot be decoded (3 bytes)");
	fixture_close(f);
	fixture_sql(f, "DELETE FROM event");
	fixture_must_open(f);
	assert_int_equal(fixture_snapshot(f, 1, 5), 0);
	fixture_close(f);
	fixture_sql(f, "DELETE FROM snapshot WHERE idx = (SELECT max(idx) FROM snapshot)");
	fixture_must_open(f);
	assert_int_equal(fixture_replay(f, &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "is missing (snapshot)"));
}

static void a_file_cut_in_the_middle_is_told(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct fixture *f = *state;
	struct replayed r;

	fixture_must_open(f);
	for (uint64_t i = 1; i <= 20000; i++)
		fixture_append(f, i);
	fixture_close(f);
	assert_int_equal(truncate(f->path, 100 << 10), 0);
	if (!fixture_open(f, &err)) {
		assert_non_null(strstr(err.text, "is damaged"));
		return;
	}
	assert_int_equal(fixture_replay(f, &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "damaged"));
}

static void an_oversized_record_is_refused_alone(void **state)
{
	struct fixture *f = *state;
	const size_t len = (64u << 20) + 1;
	om_autofree char *big = calloc(1, len);

	fixture_must_open(f);
	assert_int_equal(om_store_put_launch(f->store, 1, big, len, NULL),
			 -EMSGSIZE);
	expect_launch(f, 1, NULL);
	fixture_append(f, 1);
	fixture_settle(f);
	assert_int_equal(f->durable, 1);
	assert_int_equal(f->failed_calls, 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_create, fixture_destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(replay_gives_every_event_in_order),
		T(close_commits_what_is_left),
		T(an_event_is_not_durable_before_its_commit),
		T(events_during_a_commit_form_one_batch),
		T(replay_after_an_append_is_refused),
		T(a_callback_ends_the_replay),
		T(a_launch_is_found_before_and_after_it_is_durable),
		T(a_dropped_launch_is_gone_at_once_and_for_good),
		T(launches_beyond_the_cache_come_from_disk),
		T(a_snapshot_replaces_the_events_before_it),
		T(a_snapshot_ended_before_close_is_complete),
		T(a_snapshot_never_ended_changes_nothing),
		T(a_second_store_on_the_file_is_refused),
		T(loose_modes_and_strangers_are_refused),
		T(the_file_is_ours_alone),
		T(a_newer_or_foreign_file_is_refused),
		T(a_missing_or_mangled_row_is_found),
		T(a_file_cut_in_the_middle_is_told),
		T(an_oversized_record_is_refused_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
