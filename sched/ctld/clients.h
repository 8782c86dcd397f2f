/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * clients: listeners, the connections, and the one table that says which
 * function serves which message.
 */
#ifndef OM_SCHED_CTLD_CLIENTS_H
#define OM_SCHED_CTLD_CLIENTS_H

#include "sched/ctld/ctld.h"
#include "sched/ctld/peer.h"

struct clients;

/* Listens on run_dir/omctld.sock and on controller_port. */
struct clients *clients_create(struct omctld *c, struct om_error *err);
void clients_destroy(struct clients *cl);
/* Ends what is doomed; at the end of each turn. */
void clients_reap(struct clients *cl);
unsigned clients_count(const struct clients *cl);

/* A handler: body is of the message's type, valid during the call. */
typedef void handler_fn(struct omctld *c, struct peer *p, uint32_t id,
			const ProtobufCMessage *body);

/* Each lives in the file of its noun. */
handler_fn submit_handle;
handler_fn jobs_list, jobs_control, jobs_why, jobs_history;
handler_fn waits_handle;
handler_fn steps_create, steps_signal;
handler_fn steps_started, steps_exit;
handler_fn nodes_register, nodes_report, nodes_clean, nodes_list, nodes_control;
handler_fn settings_show, settings_set, settings_ping;

#endif
