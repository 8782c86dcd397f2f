/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * store: the durable event log, snapshots, launches and history, in one
 * SQLite file (WAL, synchronous=FULL).
 *
 * The loop thread appends; a worker commits what has gathered, a batch at a
 * time, so a batch forms by itself while the disk is busy. Nothing promised
 * may leave before om_store_durable() reaches the sequence number that
 * append returned. A failed commit is told once to failed_fn and the daemon
 * must stop: it cannot promise anything any more.
 */
#ifndef OM_STORE_STORE_H
#define OM_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "lib/proto/openmosix.pb-c.h"

struct om_store;

struct om_store_config {
	const char *path;		/* the file; its folder must exist */
	struct om_loop *loop;
	/* In the loop's thread: everything up to seq is on disk. */
	void (*durable_fn)(void *arg, uint64_t seq);
	/* In the loop's thread, once. */
	void (*failed_fn)(void *arg, const struct om_error *err);
	void *arg;
};

/* Opens or creates; refuses a file that others can write or that is not ours,
 * and one of a newer schema. */
struct om_store *om_store_open(const struct om_store_config *c,
			       struct om_error *err);
/* Commits what is left, then closes. */
void om_store_close(struct om_store *s);

/* Appends an event; returns its sequence number > 0, or -Exxx. */
int64_t om_store_append(struct om_store *s, const Om__Event *ev,
			struct om_error *err);
/* A job's packed Launch, in the same batch as its submitted event. */
int om_store_put_launch(struct om_store *s, uint64_t job_id, const void *data,
			size_t len, struct om_error *err);
/* An owned copy; also finds one that is not durable yet. Recent ones come
 * from memory (a bounded cache). */
int om_store_get_launch(struct om_store *s, uint64_t job_id, uint8_t **ret,
			size_t *ret_len, struct om_error *err);
void om_store_drop_launch(struct om_store *s, uint64_t job_id);
/* A row of the history, replaced if it is there; same batch. */
int om_store_put_history(struct om_store *s, const Om__JobInfo *info,
			 struct om_error *err);

/* Starts a commit of what has gathered, unless one is under way (it then
 * follows by itself). To be called from a turn hook. */
void om_store_flush(struct om_store *s);
uint64_t om_store_durable(const struct om_store *s);
uint64_t om_store_last(const struct om_store *s);

/*
 * Snapshot: begin, add each record, end. It is written in the background of
 * the following commits; events up to the sequence number at begin are
 * dropped when it is complete. Replaces the one before atomically.
 */
int om_store_snapshot_begin(struct om_store *s, struct om_error *err);
int om_store_snapshot_add(struct om_store *s, const Om__Snapshot *rec,
			  struct om_error *err);
int om_store_snapshot_end(struct om_store *s, struct om_error *err);

/* At start: the snapshot's records, then the events after it, in order. The
 * callbacks return 0 or -Exxx, which ends the replay. */
typedef int om_store_snapshot_fn(void *arg, const Om__Snapshot *rec,
				 struct om_error *err);
typedef int om_store_event_fn(void *arg, uint64_t seq, const Om__Event *ev,
			      struct om_error *err);
int om_store_replay(struct om_store *s, om_store_snapshot_fn *snapshot_fn,
		    om_store_event_fn *event_fn, void *arg,
		    struct om_error *err);

/*
 * History, asked by a worker on a connection of its own (WAL); fn is called
 * in the loop with the rows (owned by the store until fn returns), newest
 * first, n < 0 for -Exxx.
 */
typedef void om_store_history_fn(void *arg, Om__JobInfo **row, int n,
				 const struct om_error *err);
int om_store_history(struct om_store *s, const Om__JobFilter *filter,
		     om_store_history_fn *fn, void *arg,
		     struct om_error *err);

#endif
