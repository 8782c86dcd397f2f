/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cgroup_v2: the unified hierarchy, with controllers or without. */
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "lib/base/cleanup.h"
#include "sched/noded/cgroup_private.h"

static int v2_join(const struct cgroup_group *g, int *ret_into, int *join)
{
	(void)join;
	*ret_into = g->fd;
	return 0;
}

static int v2_kill(const struct cgroup_group *g, struct om_error *err)
{
	int rc = cgroup_write(g->fd, "cgroup.kill", "1");

	/* ENODEV: the group was removed, so there is nobody in it. */
	if (rc < 0 && rc != -ENODEV && rc != -ENOENT)
		return om_fail(err, rc, "cannot kill the group of job %llu: %s",
			       (unsigned long long)g->job, strerror(-rc));
	return 0;
}

static int v2_populated(const struct cgroup_group *g, struct om_error *err)
{
	uint64_t n = 0;
	int rc = cgroup_read_key(g->fd, "cgroup.events", "populated", &n);

	if (rc == -ENODEV || rc == -ENOENT)
		return 0;
	if (rc < 0)
		return om_fail(err, rc, "cannot read cgroup.events: %s",
			       strerror(-rc));
	return n != 0;
}

/* kernfs tells inotify when cgroup.events changes (kernel 4.16 and later). */
static int v2_watch(struct cgroup_group *g, struct om_error *err)
{
	om_autofd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	if (fd < 0)
		return om_fail_errno(err, "cannot make an inotify descriptor");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/cgroup.events", g->fd);
	if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return om_fail_errno(err, "cannot watch cgroup.events");
	g->watch_fd = om_take_fd(&fd);
	return g->watch_fd;
}

static int v2_cpu_us(const struct cgroup_tree *t, uint64_t *ret_us)
{
	return cgroup_read_key(t->group.root_fd, "cpu.stat", "usage_usec",
			       ret_us);
}

static const struct cgroup_ops ops = {
	.name = "v2",
	.threads = "cgroup.threads",
	.join = v2_join,
	.kill = v2_kill,
	.populated = v2_populated,
	.watch = v2_watch,
	.cpu_us = v2_cpu_us,
};

const struct cgroup_ops *cgroup_v2_ops(void)
{
	return &ops;
}
