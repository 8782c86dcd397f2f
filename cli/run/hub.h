/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hub: where the step daemons of all nodes bring their tasks' output and
 * fetch their input. Who connects must be root by munge on a machine of this
 * cluster and say the step's one-time key, which went to the nodes with the
 * step; each node may do so once.
 */
#ifndef OM_CLI_RUN_HUB_H
#define OM_CLI_RUN_HUB_H

#include "lib/conf/config.h"
#include "lib/loop/loop.h"
#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"

#define HUB_KEY 32

struct hub;
struct hub_handler {
	void (*data)(void *arg, uint32_t node, const Om__IoData *m);
	void (*task_exit)(void *arg, uint32_t node, const Om__TaskExit *m);
	/* Connected: up; or its connection has ended. */
	void (*node)(void *arg, uint32_t node, bool up);
	/* Input that queued up has gone. */
	void (*drained)(void *arg);
};

/* Listens; *ret_port and key are for the nodes. */
struct hub *hub_create(struct om_loop *loop, const struct om_config *config,
		       const struct hub_handler *handler, void *arg,
		       struct om_error *err);
void hub_destroy(struct hub *h);
const char *hub_host(const struct hub *h);	/* as the nodes reach us */
uint16_t hub_port(const struct hub *h);
const uint8_t *hub_key(const struct hub *h);

/* The step is known: callers are expected from so many nodes. */
int hub_expect(struct hub *h, uint64_t job, uint32_t step, uint32_t nodes,
	       struct om_error *err);
uint32_t hub_connected(const struct hub *h);
/* Sends to one node, or to all: HUB_ALL. */
#define HUB_ALL UINT32_MAX
void hub_send(struct hub *h, uint32_t node, enum om_msg type, const void *msg);
size_t hub_queued(const struct hub *h);
/* Stops and resumes reading from the nodes. */
void hub_pause(struct hub *h, bool paused);

#endif
