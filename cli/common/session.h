/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session: a command's configuration and its way to the controller. */
#ifndef OM_CLI_COMMON_SESSION_H
#define OM_CLI_COMMON_SESSION_H

#include "cli/common/options.h"
#include "lib/client/client.h"
#include "lib/conf/config.h"

struct session {
	struct om_config *config;
	struct om_client *client;
	int64_t timeout_ns;
};

/* Reads the configuration; does not connect yet. */
int session_open(struct session *s, const struct cli_common *c,
		 struct om_error *err);
void session_close(struct session *s);

/* om_client_call; an error is said, and the exit code for it returned as
 * -code (CLI_FAILED or CLI_AGAIN). */
int session_ask(struct session *s, enum om_msg type, const void *msg,
		enum om_msg expect, void *ret_body);

#endif
