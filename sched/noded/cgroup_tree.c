/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup_tree: which hierarchies there are, where they are mounted, and which
 * of their groups is our own (/proc/self/mountinfo and /proc/self/cgroup).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/cgroup_private.h"

struct mount {
	char point[PATH_MAX], root[PATH_MAX];
};

/* "a,b,c" holds word */
static bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len == n && !strncmp(list, word, n))
			return true;
		list += len;
		if (*list)
			list++;
	}
	return false;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				       (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* One mountinfo line: the hierarchy of controller (NULL: v2)? */
static bool mount_match(char *line, const char *controller, struct mount *m)
{
	char *sep = strstr(line, " - "), *save = NULL, *field[5];
	char type[32], super[512];

	if (!sep)
		return false;
	if (sscanf(sep + 3, "%31s %*s %511s", type, super) != 2)
		return false;
	if (strcmp(type, controller ? "cgroup" : "cgroup2") ||
	    (controller && !list_has(super, controller)))
		return false;
	for (int i = 0; i < 5; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	unescape(field[3]);
	unescape(field[4]);
	return om_str_copy(m->root, sizeof(m->root), field[3]) == 0 &&
	       om_str_copy(m->point, sizeof(m->point), field[4]) == 0;
}

static int mount_find(const char *controller, struct mount *m)
{
	om_autofile FILE *f = fopen("/proc/self/mountinfo", "re");
	om_autofree char *line = NULL;
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (mount_match(line, controller, m))
			return 0;
	}
	return -ENOENT;
}

/* Our own group's path in a hierarchy, from "N:controllers:/path". */
static int own_path(const char *controller, char *path, size_t size)
{
	om_autofile FILE *f = fopen("/proc/self/cgroup", "re");
	om_autofree char *line = NULL;
	size_t cap = 0;

	if (!f)
		return -errno;
	while (getline(&line, &cap, f) > 0) {
		char *list = strchr(line, ':');
		char *where = list ? strchr(list + 1, ':') : NULL;

		if (!where)
			continue;
		line[strcspn(line, "\n")] = '\0';
		*where++ = '\0';
		list++;
		if (controller ? list_has(list, controller) : *list == '\0')
			return om_str_copy(path, size, where);
	}
	return -ENOENT;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

/* systemd refuses to start a service in a group that has become inner. */
static bool of_systemd(const char *path)
{
	return ends_with(path, ".service") || ends_with(path, ".scope") ||
	       ends_with(path, ".slice");
}

/* The part of our path that can be seen below the mount. */
static const char *below_root(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (!strcmp(root, "/"))
		return om_str_starts(path, "/..") ? "" : path;
	if (!strncmp(path, root, n) && (path[n] == '/' || path[n] == '\0'))
		return path + n;
	return "";	/* a cgroup namespace: the mount's top is ours */
}

static int make_path(int dirfd, const char *path, int *ret_fd)
{
	char copy[PATH_MAX], *save = NULL;
	om_autofd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY |
				  O_CLOEXEC);

	if (fd < 0 || om_str_copy(copy, sizeof(copy), path) < 0)
		return fd < 0 ? -errno : -ENAMETOOLONG;
	for (char *name = strtok_r(copy, "/", &save); name;
	     name = strtok_r(NULL, "/", &save)) {
		int next;

		if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close(fd);
		fd = next;
	}
	*ret_fd = om_take_fd(&fd);
	return 0;
}

static int join_path(char *dst, size_t size, const char *a, const char *b,
		     const char *c)
{
	int n = snprintf(dst, size, "%s%s%s", a, b, c);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* -ENOENT if the hierarchy is not mounted, which is not an error here. */
static int hierarchy_open(struct cgroup_hierarchy *h, const char *controller,
			  const char *root, struct om_error *err)
{
	om_autofree struct mount *m = malloc(sizeof(*m));
	char own[PATH_MAX], base[PATH_MAX];
	const char *below;
	om_autofd int top = -1;
	int rc;

	if (!m)
		return om_fail_nomem(err);
	rc = mount_find(controller, m);
	if (rc == 0)
		rc = own_path(controller, own, sizeof(own));
	if (rc < 0)
		return om_fail(err, rc, "hierarchy %s is not mounted",
			       controller ? controller : "cgroup2");
	below = below_root(own, m->root);
	if (!strcmp(below, "/"))
		below = "";
	rc = join_path(base, sizeof(base), m->point, below, "");
	if (rc < 0)
		return om_fail(err, rc, "path of the own group is too long");
	h->own_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->own_fd < 0)
		return om_fail_errno(err, "cannot open the own group '%s'",
				     base);
	if (*root == '/' || of_systemd(below))
		below = "";
	rc = join_path(base, sizeof(base), m->point, below, "");
	if (rc == 0)
		rc = join_path(h->path, sizeof(h->path), base,
			       *root == '/' ? "" : "/", root);
	if (rc < 0)
		return om_fail(err, rc, "path of the group is too long");
	top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return om_fail_errno(err, "cannot open '%s'", base);
	rc = make_path(top, root, &h->root_fd);
	if (rc < 0)
		return om_fail(err, rc, "cannot make '%s': %s", h->path,
			       strerror(-rc));
	return 0;
}

/* Limits are optional: a hierarchy that is not there is left out. */
static int hierarchy_optional(struct cgroup_hierarchy *h, const char *controller,
			      const char *root, struct om_error *err)
{
	struct om_error why = OM_ERROR_INIT;
	int rc = hierarchy_open(h, controller, root, &why);

	if (rc < 0 && rc != -ENOENT)
		return om_fail(err, rc, "%s", why.text);
	return 0;
}

/*
 * v2 gives controllers to children only if no process sits beside them (the
 * "no internal processes" rule), so the processes of our own group step down
 * into a leaf first. Those of the root group may stay: it is exempt.
 */
static int step_aside(int own_fd)
{
	om_autofd int leaf = -1;
	char pids[16384], *save = NULL;
	int rc = make_path(own_fd, "openmosix.daemons", &leaf);

	if (rc == 0)
		rc = cgroup_read(own_fd, "cgroup.procs", pids, sizeof(pids));
	if (rc < 0)
		return rc;
	for (char *p = strtok_r(pids, "\n", &save); p;
	     p = strtok_r(NULL, "\n", &save)) {
		rc = cgroup_write(leaf, "cgroup.procs", p);
		if (rc < 0 && rc != -ESRCH)
			return rc;
	}
	return 0;
}

/* Hands a controller down from the own group to ROOT; false if it cannot. */
static bool v2_enable(struct cgroup_tree *t, bool inside, const char *name)
{
	char list[512], plus[32];
	int rc;

	if (cgroup_read(t->group.own_fd, "cgroup.controllers", list,
			sizeof(list)) < 0)
		return false;
	for (char *p = list; *p; p++)
		if (*p == ' ')
			*p = ',';
	if (!list_has(list, name))
		return false;
	snprintf(plus, sizeof(plus), "+%s", name);
	if (inside) {
		rc = cgroup_write(t->group.own_fd, "cgroup.subtree_control",
				  plus);
		if (rc == -EBUSY && step_aside(t->group.own_fd) == 0)
			rc = cgroup_write(t->group.own_fd,
					  "cgroup.subtree_control", plus);
		if (rc < 0)
			return false;
	}
	return cgroup_write(t->group.root_fd, "cgroup.subtree_control",
			    plus) == 0;
}

static void v2_controllers(struct cgroup_tree *t)
{
	struct stat own, parent;
	om_autofd int up = openat(t->group.root_fd, "..",
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool inside;

	if (up < 0 || fstat(up, &parent) < 0 ||
	    fstat(t->group.own_fd, &own) < 0)
		return;
	inside = own.st_ino == parent.st_ino;
	if (!inside) {
		cgroup_write(up, "cgroup.subtree_control", "+memory");
		cgroup_write(up, "cgroup.subtree_control", "+cpuset");
	}
	t->v2_memory = v2_enable(t, inside, "memory");
	t->v2_cpuset = v2_enable(t, inside, "cpuset");
}

static int open_all(struct cgroup_tree *t, const char *root,
		    enum cgroup_mode mode, struct om_error *err)
{
	int rc = -ENOENT;

	if (mode != CGROUP_V1_ONLY) {
		t->ops = cgroup_v2_ops();
		rc = hierarchy_open(&t->group, NULL, root, err);
		if (rc == 0)
			v2_controllers(t);
	}
	if (rc == -ENOENT) {
		t->ops = cgroup_v1_ops();
		rc = hierarchy_open(&t->group, "freezer", root, err);
		if (rc == -ENOENT)
			return om_fail(err, -ENOTSUP,
				       "neither cgroup v2 nor the v1 freezer is mounted: "
				       "processes of jobs could not be kept together");
	}
	if (rc == 0 && !t->v2_memory)
		rc = hierarchy_optional(&t->mem, "memory", root, err);
	if (rc == 0 && !t->v2_cpuset)
		rc = hierarchy_optional(&t->cpuset, "cpuset", root, err);
	return rc;
}

/* A new v1 cpuset is empty, and so would be all below it. */
static int cpuset_fill(struct cgroup_tree *t, struct om_error *err)
{
	static const char *const file[] = { "cpuset.cpus", "cpuset.mems" };
	om_autofd int up = -1;
	char text[1024];
	int rc = 0;

	if (t->cpuset.root_fd < 0)
		return 0;
	up = openat(t->cpuset.root_fd, "..", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
	if (up < 0)
		return om_fail_errno(err, "cannot open '%s/..'",
				     t->cpuset.path);
	for (int i = 0; i < 2 && rc >= 0; i++) {
		rc = cgroup_read(t->cpuset.root_fd, file[i], text,
				 sizeof(text));
		if (rc != 0)
			continue;
		rc = cgroup_read(up, file[i], text, sizeof(text));
		if (rc >= 0)
			rc = cgroup_write(t->cpuset.root_fd, file[i], text);
	}
	if (rc < 0)
		return om_fail(err, rc, "cannot fill '%s': %s", t->cpuset.path,
			       strerror(-rc));
	return 0;
}

/* The quota of the own group only: nothing is made in this hierarchy. */
static void cpu_open(struct cgroup_tree *t)
{
	om_autofree struct mount *m = malloc(sizeof(*m));
	char own[PATH_MAX], path[PATH_MAX];

	if (!m || mount_find("cpu", m) < 0 ||
	    own_path("cpu", own, sizeof(own)) < 0 ||
	    join_path(path, sizeof(path), m->point, below_root(own, m->root),
		      "") < 0)
		return;
	t->cpu.own_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct cgroup_tree *cgroup_tree_open(const char *root, enum cgroup_mode mode,
				     struct om_error *err)
{
	static const struct cgroup_hierarchy none = {
		.own_fd = -1, .root_fd = -1,
	};
	struct cgroup_tree *t = calloc(1, sizeof(*t));

	if (!t) {
		om_fail_nomem(err);
		return NULL;
	}
	t->group = t->mem = t->cpuset = t->cpu = none;
	if (strstr(root, "..") || !*root || !strcmp(root, "/")) {
		om_fail(err, -EINVAL, "cgroup_root '%s' is not a path below a hierarchy", root);
		goto fail;
	}
	if (open_all(t, root, mode, err) < 0 || cpuset_fill(t, err) < 0)
		goto fail;
	cpu_open(t);
	snprintf(t->describe, sizeof(t->describe), "cgroup %s at %s, memory %s",
		 t->ops->name, t->group.path, t->v2_memory ? "v2" :
		 t->mem.root_fd >= 0 ? "v1" : "not limited");
	return t;
fail:
	cgroup_tree_close(t);
	return NULL;
}

static void hierarchy_close(struct cgroup_hierarchy *h)
{
	om_cleanup_fd(&h->own_fd);
	om_cleanup_fd(&h->root_fd);
}

void cgroup_tree_close(struct cgroup_tree *t)
{
	if (!t)
		return;
	hierarchy_close(&t->group);
	hierarchy_close(&t->mem);
	hierarchy_close(&t->cpuset);
	hierarchy_close(&t->cpu);
	free(t);
}

/* v1 says "none" with a number near 2^63; nothing has that much memory. */
#define V1_UNLIMITED (UINT64_C(1) << 60)

static void own_memory(const struct cgroup_tree *t, struct cgroup_own *o)
{
	bool v2 = t->v2_memory;
	int fd = v2 ? t->group.own_fd : t->mem.own_fd;
	uint64_t limit = 0, used = 0, cache = 0;

	if (fd < 0 || cgroup_read_u64(fd, v2 ? "memory.max" :
				      "memory.limit_in_bytes", &limit) < 0 ||
	    limit >= V1_UNLIMITED)
		return;
	cgroup_read_u64(fd, v2 ? "memory.current" : "memory.usage_in_bytes",
			&used);
	cgroup_read_key(fd, "memory.stat",
			v2 ? "inactive_file" : "total_inactive_file", &cache);
	o->mem_limit = limit;
	o->mem_used = used > cache ? used - cache : 0;
}

static void own_quota(const struct cgroup_tree *t, struct cgroup_own *o)
{
	char text[64];
	double quota, period;

	if (cgroup_read(t->group.own_fd, "cpu.max", text, sizeof(text)) > 0 &&
	    sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0) {
		o->cpu_quota = quota / period;
		return;
	}
	if (t->cpu.own_fd < 0 ||
	    cgroup_read(t->cpu.own_fd, "cpu.cfs_quota_us", text,
			sizeof(text)) <= 0 ||
	    sscanf(text, "%lf", &quota) != 1 || quota <= 0)
		return;
	if (cgroup_read(t->cpu.own_fd, "cpu.cfs_period_us", text,
			sizeof(text)) > 0 &&
	    sscanf(text, "%lf", &period) == 1 && period > 0)
		o->cpu_quota = quota / period;
}

void cgroup_own_read(const struct cgroup_tree *t, struct cgroup_own *ret)
{
	*ret = (struct cgroup_own){ 0 };
	own_memory(t, ret);
	own_quota(t, ret);
	cgroup_read_key(t->group.own_fd, "cpu.stat", "usage_usec",
			&ret->cpu_us);
}
