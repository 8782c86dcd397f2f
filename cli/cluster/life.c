/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cli/cluster/cgroup.h"
#include "cli/cluster/control.h"
#include "cli/cluster/folder.h"
#include "cli/cluster/life.h"
#include "cli/cluster/link.h"
#include "cli/cluster/node.h"
#include "cli/cluster/place.h"
#include "cli/cluster/process.h"
#include "cli/cluster/report.h"
#include "cli/common/say.h"
#include "config.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define REGISTER_NS (60 * OM_NS_PER_S)

/* What is needed to bring something up, found before anything is made. */
struct tools {
	char omctld[PATH_MAX], omnoded[PATH_MAX], munged[PATH_MAX];
	struct cgroups cg;
	struct spec_host host;
};

const char *life_version(void)
{
	return PACKAGE_VERSION;
}

int life_parse_count(const char *text, struct spec *s, struct om_error *err)
{
	if (om_parse_u32(text, 1, CLUSTER_NODES_MAX, &s->nodes) < 0)
		return om_fail(err, -EINVAL, "'%.40s' is not a number of nodes "
			       "from 1 to %d", text, CLUSTER_NODES_MAX);
	return 0;
}

int life_lock(const struct cluster *c, struct om_error *err)
{
	int fd = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
		      O_NOFOLLOW);

	if (fd < 0)
		return om_fail_errno(err, "cannot open '%s'", c->folder);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK) {
		say_note("waiting for another omcluster to finish");
		if (flock(fd, LOCK_EX) == 0)
			return fd;
	}
	om_fail_errno(err, "cannot lock '%s'", c->folder);
	close(fd);
	return -EIO;
}

static int find_tools(struct tools *t, struct om_error *err)
{
	struct sysinfo info;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int rc;

	rc = place_daemon("omctld", t->omctld, err);
	if (rc == 0)
		rc = place_daemon("omnoded", t->omnoded, err);
	if (rc == 0)
		rc = place_program("munged", "munge", t->munged, err);
	if (rc == 0)
		rc = cgroups_find(&t->cg, err);
	if (rc < 0)
		return rc;
	if (cpus < 1 || sysinfo(&info) < 0)
		return om_fail_errno(err, "cannot tell the machine's size");
	t->host.cpus = (uint32_t)cpus;
	t->host.mem_bytes = (uint64_t)info.totalram * info.mem_unit;
	return 0;
}

static int add_share(struct cluster *c, const char *path, struct om_error *err)
{
	if (path[0] != '/')
		return om_fail(err, -EINVAL, "--share=%s does not begin with "
			       "'/'", path);
	for (size_t i = 0; i < c->share.n; i++)
		if (strcmp(c->share.v[i], path) == 0)
			return 0;
	return om_strvec_add(&c->share, path) < 0 ? om_fail_nomem(err) : 0;
}

/* Folders that nodes need: where our programs are, and those asked for. */
static int share_folders(const struct spec *s, const struct tools *t,
			 struct cluster *c, struct om_error *err)
{
	char prefix[PATH_MAX];
	int rc;

	rc = place_prefix(t->omnoded, prefix, err);
	if (rc == 0)
		rc = add_share(c, prefix, err);
	for (size_t i = 0; rc == 0 && i < s->share.n; i++)
		rc = add_share(c, s->share.v[i], err);
	return rc;
}

static int set_state(const struct spec *s, bool fresh, struct cluster *c,
		     struct om_error *err)
{
	if (!s->state_dir)
		return 0;
	if (s->state_dir[0] != '/' || strlen(s->state_dir) > 200)
		return om_fail(err, -EINVAL, "--state=%.60s is not a path that "
			       "begins with '/'", s->state_dir);
	if (!fresh && strcmp(s->state_dir, c->state_dir))
		return om_fail(err, -EEXIST, "the cluster keeps its state in "
			       "'%.200s'\nomcluster down", c->state_dir);
	return om_str_copy(c->state_dir, sizeof(c->state_dir), s->state_dir);
}

/* Turns the wish into c. Returns how many nodes are new. */
static int plan(const struct spec *s, const struct tools *t, bool fresh,
		struct cluster *c, struct om_error *err)
{
	int rc = set_state(s, fresh, c, err);

	if (rc == 0 && fresh && if_nametoindex(c->bridge))
		rc = om_fail(err, -EEXIST, "the link %s exists already, though "
			     "no such cluster is up\nomcluster down%s%s removes "
			     "it", c->bridge, *c->name ? " --name=" : "",
			     c->name);
	if (rc == 0)
		rc = share_folders(s, t, c, err);
	if (rc == 0 && fresh)
		rc = control_port(c, err);
	return rc < 0 ? rc : spec_apply(s, &t->host, c, err);
}

static int start_control(struct cluster *c, const struct tools *t,
			 int new_nodes, struct om_error *err)
{
	int rc;

	if (control_pid(c))
		return new_nodes ? control_reload(c, err) : 0;
	rc = control_start(c, &t->cg, t->omctld, t->munged, err);
	return rc < 0 ? rc : 1;
}

static int boot_missing(struct cluster *c, const struct tools *t,
			struct om_error *err)
{
	int rc = 0, booted = 0;

