/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor_host: configuration, user, munge, folders and kernel, here. */
#include <hwloc.h>
#include <mntent.h>
#include <munge.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/ctl/doctor.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

/* ---- configuration */

void doctor_config(struct doctor *d)
{
	struct om_error err = OM_ERROR_INIT;
	const char *path;

	if (session_open(&d->session, d->common, &err) < 0) {
		doctor_fault(d, "config", "%s\nmend the line it names, then run "
			     "omctl doctor again", om_error_text(&err));
		return;
	}
	d->have_config = d->have_client = true;
	path = d->session.config->path;
	if (path)
		doctor_ok(d, "config", "%s is in order", path);
	else
		doctor_note(d, "config", "there is no openmosix.conf: a cluster of "
			    "this one machine\nfor more, write %s/openmosix/openmosix.conf",
			    OM_SYSCONFDIR);
}

static bool is_controller_host(const struct doctor *d)
{
	char host[256] = "";
	const char *c;

	if (!d->have_config)
		return false;
	c = d->session.config->controller;
	gethostname(host, sizeof(host) - 1);
	return !strncmp(c, "localhost", 9) || !strncmp(c, "127.", 4) ||
	       !strcmp(c, host);
}

void doctor_user(struct doctor *d)
{
	const char *name = d->have_config ? d->session.config->controller_user :
					    "openmosix";
	const struct passwd *pw = getpwnam(name);

	if (!pw) {
		doctor_fault(d, "user", "there is no user '%s' for the controller\n"
			     "useradd --system --no-create-home --shell "
			     "/usr/sbin/nologin %s", name, name);
		return;
	}
	if (pw->pw_uid == 0)
		doctor_note(d, "user", "the controller runs as root\nset "
			    "controller_user to an unprivileged user");
	else
		doctor_ok(d, "user", "%s has uid %u (must be the same on all "
			  "nodes)", name, pw->pw_uid);
}

/* ---- munge */

static int munge_round_trip(const char *socket, uid_t *ret_uid,
			    const char **ret_text)
{
	munge_ctx_t ctx = munge_ctx_create();
	char *cred = NULL;
	gid_t gid;
	int rc = EMUNGE_NO_MEMORY;

	if (ctx && socket)
		munge_ctx_set(ctx, MUNGE_OPT_SOCKET, socket);
	if (ctx)
		rc = munge_encode(&cred, ctx, "doctor", 6);
	if (rc == EMUNGE_SUCCESS) {
		void *text = NULL;
		int len;

		rc = munge_decode(cred, ctx, &text, &len, ret_uid, &gid);
		free(text);
	}
	*ret_text = munge_strerror((munge_err_t)rc);
	free(cred);
	munge_ctx_destroy(ctx);
	return rc;
}

void doctor_munge(struct doctor *d)
{
	const char *socket = d->have_config ? d->session.config->munge_socket :
					      NULL;
	const char *path = socket ? socket : "/run/munge/munge.socket.2";
	const char *text;
	struct stat st;
	uid_t uid = (uid_t)-1;

	if (stat(path, &st) < 0) {
		doctor_fault(d, "munge", "no munged: %s is not there\n%s", path,
			     socket ? "start the munged that munge_socket names" :
			     "apt-get install munge && systemctl start munge");
		return;
	}
	if (munge_round_trip(socket, &uid, &text) != EMUNGE_SUCCESS) {
		doctor_fault(d, "munge", "a credential made at %s could not be read "
			     "again: %s\nrestart munged and look at its log; the "
			     "key must be the same on all nodes", path, text);
		return;
	}
	d->munge_works = uid == getuid();
	if (d->munge_works)
		doctor_ok(d, "munge", "munged at %s works", path);
	else
		doctor_fault(d, "munge", "munged says we are uid %u, we are %u\n"
			     "restart munged: it does not see who calls it",
			     uid, getuid());
}

/* ---- folders */

struct folder_rule {
	const char *path;
	uid_t owner;
	mode_t forbidden;	/* bits that must not be set */
	const char *key;
};

