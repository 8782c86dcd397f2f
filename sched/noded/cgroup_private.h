/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cgroup_private: what the two versions share; for cgroup*.c only. */
#ifndef OM_NODED_CGROUP_PRIVATE_H
#define OM_NODED_CGROUP_PRIVATE_H

#include <limits.h>

#include "sched/noded/cgroup.h"

/* What differs between the versions that can hold the groups. */
struct cgroup_ops {
	const char *name;
	const char *threads;	/* file that lists them */
	int (*join)(const struct cgroup_group *g, int *ret_into, int *join);
	int (*kill)(const struct cgroup_group *g, struct om_error *err);
	int (*populated)(const struct cgroup_group *g, struct om_error *err);
	int (*watch)(struct cgroup_group *g, struct om_error *err);
	int (*cpu_us)(const struct cgroup_tree *t, uint64_t *ret_us);
};
const struct cgroup_ops *cgroup_v1_ops(void);
const struct cgroup_ops *cgroup_v2_ops(void);

/* One hierarchy, as far as we use it. */
struct cgroup_hierarchy {
	int own_fd;		/* the daemon's own group */
	int root_fd;		/* BASE/ROOT */
	char path[PATH_MAX];	/* of root_fd, for messages */
};

struct cgroup_tree {
	const struct cgroup_ops *ops;
	struct cgroup_hierarchy group;	/* v2, or v1 freezer */
	struct cgroup_hierarchy mem;	/* v1 memory; fds -1: none */
	struct cgroup_hierarchy cpuset;	/* v1; fds -1: none */
	struct cgroup_hierarchy cpu;	/* v1, own group's quota only */
	bool v2_memory, v2_cpuset;	/* the v2 hierarchy has them */
	char describe[PATH_MAX + 64];
};

/* Small files: text without the last newline; length or -Exxx. */
int cgroup_read(int dirfd, const char *name, char *buf, size_t size);
int cgroup_read_u64(int dirfd, const char *name, uint64_t *ret);
/* "key value" lines: the value of key; -ENOENT. */
int cgroup_read_key(int dirfd, const char *name, const char *key,
		    uint64_t *ret);
int cgroup_write(int dirfd, const char *name, const char *text);

/* Calls fn with each group below dirfd, itself last; stops at fn != 0. */
typedef int cgroup_walk_fn(void *arg, int dirfd);
int cgroup_walk(int dirfd, cgroup_walk_fn *fn, void *arg);

#endif
