/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup_v1: the freezer hierarchy as the one that groups.
 *
 * v1 has no kill of its own: the group is frozen, so that nobody can fork,
 * each process gets SIGKILL, and the thaw lets them die of it.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/base/cleanup.h"
#include "sched/noded/cgroup_private.h"

static int v1_join(const struct cgroup_group *g, int *ret_into, int *join)
{
	*ret_into = -1;
	join[0] = openat(g->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return join[0] < 0 ? -errno : 1;
}

static int v1_kill(const struct cgroup_group *g, struct om_error *err)
{
	struct om_error ignored = OM_ERROR_INIT;
	int rc, thaw;

	/*
	 * The freeze may still be going on when the signals are sent; what
	 * was forked in between is caught by the caller's next round.
	 */
	rc = cgroup_write(g->fd, "freezer.state", "FROZEN");
	if (rc == -ENODEV || rc == -ENOENT)
		return 0;
	cgroup_group_signal(g, SIGKILL, &ignored);
	thaw = cgroup_write(g->fd, "freezer.state", "THAWED");
	if (rc < 0 || thaw < 0)
		return om_fail(err, rc < 0 ? rc : thaw,
			       "cannot freeze and thaw the group of job %llu",
			       (unsigned long long)g->job);
	return 0;
}

static int has_process(void *arg, int dirfd)
{
	char buf[16];
	int n = cgroup_read(dirfd, "cgroup.procs", buf, sizeof(buf));

	(void)arg;
	return n > 0;
}

static int v1_populated(const struct cgroup_group *g, struct om_error *err)
{
	int rc = cgroup_walk(g->fd, has_process, NULL);

	if (rc < 0)
		return om_fail(err, rc, "cannot read cgroup.procs: %s",
			       strerror(-rc));
	return rc;
}

/* Nobody tells when the group is empty, so the end of one process will do. */
static int v1_watch(struct cgroup_group *g, struct om_error *err)
{
	int pids[64];
	int n = cgroup_group_pids(g, pids, 64);

	if (n < 0)
		return om_fail(err, n, "cannot read cgroup.procs");
	for (int i = 0; i < n && i < 64; i++) {
		g->watch_fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
		if (g->watch_fd >= 0)
			return g->watch_fd;
	}
	return om_fail(err, -ENOENT, "the group is empty");
}

static int v1_cpu_us(const struct cgroup_tree *t, uint64_t *ret_us)
{
	(void)t;
	(void)ret_us;
	return -ENOTSUP;
}

static const struct cgroup_ops ops = {
	.name = "v1",
	.threads = "tasks",
	.join = v1_join,
	.kill = v1_kill,
	.populated = v1_populated,
	.watch = v1_watch,
	.cpu_us = v1_cpu_us,
};

const struct cgroup_ops *cgroup_v1_ops(void)
{
	return &ops;
}
