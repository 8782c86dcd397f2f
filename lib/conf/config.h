/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * config: openmosix.conf and conf.d/?*.conf, read by libconfuse.
 *
 * Looked for in: $OM_CONF, SYSCONFDIR/openmosix/openmosix.conf, then
 * /run/openmosix/cluster/openmosix.conf (what "omcluster up" made). With none
 * of them there, the defaults describe a cluster of this one machine. An
 * unknown key is an error that names the nearest known one. The man page
 * openmosix.conf(5) is the list of keys; so is om_config_keys.
 *
 * A file counts only if root or the caller owns it and nobody else can write
 * it. Every error names file, line, what was given and what is expected.
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
enum om_auth_mode { OM_AUTHMODE_MUNGE, OM_AUTHMODE_NONE };

#define OM_CONF_NODES_MAX 65536	/* names in all node blocks together */

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
	enum om_auth_mode auth;		/* none: only if compiled in */
	bool allow_root_jobs;
	uint32_t max_jobs;		/* not over, an array counts as one */
	uint32_t max_array;		/* tasks in one array */
	struct om_strvec admins, operators;	/* user names */
	struct om_conf_node *node;
	size_t nodes;
	struct om_conf_partition *partition;	/* never empty */
	size_t partitions;
	uint64_t given;			/* see om_config_given */
};

/* path NULL: search as above. */
struct om_config *om_config_load(const char *path, struct om_error *err);
void om_config_destroy(struct om_config *c);
/* "unix:RUN/omctld.sock" if it is there, else controller:port; owned. */
char *om_config_controller_addr(const struct om_config *c);


/* As om_config_load, of text in memory; name stands for the file in errors
 * and is not looked at. For tests and tools. */
struct om_config *om_config_parse(const char *name, const char *text,
				  size_t len, struct om_error *err);

/* ---- the keys, one by one: omctl show and set, the man page's test */
enum om_key_type {
	OM_KEY_STRING, OM_KEY_LIST, OM_KEY_BOOL, OM_KEY_CHOICE, OM_KEY_PORT,
	OM_KEY_U32, OM_KEY_I32, OM_KEY_SIZE, OM_KEY_DURATION, OM_KEY_TIMEOUT,
	OM_KEY_NUMBER,
};

struct om_config_key {
	const char *section;	/* "" (top), "node", "partition" */
	const char *name;	/* the field's, and in the file */
	const char *def;	/* default as text; NULL: unset */
	const char *help;	/* one line */
	size_t offset;		/* in om_config, om_conf_node ... */
	enum om_key_type type;
	bool live;		/* a reload takes it over; else a restart */
	int64_t min, max;	/* of numbers, in their unit */
	const char *const *choice;	/* CHOICE: words, in the enum's order */
	/* STRING, LIST (each word), CHOICE (may be NULL there): what is
	 * expected, or NULL if s is that. */
	const char *(*check)(const char *s);
};

/* Ended by a name of NULL. */
extern const struct om_config_key om_config_keys[];

const struct om_config_key *om_config_key_find(const char *section,
					       const char *name);
/* -ENOENT for an unknown key; the text names the nearest known one. */
int om_config_key_unknown(const char *section, const char *name,
			  struct om_error *err);
/*
 * Sets the key's field in base (a struct om_config, om_conf_node or
 * om_conf_partition) from text; base NULL: only checks. A list is replaced by
 * the words of text, which commas part. -EINVAL, -ENOMEM.
 */
int om_config_key_set(const struct om_config_key *k, void *base,
		      const char *text, struct om_error *err);
/* The field as text that om_config_key_set takes; owned, NULL: no memory. */
char *om_config_key_format(const struct om_config_key *k, const void *base);
/* Was a top key given in a file? */
bool om_config_given(const struct om_config *c, const struct om_config_key *k);

#endif
