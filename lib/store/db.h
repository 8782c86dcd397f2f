/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * db: the writer's connection: schema, batches, snapshots, checkpoints.
 *
 * Used by one thread at a time: the loop's before the writer starts and while
 * it is idle, else the writer's.
 */
#ifndef OM_STORE_DB_H
#define OM_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/store/batch.h"
#include "lib/store/snap.h"
#include "lib/store/store.h"

#define STORE_SCHEMA 1

struct store_db;

struct store_db *store_db_open(const char *path, struct om_error *err);
void store_db_close(struct store_db *d);

/* The last event there is, or the snapshot's. */
uint64_t store_db_last(const struct store_db *d);

/*
 * One transaction: what is in b (may be empty) and a slice of what waits in
 * the background. When it returns 0 all of it is on disk; otherwise nothing
 * may be claimed to be.
 */
int store_db_commit(struct store_db *d, const struct store_batch *b,
		    struct om_error *err);

/* Taken. Its slices go with the following commits. */
void store_db_set_snapshot(struct store_db *d, struct store_snap *s);
/* Is a snapshot not completely written yet? */
bool store_db_has_snapshot(const struct store_db *d);
/* Is there anything for a commit of an empty batch to do? */
bool store_db_has_slices(const struct store_db *d);

/* Has the log grown so that a checkpoint is due (when idle, or: at once)? */
bool store_db_wants_checkpoint(const struct store_db *d, bool idle);
/* See struct om_store_config; 0 leaves the default. */
void store_db_tune(struct store_db *d, int checkpoint_pages,
		   size_t slice_bytes);
int store_db_checkpoint(struct store_db *d, struct om_error *err);

int store_db_replay(struct store_db *d, om_store_snapshot_fn *snapshot_fn,
		    om_store_event_fn *event_fn, void *arg,
		    struct om_error *err);

#endif
