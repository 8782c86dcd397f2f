/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * store: the loop's side. What is appended gathers in one batch while the
 * writer commits the other; they change places when it is done.
 *
 *   append -> gather --flush--> commit (writer) --done--> durable_fn
 *
 * While nothing gathers, the writer is given slices (snapshots, deletions)
 * and checkpoints. s->db is the writer's as long as s->busy.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/store/db.h"
#include "lib/store/history.h"
#include "lib/store/launch.h"
#include "lib/store/sql.h"

#define LAUNCH_CACHE (32u << 20)

struct om_store {
	struct om_store_config c;
	char *path;
	struct store_db *db;
	struct om_workers *writer, *reader;
	struct store_batch gather, commit;
	uint64_t last, durable;
	bool busy, closing;
	struct om_error failed;		/* code < 0: it is over */
	bool checkpoint;		/* what the writer does now, and... */
	struct om_error result;		/* ...how it ended */
	struct store_launches *launches;
	sqlite3 *launch_sql;
	sqlite3_stmt *launch_st;
	struct store_snap *snap;	/* between begin and end */
	struct store_snap *ready;	/* ended, the writer has not got it */
	bool snap_writing;		/* the writer has one */
	struct store_history *history;	/* the reader's */
};

/* ---- the writer */
static void fail(struct om_store *s, const struct om_error *err)
{
	if (s->failed.code < 0)
		return;
	s->failed = *err;
	s->c.failed_fn(s->c.arg, &s->failed);
}

static bool is_failed(const struct om_store *s)
{
	return s->failed.code < 0;
}

static int refuse(const struct om_store *s, struct om_error *err)
{
	return om_fail(err, s->failed.code, "the store has failed: %.400s",
		       s->failed.text);
}

static void write_work(void *arg)
{
	struct om_store *s = arg;

	om_error_clear(&s->result);
	if (s->checkpoint)
		store_db_checkpoint(s->db, &s->result);
	else
		store_db_commit(s->db, &s->commit, &s->result);
}

/* What is to be done next; false: nothing. Empty batches carry slices. */
static bool choose_work(struct om_store *s)
{
	bool idle = s->gather.records == 0;
	struct store_batch other = s->commit;

	if (s->ready) {
		store_db_set_snapshot(s->db, om_take(s->ready));
		s->snap_writing = true;
	}
	s->checkpoint = store_db_wants_checkpoint(s->db, idle);
	if (s->checkpoint)
		return true;
	if (idle && !store_db_has_slices(s->db))
		return false;
	s->commit = s->gather;
	s->gather = other;
	s->gather.no = s->commit.no + 1;
	return true;
}

static void write_done(void *arg);

static void start_work(struct om_store *s)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (s->busy || s->closing || is_failed(s) || !choose_work(s))
		return;
	s->busy = true;
	rc = om_work_submit(s->writer, write_work, write_done, s);
	if (rc < 0) {
		s->busy = false;
		om_fail(&err, rc, "cannot start a commit: %s", strerror(-rc));
		fail(s, &err);
	}
}

static void write_done(void *arg)
{
	struct om_store *s = arg;
	uint64_t seq = s->commit.last_seq;

	s->busy = false;
	if (s->result.code < 0) {
		fail(s, &s->result);
		return;
	}
	if (s->checkpoint) {
		start_work(s);
		return;
	}
	s->snap_writing = store_db_has_snapshot(s->db);
	store_launches_durable(s->launches, s->commit.no);
	store_batch_reset(&s->commit);
	if (seq)
		s->durable = seq;
	/* The disk works on while the answers go out. */
	start_work(s);
	if (seq)
		s->c.durable_fn(s->c.arg, seq);
}

void om_store_flush(struct om_store *s)
{
	start_work(s);
}

bool om_store_gathers(const struct om_store *s)
{
	return s->gather.records != 0;
}

uint64_t om_store_durable(const struct om_store *s)
{
	return s->durable;
}

uint64_t om_store_last(const struct om_store *s)
{
	return s->last;
}

