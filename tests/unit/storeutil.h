/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storeutil: a store in a folder of its own, and what it told us. */
#ifndef OM_TESTS_STOREUTIL_H
#define OM_TESTS_STOREUTIL_H

#include "lib/store/store.h"

struct fixture {
	char dir[64], path[96];
	struct om_loop *loop;
	struct om_store *store;
	uint64_t durable;		/* by durable_fn */
	unsigned durable_calls, failed_calls;
	struct om_error failed;
	int checkpoint_pages;
	size_t slice_bytes;
};

/* cmocka set-up and tear-down; *state is the fixture. */
int fixture_create(void **state);
/* On a file system in memory, where syncing costs nothing. */
int fixture_create_fast(void **state);
int fixture_destroy(void **state);

/* NULL: failed, see err. */
struct om_store *fixture_open(struct fixture *f, struct om_error *err);
/* Opens or fails the test. */
void fixture_must_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* Turns the loop, flushing, until all is durable or the store failed. */
void fixture_settle(struct fixture *f);
/* One event of job id, at_ns = id * 10. Returns its number or -Exxx. */
int64_t fixture_append(struct fixture *f, uint64_t job_id);

/* Snapshot of n records whose head says next_job_id = mark. */
int fixture_snapshot(struct fixture *f, uint64_t mark, unsigned n);

/* What replay gives. */
struct replayed {
	uint64_t mark;			/* of the snapshot, 0: none */
	unsigned records;
	uint64_t first, last;		/* events; 0: none */
	unsigned events;
};
int fixture_replay(struct fixture *f, struct replayed *ret,
		   struct om_error *err);

/* A query on the closed or open file, by SQLite itself. */
int64_t fixture_sql(struct fixture *f, const char *sql);

#endif
