/* SPDX-License-Identifier: GPL-3.0-or-later */
/* place: this node's names and folders; see place.h. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"
#include "sched/noded/place.h"
#include "sched/noded/script.h"

/* The folder this program was started from; owned. */
static char *own_folder(void)
{
	char path[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	/* libtool keeps the real program of a build tree in .libs */
	if (slash - path > 6 && !strcmp(slash - 6, "/.libs"))
		slash[-6] = '\0';
	return strdup(path);
}

static char *joined(const char *dir, const char *name)
{
	char *path;

	if (!dir || asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	return path;
}

char *place_program(const char *env, const char *name, const char *dir)
{
	const char *told = getenv(env);
	om_autofree char *own = own_folder();
	om_autofree char *beside = joined(own, name);

	if (told && *told)
		return strdup(told);
	if (beside && access(beside, X_OK) == 0)
		return om_take(beside);
	return joined(dir, name);
}

static char *find_bindir(void)
{
	const char *told = getenv("OM_BINDIR");
	om_autofree char *own = own_folder();
	om_autofree char *beside = joined(own, "omrun");

	if (told && *told)
		return strdup(told);
	if (beside && access(beside, X_OK) == 0)
		return om_take(own);
	return strdup(OM_BINDIR);
}

static char *find_mca(void)
{
	const char *told = getenv("OM_MCA_DIR");
	const char *dir = told && *told ? told : OM_PKGLIBDIR "/openmpi";

	return access(dir, R_OK | X_OK) == 0 ? strdup(dir) : NULL;
}

static int find_name(struct place *p, const char *name, struct om_error *err)
{
	char host[256];

	if (!name)
		name = p->conf->node_name;
	if (!name) {
		if (gethostname(host, sizeof(host)) < 0)
			return om_fail_errno(err, "cannot read the host's name");
		host[sizeof(host) - 1] = '\0';
		host[strcspn(host, ".")] = '\0';
		name = host;
	}
	if (om_hostname_check(name) < 0)
		return om_fail(err, -EINVAL, "'%s' cannot be a node's name", name);
	p->name = strdup(name);
	return p->name ? 0 : om_fail_nomem(err);
}

/* RUN is for all to see; RUN/node is root's alone. */
static int make_folders(struct place *p, struct om_error *err)
{
	struct stat st;

	if (mkdir(p->conf->run_dir, 0755) < 0 && errno != EEXIST)
		return om_fail_errno(err, "cannot make '%s'", p->conf->run_dir);
	if (mkdir(p->node_dir, 0700) < 0 && errno != EEXIST)
		return om_fail_errno(err, "cannot make '%s'", p->node_dir);
	if (lstat(p->node_dir, &st) < 0)
		return om_fail_errno(err, "cannot look at '%s'", p->node_dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077))
		return om_fail(err, -EPERM, "'%s' must be a folder of root with mode 0700 (owner %u, mode %04o)",
			       p->node_dir, st.st_uid, st.st_mode & 07777);
	return 0;
}

int place_init(struct place *p, const struct om_config *conf, const char *name,
	       struct om_error *err)
{
	bool v1 = om_str_eq(getenv("OM_CGROUP"), "v1");
	int rc;

	*p = (struct place){ .conf = conf, .spool_fd = -1 };
	rc = find_name(p, name, err);
	if (rc < 0)
		return rc;
	p->node_dir = joined(conf->run_dir, "node");
	p->socket = joined(p->node_dir, "omnoded.sock");
	p->bindir = find_bindir();
	p->mca_dir = find_mca();
	if (!p->socket || !p->bindir)
		return om_fail_nomem(err);
	rc = make_folders(p, err);
	if (rc < 0)
		return rc;
	p->spool_fd = script_spool_open(conf->spool_dir, err);
	if (p->spool_fd < 0)
		return p->spool_fd;
	p->tree = cgroup_tree_open(conf->cgroup_root,
				   v1 ? CGROUP_V1_ONLY : CGROUP_AUTO, err);
	return p->tree ? 0 : err->code;
}

void place_fini(struct place *p)
{
	free(p->name);
	free(p->node_dir);
	free(p->socket);
	free(p->bindir);
	free(p->mca_dir);
	om_cleanup_fd(&p->spool_fd);
	cgroup_tree_close(p->tree);
}