/* ---- opening and closing */
static int open_parts(struct om_store *s, struct om_error *err)
{
	s->launches = store_launches_create(LAUNCH_CACHE);
	if (!s->launches)
		return om_fail_nomem(err);
	s->db = store_db_open(s->path, err);
	if (!s->db)
		return err->code;
	s->launch_sql = store_sql_open(s->path, true, err);
	if (!s->launch_sql)
		return err->code;
	s->launch_st = store_sql_prepare(s->launch_sql,
		"SELECT body FROM launch WHERE job_id = ?1", err);
	if (!s->launch_st)
		return err->code;
	s->history = store_history_open(s->path, err);
	if (!s->history)
		return err->code;
	s->writer = om_workers_create(s->c.loop, 1, err);
	if (!s->writer)
		return err->code;
	s->reader = om_workers_create(s->c.loop, 1, err);
	return s->reader ? 0 : err->code;
}

struct om_store *om_store_open(const struct om_store_config *c,
			       struct om_error *err)
{
	struct om_store *s = calloc(1, sizeof(*s));
	struct om_error local = OM_ERROR_INIT;

	if (!err)
		err = &local;
	if (!s) {
		om_fail_nomem(err);
		return NULL;
	}
	s->c = *c;
	s->path = strdup(c->path);
	if (!s->path)
		om_fail_nomem(err);
	if (!s->path || open_parts(s, err) < 0) {
		om_wrap(err, err->code, "cannot open the store");
		om_store_close(s);
		return NULL;
	}
	s->c.path = s->path;
	store_db_tune(s->db, c->checkpoint_pages, c->slice_bytes);
	s->gather.no = 1;
	s->last = s->durable = store_db_last(s->db);
	return s;
}

/* The loop's thread has the writer's connection to itself. */
static void commit_rest(struct om_store *s)
{
	while (s->db && !is_failed(s) &&
	       (s->gather.records || s->ready || s->snap_writing)) {
		choose_work(s);
		s->busy = true;
		write_work(s);
		write_done(s);
	}
}

void om_store_close(struct om_store *s)
{
	if (!s)
		return;
	s->closing = true;
	om_workers_destroy(s->writer);
	commit_rest(s);
	om_workers_destroy(s->reader);
	store_history_close(s->history);
	sqlite3_finalize(s->launch_st);
	store_sql_close(s->launch_sql);
	store_db_close(s->db);		/* last: it empties the log */
	store_launches_destroy(s->launches);
	store_snap_destroy(s->snap);
	store_snap_destroy(s->ready);
	store_batch_fini(&s->gather);
	store_batch_fini(&s->commit);
	free(s->path);
	free(s);
}

int om_store_replay(struct om_store *s, om_store_snapshot_fn *snapshot_fn,
		    om_store_event_fn *event_fn, void *arg,
		    struct om_error *err)
{
	if (s->busy || s->last != s->durable)
		return om_fail(err, -EBUSY, "replay comes before any append");
	return store_db_replay(s->db, snapshot_fn, event_fn, arg, err);
}

/* ---- appending */
int64_t om_store_append(struct om_store *s, const Om__Event *ev,
			struct om_error *err)
{
	const struct store_record r = { .kind = STORE_EVENT,
					.key = s->last + 1,
					.at_ns = ev->at_ns };
	int rc;

	if (is_failed(s))
		return refuse(s, err);
	rc = store_batch_pack(&s->gather, &r, &ev->base, err);
	if (rc < 0)
		return rc;
	return (int64_t)++s->last;
}

int om_store_put_history(struct om_store *s, const Om__JobInfo *info,
			 struct om_error *err)
{
	const struct store_record r = { .kind = STORE_HISTORY,
					.key = info->job_id };

	if (is_failed(s))
		return refuse(s, err);
	return store_batch_pack(&s->gather, &r, &info->base, err);
}

/* ---- launches */
int om_store_put_launch(struct om_store *s, uint64_t job_id, const void *data,
			size_t len, struct om_error *err)
{
	const struct store_record r = { .kind = STORE_LAUNCH, .key = job_id,
					.data = data, .len = len };
	int rc;

	if (is_failed(s))
		return refuse(s, err);
	if (store_launches_put(s->launches, job_id, data, len,
			       s->gather.no) < 0)
		return om_fail_nomem(err);
	rc = store_batch_add(&s->gather, &r, err);
	if (rc < 0)
		store_launches_forget(s->launches, job_id);
	return rc;
}

/* Copies a launch out; an empty one is a pointer too. */
static int copy_out(const void *data, size_t len, uint8_t **ret,
		    size_t *ret_len, struct om_error *err)
{
	uint8_t *copy = malloc(len + 1);

	if (!copy)
		return om_fail_nomem(err);
	if (len)
		memcpy(copy, data, len);
	*ret = copy;
	*ret_len = len;
	return 0;
}

