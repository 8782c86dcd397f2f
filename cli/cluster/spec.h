/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec: what "omcluster up" was asked for, and how it becomes nodes. */
#ifndef OM_CLI_CLUSTER_SPEC_H
#define OM_CLI_CLUSTER_SPEC_H

#include <stdbool.h>

#include "cli/cluster/cluster.h"

#define SPEC_SHARE_MAX 100000u		/* percent: a thousand processors */

struct spec {
	uint32_t nodes;			/* 0: as many as there are, or 4 */
	const char *network;		/* NULL: 10.90.0.0/24 */
	const char *state_dir;		/* NULL: FOLDER/state */
	struct om_strvec share;
	struct cluster_node all;	/* --cpus ...; zero: not given */
	struct om_strvec node;		/* "n2:cpu-share=50,memory=2G" */
	bool no_wait;
};

/* What the machine has, for values that were not given. */
struct spec_host {
	uint32_t cpus;
	uint64_t mem_bytes;
};

/* "cpus=2,cpu-share=50,memory=2G": sets what is named, in any order. */
int spec_node_parse(const char *text, struct cluster_node *n,
		    struct om_error *err);

/*
 * Adds the nodes that c lacks. Nodes that are there keep their settings; an
 * option that contradicts them is -EEXIST. Returns how many were added.
 */
int spec_apply(const struct spec *s, const struct spec_host *host,
	       struct cluster *c, struct om_error *err);

#endif
