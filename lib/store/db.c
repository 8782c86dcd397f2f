/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* db: opens the store's file and commits batches to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/store/dbpriv.h"
#include "lib/store/guard.h"

#define APPLICATION_ID 0x6f6d5374	/* "omSt" */

/* Pages in the log after which a checkpoint is made when there is nothing
 * else to do. Until it is so many times longer, commits are not held up. */
#define CHECKPOINT_PAGES 1000
#define CHECKPOINT_MUST 4
#define SLICE_BYTES (256u << 10)
#define WAL_KEEP_BYTES "67108864"	/* a larger log is cut after use */

/*
 * history is narrow, so that a query no index helps reads little; the rows'
 * bodies are beside it. The indexes are those history.c chooses from.
 */
static const char schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
	"CREATE TABLE event(seq INTEGER PRIMARY KEY, at_ns INTEGER, body BLOB);"
	"CREATE TABLE launch(job_id INTEGER PRIMARY KEY, body BLOB);"
	"CREATE TABLE snapshot(idx INTEGER PRIMARY KEY, body BLOB);"
	"CREATE TABLE history(job_id INTEGER PRIMARY KEY, array_id INTEGER,"
	" array_index INTEGER, uid INTEGER, user TEXT, account TEXT,"
	" partition TEXT, name TEXT, nodelist TEXT, state INTEGER,"
	" submit_ns INTEGER, start_ns INTEGER, end_ns INTEGER);"
	"CREATE TABLE history_body(job_id INTEGER PRIMARY KEY, body BLOB);"
	"CREATE INDEX history_array ON history(array_id) WHERE array_id > 0;"
	"CREATE INDEX history_uid ON history(uid);"
	"CREATE INDEX history_name ON history(name);"
	"CREATE INDEX history_end ON history(end_ns);"
	/* Nearly all jobs complete: an index of those would choose nothing. */
	"CREATE INDEX history_state ON history(state) WHERE state <> 5;";

_Static_assert(OM__JOB_STATE__COMPLETED == 5, "history_state leaves it out");

static const char *const text[ST_COUNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_EVENT] = "INSERT INTO event(seq, at_ns, body) VALUES(?1, ?2, ?3)",
	[ST_LAUNCH] = "INSERT OR REPLACE INTO launch(job_id, body)"
		      " VALUES(?1, ?2)",
	[ST_DROP] = "DELETE FROM launch WHERE job_id = ?1",
	[ST_HISTORY] = "INSERT OR REPLACE INTO history(job_id, array_id,"
		       " array_index, uid, user, account, partition, name,"
		       " nodelist, state, submit_ns, start_ns, end_ns) VALUES"
		       "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[ST_BODY] = "INSERT OR REPLACE INTO history_body(job_id, body)"
		    " VALUES(?1, ?2)",
	[ST_SNAPSHOT] = "INSERT INTO snapshot(idx, body) VALUES(?1, ?2)",
	[ST_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
	[ST_DEL_SNAPSHOT] = "DELETE FROM snapshot WHERE idx >= ?1 AND idx < ?2",
	[ST_DEL_EVENT] = "DELETE FROM event WHERE seq >= ?1 AND seq < ?2",
};

int store_bind_blob(sqlite3_stmt *st, int n, const void *data, size_t len)
{
	return sqlite3_bind_blob64(st, n, len ? data : "", len, SQLITE_STATIC);
}

/* ---- opening */
static int on_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
	struct store_db *d = arg;

	(void)sql;
	(void)name;
	if (pages < d->wal_pages)
		d->checkpoint_at = 0;	/* the log began anew */
	d->wal_pages = pages;
	return SQLITE_OK;
}

static int check_schema(struct store_db *d, const char *path,
			struct om_error *err)
{
	int64_t app = 0, version = 0, tables = 0;
	int rc = store_sql_int(d->sql, "PRAGMA application_id", &app, err);

	if (rc == 0)
		rc = store_sql_int(d->sql, "PRAGMA user_version", &version,
				   err);
	if (rc == 0)
		rc = store_sql_int(d->sql, "SELECT count(*) FROM sqlite_master",
				   &tables, err);
	if (rc < 0)
		return rc;
	if (app == 0 && version == 0 && tables == 0)
		return 1;
	if (app != APPLICATION_ID)
		return om_fail(err, -EINVAL,
			       "%.200s is an SQLite file, but not openMosix's: move it away",
			       path);
	if (version > STORE_SCHEMA)
		return om_fail(err, -EPROTO,
			       "%.200s was written by a newer openMosix (schema %lld, this one knows %d): run that one, or move the file away",
			       path, (long long)version, STORE_SCHEMA);
	if (version < 1)
		return om_fail(err, -EBADMSG, "%.200s has schema %lld", path,
			       (long long)version);
	return 0;
}

static int create_schema(struct store_db *d, struct om_error *err)
{
	char pragmas[100];
	int rc = store_sql_exec(d->sql, "BEGIN EXCLUSIVE", err);

	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 APPLICATION_ID, STORE_SCHEMA);
	if (rc == 0)
		rc = store_sql_exec(d->sql, schema, err);
	if (rc == 0)
		rc = store_sql_exec(d->sql, pragmas, err);
	if (rc == 0)
		rc = store_sql_exec(d->sql, "COMMIT", err);
	return rc;
}

