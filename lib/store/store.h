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

#define OM_STORE_HISTORY_MAX 10000	/* rows of one query */

struct om_store_config {
	const char *path;		/* the file; its folder must exist; copied */
	struct om_loop *loop;
	/* In the loop's thread: everything up to seq is on disk. */
	void (*durable_fn)(void *arg, uint64_t seq);
	/* In the loop's thread, once. */
	void (*failed_fn)(void *arg, const struct om_error *err);
	void *arg;
	/* For tests, 0 elsewhere: pages (4 KiB) the write-ahead log grows by
	 * until it is put into the file (1000), bytes of a snapshot that go
	 * with one commit (512 KiB). */
	int checkpoint_pages;
	size_t slice_bytes;
};

/*
 * Opens or creates. Refuses a folder that is not ours or that others can
 * write, a file that is not ours alone (0600), that another process has open
 * as its store (-EBUSY), that is damaged or of a newer schema.
 */
struct om_store *om_store_open(const struct om_store_config *c,
			       struct om_error *err);
/*
 * Commits what is left (a snapshot that was ended too), calling durable_fn or
 * failed_fn for it, answers what was asked of the history, then closes. Not
 * to be called from a callback of the store.
 */
void om_store_close(struct om_store *s);

/* Appends an event; returns its sequence number > 0, or -Exxx. */
int64_t om_store_append(struct om_store *s, const Om__Event *ev,
			struct om_error *err);
/* A job's packed Launch, in the same batch as its submitted event. */
int om_store_put_launch(struct om_store *s, uint64_t job_id, const void *data,
			size_t len, struct om_error *err);
/* An owned copy; also finds one that is not durable yet. Recent ones come
 * from memory (a bounded cache). -ENOENT if there is none. */
int om_store_get_launch(struct om_store *s, uint64_t job_id, uint8_t **ret,
			size_t *ret_len, struct om_error *err);
void om_store_drop_launch(struct om_store *s, uint64_t job_id);
/* A row of the history, replaced if it is there; same batch. */
int om_store_put_history(struct om_store *s, const Om__JobInfo *info,
			 struct om_error *err);

/* Starts a commit of what has gathered, unless one is under way (it then
 * follows by itself). To be called from a turn hook. */
void om_store_flush(struct om_store *s);
/* Is there anything that a flush would write? */
bool om_store_gathers(const struct om_store *s);
uint64_t om_store_durable(const struct om_store *s);
uint64_t om_store_last(const struct om_store *s);

/*
 * Snapshot: begin, add each record, end. It is written in the background of
 * the following commits; events up to the sequence number at begin are
 * dropped when it is complete. Replaces the one before atomically.
 */
/* -EBUSY while the one before is still being written. */
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
 * in the loop with the rows (owned by the store until fn returns), by falling
 * job id, n < 0 for -Exxx. Durable rows only. At most the filter's limit or
 * OM_STORE_HISTORY_MAX come; the next page is asked with after_id, the last
 * row's id. job_id and array_task add up, every other condition must hold;
 * since and until: submitted before until and not over before since.
 */
typedef void om_store_history_fn(void *arg, Om__JobInfo **row, int n,
				 const struct om_error *err);
int om_store_history(struct om_store *s, const Om__JobFilter *filter,
		     om_store_history_fn *fn, void *arg,
		     struct om_error *err);

#endif
