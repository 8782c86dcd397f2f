/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * config: openmosix.conf and conf.d/?*.conf, read by libconfuse.
 *
 * Looked for in: $OM_CONF, SYSCONFDIR/openmosix/openmosix.conf, then
 * /run/openmosix/cluster/openmosix.conf (what "omcluster up" made). With none
 * of them there, the defaults describe a cluster of this one machine. An
 * unknown key is an error that names the nearest known one. The man page
 * openmosix.conf(5) is the list of keys; so is om_config_keys.
 */
#ifndef OM_CONF_CONFIG_H
#define OM_CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/strvec.h"

enum om_partition_mode { OM_PART_EXCLUSIVE, OM_PART_SHARED };
enum om_seal_mode { OM_SEAL_AUTO, OM_SEAL_ALWAYS, OM_SEAL_NEVER };

struct om_conf_node {		/* node "n[1-4]" { ... }, one entry a name */
	char *name, *address;
	uint32_t cpus;			/* 0: what the node reports */
	uint64_t memory;		/* bytes, 0: what it reports */
	double speed;			/* 0: what it measures */
	struct om_strvec features;
	double load_limit, load_limit_local, load_limit_guest;
};

struct om_conf_partition {	/* partition "main" { ... } */
	char *name, *nodes;		/* "all" or a hostlist */
	bool is_default;
	enum om_partition_mode mode;
	int32_t priority;
	int64_t max_time_s, default_time_s;
	uint32_t oversubscribe;		/* shared: tasks a cpu at most */
	uint64_t default_mem_per_cpu;
	struct om_strvec allow_users, allow_groups;
};

struct om_config {
	char *path;			/* the file, NULL: built-in defaults */
	char *cluster_name;		/* "openmosix" */
	char *controller;		/* "localhost" or host[:port] */
	char *controller_user;		/* "openmosix" */
	uid_t controller_uid;
	uint16_t controller_port, node_port;	/* 7461, 7462 */
	char *munge_socket;		/* NULL: munge's default */
	char *state_dir, *run_dir, *spool_dir;
	char *log_level;
	char *cgroup_root;		/* "openmosix" below each hierarchy */
	char *node_name;		/* omnoded: NULL: the host's name */
	char *prolog, *epilog;		/* NULL: none */
	int64_t hook_timeout_s, kill_wait_s, node_timeout_s;
	char *task_network;		/* "10.98.0.0/16", for movable ranks */
	char *mpi_interface;		/* NULL or "10.77.0.0/24" */
	enum om_seal_mode seal;
	bool allow_root_jobs;
	uint32_t max_jobs, max_array;
	struct om_strvec admins, operators;	/* user names */
	struct om_conf_node *node;
	size_t nodes;
	struct om_conf_partition *partition;	/* never empty */
	size_t partitions;
};

/* path NULL: search as above. */
struct om_config *om_config_load(const char *path, struct om_error *err);
void om_config_destroy(struct om_config *c);
/* "unix:RUN/omctld.sock" if it is there, else controller:port; owned. */
char *om_config_controller_addr(const struct om_config *c);

#endif
