/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * client: how commands talk to omctld. Blocking, without a loop and without
 * OpenSSL unless a stream is sealed, so that a command starts fast.
 *
 * Calls are retried with a growing pause while the controller is away, until
 * the deadline; that is safe because what changes something carries a uuid or
 * may be said twice. Exit codes: see om_client_exit_code.
 */
#ifndef OM_CLIENT_CLIENT_H
#define OM_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"

struct om_client;
struct om_config;

/* config is borrowed for the client's life. Does not connect yet. */
struct om_client *om_client_create(const struct om_config *config,
				   struct om_error *err);
void om_client_destroy(struct om_client *c);
/* How long calls try in all, waiting for the answer included; default 60 s,
 * < 0: for ever. */
void om_client_set_timeout(struct om_client *c, int64_t ns);

/*
 * One question, one answer. What the controller pushes meanwhile is kept for
 * om_client_receive. *ret_body is the decoded answer of type
 * "expect", owned by the caller. A Reply with a code instead becomes -Exxx
 * with its text (and hint, on a second line) in err; with expect ==
 * OM_MSG_REPLY a Reply with code 0 is the answer.
 */
int om_client_call(struct om_client *c, enum om_msg type,
		   const ProtobufCMessage *msg, enum om_msg expect,
		   ProtobufCMessage **ret_body, struct om_error *err);

/* Connects as om_client_call does, but is never retried once it was sent; used
 * for streams. Ids from 0x80000000 on are om_client_call's own. */
int om_client_send(struct om_client *c, enum om_msg type, uint32_t id,
		   const ProtobufCMessage *msg, struct om_error *err);
/* The next message; -ETIMEDOUT, -ECONNRESET. timeout_ns < 0: for ever. A Reply
 * with a code is a message like any other here. */
int om_client_receive(struct om_client *c, int64_t timeout_ns,
		      enum om_msg *ret_type, uint32_t *ret_id,
		      ProtobufCMessage **ret_body, struct om_error *err);
/* rc of a Reply as om_client_call makes it: its code, its text in err. */
int om_client_reply(const Om__Reply *reply, struct om_error *err);
/* To poll beside other descriptors; -1 while not connected. */
int om_client_fd(const struct om_client *c);
/* Which connection it is: 0 before the first, then raised by each new one,
 * whose descriptor often has the number of the last. */
uint64_t om_client_connection(const struct om_client *c);
/* True if a whole message is buffered already (do not poll then). */
bool om_client_pending(const struct om_client *c);

/* 75 (EX_TEMPFAIL) if trying again may help, else 1. */
int om_client_exit_code(int rc);

#endif
