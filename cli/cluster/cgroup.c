/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cluster/cgroup.h"
#include "cli/cluster/folder.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

#define PERIOD_US 20000		/* short, so that a share feels even */
#define GROUP_MAX 512		/* a mount point of 128 and our own names */
#define REMOVE_NS (5 * OM_NS_PER_S)

/* Those whose groups a node or its daemon may want. */
static const char *const wanted[] = {
	"cpu", "cpuacct", "cpuset", "memory", "freezer", "pids", NULL,
};

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, word, len) && (!p[len] || p[len] == ','))
			return true;
	}
	return false;
}

static bool is_wanted(const char *options)
{
	for (size_t i = 0; wanted[i]; i++)
		if (has_word(options, wanted[i]))
			return true;
	return false;
}

static void add_mount(struct cgroups *c, const char *mount, const char *type,
		      const char *options)
{
	bool v2 = strcmp(type, "cgroup2") == 0;
	struct cgroup_hierarchy *h;

	if (!v2 && (strcmp(type, "cgroup") || !is_wanted(options)))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->h[i].mount, mount) == 0)
			return;
	if (c->n == CGROUPS_MAX || strlen(mount) >= sizeof(h->mount))
		return;
	h = c->h + c->n++;
	strcpy(h->mount, mount);
	snprintf(h->controllers, sizeof(h->controllers), "%.63s",
		 v2 ? "" : options);
	h->v2 = v2;
}

/* ID PARENT DEV ROOT MOUNT OPTIONS ... - TYPE SOURCE SUPER: see proc(5). */
static void take_line(struct cgroups *c, char *line)
{
	char mount[PATH_MAX], type[64], super[256], *dash;

	dash = strstr(line, " - ");
	if (!dash || sscanf(line, "%*s %*s %*s %*s %4095s", mount) != 1 ||
	    sscanf(dash, " - %63s %*s %255s", type, super) != 2)
		return;
	add_mount(c, mount, type, super);
}

int cgroups_find(struct cgroups *c, struct om_error *err)
{
	om_autofile FILE *f = fopen("/proc/self/mountinfo", "re");
	om_autofree char *line = NULL;
	size_t size = 0;

	c->n = 0;
	if (!f)
		return om_fail_errno(err, "cannot read /proc/self/mountinfo");
	while (getline(&line, &size, f) > 0)
		take_line(c, line);
	if (!c->n)
		return om_fail(err, -ENOTSUP, "no cgroup hierarchy is mounted: "
			       "mount -t cgroup2 none /sys/fs/cgroup");
	return 0;
}

static char *group_file(const struct cgroup_hierarchy *h, const char *group,
			const char *file, char *buf)
{
	snprintf(buf, PATH_MAX, "%s/%s%s%s", h->mount, group,
		 *file ? "/" : "", file);
	return buf;
}

