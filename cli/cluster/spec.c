/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec: pure; what the machine has comes in as an argument. */
#include <stdlib.h>
#include <string.h>

#include "cli/cluster/spec.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#define MIB (UINT64_C(1) << 20)
#define NODES_DEFAULT 4
#define MEM_MIN (64 * MIB)

static int set_one(struct cluster_node *n, const char *key, const char *value,
		   struct om_error *err)
{
	int rc = -EINVAL;

	if (strcmp(key, "cpus") == 0)
		rc = om_parse_u32(value, 1, 4096, &n->cpus);
	else if (strcmp(key, "cpu-share") == 0)
		rc = om_parse_u32(value, 1, SPEC_SHARE_MAX, &n->cpu_share);
	else if (strcmp(key, "memory") == 0)
		rc = om_parse_size(value, 1, &n->mem_bytes);
	else
		return om_fail(err, rc, "unknown setting '%.40s' of a node: "
			       "it takes cpus, cpu-share, memory", key);
	if (rc == 0 && n->mem_bytes && n->mem_bytes < MEM_MIN)
		return om_fail(err, -ERANGE, "memory=%.40s is too little: a "
			       "node needs 64M", value);
	if (rc < 0)
		return om_fail(err, rc, "bad value in '%.40s=%.40s'", key,
			       value);
	return 0;
}

int spec_node_parse(const char *text, struct cluster_node *n,
		    struct om_error *err)
{
	om_autofree char *copy = strdup(text);
	char *save = NULL, *value;
	int rc;

	if (!copy)
		return om_fail_nomem(err);
	for (char *word = strtok_r(copy, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		value = strchr(word, '=');
		if (!value)
			return om_fail(err, -EINVAL,
				       "'%.40s' is not KEY=VALUE", word);
		*value++ = '\0';
		rc = set_one(n, word, value, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The settings given for one node: --cpus ... first, then its own --node. */
static int asked(const struct spec *s, const char *name,
		 struct cluster_node *ret, struct om_error *err)
{
	size_t len = strlen(name);
	int rc;

	*ret = s->all;
	for (size_t i = 0; i < s->node.n; i++) {
		if (strncmp(s->node.v[i], name, len) ||
		    s->node.v[i][len] != ':')
			continue;
		rc = spec_node_parse(s->node.v[i] + len + 1, ret, err);
		if (rc < 0)
			return om_wrap(err, rc, "--node %s", name);
	}
	return 0;
}

/* Every --node must be about a node that will be there. */
static int check_names(const struct spec *s, uint32_t nodes,
		       struct om_error *err)
{
	char number[8];
	const char *colon;
	uint32_t k;

	for (size_t i = 0; i < s->node.n; i++) {
		const char *text = s->node.v[i];

		colon = strchr(text, ':');
		if (!colon || text[0] != 'n' || colon - text > 4)
			return om_fail(err, -EINVAL, "--node '%.60s' is not "
				       "like n2:cpu-share=50,memory=2G", text);
		snprintf(number, sizeof(number), "%.*s",
			 (int)(colon - text - 1), text + 1);
		if (om_parse_u32(number, 1, nodes, &k) < 0)
			return om_fail(err, -EINVAL, "--node '%.60s': the "
				       "nodes are n1 to n%u", text, nodes);
	}
	return 0;
}

/*
 * Shares what the machine has among the nodes: processors rounded up, nine
 * tenths of the memory. A node with fewer processors than the machine must
 * not use more than its own.
 */
static void fill(struct cluster_node *n, const struct spec_host *host,
		 uint32_t nodes)
{
	if (!n->cpus)
		n->cpus = (host->cpus + nodes - 1) / nodes;
	if (!n->cpu_share)
		n->cpu_share = 100 * (n->cpus < host->cpus ? n->cpus :
							     host->cpus);
	if (!n->mem_bytes)
		n->mem_bytes = host->mem_bytes / 10 * 9 / nodes / (64 * MIB) *
			       (64 * MIB);
	if (n->mem_bytes < MEM_MIN)
		n->mem_bytes = MEM_MIN;
}

static int check_same(const struct cluster_node *is,
		      const struct cluster_node *wanted, struct om_error *err)
{
	char text[96];

	if ((!wanted->cpus || wanted->cpus == is->cpus) &&
	    (!wanted->cpu_share || wanted->cpu_share == is->cpu_share) &&
	    (!wanted->mem_bytes || wanted->mem_bytes == is->mem_bytes))
		return 0;
	return om_fail(err, -EEXIST, "node %s is there already with %s\n"
		       "omcluster down", is->name,
		       cluster_node_text(is, text, sizeof(text)));
}

/* Keeps the nodes in the order of their numbers. */
static struct cluster_node *insert(struct cluster *c, unsigned number)
{
	size_t at = c->nodes++;

	while (at > 0 && c->node[at - 1].number > number) {
		c->node[at] = c->node[at - 1];
		at--;
	}
	return c->node + at;
}

static int apply_one(const struct spec *s, const struct spec_host *host,
		     struct cluster *c, uint32_t number, struct om_error *err)
{
	struct cluster_node wanted, *is;
	uint32_t nodes = s->nodes;
	char name[8];
	int rc;

	snprintf(name, sizeof(name), "n%u", number & 0xff);
	rc = asked(s, name, &wanted, err);
	if (rc < 0)
		return rc;
	is = cluster_find(c, name);
	if (is)
		return check_same(is, &wanted, err);
	memcpy(wanted.name, name, sizeof(name));
	wanted.number = number;
	fill(&wanted, host, nodes);
	*insert(c, number) = wanted;
	return 1;
}

int spec_apply(const struct spec *s, const struct spec_host *host,
	       struct cluster *c, struct om_error *err)
{
	struct spec full = *s;
	uint32_t network;
	int rc, added = 0;

	if (!full.nodes)
		full.nodes = c->nodes ? (uint32_t)c->nodes : NODES_DEFAULT;
	if (s->network) {
		rc = cluster_network_parse(s->network, &network, err);
		if (rc < 0)
			return rc;
		if (c->nodes && network != c->network)
			return om_fail(err, -EEXIST, "the cluster is up in "
				       "another network\nomcluster down, or "
				       "give this one a --name");
		c->network = network;
	}
	rc = check_names(&full, full.nodes, err);
	for (uint32_t k = 1; rc >= 0 && k <= full.nodes; k++) {
		rc = apply_one(&full, host, c, k, err);
		added += rc > 0;
	}
	return rc < 0 ? rc : added;
}
