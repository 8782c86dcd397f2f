/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * node: one virtual node: its processes, from boot to crash.
 *
 *   holder (host's namespaces)   waits for process 1 and reaps it
 *     process 1 (the node's)     a keeper: starts omnoded again and again
 *       omnoded                  and, below it, step daemons and tasks
 */
#ifndef OM_CLI_CLUSTER_NODE_H
#define OM_CLI_CLUSTER_NODE_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cluster/cgroup.h"
#include "cli/cluster/cluster.h"

/* Process 1 as the host sees it, or 0. */
pid_t node_pid(const struct cluster *c, const struct cluster_node *n);

/* Boots a node that is not up. Returns when its process 1 is at work. */
int node_boot(const struct cluster *c, const struct cluster_node *n,
	      const struct cgroups *cg, const char *omnoded,
	      struct om_error *err);
/* As if the power had gone: first the cable, then every process. */
int node_crash(const struct cluster *c, const struct cluster_node *n,
	       const struct cgroups *cg, struct om_error *err);

/*
 * Runs a command in the node and returns its exit code (128 + signal).
 * user NULL: as the caller.
 */
int node_exec(const struct cluster *c, const struct cluster_node *n,
	      const struct cgroups *cg, const char *user, char *const *argv,
	      struct om_error *err);

#endif
