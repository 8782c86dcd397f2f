/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cluster/control.h"
#include "cli/cluster/folder.h"
#include "cli/cluster/link.h"
#include "cli/cluster/node.h"
#include "cli/cluster/report.h"
#include "cli/common/table.h"
#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/client/client.h"
#include "lib/conf/config.h"

#define ASK_NS (2 * OM_NS_PER_S)
#define POLL_NS (30 * OM_NS_PER_MS)
#define ANSWER_NS (20 * OM_NS_PER_S)	/* for omctld to answer at all */
#define LOG_LINES 3

/* omctld's list of nodes, owned; NULL and err if it does not answer. */
static Om__NodeListReply *ask(const struct cluster *c, int64_t timeout_ns,
			      struct om_error *err)
{
	Om__NodeList msg = OM__NODE_LIST__INIT;
	ProtobufCMessage *body = NULL;
	struct om_config *config;
	struct om_client *client;
	char path[PATH_MAX];

	config = om_config_load(cluster_path(c, path, "openmosix.conf"), err);
	if (!config)
		return NULL;
	client = om_client_create(config, err);
	if (client) {
		om_client_set_timeout(client, timeout_ns);
		om_client_call(client, OM_MSG_NODE_LIST, &msg.base,
			       OM_MSG_NODE_LIST_REPLY, &body, err);
	}
	om_client_destroy(client);
	om_config_destroy(config);
	return (Om__NodeListReply *)body;
}

static void free_list(Om__NodeListReply *list)
{
	if (list)
		om__node_list_reply__free_unpacked(list, NULL);
}

static const Om__NodeInfo *find(const Om__NodeListReply *list,
				const char *name)
{
	for (size_t i = 0; list && i < list->n_node; i++)
		if (strcmp(list->node[i]->name, name) == 0)
			return list->node[i];
	return NULL;
}

/* omctld's word for the node; "?" if it does not know it. */
static const char *state_of(const Om__NodeListReply *list, const char *name)
{
	const Om__NodeInfo *info = find(list, name);

	return info ? info->state : "?";
}

static bool is_ready(const char *state)
{
	return *state != '?' && !om_str_starts(state, "down") &&
	       !om_str_starts(state, "unknown");
}

/* ---- waiting */

static const char *our_state(const struct cluster *c,
			     const struct cluster_node *n)
{
	if (!node_pid(c, n))
		return "off";
	return link_cable_state(c, n) == LINK_UP ? "on" : "cut";
}

/* Names of running nodes that have not registered, ret is of *n_missing. */
static size_t missing(const struct cluster *c, const Om__NodeListReply *list,
		      const struct cluster_node **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nodes; i++)
		if (!is_ready(state_of(list, c->node[i].name)) &&
		    strcmp(our_state(c, c->node + i), "on") == 0)
			ret[n++] = c->node + i;
	return n;
}

/* The last lines of a log, for people who would have to look there next. */
static void add_tail(const struct cluster *c, const char *name,
		     struct om_buf *b)
{
	om_autofile FILE *f = NULL;
	char path[PATH_MAX], line[LOG_LINES][200] = { "" };
	unsigned n = 0;

	f = fopen(cluster_path(c, path, "log/%s.log", name), "re");
	om_buf_addf(b, "%s", path);
	while (f && fgets(line[n % LOG_LINES], sizeof(line[0]), f))
		n++;
	for (unsigned i = n > LOG_LINES ? n - LOG_LINES : 0; i < n; i++) {
		line[i % LOG_LINES][strcspn(line[i % LOG_LINES], "\n")] = '\0';
		om_buf_addf(b, "\n  %s", line[i % LOG_LINES]);
	}
}

static int fail_missing(const struct cluster *c,
			const struct cluster_node **nodes, size_t n,
			bool answered, struct om_error *err)
{
	struct om_buf b = OM_BUF_INIT;
	char addr[INET_ADDRSTRLEN];
	int rc;

	add_tail(c, answered ? nodes[0]->name : "omctld", &b);
	if (answered)
		rc = om_fail(err, -ETIMEDOUT, "%zu of %zu nodes did not register "
			     "(%s at %s first)\nlook at %s", n, c->nodes,
			     nodes[0]->name,
			     cluster_address(c, nodes[0]->number, addr),
			     om_buf_str(&b));
	else
		rc = om_fail(err, -ETIMEDOUT, "omctld does not answer\nlook at "
			     "%s", om_buf_str(&b));
	om_buf_fini(&b);
	return rc;
}

