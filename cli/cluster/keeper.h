/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keeper: keeps programs running, and reaps whatever else ends.
 *
 * It is the supervisor of the controller's daemons, and process 1 of a node.
 * A program that ends is started again, after a pause that grows from 100 ms
 * to 2 s while it keeps ending soon after its start.
 */
#ifndef OM_CLI_CLUSTER_KEEPER_H
#define OM_CLI_CLUSTER_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"

struct keeper_program {
	const char *name;		/* for the log */
	char *const *argv;		/* argv[0] is a path */
	char *const *env;
	const char *log_path;		/* its standard output and error */
	const char *user;		/* NULL: as the caller */
	const char *wait_path;		/* not started before this is there */
	/* the keeper's own */
	pid_t pid;
	int64_t started_ns, next_ns, pause_ns;
};

/*
 * Runs until SIGTERM or SIGINT, then stops the programs, the last first, and
 * returns 0. SIGHUP is passed on. Changes the caller's signal mask for good.
 */
int keeper_run(struct keeper_program *p, size_t n, struct om_error *err);

#endif
