/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup: groups of jobs and steps; what both versions share.
 *
 * Everything is relative to descriptors that stay open, so a job costs a
 * mkdirat and an openat for each group and no walk from "/".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/cgroup_private.h"

#define NAME_SIZE 32

static void job_name(uint64_t job, char *buf)
{
	snprintf(buf, NAME_SIZE, "job_%" PRIu64, job);
}

static void step_name(uint32_t step, char *buf)
{
	snprintf(buf, NAME_SIZE, "step_%" PRIu32, step);
}

static int dir_open(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Makes the folder, or takes the one that is there; 1 if it is new. */
static int dir_make(int dirfd, const char *name, int *ret_fd)
{
	int fresh = 1;

	if (mkdirat(dirfd, name, 0755) < 0) {
		if (errno != EEXIST)
			return -errno;
		fresh = 0;
	}
	*ret_fd = dir_open(dirfd, name);
	return *ret_fd < 0 ? *ret_fd : fresh;
}

static int mem_limit(const struct cgroup_tree *t, int fd, uint64_t bytes)
{
	char text[32];
	int rc;

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	if (t->v2_memory) {
		rc = cgroup_write(fd, "memory.max", text);
		if (rc == 0)	/* swapping a job out would hide its size */
			cgroup_write(fd, "memory.swap.max", "0");
		return rc;
	}
	rc = cgroup_write(fd, "memory.limit_in_bytes", text);
	if (rc == 0)
		cgroup_write(fd, "memory.memsw.limit_in_bytes", text);
	return rc;
}

/* The step's group in the v1 memory hierarchy, below the job's limit. */
static int mem_create(const struct cgroup_tree *t, const char *job,
		      const char *step, uint64_t limit, int *ret_fd,
		      struct om_error *err)
{
	om_autofd int fd = -1;
	int rc = dir_make(t->mem.root_fd, job, &fd);

	if (rc == 1)
		rc = mem_limit(t, fd, limit);
	if (rc < 0)
		return om_fail(err, rc,
			       "cannot limit memory in '%s/%s' to %" PRIu64
			       " bytes: %s", t->mem.path, job, limit,
			       strerror(-rc));
	rc = dir_make(fd, step, ret_fd);
	if (rc < 0)
		return om_fail(err, rc, "cannot make '%s/%s/%s': %s",
			       t->mem.path, job, step, strerror(-rc));
	return 0;
}

/* v1: a cpuset needs its memory nodes before anybody may join it. */
static int cpuset_create(const struct cgroup_tree *t, const char *job,
			 const char *list, struct om_error *err)
{
	om_autofd int fd = -1;
	char mems[256];
	int rc = dir_make(t->cpuset.root_fd, job, &fd);

	if (rc >= 0)
		rc = cgroup_read(t->cpuset.root_fd, "cpuset.mems", mems,
				 sizeof(mems));
	if (rc >= 0)
		rc = cgroup_write(fd, "cpuset.mems", mems);
	if (rc == 0)
		rc = cgroup_write(fd, "cpuset.cpus", list);
	if (rc < 0)
		return om_fail(err, rc,
			       "cannot bind to processors '%s' in '%s/%s': %s",
			       list, t->cpuset.path, job, strerror(-rc));
	return 0;
}

/* v2 with controllers: the limits are files of the job's own group. */
static int v2_limits(const struct cgroup_tree *t, int fd,
		     const struct cgroup_limits *l, struct om_error *err)
{
	int rc = 0;

	if (t->v2_memory) {
		if (l->mem)
			rc = mem_limit(t, fd, l->mem);
		if (rc == 0)
			rc = cgroup_write(fd, "cgroup.subtree_control",
					  "+memory");
	}
	if (rc == 0 && t->v2_cpuset && l->cpu_list && *l->cpu_list)
		rc = cgroup_write(fd, "cpuset.cpus", l->cpu_list);
	if (rc < 0)
		return om_fail(err, rc, "cannot set limits below '%s': %s",
			       t->group.path, strerror(-rc));
	return 0;
}

static int limits_create(const struct cgroup_tree *t, const char *job,
			 const char *step, const struct cgroup_limits *l,
			 struct cgroup_group *g, struct om_error *err)
{
	int rc = 0;

	if (l->mem && !t->v2_memory) {
		if (t->mem.root_fd < 0)
			return om_fail(err, -ENOTSUP,
				       "the job has a memory limit, but this node no memory controller");
		rc = mem_create(t, job, step, l->mem, &g->mem_fd, err);
	}
	if (rc == 0 && l->cpu_list && *l->cpu_list && !t->v2_cpuset &&
	    t->cpuset.root_fd >= 0)
		rc = cpuset_create(t, job, l->cpu_list, err);
	return rc;
}

int cgroup_step_create(const struct cgroup_tree *t, uint64_t job,
		       uint32_t step, const struct cgroup_limits *limits,
		       struct cgroup_group *ret, struct om_error *err)
{
	struct cgroup_group g = CGROUP_GROUP_INIT;
	char jname[NAME_SIZE], sname[NAME_SIZE];
	om_autofd int jfd = -1;
	int rc;

	g.tree = t;
	g.job = job;
	g.step = step;
	job_name(job, jname);
	step_name(step, sname);
	rc = dir_make(t->group.root_fd, jname, &jfd);
	if (rc == 1) {
		rc = v2_limits(t, jfd, limits, err);
		if (rc < 0)
			return rc;
	}
	if (rc >= 0)
		rc = dir_make(jfd, sname, &g.fd);
	if (rc < 0)
		return om_fail(err, rc, "cannot make the group '%s/%s/%s': %s",
			       t->group.path, jname, sname, strerror(-rc));
	rc = limits_create(t, jname, sname, limits, &g, err);
	if (rc < 0) {
		cgroup_group_close(&g);
		cgroup_step_remove(t, job, step, NULL);
		return rc;
	}
	*ret = g;
	return 0;
}

int cgroup_group_open(const struct cgroup_tree *t, uint64_t job, uint32_t step,
		      struct cgroup_group *ret, struct om_error *err)
{
	struct cgroup_group g = CGROUP_GROUP_INIT;
	char path[2 * NAME_SIZE];

	g.tree = t;
	g.job = job;
	g.step = step;
	job_name(job, path);
	if (step != CGROUP_WHOLE_JOB) {
		size_t n = strlen(path);

		path[n] = '/';
		step_name(step, path + n + 1);
	}
	g.fd = dir_open(t->group.root_fd, path);
	if (g.fd < 0)
		return om_fail(err, g.fd, "no group '%s/%s': %s",
			       t->group.path, path, strerror(-g.fd));
	if (t->mem.root_fd >= 0) {
		g.mem_fd = dir_open(t->mem.root_fd, path);
		if (g.mem_fd < 0)
			g.mem_fd = -1;
	}
	*ret = g;
	return 0;
}

void cgroup_group_close(struct cgroup_group *g)
{
	om_cleanup_fd(&g->fd);
	om_cleanup_fd(&g->mem_fd);
	om_cleanup_fd(&g->watch_fd);
	g->fd = g->mem_fd = g->watch_fd = -1;
}

static int join_cpuset(const struct cgroup_group *g)
{
	char path[NAME_SIZE + 16];
	int fd;

	if (g->tree->cpuset.root_fd < 0)
		return -1;
	job_name(g->job, path);
	strcat(path, "/cgroup.procs");
	fd = openat(g->tree->cpuset.root_fd, path, O_WRONLY | O_CLOEXEC);
	return fd;
}

int cgroup_group_join(const struct cgroup_group *g, int *ret_into,
		      int join[CGROUP_JOIN_MAX], struct om_error *err)
{
	int n = g->tree->ops->join(g, ret_into, join);
	int fd;

	if (n < 0)
		return om_fail(err, n, "cannot open the group's cgroup.procs: %s",
			       strerror(-n));
	if (g->mem_fd >= 0) {
		join[n] = openat(g->mem_fd, "cgroup.procs",
				 O_WRONLY | O_CLOEXEC);
		if (join[n] < 0) {
			int rc = om_fail_errno(err, "cannot open cgroup.procs of the memory group");

			while (n > 0)
				close(join[--n]);
			return rc;
		}
		n++;
	}
	fd = join_cpuset(g);
	if (fd >= 0)
		join[n++] = fd;
	return n;
}

struct pid_walk {
	const char *file;
	int *pids, max, n;
};

/* v1's files are not in order and may repeat; a repeat does no harm. */
static int collect_pids(void *arg, int dirfd)
{
	struct pid_walk *w = arg;
	int fd = openat(dirfd, w->file, O_RDONLY | O_CLOEXEC);
	om_autofile FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	char line[32];

	if (!f) {
		if (fd >= 0)
			close(fd);
		return 0;	/* the group is gone */
	}
	while (w->n < w->max && fgets(line, sizeof(line), f)) {
		uint32_t pid;

		line[strcspn(line, "\n")] = '\0';
		/* 0: a process of another PID namespace, not ours to see */
		if (om_parse_u32(line, 1, INT_MAX, &pid) == 0)
			w->pids[w->n++] = (int)pid;
	}
	return 0;
}

int cgroup_group_pids(const struct cgroup_group *g, int *pids, int max)
{
	struct pid_walk w = { .file = "cgroup.procs", .pids = pids,
			      .max = max };
	int rc = cgroup_walk(g->fd, collect_pids, &w);

	return rc < 0 ? rc : w.n;
}

int cgroup_tree_threads(const struct cgroup_tree *t, int *tids, int max)
{
	struct pid_walk w = { .file = t->ops->threads, .pids = tids,
			      .max = max };
	int rc = cgroup_walk(t->group.root_fd, collect_pids, &w);

	return rc < 0 ? rc : w.n;
}

#define SIGNAL_MAX 65536

int cgroup_group_signal(const struct cgroup_group *g, int signo,
			struct om_error *err)
{
	om_autofree int *pids = malloc(SIGNAL_MAX * sizeof(*pids));
	int n, hit = 0;

	if (!pids)
		return om_fail_nomem(err);
	n = cgroup_group_pids(g, pids, SIGNAL_MAX);
	if (n < 0)
		return om_fail(err, n, "cannot read cgroup.procs: %s",
			       strerror(-n));
	for (int i = 0; i < n; i++)
		if (kill(pids[i], signo) == 0)
			hit++;
	return hit;
}

int cgroup_group_kill(const struct cgroup_group *g, struct om_error *err)
{
	return g->tree->ops->kill(g, err);
}

int cgroup_group_populated(const struct cgroup_group *g, struct om_error *err)
{
	return g->tree->ops->populated(g, err);
}

int cgroup_group_watch(struct cgroup_group *g, struct om_error *err)
{
	om_cleanup_fd(&g->watch_fd);
	g->watch_fd = -1;
	return g->tree->ops->watch(g, err);
}

static void memory_v2(const struct cgroup_group *g, struct cgroup_memory *m)
{
	om_autofd int job = openat(g->fd, "..", O_RDONLY | O_DIRECTORY |
				   O_CLOEXEC);

	cgroup_read_u64(g->fd, "memory.peak", &m->peak);
	cgroup_read_key(g->fd, "memory.events", "oom_kill", &m->oom_kills);
	if (job >= 0)
		cgroup_read_u64(job, "memory.max", &m->limit);
}

void cgroup_group_memory(const struct cgroup_group *g,
			 struct cgroup_memory *ret)
{
	om_autofd int job = -1;

	*ret = (struct cgroup_memory){ 0 };
	if (g->tree->v2_memory) {
		memory_v2(g, ret);
		return;
	}
	if (g->mem_fd < 0)
		return;
	cgroup_read_u64(g->mem_fd, "memory.max_usage_in_bytes", &ret->peak);
	cgroup_read_key(g->mem_fd, "memory.oom_control", "oom_kill",
			&ret->oom_kills);
	job = openat(g->mem_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job >= 0)
		cgroup_read_u64(job, "memory.limit_in_bytes", &ret->limit);
}

static int dir_remove(int dirfd, const char *path)
{
	if (dirfd < 0 || unlinkat(dirfd, path, AT_REMOVEDIR) == 0 ||
	    errno == ENOENT)
		return 0;
	return -errno;
}

/* The other hierarchies empty with the grouping one, but a moment later. */
static int remove_everywhere(const struct cgroup_tree *t, const char *path,
			     struct om_error *err)
{
	int rc = dir_remove(t->group.root_fd, path);

	if (rc == 0)
		rc = dir_remove(t->mem.root_fd, path);
	if (rc == 0)
		rc = dir_remove(t->cpuset.root_fd, path);
	if (rc < 0)
		return om_fail(err, rc, "cannot remove the group '%s/%s': %s",
			       t->group.path, path, strerror(-rc));
	return 0;
}

int cgroup_step_remove(const struct cgroup_tree *t, uint64_t job, uint32_t step,
		       struct om_error *err)
{
	char path[2 * NAME_SIZE];
	size_t n;
	int rc;

	job_name(job, path);
	n = strlen(path);
	path[n] = '/';
	step_name(step, path + n + 1);
	rc = dir_remove(t->group.root_fd, path);
	if (rc == 0 && t->mem.root_fd >= 0)
		rc = dir_remove(t->mem.root_fd, path);
	if (rc < 0)
		return om_fail(err, rc, "cannot remove the group '%s/%s': %s",
			       t->group.path, path, strerror(-rc));
	return 0;
}

/* Users cannot make groups here, but a step may be left of a dead daemon. */
static void remove_steps(int root_fd, const char *job)
{
	om_autofd int fd = dir_open(root_fd, job);
	om_autodir DIR *dir = NULL;
	struct dirent *e;
	int copy;

	if (fd < 0)
		return;
	copy = dir_open(fd, ".");
	dir = copy < 0 ? NULL : fdopendir(copy);
	while (dir && (e = readdir(dir)))
		if (om_str_starts(e->d_name, "step_"))
			unlinkat(fd, e->d_name, AT_REMOVEDIR);
}

int cgroup_job_remove(const struct cgroup_tree *t, uint64_t job,
		      struct om_error *err)
{
	char path[NAME_SIZE];

	job_name(job, path);
	if (remove_everywhere(t, path, err) == 0)
		return 0;
	remove_steps(t->group.root_fd, path);
	if (t->mem.root_fd >= 0)
		remove_steps(t->mem.root_fd, path);
	if (err)
		om_error_clear(err);
	return remove_everywhere(t, path, err);
}

int cgroup_jobs(const struct cgroup_tree *t, cgroup_job_fn *fn, void *arg,
		struct om_error *err)
{
	int copy = dir_open(t->group.root_fd, ".");
	om_autodir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	uint64_t job;

	if (!dir)
		return om_fail_errno(err, "cannot list '%s'", t->group.path);
	while ((e = readdir(dir)))
		if (om_str_starts(e->d_name, "job_") &&
		    om_parse_u64(e->d_name + 4, 0, UINT64_MAX, &job) == 0)
			fn(arg, job);
	return 0;
}

int cgroup_tree_cpu_us(const struct cgroup_tree *t, uint64_t *ret_us)
{
	return t->ops->cpu_us(t, ret_us);
}

const char *cgroup_tree_describe(const struct cgroup_tree *t)
{
	return t->describe;
}
