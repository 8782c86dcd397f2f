/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * peer: one connection, of a command or a node daemon, and what waits for it.
 *
 * Whatever is to be told to a peer later hangs a waiter on it; when the peer
 * goes, each waiter's gone function is called. A peer is never freed under
 * the feet of a handler: doomed ones go at the end of the turn.
 */
#ifndef OM_SCHED_CTLD_PEER_H
#define OM_SCHED_CTLD_PEER_H

#include "sched/ctld/ctld.h"
#include "sched/ctld/journal.h"

struct peer;
struct node;

struct waiter {
	struct peer *peer;		/* NULL once it is gone */
	uint32_t id;			/* of the request */
	/* The peer went; may free the waiter, which is unlinked by then. */
	void (*gone)(struct waiter *w);
	struct waiter *prev, *next;
};

struct peer {
	struct omctld *ctld;
	struct om_conn *conn;
	struct outbox out;
	uint32_t uid, gid;
	enum om_role role;
	struct node *node;		/* what it registered as, or NULL */
	struct waiter *waiting;
	bool doomed;
	struct peer *prev, *next;
};

/* Unlinks w and clears w->peer; harmless on one that is not linked. */
void waiter_add(struct peer *p, struct waiter *w, uint32_t id,
		void (*gone)(struct waiter *w));
void waiter_remove(struct waiter *w);

/*
 * All of these queue behind the barrier (journal.h). A message that cannot be
 * queued, or a peer that does not read what it asked for, ends the peer.
 */
void peer_send(struct peer *p, enum om_msg type, uint32_t id,
	       const ProtobufCMessage *msg);
/* A frame that is packed already. */
void peer_send_raw(struct peer *p, const void *frame, size_t len);
/* Reply with code 0, and count if it is not 0. */
void peer_ok(struct peer *p, uint32_t id, uint64_t count);
/* Reply with what err says; a second line in it is the hint. */
void peer_fail(struct peer *p, uint32_t id, int code,
	       const struct om_error *err);
void peer_doom(struct peer *p, const char *why);

/* What somebody may not do is answered here; true if he may. */
bool peer_may(struct peer *p, uint32_t id, int access_action);

#endif