static int read_launch(struct om_store *s, uint64_t job_id, uint8_t **ret,
		       size_t *ret_len, struct om_error *err)
{
	sqlite3_stmt *st = s->launch_st;
	const void *data;
	size_t len;
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)job_id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		data = sqlite3_column_blob(st, 0);
		len = (size_t)sqlite3_column_bytes(st, 0);
		store_launches_learn(s->launches, job_id, data, len);
		rc = copy_out(data, len, ret, ret_len, err);
	} else if (rc == SQLITE_DONE) {
		rc = om_fail(err, -ENOENT, "the store has no launch of job %"
			     PRIu64, job_id);
	} else {
		rc = store_sql_fail(s->launch_sql, err, "reading a launch");
	}
	sqlite3_reset(st);
	return rc;
}

int om_store_get_launch(struct om_store *s, uint64_t job_id, uint8_t **ret,
			size_t *ret_len, struct om_error *err)
{
	const uint8_t *data;
	size_t len;
	int rc = store_launches_get(s->launches, job_id, &data, &len);

	if (rc == 1)
		return copy_out(data, len, ret, ret_len, err);
	if (rc < 0)
		return om_fail(err, rc, "the launch of job %" PRIu64
			       " was dropped", job_id);
	return read_launch(s, job_id, ret, ret_len, err);
}

void om_store_drop_launch(struct om_store *s, uint64_t job_id)
{
	const struct store_record r = { .kind = STORE_DROP, .key = job_id };

	/* Without memory the row stays: it costs room, not truth. */
	if (is_failed(s) || store_batch_add(&s->gather, &r, NULL) < 0)
		return;
	store_launches_drop(s->launches, job_id, s->gather.no);
}

/* ---- snapshots */
int om_store_snapshot_begin(struct om_store *s, struct om_error *err)
{
	if (is_failed(s))
		return refuse(s, err);
	if (s->snap || s->ready || s->snap_writing)
		return om_fail(err, -EBUSY, "a snapshot is being written");
	s->snap = store_snap_create(s->last);
	return s->snap ? 0 : om_fail_nomem(err);
}

int om_store_snapshot_add(struct om_store *s, const Om__Snapshot *rec,
			  struct om_error *err)
{
	if (!s->snap)
		return om_fail(err, -EINVAL, "no snapshot was begun");
	return store_snap_add(s->snap, &rec->base, err);
}

int om_store_snapshot_end(struct om_store *s, struct om_error *err)
{
	if (!s->snap)
		return om_fail(err, -EINVAL, "no snapshot was begun");
	if (is_failed(s))
		return refuse(s, err);
	s->ready = om_take(s->snap);
	start_work(s);
	return 0;
}

/* ---- history */
struct ask {
	struct om_store *s;
	Om__JobFilter *filter;
	om_store_history_fn *fn;
	void *arg;
	Om__JobInfo **row;
	int n;
	struct om_error err;
};

static void ask_work(void *arg)
{
	struct ask *a = arg;

	a->n = store_history_query(a->s->history, a->filter, &a->row, &a->err);
}

static void ask_free(struct ask *a)
{
	if (a->n > 0 || a->row)
		store_history_free(a->row, a->n);
	om__job_filter__free_unpacked(a->filter, NULL);
	free(a);
}

static void ask_done(void *arg)
{
	struct ask *a = arg;

	a->fn(a->arg, a->row, a->n, &a->err);
	ask_free(a);
}

/* protobuf-c has no copy: there and back. */
static Om__JobFilter *copy_filter(const Om__JobFilter *f)
{
	om_autofree uint8_t *bytes = malloc(
		om__job_filter__get_packed_size(f) + 1);
	size_t len;

	if (!bytes)
		return NULL;
	len = om__job_filter__pack(f, bytes);
	return om__job_filter__unpack(NULL, len, bytes);
}

int om_store_history(struct om_store *s, const Om__JobFilter *filter,
		     om_store_history_fn *fn, void *arg, struct om_error *err)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		return om_fail_nomem(err);
	*a = (struct ask){ .s = s, .fn = fn, .arg = arg,
			   .filter = copy_filter(filter) };
	if (!a->filter ||
	    om_work_submit(s->reader, ask_work, ask_done, a) < 0) {
		ask_free(a);
		return om_fail_nomem(err);
	}
	return 0;
}
