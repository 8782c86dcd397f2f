/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storeutil: a store in a folder of its own, and what it told us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "tests/unit/storeutil.h"

static int create_in(void **state, const char *where)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "%s/om-test-store-XXXXXX", where);
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
	f->loop = om_loop_create(NULL);
	assert_non_null(f->loop);
	*state = f;
	return 0;
}

int fixture_create(void **state)
{
	return create_in(state, "/tmp");
}

int fixture_create_fast(void **state)
{
	return create_in(state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" :
			 "/tmp");
}

int fixture_destroy(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	fixture_close(f);
	om_loop_destroy(f->loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

static void on_durable(void *arg, uint64_t seq)
{
	struct fixture *f = arg;

	assert_true(seq > f->durable);
	f->durable = seq;
	f->durable_calls++;
}

static void on_failed(void *arg, const struct om_error *err)
{
	struct fixture *f = arg;

	f->failed = *err;
	f->failed_calls++;
}

struct om_store *fixture_open(struct fixture *f, struct om_error *err)
{
	const struct om_store_config c = {
		.path = f->path, .loop = f->loop, .durable_fn = on_durable,
		.failed_fn = on_failed, .arg = f,
		.checkpoint_pages = f->checkpoint_pages,
		.slice_bytes = f->slice_bytes,
	};

	f->durable = 0;
	f->durable_calls = f->failed_calls = 0;
	om_error_clear(&f->failed);
	f->store = om_store_open(&c, err);
	if (f->store)
		f->durable = om_store_durable(f->store);
	return f->store;
}

void fixture_must_open(struct fixture *f)
{
	struct om_error err = OM_ERROR_INIT;

	if (!fixture_open(f, &err))
		fail_msg("%s", err.text);
}

void fixture_close(struct fixture *f)
{
	om_store_close(f->store);
	f->store = NULL;
}

void fixture_settle(struct fixture *f)
{
	const struct om_clock *clock = om_loop_clock(f->loop);
	int64_t deadline = om_mono_ns(clock) + 30 * OM_NS_PER_S;

	om_store_flush(f->store);
	while (om_store_durable(f->store) < om_store_last(f->store) &&
	       !f->failed_calls) {
		assert_true(om_mono_ns(clock) < deadline);
		om_loop_turn(f->loop, OM_NS_PER_S, NULL);
		om_store_flush(f->store);
	}
}

int64_t fixture_append(struct fixture *f, uint64_t job_id)
{
	Om__EvStarted started = OM__EV_STARTED__INIT;
	Om__Event ev = OM__EVENT__INIT;

	started.job_id = job_id;
	ev.at_ns = (int64_t)job_id * 10;
	ev.what_case = OM__EVENT__WHAT_STARTED;
	ev.started = &started;
	return om_store_append(f->store, &ev, NULL);
}

int fixture_snapshot(struct fixture *f, uint64_t mark, unsigned n)
{
	Om__SnapshotHead head = OM__SNAPSHOT_HEAD__INIT;
	Om__Setting setting = OM__SETTING__INIT;
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	char key[32], value[200];
	int rc = om_store_snapshot_begin(f->store, NULL);

	head.next_job_id = mark;
	rec.what_case = OM__SNAPSHOT__WHAT_HEAD;
	rec.head = &head;
	if (rc == 0)
		rc = om_store_snapshot_add(f->store, &rec, NULL);
	rec.what_case = OM__SNAPSHOT__WHAT_SETTING;
	rec.setting = &setting;
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	setting.key = key;
	setting.value = value;
	for (unsigned i = 0; i < n && rc == 0; i++) {
		snprintf(key, sizeof(key), "%llu.%u", (unsigned long long)mark,
			 i);
		rc = om_store_snapshot_add(f->store, &rec, NULL);
	}
	return rc < 0 ? rc : om_store_snapshot_end(f->store, NULL);
}

static int on_snapshot(void *arg, const Om__Snapshot *rec,
		       struct om_error *err)
{
	struct replayed *r = arg;
	char key[32];

	if (rec->what_case == OM__SNAPSHOT__WHAT_HEAD) {
		r->mark = rec->head->next_job_id;
		return 0;
	}
	snprintf(key, sizeof(key), "%llu.%u", (unsigned long long)r->mark,
		 r->records++);
	if (rec->what_case != OM__SNAPSHOT__WHAT_SETTING ||
	    strcmp(rec->setting->key, key))
		return om_fail(err, -EILSEQ, "record '%s' instead of '%s'",
			       rec->setting->key, key);
	return 0;
}

static int on_event(void *arg, uint64_t seq, const Om__Event *ev,
		    struct om_error *err)
{
	struct replayed *r = arg;

	if (!r->first)
		r->first = seq;
	r->last = seq;
	r->events++;
	if (ev->what_case != OM__EVENT__WHAT_STARTED ||
	    ev->at_ns != (int64_t)ev->started->job_id * 10)
		return om_fail(err, -EILSEQ, "event %llu is another",
			       (unsigned long long)seq);
	return 0;
}

int fixture_replay(struct fixture *f, struct replayed *ret,
		   struct om_error *err)
{
	*ret = (struct replayed){ .mark = 0 };
	return om_store_replay(f->store, on_snapshot, on_event, ret, err);
}

int64_t fixture_sql(struct fixture *f, const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int64_t v = 0;
	int rc;

	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE,
					 NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
			 SQLITE_OK);
	rc = sqlite3_step(st);
	assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
	if (rc == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}
