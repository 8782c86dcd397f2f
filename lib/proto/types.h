/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * types: every message type: its number, body, who may send it, its limit.
 *
 * The receiver looks a type up before it decodes a body: a type that the
 * sender's role may not send, or a body over the type's limit, ends the
 * connection without the body being looked at.
 */
#ifndef OM_PROTO_TYPES_H
#define OM_PROTO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

#include "lib/base/error.h"

#define OM_PROTO_MAJOR 1
#define OM_PROTO_MINOR 0

/* Step id of the batch script; interactive steps count from 0. */
#define OM_STEP_BATCH 0xfffffffeu
#define OM_RANK_ALL 0xffffffffu

/* Who is at the far end of a connection. A bit each. */
enum om_role {
	OM_ROLE_CLIENT = 1,	/* a command, any user */
	OM_ROLE_NODE = 2,	/* omnoded: uid 0 by munge */
	OM_ROLE_STEP = 4,	/* omstepd: uid 0, or streaming stdio */
	OM_ROLE_CTLD = 8,	/* omctld */
	OM_ROLE_ANY = 15,
};

enum om_msg {
	OM_MSG_HELLO = 1, OM_MSG_AUTH, OM_MSG_WELCOME,
	OM_MSG_REPLY = 10, OM_MSG_PING, OM_MSG_PING_REPLY,
	/* commands */
	OM_MSG_SUBMIT = 20, OM_MSG_SUBMITTED, OM_MSG_JOB_LIST,
	OM_MSG_JOB_LIST_REPLY, OM_MSG_JOB_CONTROL, OM_MSG_JOB_CONTROL_REPLY,
	OM_MSG_JOB_WAIT, OM_MSG_JOB_INFO, OM_MSG_JOB_WHY, OM_MSG_JOB_WHY_REPLY,
	OM_MSG_JOB_EVENT, OM_MSG_HISTORY,	/* HISTORY: a JobList */
	OM_MSG_STEP_CREATE = 40, OM_MSG_STEP_CREATED, OM_MSG_STEP_EVENT,
	OM_MSG_STEP_SIGNAL,
	OM_MSG_NODE_LIST = 50, OM_MSG_NODE_LIST_REPLY, OM_MSG_NODE_CONTROL,
	OM_MSG_CONFIG_SHOW = 60, OM_MSG_CONFIG_SHOW_REPLY, OM_MSG_CONFIG_SET,
	/* nodes */
	OM_MSG_NODE_REGISTER = 80, OM_MSG_NODE_ACCEPTED, OM_MSG_NODE_REPORT,
	OM_MSG_STEP_LAUNCH, OM_MSG_STEP_STARTED, OM_MSG_STEP_EXIT,
	OM_MSG_STEP_ACK, OM_MSG_STEP_KILL, OM_MSG_JOB_END, OM_MSG_JOB_CLEAN,
	OM_MSG_JOB_LIMIT, OM_MSG_STEP_USER,
	/* stdio */
	OM_MSG_IO_HELLO = 110, OM_MSG_IO_DATA, OM_MSG_IO_WINDOW,
	OM_MSG_IO_SIGNAL,	/* a StepSignal */
	OM_MSG_IO_EXIT,		/* a TaskExit, as soon as the task has ended */
};

struct om_msg_type {
	enum om_msg type;
	const char *name;		/* "submit" */
	const ProtobufCMessageDescriptor *body;
	unsigned senders;		/* mask of enum om_role */
	uint32_t max_bytes;		/* of the body */
};

/* NULL for a number that is no type. */
const struct om_msg_type *om_msg_lookup(uint32_t type);
/* For tests and tools: i from 0 until NULL. */
const struct om_msg_type *om_msg_at(size_t i);

/*
 * A frame is a 12-byte header and a body:
 *
 *   0        4        8        12
 *   | length | type   | id     | body (length bytes) |
 *
 * all big-endian. id is chosen by who asks and repeated by who answers or
 * pushes for it; 0 where no answer is due.
 */
#define OM_FRAME_HEADER 12

struct om_frame {
	uint32_t length, type, id;
	const uint8_t *body;		/* borrowed from the input */
};

/*
 * Looks at the first len bytes of in. Returns the whole frame's size if it is
 * all there, 0 if more bytes are needed, or -EPROTO / -EMSGSIZE: unknown type,
 * a type that none of "senders" may send, or a body over the type's limit;
 * the body is judged from the header alone, before it has come.
 */
int64_t om_frame_parse(const uint8_t *in, size_t len, unsigned senders,
		       struct om_frame *ret, struct om_error *err);

/* The type in a header, known or not; in holds OM_FRAME_HEADER bytes. */
uint32_t om_frame_type(const uint8_t *in);

struct om_buf;
/* Appends a frame with msg (may be NULL: empty body) packed. 0 or -Exxx. */
int om_frame_add(struct om_buf *out, enum om_msg type, uint32_t id,
		 const ProtobufCMessage *msg, struct om_error *err);

/*
 * Decodes a body as the type's message: owned by the caller, to be freed with
 * protobuf_c_message_free_unpacked. NULL and err set if it is malformed, or has
 * over OM_FIELDS_MAX fields in all and is not from omctld: a small body must
 * not become a large message.
 */
#define OM_FIELDS_MAX 262144
ProtobufCMessage *om_msg_unpack(enum om_msg type, const uint8_t *body,
				size_t len, struct om_error *err);
/* The same for what is packed inside a message (Launch) or stored. INT64_MAX:
 * it is ours, as many fields as there are. */
ProtobufCMessage *om_body_unpack(const ProtobufCMessageDescriptor *desc,
				 const uint8_t *p, size_t len,
				 int64_t max_fields, struct om_error *err);

#endif