int report_wait(const struct cluster *c, int64_t timeout_ns,
		struct om_error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	const struct om_clock *clock = om_clock_system();
	int64_t begun = om_mono_ns(clock), waited;
	const struct cluster_node *nodes[CLUSTER_NODES_MAX];
	Om__NodeListReply *list;
	bool answered;
	size_t n;

	for (;;) {
		list = ask(c, ASK_NS, NULL);
		answered = list != NULL;
		n = missing(c, list, nodes);
		free_list(list);
		if (answered && n == 0)
			return 0;
		waited = om_mono_ns(clock) - begun;
		if (waited >= timeout_ns || (!answered && waited >= ANSWER_NS))
			return fail_missing(c, nodes, n, answered, err);
		nanosleep(&pause, NULL);
	}
}

/* ---- showing */

static int add_row(struct table *t, const struct cluster *c,
		   const struct cluster_node *n, const char *state)
{
	char addr[INET_ADDRSTRLEN], size[16];
	int rc;

	rc = table_cell(t, n->name);
	rc |= table_cell(t, cluster_address(c, n->number, addr));
	rc |= table_cellf(t, "%u", n->cpus);
	rc |= table_cellf(t, "%u%%", n->cpu_share);
	rc |= table_cell(t, om_format_size(n->mem_bytes, size, sizeof(size)));
	rc |= table_cell(t, our_state(c, n));
	rc |= table_cell(t, state);
	return rc;
}

int report_table(const struct cluster *c, struct om_error *err)
{
	Om__NodeListReply *list = control_pid(c) ? ask(c, ASK_NS, NULL) : NULL;
	struct table t;
	int rc = 0;

	table_init(&t);
	table_column(&t, "NODE", false);
	table_column(&t, "ADDRESS", false);
	table_column(&t, "CPUS", true);
	table_column(&t, "SHARE", true);
	table_column(&t, "MEMORY", true);
	table_column(&t, "POWER", false);
	table_column(&t, "STATE", false);
	for (size_t i = 0; i < c->nodes; i++)
		rc |= add_row(&t, c, c->node + i,
			      state_of(list, c->node[i].name));
	if (rc == 0)
		rc = table_print(&t, true);
	table_fini(&t);
	if (!list)
		printf("omctld does not answer; see %s/log/omctld.log\n",
		       c->folder);
	free_list(list);
	return rc < 0 ? om_fail_nomem(err) : 0;
}

static json_t *node_json(const struct cluster *c, const struct cluster_node *n,
			 const char *state)
{
	char addr[INET_ADDRSTRLEN];

	return json_pack("{s:s s:s s:i s:i s:I s:s s:i s:s}", "name", n->name,
			 "address", cluster_address(c, n->number, addr),
			 "cpus", (int)n->cpus, "cpu_share", (int)n->cpu_share,
			 "memory", (json_int_t)n->mem_bytes,
			 "power", our_state(c, n), "pid", (int)node_pid(c, n),
			 "state", state);
}

int report_json(const struct cluster *c, struct om_error *err)
{
	Om__NodeListReply *list = control_pid(c) ? ask(c, ASK_NS, NULL) : NULL;
	json_t *nodes = json_array(), *top;
	char addr[INET_ADDRSTRLEN], conf[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < c->nodes; i++)
		rc |= json_array_append_new(nodes, node_json(c, c->node + i,
				state_of(list, c->node[i].name)));
	top = json_pack("{s:s s:s s:s s:s s:i s:i s:b s:o}", "cluster", c->label,
			"folder", c->folder, "conf",
			cluster_path(c, conf, "openmosix.conf"),
			"network", cluster_address(c, 0, addr),
			"port", (int)c->port, "controller_pid",
			(int)control_pid(c), "answers", list != NULL,
			"nodes", nodes);
	if (rc == 0 && top)
		rc = json_dumpf(top, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(top);
	free_list(list);
	return rc < 0 || !top ? om_fail_nomem(err) : 0;
}