/* SQLite keeps the old mode where it cannot do what is asked: look. */
static int set_durability(struct store_db *d, const char *path,
			  struct om_error *err)
{
	sqlite3_stmt *st = store_sql_prepare(d->sql,
					     "PRAGMA journal_mode = WAL", err);
	int64_t full = 0;
	bool wal;
	int rc;

	if (!st)
		return -EIO;
	rc = sqlite3_step(st);
	wal = rc == SQLITE_ROW &&
	      !strcmp((const char *)sqlite3_column_text(st, 0), "wal");
	if (rc != SQLITE_ROW)
		rc = store_sql_fail(d->sql, err, "setting journal_mode");
	sqlite3_finalize(st);
	if (rc < 0)
		return rc;
	if (!wal)
		return om_fail(err, -ENOTSUP,
			       "the file system of %.200s cannot hold the store (no WAL): state_dir must be on a local disk",
			       path);
	rc = store_sql_exec(d->sql, "PRAGMA synchronous = FULL", err);
	if (rc == 0)
		rc = store_sql_int(d->sql, "PRAGMA synchronous", &full, err);
	if (rc == 0 && full != 2)
		rc = om_fail(err, -ENOTSUP, "SQLite refuses synchronous=FULL");
	return rc;
}

static int set_up(struct store_db *d, const char *path, struct om_error *err)
{
	/* Only a new file takes the page size; it is SQLite's own default,
	 * and the least a lone event makes the log grow by. */
	static const char before[] =
		"PRAGMA page_size = 4096; PRAGMA trusted_schema = OFF";
	static const char after[] =
		"PRAGMA wal_autocheckpoint = 0;"
		"PRAGMA journal_size_limit = " WAL_KEEP_BYTES ";"
		"PRAGMA cache_size = -8192;"
		"PRAGMA secure_delete = FAST;"
		"PRAGMA temp_store = MEMORY";
	int fresh, rc = store_sql_exec(d->sql, before, err);

	if (rc < 0)
		return rc;
	fresh = check_schema(d, path, err);
	if (fresh < 0)
		return fresh;
	rc = set_durability(d, path, err);
	if (rc == 0)
		rc = store_sql_exec(d->sql, after, err);
	if (rc == 0 && fresh)
		rc = create_schema(d, err);
	return rc;
}

static int prepare_all(struct store_db *d, struct om_error *err)
{
	for (int i = 0; i < ST_COUNT; i++) {
		d->st[i] = store_sql_prepare(d->sql, text[i], err);
		if (!d->st[i])
			return err->code;
	}
	return 0;
}

/*
 * What is read from the log after a crash may never have been synced, and
 * whoever opened us will build on it: it goes into the file, and that to the
 * disk, before it counts. (Syncing the log again would not do: after a failed
 * sync the kernel may hold its pages for clean.)
 */
static int settle(struct store_db *d, struct om_error *err)
{
	int in_log = 0, done = 0;

	if (sqlite3_wal_checkpoint_v2(d->sql, NULL, SQLITE_CHECKPOINT_FULL,
				      &in_log, &done) != SQLITE_OK)
		return store_sql_fail(d->sql, err, "checkpoint");
	if (done != in_log)
		return om_fail(err, -EBUSY,
			       "the store's log is being read by another program");
	return 0;
}

static int load(struct store_db *d, struct om_error *err)
{
	int64_t last = 0;
	int rc = store_slices_load(d, err);

	if (rc == 0)
		rc = store_sql_int(d->sql, "SELECT max(seq) FROM event", &last,
				   err);
	if (rc < 0)
		return rc;
	d->last = (uint64_t)(last > d->slices.seq ? last : d->slices.seq);
	if (!last)
		d->slices.event.from = (int64_t)d->last + 1;
	return 0;
}

struct store_db *store_db_open(const char *path, struct om_error *err)
{
	struct store_db *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		om_fail_nomem(err);
		return NULL;
	}
	store_db_tune(d, CHECKPOINT_PAGES, SLICE_BYTES);
	d->lock = store_guard(path, err);
	if (d->lock < 0)
		goto fail;
	d->sql = store_sql_open(path, false, err);
	if (!d->sql)
		goto fail;
	rc = set_up(d, path, err);
	if (rc == 0)
		rc = settle(d, err);
	if (rc == 0)
		rc = prepare_all(d, err);
	if (rc == 0)
		rc = load(d, err);
	if (rc < 0)
		goto fail;
	sqlite3_wal_hook(d->sql, on_wal, d);
	return d;
fail:
	store_db_close(d);
	return NULL;
}

void store_db_close(struct store_db *d)
{
	if (!d)
		return;
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(d->st[i]);
	store_sql_close(d->sql);
	if (d->lock >= 0)
		close(d->lock);
	store_snap_destroy(d->slices.snap);
	free(d);
}

uint64_t store_db_last(const struct store_db *d)
{
	return d->last;
}