/* A v1 cpuset takes no process before it has processors and memory. */
static int inherit_cpuset(const char parent[GROUP_MAX],
			  const char child[GROUP_MAX],
			  struct om_error *err)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char path[GROUP_MAX + 16];
	int rc;

	for (size_t i = 0; i < 2; i++) {
		om_autofree char *text = NULL;

		snprintf(path, sizeof(path), "%s/%s", parent, files[i]);
		rc = folder_read(path, &text, err);
		if (rc < 0)
			return rc;
		snprintf(path, sizeof(path), "%s/%s", child, files[i]);
		rc = folder_poke(path, text, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Lets children of a v2 group have what the group has. */
static int pass_down(const char *parent, struct om_error *err)
{
	static const char *const v2[] = { "cpu", "cpuset", "memory", "pids" };
	om_autofree char *have = NULL;
	char path[GROUP_MAX + 32], word[16];
	int rc;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", parent);
	rc = folder_read(path, &have, err);
	if (rc < 0)
		return rc;
	have[strcspn(have, "\n")] = '\0';
	for (char *p = have; *p; p++)
		if (*p == ' ')
			*p = ',';
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent);
	for (size_t i = 0; i < sizeof(v2) / sizeof(v2[0]); i++) {
		if (!has_word(have, v2[i]))
			continue;
		snprintf(word, sizeof(word), "+%s", v2[i]);
		rc = folder_poke(path, word, err);
		if (rc < 0)
			return om_wrap(err, rc, "controller %s", v2[i]);
	}
	return 0;
}

static int make_level(const struct cgroup_hierarchy *h, const char *parent,
		      const char *child, struct om_error *err)
{
	int rc = 0;

	if (h->v2)
		rc = pass_down(parent, err);
	if (rc < 0)
		return rc;
	if (mkdir(child, 0755) < 0) {
		if (errno == EEXIST)
			return 0;
		return om_fail_errno(err, "cannot make the cgroup '%s'", child);
	}
	if (has_word(h->controllers, "cpuset"))
		rc = inherit_cpuset(parent, child, err);
	return rc;
}

static int create_in(const struct cgroup_hierarchy *h, const char *group,
		     struct om_error *err)
{
	char parent[GROUP_MAX], child[GROUP_MAX];
	const char *slash;
	int rc;

	snprintf(parent, sizeof(parent), "%s", h->mount);
	for (const char *p = group; *p; p = *slash ? slash + 1 : slash) {
		slash = strchrnul(p, '/');
		snprintf(child, sizeof(child), "%s/%.*s", h->mount,
			 (int)(slash - group), group);
		rc = make_level(h, parent, child, err);
		if (rc < 0)
			return rc;
		memcpy(parent, child, sizeof(parent));
	}
	return 0;
}

int cgroup_create(const struct cgroups *c, const char *group,
		  struct om_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = create_in(c->h + i, group, err);
	return rc;
}

static int poke_number(const struct cgroup_hierarchy *h, const char *group,
		       const char *file, uint64_t value, struct om_error *err)
{
	char path[PATH_MAX], text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return folder_poke(group_file(h, group, file, path), text, err);
}

static bool v2_has(const struct cgroup_hierarchy *h, const char *group,
		   const char *file)
{
	char path[PATH_MAX];

	return h->v2 && access(group_file(h, group, file, path), W_OK) == 0;
}

static int limit_cpu(const struct cgroup_hierarchy *h, const char *group,
		     uint32_t share, struct om_error *err)
{
	uint64_t quota = (uint64_t)PERIOD_US * share / 100;
	char path[PATH_MAX], text[64];
	int rc;

	if (quota < 1000)		/* the kernel's least */
		quota = 1000;
	if (v2_has(h, group, "cpu.max")) {
		snprintf(text, sizeof(text), "%llu %d",
			 (unsigned long long)quota, PERIOD_US);
		rc = folder_poke(group_file(h, group, "cpu.max", path), text,
				 err);
		return rc < 0 ? rc : 1;
	}
	if (!has_word(h->controllers, "cpu"))
		return 0;
	rc = poke_number(h, group, "cpu.cfs_period_us", PERIOD_US, err);
	if (rc == 0)
		rc = poke_number(h, group, "cpu.cfs_quota_us", quota, err);
	return rc < 0 ? rc : 1;
}

static int limit_memory(const struct cgroup_hierarchy *h, const char *group,
			uint64_t bytes, struct om_error *err)
{
	int rc;

	if (v2_has(h, group, "memory.max"))
		rc = poke_number(h, group, "memory.max", bytes, err);
	else if (has_word(h->controllers, "memory"))
		rc = poke_number(h, group, "memory.limit_in_bytes", bytes, err);
	else
		return 0;
	return rc < 0 ? rc : 1;
}

int cgroup_limit(const struct cgroups *c, const char *group, uint32_t share,
		 uint64_t mem_bytes, struct om_error *err)
{
	int cpu = 0, memory = 0, rc;

	for (size_t i = 0; i < c->n; i++) {
		rc = limit_cpu(c->h + i, group, share, err);
		if (rc < 0)
			return rc;
		cpu += rc;
		rc = limit_memory(c->h + i, group, mem_bytes, err);
		if (rc < 0)
			return rc;
		memory += rc;
	}
	if (!cpu || !memory)
		return om_fail(err, -ENOTSUP, "no cgroup controller for %s: "
			       "nodes need one for their share of the machine",
			       cpu ? "memory" : "processor time");
	return 0;
}

int cgroup_join(const struct cgroups *c, const char *group, pid_t pid,
		struct om_error *err)
{
	char path[PATH_MAX], text[32];
	int rc;

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < c->n; i++) {
		rc = folder_poke(group_file(c->h + i, group, "cgroup.procs",
					    path), text, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int cgroup_kill(const struct cgroups *c, const char *group,
		struct om_error *err)
{
	char path[PATH_MAX];
	int rc;

	for (size_t i = 0; i < c->n; i++) {
		if (!c->h[i].v2)
			continue;
		group_file(c->h + i, group, "cgroup.kill", path);
		if (access(path, F_OK) < 0)
			continue;
		rc = folder_poke(path, "1", err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int remove_below(const char *path)
{
	om_autodir DIR *d = opendir(path);
	struct dirent *e;
	char sub[PATH_MAX];

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) <
		    (int)sizeof(sub))
			remove_below(sub);
	}
	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_in(const char *path, struct om_error *err)
{
	const struct timespec pause = { .tv_nsec = 5 * OM_NS_PER_MS };
	const struct om_clock *clock = om_clock_system();
	int64_t deadline = om_mono_ns(clock) + REMOVE_NS;
	int rc;

	while ((rc = remove_below(path)) == -EBUSY &&
	       om_mono_ns(clock) < deadline)
		nanosleep(&pause, NULL);
	if (rc < 0)
		return om_fail(err, rc, "cannot remove the cgroup '%s': %s",
			       path, strerror(-rc));
	return 0;
}

int cgroup_remove(const struct cgroups *c, const char *group,
		  struct om_error *err)
{
	char path[PATH_MAX];
	int rc, ret = 0;

	for (size_t i = 0; i < c->n; i++) {
		rc = remove_in(group_file(c->h + i, group, "", path), err);
		if (rc < 0)
			ret = rc;
	}
	return ret;
}

void cgroup_remove_empty(const struct cgroups *c, const char *group)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < c->n; i++)
		rmdir(group_file(c->h + i, group, "", path));
}

bool cgroup_exists(const struct cgroups *c, const char *group)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < c->n; i++)
		if (access(group_file(c->h + i, group, "", path), F_OK) == 0)
			return true;
	return false;
}
