/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * slices: what is too long for one commit: writing a snapshot, deleting what
 * it replaced. Each commit takes a slice along, so no event waits for long.
 */
#include <inttypes.h>

#include "lib/store/dbpriv.h"

#define ROW_BYTES 256	/* a deleted row counts as so many */

static int get_meta(struct store_db *d, const char *key, int64_t *ret,
		    struct om_error *err)
{
	sqlite3_stmt *st = store_sql_prepare(d->sql,
		"SELECT value FROM meta WHERE key = ?1", err);
	int rc;

	if (!st)
		return -EIO;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 :
	     store_sql_fail(d->sql, err, "reading");
	sqlite3_finalize(st);
	return rc;
}

int store_slices_load(struct store_db *d, struct om_error *err)
{
	struct store_slices *s = &d->slices;
	int64_t max = -1, min = 0;
	int rc = get_meta(d, "snapshot_first", &s->first, err);

	if (rc == 0)
		rc = get_meta(d, "snapshot_count", &s->count, err);
	if (rc == 0)
		rc = get_meta(d, "snapshot_seq", &s->seq, err);
	if (rc == 0)
		rc = store_sql_int(d->sql, "SELECT min(idx) FROM snapshot",
				   &min, err);
	if (rc == 0)
		rc = store_sql_int(d->sql, "SELECT max(idx) FROM snapshot",
				   &max, err);
	if (rc == 0)
		rc = store_sql_int(d->sql, "SELECT min(seq) FROM event",
				   &s->event.from, err);
	if (rc < 0)
		return rc;
	if (s->first < 0 || s->count < 0 || s->seq < 0)
		return om_fail(err, -EBADMSG, "the store's snapshot is described by numbers that cannot be");
	if (max < s->first + s->count - 1)
		max = s->first + s->count - 1;
	s->next = max + 1;
	/* What a crash left: of the one before, and of one never finished. */
	s->stale[0] = (struct store_range){ min, s->first };
	s->stale[1] = (struct store_range){ s->first + s->count, s->next };
	return 0;
}

void store_db_set_snapshot(struct store_db *d, struct store_snap *snap)
{
	d->slices.snap = snap;
	d->slices.start = d->slices.next;
}

bool store_db_has_snapshot(const struct store_db *d)
{
	return d->slices.snap != NULL;
}

static bool is_stale(const struct store_range *r)
{
	return r->from < r->to;
}

bool store_db_has_slices(const struct store_db *d)
{
	const struct store_slices *s = &d->slices;

	return s->snap || is_stale(&s->stale[0]) || is_stale(&s->stale[1]) ||
	       s->event.from <= s->seq;
}

static int set_meta(struct store_db *d, const char *key, int64_t value,
		    struct om_error *err)
{
	sqlite3_stmt *st = d->st[ST_META];

	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, value);
	return store_sql_run(d->sql, st, err);
}

/* Makes the snapshot that is written the one that counts. */
static int switch_snapshot(struct store_db *d, struct om_error *err)
{
	struct store_slices *s = &d->slices;
	int64_t seq = (int64_t)store_snap_seq(s->snap);
	int rc = set_meta(d, "snapshot_first", s->start, err);

	if (rc == 0)
		rc = set_meta(d, "snapshot_count", s->next - s->start, err);
	if (rc == 0)
		rc = set_meta(d, "snapshot_seq", seq, err);
	if (rc < 0)
		return rc;
	/* An error in what is left of this transaction ends the store, so
	 * these may be ahead of the disk. */
	store_snap_destroy(s->snap);
	s->snap = NULL;
	if (!is_stale(&s->stale[0]))
		s->stale[0].from = s->first;
	s->stale[0].to = s->start;
	s->first = s->start;
	s->count = s->next - s->start;
	s->seq = seq;
	s->stale[1] = (struct store_range){ 0, 0 };
	return 0;
}

static int write_slice(struct store_db *d, uint64_t durable_after,
		       size_t bytes, struct om_error *err)
{
	struct store_slices *s = &d->slices;
	sqlite3_stmt *st = d->st[ST_SNAPSHOT];
	size_t written = 0, len;
	const uint8_t *data;
	int rc;

	while (written < bytes) {
		if (!store_snap_next(s->snap, &data, &len)) {
			/* Never a snapshot that is ahead of the events. */
			if (store_snap_seq(s->snap) > durable_after)
				return 0;
			return switch_snapshot(d, err);
		}
		sqlite3_bind_int64(st, 1, s->next);
		store_bind_blob(st, 2, data, len);
		rc = store_sql_run(d->sql, st, err);
		if (rc < 0)
			return rc;
		s->next++;
		written += len;
	}
	return 0;
}

/* Deletes some rows of range and moves its beginning behind them. */
static int delete_slice(struct store_db *d, enum store_statement which,
			struct store_range *range, size_t bytes,
			struct om_error *err)
{
	int64_t rows = (int64_t)(bytes / ROW_BYTES) + 1;
	int64_t end = range->to - range->from > rows ? range->from + rows :
						       range->to;
	sqlite3_stmt *st = d->st[which];
	int rc;

	sqlite3_bind_int64(st, 1, range->from);
	sqlite3_bind_int64(st, 2, end);
	rc = store_sql_run(d->sql, st, err);
	if (rc == 0)
		range->from = end;
	return rc;
}

int store_slices_step(struct store_db *d, uint64_t durable_after, bool alone,
		      struct om_error *err)
{
	struct store_slices *s = &d->slices;
	size_t bytes = alone ? s->bytes : s->bytes / 4;

	if (s->snap)
		return write_slice(d, durable_after, bytes, err);
	for (int i = 0; i < 2; i++)
		if (is_stale(&s->stale[i]))
			return delete_slice(d, ST_DEL_SNAPSHOT, &s->stale[i],
					    bytes, err);
	s->event.to = s->seq + 1;
	if (is_stale(&s->event))
		return delete_slice(d, ST_DEL_EVENT, &s->event, bytes, err);
	return 0;
}
