/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/place.h"

char *place_group(const struct cluster *c, const char *node, char *buf,
		  size_t size)
{
	snprintf(buf, size, "openmosix/%s%s%s", c->label, node ? "/" : "",
		 node ? node : "");
	return buf;
}

int place_join_host(const struct cluster *c, const struct cgroups *cg,
		    struct om_error *err)
{
	char group[64];
	int rc;

	rc = cgroup_create(cg, place_group(c, "host", group, sizeof(group)),
			   err);
	return rc < 0 ? rc : cgroup_join(cg, group, 0, err);
}

/* This program's folder; libtool runs it from .libs of the build. */
static int own_folder(char *buf)
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	slash = strrchr(buf, '/');
	if (slash && strcmp(slash, "/.libs") == 0)
		*slash = '\0';
	return 0;
}

static bool is_program(char *buf, const char *folder, const char *sub,
		       const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s%s/%s", folder, sub, name);
	return access(path, X_OK) == 0 && realpath(path, buf);
}

int place_daemon(const char *name, char *buf, struct om_error *err)
{
	char own[PATH_MAX] = ".";

	if (own_folder(own) == 0 &&
	    (is_program(buf, own, "", name) ||
	     is_program(buf, own, "/../sbin", name)))
		return 0;
	if (is_program(buf, OM_SBINDIR, "", name))
		return 0;
	return om_fail(err, -ENOENT, "no program %s in %s or %s: was "
		       "'make install' run?", name, own, OM_SBINDIR);
}

int place_program(const char *name, const char *package, char *buf,
		  struct om_error *err)
{
	static const char *const folders[] = { "/usr/local/sbin", "/usr/sbin",
					       "/sbin", "/usr/local/bin",
					       "/usr/bin", "/bin" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (is_program(buf, folders[i], "", name))
			return 0;
	return om_fail(err, -ENOENT, "%s is not installed: apt-get install %s",
		       name, package);
}

char *place_bin(char *buf)
{
	char own[PATH_MAX], *slash;

	if (own_folder(own) < 0 ||
	    (!is_program(buf, own, "", "omq") &&
	     !is_program(buf, own, "/../bin", "omq") &&
	     !is_program(buf, OM_BINDIR, "", "omq")))
		return NULL;
	slash = strrchr(buf, '/');
	*slash = '\0';
	return buf;
}

int place_prefix(const char *daemon, char *buf, struct om_error *err)
{
	static const char *const subs[] = { "/sbin", "/bin", "/.libs" };
	char *slash;

	snprintf(buf, PATH_MAX, "%s", daemon);
	slash = strrchr(buf, '/');
	if (!slash || slash == buf)
		return om_fail(err, -EINVAL, "'%s' has no folder of its own",
			       daemon);
	*slash = '\0';
	slash = strrchr(buf, '/');
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (slash != buf && strcmp(slash, subs[i]) == 0) {
			*slash = '\0';
			break;
		}
	return 0;
}
