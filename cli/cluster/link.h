/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: the bridge and the cables of a cluster, by rtnetlink. */
#ifndef OM_CLI_CLUSTER_LINK_H
#define OM_CLI_CLUSTER_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cluster/cluster.h"

enum link_state { LINK_ABSENT, LINK_DOWN, LINK_UP };

/*
 * Makes the bridge with the host's address, or takes the one that is there.
 * -EADDRINUSE if another link's address lies in the network.
 */
int link_bridge_up(const struct cluster *c, struct om_error *err);
/* Removes it; one that is not there is no error. */
int link_bridge_down(const struct cluster *c, struct om_error *err);

/* A cable from the bridge to an eth0 in the network namespace of pid. */
int link_cable_create(const struct cluster *c, const struct cluster_node *n,
		      pid_t pid, struct om_error *err);
/* Removes the host's end (and with it the node's), if it is there. */
int link_cable_remove(const struct cluster *c, const struct cluster_node *n,
		      struct om_error *err);
int link_cable_set(const struct cluster *c, const struct cluster_node *n,
		   bool up, struct om_error *err);
enum link_state link_cable_state(const struct cluster *c,
				 const struct cluster_node *n);

/* Inside the node: lo and eth0 up, with the node's address. */
int link_node_up(const struct cluster *c, const struct cluster_node *n,
		 struct om_error *err);

#endif
