/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup: one group, in every hierarchy of this machine at once.
 *
 * A group is named by its path below each hierarchy's mount point
 * ("openmosix/cluster/n1"). With cgroup v2 alone there is one hierarchy; with
 * v1 controllers there is one for each, and v2 (for killing) where mounted.
 */
#ifndef OM_CLI_CLUSTER_CGROUP_H
#define OM_CLI_CLUSTER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"

#define CGROUPS_MAX 12

struct cgroup_hierarchy {
	char mount[128];
	char controllers[64];		/* of v1: "cpu,cpuacct" */
	bool v2;
};

struct cgroups {
	struct cgroup_hierarchy h[CGROUPS_MAX];
	size_t n;
};

/* Reads /proc/self/mountinfo. -ENOTSUP if there is nothing to use. */
int cgroups_find(struct cgroups *c, struct om_error *err);

/* Makes the group and its parents; passes v2 controllers down to it. */
int cgroup_create(const struct cgroups *c, const char *group,
		  struct om_error *err);
/* share: percent of one processor. -ENOTSUP without such a controller. */
int cgroup_limit(const struct cgroups *c, const char *group, uint32_t share,
		 uint64_t mem_bytes, struct om_error *err);
/* Moves a process (0: the caller) into the group. */
int cgroup_join(const struct cgroups *c, const char *group, pid_t pid,
		struct om_error *err);
/* Kills all in it and below, where v2 is mounted; else does nothing. */
int cgroup_kill(const struct cgroups *c, const char *group,
		struct om_error *err);
/* Removes the group and all below; waits for dying processes (5 s). */
int cgroup_remove(const struct cgroups *c, const char *group,
		  struct om_error *err);
/* Removes a group that holds nothing; one that does stays. */
void cgroup_remove_empty(const struct cgroups *c, const char *group);
bool cgroup_exists(const struct cgroups *c, const char *group);

#endif
