/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup: the control groups of jobs and steps, whatever the version.
 *
 *	v2 with controllers	one hierarchy holds everything
 *	v2 without them		v2 groups, freezes and kills; limits go to v1
 *	v1 only			the freezer hierarchy groups; kill is
 *				freeze, SIGKILL to each, thaw
 *
 * Below each hierarchy: BASE/ROOT/job_ID/step_S. BASE is the daemon's own
 * group, so that a node that is itself confined (a virtual node, a container)
 * keeps its jobs inside its own limits; it is the hierarchy's top where the
 * own group belongs to systemd, which would not let us come back into a group
 * that has children with controllers.
 *
 * Groups that a job does not need are not made: the v1 memory group only with
 * a memory limit, the v1 cpuset only for a bound job.
 */
#ifndef OM_NODED_CGROUP_H
#define OM_NODED_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

#define CGROUP_JOIN_MAX 3

struct cgroup_tree;

enum cgroup_mode {
	CGROUP_AUTO,
	CGROUP_V1_ONLY,		/* for tests: as if v2 were not mounted */
};

/*
 * Finds the hierarchies and makes ROOT below them. root is a relative path,
 * or an absolute one that stands for BASE/ROOT. -ENOTSUP if there is neither
 * v2 nor a v1 freezer.
 */
struct cgroup_tree *cgroup_tree_open(const char *root, enum cgroup_mode mode,
				     struct om_error *err);
void cgroup_tree_close(struct cgroup_tree *t);
/* "cgroup v2 at /sys/fs/cgroup/unified/openmosix, memory v1": borrowed. */
const char *cgroup_tree_describe(const struct cgroup_tree *t);
/* Processor time used by all jobs so far, or -ENOTSUP. */
int cgroup_tree_cpu_us(const struct cgroup_tree *t, uint64_t *ret_us);

/* Every thread of every job; how many were stored (at most max), or -Exxx. */
int cgroup_tree_threads(const struct cgroup_tree *t, int *tids, int max);

struct cgroup_limits {
	uint64_t mem;		/* bytes for the whole job here, 0: none */
	const char *cpu_list;	/* "0-3,7": bound to; NULL or "": free */
};

/* A job's or a step's groups, open. */
struct cgroup_group {
	const struct cgroup_tree *tree;
	uint64_t job;
	uint32_t step;		/* CGROUP_WHOLE_JOB: the job's */
	int fd;			/* the grouping hierarchy's folder */
	int mem_fd;		/* v1 memory folder, or fd itself, or -1 */
	int watch_fd;		/* inotify, once cgroup_group_watch was called */
};
#define CGROUP_WHOLE_JOB UINT32_MAX
#define CGROUP_GROUP_INIT { .fd = -1, .mem_fd = -1, .watch_fd = -1 }

/* Makes the job's and the step's groups; those that exist are taken. */
int cgroup_step_create(const struct cgroup_tree *t, uint64_t job,
		       uint32_t step, const struct cgroup_limits *limits,
		       struct cgroup_group *ret, struct om_error *err);
/* What exists; step CGROUP_WHOLE_JOB opens the job's. -ENOENT. */
int cgroup_group_open(const struct cgroup_tree *t, uint64_t job, uint32_t step,
		      struct cgroup_group *ret, struct om_error *err);
void cgroup_group_close(struct cgroup_group *g);

/*
 * How a new process gets in: *ret_into is for clone3's CLONE_INTO_CGROUP (-1:
 * not to be had), and into each of the join descriptors (owned by the caller)
 * the process writes "0" while it is still root. Returns their number.
 */
int cgroup_group_join(const struct cgroup_group *g, int *ret_into,
		      int join[CGROUP_JOIN_MAX], struct om_error *err);

/* Sends signo to every process, nested groups too; how many got it. */
int cgroup_group_signal(const struct cgroup_group *g, int signo,
			struct om_error *err);
/* SIGKILL to everything, whatever it forks meanwhile. May be repeated. */
int cgroup_group_kill(const struct cgroup_group *g, struct om_error *err);
/* 1 if a process lives in it, 0 if not. */
int cgroup_group_populated(const struct cgroup_group *g, struct om_error *err);
/*
 * A descriptor, owned by the group, that becomes readable when the group may
 * have become empty. After it did, ask populated, and then call this again:
 * the descriptor may be another one (v1 watches one process at a time).
 * -ENOENT: empty already.
 */
int cgroup_group_watch(struct cgroup_group *g, struct om_error *err);
/* Every process id in the group and below; how many were stored. */
int cgroup_group_pids(const struct cgroup_group *g, int *pids, int max);

struct cgroup_memory {
	uint64_t limit, peak;	/* bytes; 0: not known */
	uint64_t oom_kills;
};
void cgroup_group_memory(const struct cgroup_group *g,
			 struct cgroup_memory *ret);

/* -EBUSY while processes live in it. Gone already is success. */
int cgroup_step_remove(const struct cgroup_tree *t, uint64_t job, uint32_t step,
		       struct om_error *err);
/* Removes the job's groups and whatever step groups are left in it. */
int cgroup_job_remove(const struct cgroup_tree *t, uint64_t job,
		      struct om_error *err);

/* Calls fn for every job that has a group here. */
typedef void cgroup_job_fn(void *arg, uint64_t job);
int cgroup_jobs(const struct cgroup_tree *t, cgroup_job_fn *fn, void *arg,
		struct om_error *err);

/* The node's own share, where its own group has one: for the topology. */
struct cgroup_own {
	uint64_t mem_limit;	/* bytes, 0: none */
	uint64_t mem_used;	/* without what could be dropped at once */
	double cpu_quota;	/* processors, 0: none */
	uint64_t cpu_us;	/* used by the node's group so far, 0: not known */
};
void cgroup_own_read(const struct cgroup_tree *t, struct cgroup_own *ret);

#endif
