/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mounts: trees that a fresh tmpfs will hide are taken by open_tree before,
 * and put where they were, on top of it, after.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster/control.h"
#include "cli/cluster/folder.h"
#include "cli/cluster/mounts.h"
#include "lib/base/cleanup.h"

#define TREES_MAX 32

struct tree {
	const char *to;
	int fd;
};

struct trees {
	struct tree t[TREES_MAX];
	size_t n;
};

/* Takes the tree at "from", to be put at "to" (borrowed) later. */
static int take(struct trees *ts, const char *from, const char *to,
		struct om_error *err)
{
	int fd;

	if (ts->n == TREES_MAX)
		return om_fail(err, -E2BIG, "too many folders to share");
	fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
		       AT_RECURSIVE);
	if (fd < 0)
		return om_fail_errno(err, "cannot take '%s' into the node",
				     from);
	ts->t[ts->n++] = (struct tree){ .to = to, .fd = fd };
	return 0;
}

static int put(const struct tree *t, struct om_error *err)
{
	/* /run is often noexec, and scripts of jobs lie below it */
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_NOEXEC };
	struct stat st;
	int rc;

	if (fstat(t->fd, &st) < 0)
		return om_fail_errno(err, "cannot look at '%s'", t->to);
	if (S_ISDIR(st.st_mode)) {
		rc = folder_make(t->to, 0755, err);
		if (rc < 0)
			return rc;
	}
	if (mount_setattr(t->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
	    move_mount(t->fd, "", AT_FDCWD, t->to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return om_fail_errno(err, "cannot mount '%s' in the node",
				     t->to);
	return 0;
}

static int put_all(struct trees *ts, struct om_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < ts->n; i++) {
		if (rc == 0)
			rc = put(ts->t + i, err);
		close(ts->t[i].fd);
	}
	return rc;
}

static int mount_new(const char *type, const char *to, unsigned long flags,
		     const char *options, struct om_error *err)
{
	if (mount(type, to, type, MS_NOSUID | MS_NODEV | flags, options) < 0)
		return om_fail_errno(err, "cannot mount %s on '%s'", type, to);
	return 0;
}

static int mount_fresh(struct om_error *err)
{
	int rc = mount_new("proc", "/proc", MS_NOEXEC, NULL, err);

	if (rc == 0)
		rc = mount_new("tmpfs", "/tmp", 0, "mode=1777", err);
	if (rc == 0)
		rc = mount_new("tmpfs", "/dev/shm", 0, "mode=1777", err);
	if (rc == 0)
		rc = mount_new("tmpfs", "/run", 0, "mode=0755", err);
	if (rc == 0)
		rc = folder_make("/run/lock", 01777, err);
	return rc;
}

static bool is_hidden(const char *path)
{
	static const char *const fresh[] = { "/tmp/", "/run/", "/dev/shm/",
					     "/var/spool/" };

	for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++)
		if (strncmp(path, fresh[i], strlen(fresh[i])) == 0)
			return true;
	return false;
}

struct own {			/* folders of the node on the host */
	char spool[PATH_MAX], state[PATH_MAX], hosts[PATH_MAX];
	char openmpi[PATH_MAX];
};

static int take_all(const struct cluster *c, const struct own *own,
		    struct trees *ts, struct om_error *err)
{
	int rc = take(ts, c->folder, c->folder, err);

	for (size_t i = 0; rc == 0 && i < c->share.n; i++)
		if (is_hidden(c->share.v[i]))
			rc = take(ts, c->share.v[i], c->share.v[i], err);
	if (rc == 0)
		rc = take(ts, own->state, c->state_dir, err);
	if (rc == 0)
		rc = take(ts, own->spool, "/var/spool", err);
	if (rc == 0)
		rc = take(ts, own->hosts, "/etc/hosts", err);
	if (rc == 0 && access(own->openmpi, F_OK) == 0)
		rc = take(ts, own->openmpi, CONTROL_OPENMPI, err);
	return rc;
}

static int mount_run(const struct cluster *c, struct om_error *err)
{
	char path[PATH_MAX];

	return mount_new("tmpfs", cluster_path(c, path, "run"), 0, "mode=0755",
			 err);
}

/* What tells a node that came back from one that never went. */
static int make_boot_id(struct om_error *err)
{
	static const char file[] = "/run/boot_id";
	static const char over[] = "/proc/sys/kernel/random/boot_id";
	unsigned char r[16];
	char text[64];
	int rc, at = 0;

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return om_fail_errno(err, "no random bytes");
	for (size_t i = 0; i < sizeof(r); i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			       r[i]);
	strcat(text, "\n");
	rc = folder_write(file, text, 0444, err);
	if (rc == 0 && mount(file, over, NULL, MS_BIND, NULL) < 0)
		rc = om_fail_errno(err, "cannot give the node a boot id");
	return rc;
}

static int mount_cgroups(const struct cgroups *cg, const char *group,
			 struct om_error *err)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < cg->n; i++) {
		snprintf(path, sizeof(path), "%s/%s", cg->h[i].mount, group);
		if (mount(path, cg->h[i].mount, NULL, MS_BIND, NULL) < 0)
			return om_fail_errno(err, "cannot mount the cgroup "
					     "'%s'", path);
	}
	return 0;
}

int mounts_make(const struct cluster *c, const struct cluster_node *n,
		const struct cgroups *cg, const char *group,
		struct om_error *err)
{
	struct trees ts = { .n = 0 };
	struct own own;
	int rc, rc2;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return om_fail_errno(err, "cannot make mounts private");
	cluster_path(c, own.spool, "nodes/%s/spool", n->name);
	cluster_path(c, own.state, "nodes/%s/state", n->name);
	cluster_path(c, own.hosts, "hosts");
	cluster_path(c, own.openmpi, "openmpi.conf");
	rc = take_all(c, &own, &ts, err);
	if (rc == 0)
		rc = mount_fresh(err);
	rc2 = put_all(&ts, rc < 0 ? NULL : err);
	if (rc == 0)
		rc = rc2;
	if (rc == 0)
		rc = mount_run(c, err);
	if (rc == 0)
		rc = make_boot_id(err);
	if (rc == 0)
		rc = mount_cgroups(cg, group, err);
	return rc;
}
