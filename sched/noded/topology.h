/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * topology: processors and memory of this node, by hwloc.
 *
 * What the node may use counts, not what the machine has: the affinity mask
 * and the memory limit of its own group (virtual nodes, containers), then what
 * the configuration says. hwloc's data is freed at once.
 */
#ifndef OM_NODED_TOPOLOGY_H
#define OM_NODED_TOPOLOGY_H

#include "lib/conf/config.h"
#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/cgroup.h"

struct topology {
	uint32_t cpus, cores, sockets, numa_nodes;
	uint64_t memory;	/* bytes */
	double quota;		/* processors' worth, 0: no quota */
	char *cpu_model, *cpu_flags, *kernel, *architecture;
};

/* conf: this node's block, NULL if it has none. OM_NODE_CPUS in the
 * environment, a number, is what a virtual node is given. */
int topology_read(struct topology *t, const struct cgroup_tree *tree,
		  const struct om_conf_node *conf, struct om_error *err);
void topology_fini(struct topology *t);
/* m points into t. */
void topology_fill(const struct topology *t, Om__Topology *m);

#endif
