/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cluster: what a cluster of virtual nodes on this machine consists of.
 *
 *   FOLDER (/run/openmosix/cluster[-NAME])   0755 root; locked by flock
 *     openmosix.conf  conf.d/   what the commands and daemons read
 *     settings        this struct, for later calls of omcluster
 *     hosts           /etc/hosts of the nodes
 *     openmpi.conf    Open MPI's parameters for the nodes
 *     controller.pid  the supervisor of munged and omctld
 *     munge/          munged's key, socket, seed
 *     run/ state/     omctld's; a node sees its own in the same place
 *     log/            omctld.log munged.log n1.log ...
 *     pid/n1          the node's process 1
 *     nodes/n1/       spool/ state/          0700 root
 */
#ifndef OM_CLI_CLUSTER_CLUSTER_H
#define OM_CLI_CLUSTER_CLUSTER_H

#include <limits.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/strvec.h"

#define CLUSTER_NODES_MAX 253		/* .254 is the controller's */
#define CLUSTER_NAME_MAX 8		/* a link's name must hold it */
#define CLUSTER_HOST_BYTE 254
#define CLUSTER_BASE "/run/openmosix"

struct cluster_node {
	char name[8];			/* n1 */
	unsigned number;		/* last byte of its address */
	uint32_t cpus;
	uint32_t cpu_share;		/* percent of one processor */
	uint64_t mem_bytes;
};

struct cluster {
	char name[CLUSTER_NAME_MAX + 1];	/* "": the default cluster */
	char label[CLUSTER_NAME_MAX + 9];	/* cluster, cluster-NAME */
	char folder[64];
	char bridge[IFNAMSIZ];
	uint32_t network;		/* host byte order; always a /24 */
	uint16_t port;			/* omctld's */
	char state_dir[PATH_MAX];
	struct om_strvec share;		/* folders that the nodes see too */
	struct cluster_node node[CLUSTER_NODES_MAX];	/* by number */
	size_t nodes;
};

/* name "" or NULL: the default cluster. -EINVAL for a bad one. */
int cluster_init(struct cluster *c, const char *name, struct om_error *err);
void cluster_fini(struct cluster *c);

/* Reads FOLDER/settings; -ENOENT if the cluster was never brought up. */
int cluster_load(struct cluster *c, struct om_error *err);
int cluster_save(const struct cluster *c, struct om_error *err);

/* A path below the folder; buf must be of PATH_MAX. Returns buf. */
char *cluster_path(const struct cluster *c, char *buf, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct cluster_node *cluster_find(struct cluster *c, const char *name);
/* The node's settings as words: "cpus=1,cpu-share=50,memory=1073741824". */
const char *cluster_node_text(const struct cluster_node *n, char *buf,
			      size_t size);

/* "10.90.0.0/24" to its number; only a /24 with a zero last byte. */
int cluster_network_parse(const char *text, uint32_t *ret_network,
			  struct om_error *err);
/* "10.90.0.3"; buf of 16. */
const char *cluster_address(const struct cluster *c, unsigned host_byte,
			    char *buf);
/* The host's end of a node's cable. */
void cluster_link_name(const struct cluster *c, const struct cluster_node *n,
		       char *buf);

#endif
