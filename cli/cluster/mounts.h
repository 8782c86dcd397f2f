/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mounts: what a node sees of the file system. */
#ifndef OM_CLI_CLUSTER_MOUNTS_H
#define OM_CLI_CLUSTER_MOUNTS_H

#include "cli/cluster/cgroup.h"
#include "cli/cluster/cluster.h"

/*
 * In the node's fresh mount namespace. Its own: /proc, /tmp, /dev/shm, /run,
 * /var/spool, the cluster's run and state folders, the boot id. The host's:
 * all else, /home above all, and of what its own folders hide: the cluster's
 * folder, and c->share. The node's cgroup ("group") becomes the root of each
 * hierarchy.
 */
int mounts_make(const struct cluster *c, const struct cluster_node *n,
		const struct cgroups *cg, const char *group,
		struct om_error *err);

#endif
