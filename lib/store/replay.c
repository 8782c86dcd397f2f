/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replay: gives the snapshot and the events after it back, in order. */
#include <inttypes.h>

#include "lib/store/decode.h"
#include "lib/store/dbpriv.h"

Om__Event *store_decode_event(uint64_t seq, const void *data, size_t len,
			      struct om_error *err)
{
	Om__Event *ev = om__event__unpack(NULL, len, data);

	if (!ev)
		om_fail(err, -EBADMSG,
			"event %" PRIu64 " of the store cannot be decoded (%zu bytes)",
			seq, len);
	return ev;
}

Om__Snapshot *store_decode_snapshot(uint64_t idx, const void *data, size_t len,
				    struct om_error *err)
{
	Om__Snapshot *rec = om__snapshot__unpack(NULL, len, data);

	if (!rec)
		om_fail(err, -EBADMSG,
			"record %" PRIu64 " of the store's snapshot cannot be decoded (%zu bytes)",
			idx, len);
	return rec;
}

struct replay {
	struct store_db *d;
	om_store_snapshot_fn *snapshot_fn;
	om_store_event_fn *event_fn;
	void *arg;
	struct om_error *err;
};

typedef int row_fn(struct replay *r, int64_t key, const void *data,
		   size_t len);

static int on_snapshot(struct replay *r, int64_t key, const void *data,
		       size_t len)
{
	Om__Snapshot *rec = store_decode_snapshot((uint64_t)key, data, len,
						  r->err);
	int rc;

	if (!rec)
		return -EBADMSG;
	rc = r->snapshot_fn(r->arg, rec, r->err);
	om__snapshot__free_unpacked(rec, NULL);
	return rc < 0 ? rc : 0;
}

static int on_event(struct replay *r, int64_t key, const void *data,
		    size_t len)
{
	Om__Event *ev = store_decode_event((uint64_t)key, data, len, r->err);
	int rc;

	if (!ev)
		return -EBADMSG;
	rc = r->event_fn(r->arg, (uint64_t)key, ev, r->err);
	om__event__free_unpacked(ev, NULL);
	return rc < 0 ? rc : 0;
}

/* Rows [from, to] in order, each of them: a gap is damage. */
static int each_row(struct replay *r, const char *sql, int64_t from,
		    int64_t to, row_fn *fn)
{
	sqlite3_stmt *st = store_sql_prepare(r->d->sql, sql, r->err);
	int64_t expected = from, key;
	int rc, step = SQLITE_DONE;

	if (!st)
		return -EIO;
	sqlite3_bind_int64(st, 1, from);
	sqlite3_bind_int64(st, 2, to);
	for (rc = 0; rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW; ) {
		key = sqlite3_column_int64(st, 0);
		if (key != expected)
			break;
		expected++;
		rc = fn(r, key, sqlite3_column_blob(st, 1),
			(size_t)sqlite3_column_bytes(st, 1));
	}
	if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
		rc = store_sql_fail(r->d->sql, r->err, "replay");
	if (rc == 0 && expected != to + 1)
		rc = om_fail(r->err, -EBADMSG,
			     "the store is damaged: row %" PRId64 " is missing (%s)",
			     expected, fn == on_event ? "event" : "snapshot");
	sqlite3_finalize(st);
	return rc;
}

int store_db_replay(struct store_db *d, om_store_snapshot_fn *snapshot_fn,
		    om_store_event_fn *event_fn, void *arg,
		    struct om_error *err)
{
	struct replay r = { .d = d, .snapshot_fn = snapshot_fn,
			    .event_fn = event_fn, .arg = arg, .err = err };
	const struct store_slices *s = &d->slices;
	int rc = 0;

	if (s->count)
		rc = each_row(&r, "SELECT idx, body FROM snapshot WHERE"
			      " idx >= ?1 AND idx <= ?2 ORDER BY idx",
			      s->first, s->first + s->count - 1, on_snapshot);
	if (rc == 0 && (int64_t)d->last > s->seq)
		rc = each_row(&r, "SELECT seq, body FROM event WHERE"
			      " seq >= ?1 AND seq <= ?2 ORDER BY seq",
			      s->seq + 1, (int64_t)d->last, on_event);
	return rc;
}