static void check_folder(struct doctor *d, const struct folder_rule *r)
{
	const struct passwd *pw = getpwuid(r->owner);
	const char *owner = pw ? pw->pw_name : "root";
	struct stat st;

	if (stat(r->path, &st) < 0) {
		doctor_fault(d, "folders", "%s %s: %s\ninstall -d -o %s -m %04o %s",
			     r->key, r->path, strerror(errno), owner,
			     0777 & ~r->forbidden, r->path);
		return;
	}
	if (!S_ISDIR(st.st_mode))
		doctor_fault(d, "folders", "%s %s is not a folder\nremove it",
			     r->key, r->path);
	else if (st.st_uid != r->owner && st.st_uid != 0)
		doctor_fault(d, "folders", "%s %s belongs to uid %u, not to %s\n"
			     "chown %s %s", r->key, r->path, st.st_uid, owner,
			     owner, r->path);
	else if (st.st_mode & r->forbidden)
		doctor_fault(d, "folders", "%s %s has mode %04o\nchmod %04o %s",
			     r->key, r->path, st.st_mode & 07777,
			     0777 & ~r->forbidden, r->path);
	else
		doctor_ok(d, "folders", "%s %s", r->key, r->path);
}

void doctor_folders(struct doctor *d)
{
	const struct om_config *c = d->session.config;

	if (!d->have_config)
		return;
	check_folder(d, &(struct folder_rule){ c->run_dir, c->controller_uid,
					       0022, "run_dir" });
	if (is_controller_host(d))
		check_folder(d, &(struct folder_rule){
			c->state_dir, c->controller_uid, 0077, "state_dir" });
	if (access(c->spool_dir, F_OK) == 0)
		check_folder(d, &(struct folder_rule){ c->spool_dir, 0, 0022,
						       "spool_dir" });
}

/* ---- kernel */

/* Where cgroups are mounted: v2, and v1 controllers. */
static void find_cgroups(char *v2, size_t v2_size, char *v1, size_t v1_size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	v2[0] = v1[0] = '\0';
	while (f && (m = getmntent(f))) {
		if (!strcmp(m->mnt_type, "cgroup2"))
			om_str_copy(v2, v2_size, m->mnt_dir);
		if (!strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "memory"))
			om_str_copy(v1, v1_size, m->mnt_dir);
	}
	if (f)
		endmntent(f);
}

static bool has_controller(const char *v2, const char *name)
{
	om_autofile FILE *f = NULL;
	char path[300], line[256] = "";

	snprintf(path, sizeof(path), "%s/cgroup.controllers", v2);
	f = fopen(path, "re");
	return f && fgets(line, sizeof(line), f) && strstr(line, name);
}

static void check_cgroups(struct doctor *d)
{
	char v2[200], v1[200];

	find_cgroups(v2, sizeof(v2), v1, sizeof(v1));
	if (!v2[0] && !v1[0])
		doctor_fault(d, "cgroups", "no cgroups are mounted\n"
			     "mount -t cgroup2 none /sys/fs/cgroup");
	else if (v2[0] && has_controller(v2, "memory"))
		doctor_ok(d, "cgroups", "cgroup v2 at %s, with controllers", v2);
	else if (v2[0] && v1[0])
		doctor_ok(d, "cgroups", "cgroup v2 at %s groups and kills, v1 at "
			  "%s limits memory", v2, v1);
	else if (v2[0])
		doctor_note(d, "cgroups", "cgroup v2 at %s has no memory controller: "
			    "memory limits cannot be kept\nboot with "
			    "systemd.unified_cgroup_hierarchy=1", v2);
	else
		doctor_note(d, "cgroups", "only cgroup v1: jobs are killed less "
			    "surely\nmount -t cgroup2 none /sys/fs/cgroup/unified");
}

void doctor_kernel(struct doctor *d)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2) {
		if (major > 6 || (major == 6 && minor >= 7))
			doctor_ok(d, "kernel", "Linux %s", u.release);
		else
			doctor_note(d, "kernel", "Linux %s: processes can be moved "
				    "from 6.7 on\nboot a newer kernel", u.release);
	}
	check_cgroups(d);
}

void doctor_topology(struct doctor *d)
{
	hwloc_topology_t t;
	int cores, pus;

	if (hwloc_topology_init(&t) < 0 || hwloc_topology_load(t) < 0) {
		doctor_fault(d, "hwloc", "hwloc cannot read this machine's topology\n"
			     "look at lstopo's message (apt-get install hwloc)");
		return;
	}
	cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
	pus = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	hwloc_topology_destroy(t);
	if (pus < 1)
		doctor_fault(d, "hwloc", "hwloc finds no processor\n"
			     "look at lstopo (apt-get install hwloc)");
	else
		doctor_ok(d, "hwloc", "%d processors on %d cores", pus, cores);
}
