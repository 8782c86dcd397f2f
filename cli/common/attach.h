/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * attach: a command's standing connection to the controller, in a loop.
 *
 * A job or step lives as long as the connection of the command that made it;
 * when the connection is lost, attach comes back and says the same requests
 * with the same uuids again, which the controller recognises. So a restart of
 * the controller is not noticed, other than by a pause in the events.
 */
#ifndef OM_CLI_COMMON_ATTACH_H
#define OM_CLI_COMMON_ATTACH_H

#include "cli/common/session.h"
#include "lib/loop/loop.h"

struct attach;

struct attach_handler {
	/* An answer or event, as the controller sends them again after each
	 * reconnection; body is valid during the call. */
	void (*message)(void *arg, enum om_msg type,
			const ProtobufCMessage *body);
	/* A request was refused, or the controller cannot be reached at all.
	 * Told once. */
	void (*failed)(void *arg, int rc, const struct om_error *err);
};

struct attach *attach_create(struct om_loop *loop, struct session *s,
			     const struct attach_handler *handler, void *arg,
			     struct om_error *err);
void attach_destroy(struct attach *a);
/* Sends a request and repeats it after reconnections; msg is borrowed for
 * a's life. At most ATTACH_REQUESTS of them. */
#define ATTACH_REQUESTS 2
int attach_request(struct attach *a, enum om_msg type, const void *msg,
		   struct om_error *err);
/* One question by the way; waits for its answer a few seconds at most. */
int attach_ask(struct attach *a, enum om_msg type, const void *msg,
	       enum om_msg expect, void *ret_body, struct om_error *err);
/* The job is over for us: gives its nodes back, with the command's fate. */
void attach_finish(struct attach *a, uint64_t job_id, int exit_code);
void attach_cancel(struct attach *a, uint64_t job_id);
/* Says on standard error why the job waits. */
void attach_say_waiting(struct attach *a, uint64_t job_id);

#endif