/* ---- writing */
static int put_event(struct store_db *d, const struct store_record *r,
		     struct om_error *err)
{
	sqlite3_stmt *st = d->st[ST_EVENT];

	sqlite3_bind_int64(st, 1, (int64_t)r->key);
	sqlite3_bind_int64(st, 2, r->at_ns);
	store_bind_blob(st, 3, r->data, r->len);
	return store_sql_run(d->sql, st, err);
}

static int put_body(struct store_db *d, enum store_statement which,
		    const struct store_record *r, struct om_error *err)
{
	sqlite3_stmt *st = d->st[which];

	sqlite3_bind_int64(st, 1, (int64_t)r->key);
	store_bind_blob(st, 2, r->data, r->len);
	return store_sql_run(d->sql, st, err);
}

static int drop_launch(struct store_db *d, const struct store_record *r,
		       struct om_error *err)
{
	sqlite3_bind_int64(d->st[ST_DROP], 1, (int64_t)r->key);
	return store_sql_run(d->sql, d->st[ST_DROP], err);
}

static int put_columns(struct store_db *d, const Om__JobInfo *j,
		       struct om_error *err)
{
	const int64_t number[] = { (int64_t)j->job_id, (int64_t)j->array_id,
				   j->array_index, j->uid };
	const char *const word[] = { j->user, j->account, j->partition,
				     j->name, j->nodelist };
	const int64_t more[] = { j->state, j->submit_ns, j->start_ns,
				 j->end_ns };
	sqlite3_stmt *st = d->st[ST_HISTORY];
	int n = 0, rc;

	for (size_t i = 0; i < 4; i++)
		sqlite3_bind_int64(st, ++n, number[i]);
	for (size_t i = 0; i < 5; i++)
		sqlite3_bind_text(st, ++n, word[i], -1, SQLITE_STATIC);
	for (size_t i = 0; i < 4; i++)
		sqlite3_bind_int64(st, ++n, more[i]);
	rc = store_sql_run(d->sql, st, err);
	sqlite3_clear_bindings(st);	/* they point into j */
	return rc;
}

static int put_history(struct store_db *d, const struct store_record *r,
		       struct om_error *err)
{
	Om__JobInfo *j = om__job_info__unpack(NULL, r->len, r->data);
	int rc;

	if (!j)
		return om_fail_nomem(err);	/* we packed it ourselves */
	rc = put_columns(d, j, err);
	if (rc == 0)
		rc = put_body(d, ST_BODY, r, err);
	om__job_info__free_unpacked(j, NULL);
	return rc;
}

static int put_record(struct store_db *d, const struct store_record *r,
		      struct om_error *err)
{
	switch (r->kind) {
	case STORE_EVENT:
		return put_event(d, r, err);
	case STORE_LAUNCH:
		return put_body(d, ST_LAUNCH, r, err);
	case STORE_DROP:
		return drop_launch(d, r, err);
	case STORE_HISTORY:
		return put_history(d, r, err);
	}
	return om_fail(err, -EINVAL, "a record of kind %d", r->kind);
}

static int put_batch(struct store_db *d, const struct store_batch *b,
		     struct om_error *err)
{
	struct store_record r;
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && store_batch_next(b, &at, &r))
		rc = put_record(d, &r, err);
	return rc;
}

int store_db_commit(struct store_db *d, const struct store_batch *b,
		    struct om_error *err)
{
	uint64_t last = b->last_seq ? b->last_seq : d->last;
	int rc = store_sql_run(d->sql, d->st[ST_BEGIN], err);

	if (rc < 0)
		return rc;
	rc = put_batch(d, b, err);
	if (rc == 0)
		rc = store_slices_step(d, last, b->records == 0, err);
	if (rc == 0)
		rc = store_sql_run(d->sql, d->st[ST_COMMIT], err);
	if (rc < 0) {
		/* Some errors have rolled back already; then this fails. */
		store_sql_run(d->sql, d->st[ST_ROLLBACK], NULL);
		return rc;
	}
	d->last = last;
	return 0;
}

bool store_db_wants_checkpoint(const struct store_db *d, bool idle)
{
	return d->wal_pages >= d->checkpoint_at +
	       d->checkpoint_pages * (idle ? 1 : CHECKPOINT_MUST);
}

void store_db_tune(struct store_db *d, int checkpoint_pages,
		   size_t slice_bytes)
{
	if (checkpoint_pages)
		d->checkpoint_pages = checkpoint_pages;
	if (slice_bytes)
		d->slices.bytes = slice_bytes;
}

int store_db_checkpoint(struct store_db *d, struct om_error *err)
{
	int in_log = 0, done = 0;
	int rc = sqlite3_wal_checkpoint_v2(d->sql, NULL,
					   SQLITE_CHECKPOINT_PASSIVE, &in_log,
					   &done);

	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		return store_sql_fail(d->sql, err, "checkpoint");
	/* All of it: the log begins anew. Else a reader is on an old page,
	 * and it is tried again when the log has grown as much once more. */
	d->checkpoint_at = rc == SQLITE_OK && done == in_log ? 0 : d->wal_pages;
	if (!d->checkpoint_at)
		d->wal_pages = 0;
	return 0;
}
