/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * conn: an authenticated connection that carries frames, in a loop.
 *
 * Frames queue without limit on the way out (om_conn_queued tells how much)
 * and leave in batches, one write a turn. A peer that sends a type which its
 * role may not send, or too large a body, is cut off. A handshake must end
 * within 10 s. A conn may be destroyed from within any of its callbacks.
 */
#ifndef OM_NET_CONN_H
#define OM_NET_CONN_H

#include "lib/loop/loop.h"
#include "lib/net/auth.h"

struct om_conn;

struct om_conn_handler {
	/* The handshake is over. NULL: not told. */
	void (*ready)(void *arg, struct om_conn *c, const struct om_peer *peer);
	/* A message, decoded; owned by the caller, valid during the call. */
	void (*message)(void *arg, struct om_conn *c, enum om_msg type,
			uint32_t id, const ProtobufCMessage *body);
	/* It ended, by the peer or an error (err->code 0: orderly). Not told
	 * after om_conn_destroy. The handler destroys c, or it is leaked. */
	void (*closed)(void *arg, struct om_conn *c,
		       const struct om_error *err);
};

/* addr as in addr.h. Copies config, borrows handler for its life. */
struct om_conn *om_conn_connect(struct om_loop *loop, const char *addr,
				uint16_t default_port,
				const struct om_auth_config *config,
				const struct om_conn_handler *handler,
				void *arg, struct om_error *err);
/* Over a descriptor that is there already (taken, also on failure). With
 * peer given, no handshake is made: both ends trust the socketpair; config
 * may be NULL then, and the conn is ready at once, which ready() does not
 * tell. Nothing is sent or told before the loop's next turn. */
struct om_conn *om_conn_adopt(struct om_loop *loop, int fd,
			      const struct om_auth_config *config, bool server,
			      const struct om_peer *peer,
			      const struct om_conn_handler *handler, void *arg,
			      struct om_error *err);
void om_conn_destroy(struct om_conn *c);
void om_conn_set_arg(struct om_conn *c, void *arg);
void *om_conn_arg(const struct om_conn *c);

/* Queues a message; -ENOTCONN before ready or after the end, -EINVAL or
 * -EMSGSIZE for what the type's entry in types.c does not allow. A failure to
 * send it comes later, as closed(). */
int om_conn_send(struct om_conn *c, enum om_msg type, uint32_t id,
		 const ProtobufCMessage *msg);
/* Queues a frame that is packed already (the sender's own om_frame_add). */
int om_conn_send_raw(struct om_conn *c, const void *frames, size_t len);
/* Orderly: what is queued is sent, then closed() comes, with code 0. Messages
 * are no longer taken nor told from here on. */
void om_conn_finish(struct om_conn *c);
const struct om_peer *om_conn_peer(const struct om_conn *c);
size_t om_conn_queued(const struct om_conn *c);
/* Bytes that have come and are no whole message yet. */
size_t om_conn_received(const struct om_conn *c);
/* Stops and resumes reading (back pressure). */
void om_conn_pause(struct om_conn *c, bool paused);
/* "uid=1000 addr=10.0.0.1:3344", for logs; borrowed. */
const char *om_conn_name(const struct om_conn *c);

/*
 * A listener: makes a server-side conn for each caller. It keeps at most 1024
 * unfinished handshakes; while it has so many, others wait in the kernel's
 * queue, and those that stall for over a second are dropped.
 */
struct om_listener;
typedef void om_accept_fn(void *arg, struct om_conn *c);
/* fd is taken, also on failure. accept_fn runs once a caller's handshake is
 * complete, in the place of ready(), and must set the conn's handler with
 * om_conn_set_handler, or destroy the conn. */
struct om_listener *om_listener_create(struct om_loop *loop, int fd,
				       const struct om_auth_config *config,
				       om_accept_fn *accept_fn, void *arg,
				       struct om_error *err);
/* Ends unfinished handshakes too; conns that were handed over stay. */
void om_listener_destroy(struct om_listener *l);
void om_conn_set_handler(struct om_conn *c, const struct om_conn_handler *h,
			 void *arg);
#endif
