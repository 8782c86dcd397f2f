/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dbpriv: the writer's connection, shared by db.c, slices.c and replay.c. */
#ifndef OM_STORE_DBPRIV_H
#define OM_STORE_DBPRIV_H

#include "lib/store/db.h"
#include "lib/store/sql.h"

enum store_statement {
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_EVENT, ST_LAUNCH, ST_DROP,
	ST_HISTORY, ST_BODY, ST_SNAPSHOT, ST_META, ST_DEL_SNAPSHOT,
	ST_DEL_EVENT, ST_COUNT
};

/*
 * The table snapshot holds rows [first, first + count) of the snapshot that
 * counts. A new one is written behind all there are; setting meta's three
 * numbers makes it the one that counts. What is outside is stale and deleted
 * slice by slice, as are the events up to seq.
 */
struct store_slices {
	int64_t first, count, seq;
	int64_t next;			/* where a new snapshot's row goes */
	int64_t start;			/* where it began */
	struct store_snap *snap;	/* being written */
	struct store_range {
		int64_t from, to;	/* [from, to) */
	} stale[2];			/* rows */
	struct store_range event;	/* from: the first that is there */
	size_t bytes;			/* of a slice that goes alone */
};

struct store_db {
	sqlite3 *sql;
	sqlite3_stmt *st[ST_COUNT];
	int lock;
	uint64_t last;
	int wal_pages;			/* length of the log */
	int checkpoint_at;		/* its length at a partial one */
	int checkpoint_pages;		/* due when it grew by these */
	struct store_slices slices;
};

/* Binds blob to parameter n; a NULL pointer is an empty blob, not NULL. */
int store_bind_blob(sqlite3_stmt *st, int n, const void *data, size_t len);

int store_slices_load(struct store_db *d, struct om_error *err);
/* Within a transaction: one slice; a quarter of one if it is not alone. */
int store_slices_step(struct store_db *d, uint64_t durable_after, bool alone,
		      struct om_error *err);

#endif
