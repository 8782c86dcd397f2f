/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * journal: nothing leaves the daemon before what it rests on is durable.
 *
 * emit applies an event to the model, then appends it to the log. send queues
 * a message behind everything emitted so far; it leaves, in order, when the
 * store says that this much is on disk. When the store fails, nothing leaves
 * any more and failed_fn is told.
 *
 *	emit e1    send A    emit e2    send B       durable(e1) -> A leaves
 *	  seq 7    waits 7     seq 8    waits 8      durable(e2) -> B leaves
 */
#ifndef OM_SCHED_CTLD_JOURNAL_H
#define OM_SCHED_CTLD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/net/conn.h"
#include "lib/store/store.h"
#include "sched/model/apply.h"

struct journal;
struct journal_msg;

/* Where one receiver's messages wait; embedded in it. */
struct outbox {
	struct om_conn *conn;
	struct journal_msg *msg;	/* waiting, oldest first */
	size_t bytes;			/* of them */
	bool broken;			/* one was lost: cut conn off */
};

struct journal_config {
	struct om_model *model;
	const struct om_clock *clock;
	/* After an event was applied and appended. */
	void (*applied_fn)(void *arg, const Om__Event *ev);
	/* The log is ahead of the disk for good: stop. Told once. */
	void (*failed_fn)(void *arg, const struct om_error *err);
	void *arg;
};

struct journal *journal_create(const struct journal_config *config,
			       struct om_error *err);
void journal_destroy(struct journal *j);
/* Borrowed; before the first emit. */
void journal_set_store(struct journal *j, struct om_store *store);

/*
 * Stamps (unless at_ns is set), applies, appends. -EPROTO: the model refused
 * it and nothing happened. Any other failure is the journal's end.
 */
int journal_emit(struct journal *j, Om__Event *ev, struct om_error *err);

/* Queues a message to o behind what was emitted; 0 or -Exxx. */
int journal_send(struct journal *j, struct outbox *o, enum om_msg type,
		 uint32_t id, const ProtobufCMessage *msg);
/* The same with a frame made already. */
int journal_send_raw(struct journal *j, struct outbox *o, const void *frames,
		     size_t len);
/*
 * Does anybody wait for what is not durable yet? A node that is told that an
 * exit was heard (StepAck) does not: it keeps the exit until then, and nobody
 * sees a difference.
 */
bool journal_urgent(const struct journal *j);
/* Drops what waits in o; before o's conn goes. */
void outbox_fini(struct journal *j, struct outbox *o);

/* From the store: all up to seq is on disk; or nothing will be any more. */
void journal_durable(struct journal *j, uint64_t seq);
void journal_fail(struct journal *j, const struct om_error *why);
bool journal_failed(const struct journal *j);
/* Events emitted by this process. */
uint64_t journal_events(const struct journal *j);

/* EMIT(c, STARTED, started, &body, err): body into an event, emitted. */
#define EMIT(c, CASE, field_, body_, err_)                    \
	({                                                    \
		Om__Event ev_ = OM__EVENT__INIT;              \
		ev_.what_case = OM__EVENT__WHAT_##CASE;       \
		ev_.field_ = (body_);                         \
		journal_emit((c)->journal, &ev_, (err_));     \
	})

#endif