	for (size_t i = 0; rc == 0 && i < c->nodes; i++) {
		if (node_pid(c, c->node + i))
			continue;
		rc = node_boot(c, c->node + i, &t->cg, t->omnoded, err);
		booted++;
	}
	return rc < 0 ? rc : booted;
}

static int tell_user(struct om_error *err)
{
	int rc = control_user(err);

	if (rc > 0)
		say_note("made the system user '%s', which omctld runs as",
			 CONTROL_USER);
	return rc < 0 ? rc : 0;
}

/* Returns how many things were started. */
static int build(struct cluster *c, const struct tools *t, int new_nodes,
		 struct om_error *err)
{
	int rc = tell_user(err), started, booted;

	if (rc == 0)
		rc = control_write(c, err);
	if (rc == 0)
		rc = cluster_save(c, err);
	if (rc == 0)
		rc = link_bridge_up(c, err);
	if (rc < 0)
		return rc;
	started = start_control(c, t, new_nodes, err);
	if (started < 0)
		return started;
	booted = boot_missing(c, t, err);
	return booted < 0 ? booted : started + booted;
}

static int take_down(struct cluster *c, struct om_error *err);

static int up_locked(const struct spec *s, struct cluster *c, bool fresh,
		     struct om_error *err)
{
	struct tools t;
	int rc = find_tools(&t, err), changed;

	if (rc == 0)
		rc = plan(s, &t, fresh, c, err);
	if (rc < 0) {
		if (fresh)
			rmdir(c->folder);
		return rc;
	}
	changed = build(c, &t, rc, err);
	if (changed < 0) {
		if (fresh)
			take_down(c, NULL);
		return changed;
	}
	if (!s->no_wait) {
		rc = report_wait(c, REGISTER_NS, err);
		if (rc < 0)
			return rc;
	}
	return changed > 0;
}

int life_up(const struct spec *s, struct cluster *c, struct om_error *err)
{
	om_autofd int lock = -1;
	bool fresh = false;
	int rc;

	rc = folder_make(c->folder, 0755, err);
	if (rc == 0)
		lock = life_lock(c, err);
	if (rc < 0 || lock < 0)
		return rc < 0 ? rc : lock;
	rc = cluster_load(c, err);
	if (rc == -ENOENT) {
		fresh = true;
		om_error_clear(err);
	} else if (rc < 0) {
		return rc;
	}
	rc = up_locked(s, c, fresh, err);
	if (rc < 0 && fresh)
		rmdir(CLUSTER_BASE);	/* stays if something is in it */
	return rc;
}

/* ---- down */

static void note_worst(int *worst, int rc)
{
	if (rc < 0 && *worst == 0)
		*worst = rc;
}

/* Every step is tried; the first failure is what is told. */
static int take_down(struct cluster *c, struct om_error *err)
{
	struct cgroups cg;
	char group[64];
	int worst = 0;

	note_worst(&worst, cgroups_find(&cg, err));
	note_worst(&worst, control_stop(c, worst ? NULL : err));
	for (size_t i = 0; i < c->nodes; i++)
		note_worst(&worst, node_crash(c, c->node + i, &cg,
					      worst ? NULL : err));
	place_group(c, NULL, group, sizeof(group));
	note_worst(&worst, cgroup_kill(&cg, group, worst ? NULL : err));
	note_worst(&worst, cgroup_remove(&cg, group, worst ? NULL : err));
	cgroup_remove_empty(&cg, "openmosix");
	note_worst(&worst, link_bridge_down(c, worst ? NULL : err));
	note_worst(&worst, folder_remove(c->folder, worst ? NULL : err));
	rmdir(CLUSTER_BASE);
	return worst;
}

/* Is there anything left of it, even if the folder is gone? */
static bool is_there(const struct cluster *c)
{
	struct cgroups cg;
	char group[64];

	return access(c->folder, F_OK) == 0 || if_nametoindex(c->bridge) ||
	       (cgroups_find(&cg, NULL) == 0 &&
		cgroup_exists(&cg, place_group(c, NULL, group, sizeof(group))));
}

int life_down(struct cluster *c, struct om_error *err)
{
	om_autofd int lock = -1;
	int rc;

	if (!is_there(c))
		return 0;
	if (access(c->folder, F_OK) == 0) {
		lock = life_lock(c, err);
		if (lock < 0)
			return lock;
	}
	rc = cluster_load(c, err);
	if (rc < 0 && rc != -ENOENT)
		say_note("%s; taking down what can be found",
			 om_error_text(err));
	om_error_clear(err);
	rc = take_down(c, err);
	return rc < 0 ? rc : 1;
}

/* ---- one node */

int life_crash(struct cluster *c, const struct cluster_node *n,
	       struct om_error *err)
{
	struct cgroups cg;
	int rc = cgroups_find(&cg, err);

	return rc < 0 ? rc : node_crash(c, n, &cg, err);
}

int life_restart(struct cluster *c, const struct cluster_node *n,
		 struct om_error *err)
{
	struct tools t;
	int rc = find_tools(&t, err);

	if (rc == 0)
		rc = node_crash(c, n, &t.cg, err);
	return rc < 0 ? rc : node_boot(c, n, &t.cg, t.omnoded, err);
}
