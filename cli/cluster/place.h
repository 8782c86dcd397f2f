/* SPDX-License-Identifier: GPL-3.0-or-later */
/* place: where our programs, and the groups of a cluster, are found. */
#ifndef OM_CLI_CLUSTER_PLACE_H
#define OM_CLI_CLUSTER_PLACE_H

#include "cli/cluster/cgroup.h"
#include "cli/cluster/cluster.h"

/* For daemons, whatever the caller's is. */
#define PLACE_PATH_ENV \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* "openmosix/cluster-x/n1"; node NULL: the cluster's own. */
char *place_group(const struct cluster *c, const char *node, char *buf,
		  size_t size);

/* Moves the caller to the group of the cluster's daemons on the host. */
int place_join_host(const struct cluster *c, const struct cgroups *cg,
		    struct om_error *err);

/*
 * One of our daemons: beside this program, in ../sbin of its folder, in
 * SBINDIR. -ENOENT names where it was looked for. buf is of PATH_MAX.
 */
int place_daemon(const char *name, char *buf, struct om_error *err);
/* A program of others, in PATH and the sbin folders. */
int place_program(const char *name, const char *package, char *buf,
		  struct om_error *err);
/* Where our commands are; NULL if they cannot be found. */
char *place_bin(char *buf);
/* The installation's or build's top folder: all that a daemon needs. */
int place_prefix(const char *daemon, char *buf, struct om_error *err);

#endif
