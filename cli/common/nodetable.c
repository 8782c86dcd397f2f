/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/nodetable.h"
#include "cli/common/table.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SIZE_TEXT 24
#define WHEN_TEXT 32

static const char *size(uint64_t bytes, char text[SIZE_TEXT])
{
	return om_format_size(bytes, text, SIZE_TEXT);
}

static char *join(char *const *words, size_t n)
{
	struct om_buf b = OM_BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			om_buf_addc(&b, ',');
		om_buf_adds(&b, words[i]);
	}
	return om_buf_steal(&b);
}

static void add_row(struct table *t, const Om__NodeInfo *n)
{
	om_autofree char *partitions = join(n->partition, n->n_partition);
	const Om__Topology *topo = n->topology;
	char a[SIZE_TEXT], b[SIZE_TEXT];

	table_cell(t, n->name);
	table_cell(t, n->state);
	table_cellf(t, "%u/%u", n->cpus_alloc, topo ? topo->cpus : 0);
	table_cellf(t, "%s/%s", size(n->mem_alloc, a),
		    size(topo ? topo->memory : 0, b));
	if (n->report && n->report->has_load)
		table_cellf(t, "%.2f", n->report->load);
	else
		table_cell(t, NULL);
	if (n->has_speed)
		table_cellf(t, "%.2f", n->speed);
	else
		table_cell(t, NULL);
	table_cellf(t, "%u", n->jobs);
	table_cell(t, partitions);
	table_cell(t, n->reason);
}

void nodetable_print(const Om__NodeListReply *r, bool header)
{
	struct table t;

	table_init(&t);
	table_column(&t, "NODE", false);
	table_column(&t, "STATE", false);
	table_column(&t, "CPUS", true);
	table_column(&t, "MEM", true);
	table_column(&t, "LOAD", true);
	table_column(&t, "SPEED", true);
	table_column(&t, "JOBS", true);
	table_column(&t, "PARTITIONS", false);
	table_column(&t, "REASON", false);
	for (size_t i = 0; i < r->n_node; i++)
		add_row(&t, r->node[i]);
	table_print(&t, header);
	table_fini(&t);
}

/* ---- in detail */

static void line(struct table *t, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	table_cell(t, key);
	table_cell(t, value);
}

__attribute__((format(printf, 3, 4)))
static void linef(struct table *t, const char *key, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line(t, key, text);
}

static void line_when(struct table *t, const char *key, int64_t ns)
{
	char text[WHEN_TEXT];

	if (ns > 0)
		line(t, key, om_format_when(ns / OM_NS_PER_S, text, sizeof(text)));
}

static void line_size(struct table *t, const char *key, uint64_t bytes,
		      const char *unit)
{
	char text[SIZE_TEXT];

	linef(t, key, "%s%s", size(bytes, text), unit);
}

static void add_topology(struct table *t, const Om__NodeInfo *n)
{
	const Om__Topology *topo = n->topology;

	if (!topo)
		return;
	linef(t, "cpus:", "%u of %u allocated", n->cpus_alloc, topo->cpus);
	linef(t, "cores:", "%u in %u sockets, %u NUMA nodes", topo->cores,
	      topo->sockets, topo->numa_nodes);
	line(t, "processor:", topo->cpu_model);
	line(t, "architecture:", topo->architecture);
	line(t, "kernel:", topo->kernel);
	line_size(t, "memory:", topo->memory, "");
	line_size(t, "memory allocated:", n->mem_alloc, "");
}

static void add_report(struct table *t, const Om__NodeReport *r)
{
	if (!r)
		return;
	if (r->has_load)
		linef(t, "load:", "%.2f (local %.2f, guests %.2f)", r->load,
		      r->load_local, r->load_guest);
	if (r->has_idle)
		linef(t, "idle:", "%.0f %%", r->idle * 100);
	if (r->has_mem_free)
		line_size(t, "memory free:", r->mem_free, "");
	if (r->has_net_rx)
		line_size(t, "network in:", r->net_rx, "/s");
	if (r->has_net_tx)
		line_size(t, "network out:", r->net_tx, "/s");
	if (r->has_disk_free)
		line_size(t, "spool free:", r->disk_free, "");
}

static void add_limits(struct table *t, const Om__NodeInfo *n)
{
	if (n->load_limit > 0)
		linef(t, "load-limit:", "%g", n->load_limit);
	if (n->load_limit_local > 0)
		linef(t, "load-limit-local:", "%g", n->load_limit_local);
	if (n->load_limit_guest > 0)
		linef(t, "load-limit-guest:", "%g", n->load_limit_guest);
	if (n->guest_cpu)
		linef(t, "guest-cpu:", "%u %%", n->guest_cpu);
	line(t, "block:", n->block ? "yes" : NULL);
	line(t, "stay:", n->stay ? "yes" : NULL);
	line(t, "local-stay:", n->local_stay ? "yes" : NULL);
	line(t, "quiet:", n->quiet ? "yes" : NULL);
}

static void print_one(const Om__NodeInfo *n)
{
	om_autofree char *partitions = join(n->partition, n->n_partition);
	om_autofree char *features = join(n->feature, n->n_feature);
	struct table t;

	table_init(&t);
	table_column(&t, "", false);
	table_column(&t, "", false);
	line(&t, "node:", n->name);
	line(&t, "state:", n->state);
	line(&t, "reason:", n->reason);
	line(&t, "reason by:", n->reason ? n->reason_user : NULL);
	line_when(&t, "reason since:", n->reason ? n->reason_ns : 0);
	line(&t, "address:", n->address);
	line(&t, "partitions:", partitions);
	line(&t, "features:", features);
	if (n->has_speed)
		linef(&t, "speed:", "%.2f", n->speed);
	linef(&t, "jobs:", "%u", n->jobs);
	add_topology(&t, n);
	add_report(&t, n->report);
	add_limits(&t, n);
	line_when(&t, "last seen:", n->seen_ns);
	line(&t, "version:", n->version);
	table_print(&t, false);
	table_fini(&t);
}

void nodetable_print_detail(const Om__NodeListReply *r)
{
	for (size_t i = 0; i < r->n_node; i++) {
		if (i)
			putchar('\n');
		print_one(r->node[i]);
	}
}
