/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limits: trials on rooms with a part of the request changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"
#include "sched/policy/limits.h"

#define MEGA ((uint64_t)1 << 20)

struct om_room *om_limits_empty(const struct om_sched *s)
{
	struct om_room *room = calloc(s->rooms + 1, sizeof(*room));

	for (uint32_t at = 0; room && at < s->rooms; at++) {
		struct om_room *r = room + at;

		if (!s->room[at].node)
			continue;
		*r = s->room[at];
		r->usable = true;
		r->exclusive = false;
		r->cpus_alloc = r->jobs = r->cpus_own = 0;
		r->mem_alloc = r->mem_busy = 0;
		r->load = r->load_local = r->load_guest = r->net = 0;
	}
	return room;
}

bool om_limits_fits(const struct om_place *p, const struct om_ask *a,
		    const struct om_where *w)
{
	struct om_placement where;
	int rc = om_place(p, a, w, &where);

	if (rc > 0)
		om_placement_fini(&where);
	return rc > 0;
}

uint64_t om_limits_asked(const struct om_ask *a, enum om_knob knob)
{
	switch (knob) {
	case OM_KNOB_CPUS_PER_TASK: return a->cpus_per_task;
	case OM_KNOB_MEM_NODE: return a->mem_per_node / MEGA;
	case OM_KNOB_MEM_CPU: return a->mem_per_cpu / MEGA;
	case OM_KNOB_NODES: return a->nodes_min;
	case OM_KNOB_TASKS: return a->tasks;
	}
	return 0;
}

static void turn(struct om_ask *a, enum om_knob knob, uint64_t value)
{
	switch (knob) {
	case OM_KNOB_CPUS_PER_TASK:
		a->cpus_per_task = (uint32_t)value;
		break;
	case OM_KNOB_MEM_NODE:
		a->mem_per_node = value * MEGA;
		break;
	case OM_KNOB_MEM_CPU:
		a->mem_per_cpu = value * MEGA;
		break;
	case OM_KNOB_NODES:
		/* One task a node, if that is what it was. */
		if (a->tasks == a->nodes_min)
			a->tasks = (uint32_t)value;
		if (a->nodes_max == a->nodes_min)
			a->nodes_max = (uint32_t)value;
		a->nodes_min = (uint32_t)value;
		break;
	case OM_KNOB_TASKS:
		a->tasks = (uint32_t)value;
		break;
	}
}

static bool fits_with(const struct om_place *p, const struct om_ask *a,
		      const struct om_where *w, enum om_knob knob,
		      uint64_t value)
{
	struct om_ask b = *a;

	turn(&b, knob, value);
	return om_limits_fits(p, &b, w);
}

uint64_t om_limits_largest(const struct om_place *p, const struct om_ask *a,
			   const struct om_where *w, enum om_knob knob)
{
	uint64_t lo = 1, hi = om_limits_asked(a, knob);

	if (knob == OM_KNOB_TASKS && a->nodes_min > 1)
		lo = a->nodes_min;
	if (hi <= lo || !fits_with(p, a, w, knob, lo))
		return 0;
	/* lo fits, hi does not. */
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (fits_with(p, a, w, knob, mid))
			lo = mid;
		else
			hi = mid;
	}
	return knob == OM_KNOB_MEM_NODE || knob == OM_KNOB_MEM_CPU ?
		       lo * MEGA : lo;
}

bool om_limits_first(const struct om_place *p, const struct om_ask *a,
		     const struct om_where *w, enum om_knob *ret)
{
	struct om_ask b = *a;

	b.tasks = b.cpus_per_task = 1;
	b.nodes_min = b.nodes_max = 0;
	b.mem_per_node = b.mem_per_cpu = 0;
	b.load_limit = 0;
	if (w->required_count > 1)
		b.tasks = w->required_count;
	if (!om_limits_fits(p, &b, w))
		return false;		/* it is the nodes that lack */
	b.cpus_per_task = a->cpus_per_task;
	*ret = OM_KNOB_CPUS_PER_TASK;
	if (!om_limits_fits(p, &b, w))
		return true;
	b.mem_per_node = a->mem_per_node;
	b.mem_per_cpu = a->mem_per_cpu;
	*ret = a->mem_per_node ? OM_KNOB_MEM_NODE : OM_KNOB_MEM_CPU;
	if (!om_limits_fits(p, &b, w))
		return true;
	b.nodes_min = a->nodes_min;
	b.tasks = b.nodes_min > b.tasks ? b.nodes_min : b.tasks;
	*ret = OM_KNOB_NODES;
	if (!om_limits_fits(p, &b, w))
		return true;
	b = *a;
	b.load_limit = 0;
	*ret = OM_KNOB_TASKS;
	return !om_limits_fits(p, &b, w);
}

const char *om_limits_option(enum om_knob knob, uint64_t value, char *buf,
			     size_t size)
{
	unsigned long long v = value, m = value / MEGA;
	const char *unit = "M";

	if (m >= 1024 && m % 1024 == 0) {
		m /= 1024;
		unit = "G";
	}
	switch (knob) {
	case OM_KNOB_CPUS_PER_TASK: snprintf(buf, size, "-c %llu", v); break;
	case OM_KNOB_NODES: snprintf(buf, size, "-N %llu", v); break;
	case OM_KNOB_TASKS: snprintf(buf, size, "-n %llu", v); break;
	case OM_KNOB_MEM_NODE:
		snprintf(buf, size, "--mem=%llu%s", m, unit);
		break;
	case OM_KNOB_MEM_CPU:
		snprintf(buf, size, "--mem-per-cpu=%llu%s", m, unit);
		break;
	}
	return buf;
}

/* ---- at submit */
static bool configured(const struct om_sched *s, const char *node)
{
	for (uint32_t i = 0; i < s->parts; i++)
		if (om_names_has(&s->part[i].nodes, node))
			return true;
	return false;
}

/* Names of nodes that are no nodes, or not of the partition. */
static int check_names(const struct om_sched *s, const struct om_where *w,
		       struct om_error *err)
{
	for (size_t i = 0; i < w->nodelist.list.n; i++) {
		const char *name = w->nodelist.list.v[i];
		const struct om_node *n = om_model_node(s->m, name);

		if (!n && !configured(s, name))
			return om_fail(err, -EINVAL,
				       "-w %s: there is no node of that name\nomnode lists the nodes",
				       name);
		if (!om_part_has(w->part, name))
			return om_fail(err, -EINVAL,
				       "-w %s: the node is not in partition %s, which has %s",
				       name, w->part->name, w->part->hosts);
		if (n && om_where_bar(w, n) != OM_WHERE_OK)
			return om_fail(err, -EINVAL,
				       "-w %s: the node is ruled out by %s",
				       name,
				       om_where_bar(w, n) == OM_WHERE_EXCLUDE ?
					       "--exclude" :
				       om_where_bar(w, n) == OM_WHERE_MASK ?
					       "--cluster-mask" : "--constraint");
	}
	return 0;
}

/* The filter that ruled out the last nodes that all others had let pass. */
static int check_where(const struct om_sched *s, const struct om_request *r,
		       const struct om_where *w, struct om_error *err)
{
	enum om_where_bar last = OM_WHERE_PARTITION;
	uint32_t nodes = 0;

	for (uint32_t at = 0; at < s->m->nodes; at++) {
		const struct om_node *n = s->m->node[at];
		enum om_where_bar bar;

		if (!n || !om_part_has(w->part, n->name))
			continue;
		bar = om_where_bar(w, n);
		if (bar == OM_WHERE_OK)
			return 0;
		nodes++;
		last = bar > last ? bar : last;
	}
	if (last == OM_WHERE_CONSTRAINT)
		return om_fail(err, -EINVAL,
			       "-C '%.100s': none of the %u nodes of partition %s has these features\nomnode shows the features of the nodes",
			       r->constraint, nodes, w->part->name);
	if (last == OM_WHERE_MASK)
		return om_fail(err, -EINVAL,
			       "--cluster-mask='%.100s' leaves none of the %u nodes of partition %s (%.100s)",
			       r->cluster_mask, nodes, w->part->name,
			       w->part->hosts);
	return om_fail(err, -EINVAL,
		       "--exclude='%.100s' leaves none of the %u nodes of partition %s",
		       r->exclude ? r->exclude : "", nodes, w->part->name);
}

static const char *what_is(enum om_knob knob)
{
	switch (knob) {
	case OM_KNOB_CPUS_PER_TASK: return "cpus for a task on one node";
	case OM_KNOB_MEM_NODE: return "of memory on a node";
	case OM_KNOB_MEM_CPU: return "of memory for each cpu";
	case OM_KNOB_NODES: return "nodes";
	case OM_KNOB_TASKS: return "tasks";
	}
	return "";
}

static const char *amount(enum om_knob knob, uint64_t value, char *buf,
			  size_t size)
{
	const char *p = om_limits_option(knob, value, buf, size);
	size_t skip = strcspn(p, " =");

	memmove(buf, buf + skip + 1, strlen(buf + skip));
	return buf;
}

static int refuse(const struct om_place *p, const struct om_ask *a,
		  const struct om_where *w, enum om_knob knob,
		  struct om_error *err)
{
	uint64_t most = om_limits_largest(p, a, w, knob);
	uint64_t asked = om_limits_asked(a, knob);
	char opt[64], want[64], have[64], hint[64];

	if (knob == OM_KNOB_MEM_NODE || knob == OM_KNOB_MEM_CPU)
		asked *= MEGA;
	om_limits_option(knob, asked, opt, sizeof(opt));
	amount(knob, asked, want, sizeof(want));
	amount(knob, most, have, sizeof(have));
	om_limits_option(knob, most, hint, sizeof(hint));
	if (most == 0)
		return om_fail(err, -EINVAL,
			       "%s: partition %s never has %s %s together with the rest of the request",
			       opt, w->part->name, want, what_is(knob));
	return om_fail(err, -EINVAL,
		       "%s: %s %s asked for, partition %s has %s at the most\ntry: omsub %s",
		       opt, want, what_is(knob), w->part->name, have, hint);
}

/* Nodes that belong to the partition by name and have not come yet. */
static bool some_missing(const struct om_sched *s, const struct om_part *p)
{
	for (size_t i = 0; i < p->nodes.list.n; i++)
		if (!om_model_node(s->m, p->nodes.list.v[i]))
			return true;
	return false;
}

static bool has_nodes(const struct om_sched *s, const struct om_part *p)
{
	for (uint32_t at = 0; at < s->rooms; at++)
		if (s->room[at].node && om_part_has_at(p, at))
			return true;
	return false;
}

int om_limits_check(const struct om_sched *s, const struct om_request *r,
		    const struct om_ask *a, const struct om_where *w,
		    struct om_error *err)
{
	om_autofree struct om_room *room = om_limits_empty(s);
	struct om_place p = om_sched_place(s, false);
	enum om_knob knob;
	int rc = check_names(s, w, err);

	if (rc < 0)
		return rc;
	if (!room)
		return om_fail_nomem(err);
	p.room = room;
	p.open = NULL;
	if (!has_nodes(s, w->part) || some_missing(s, w->part) ||
	    om_limits_fits(&p, a, w))
		return 0;
	rc = check_where(s, r, w, err);
	if (rc < 0)
		return rc;
	if (om_limits_first(&p, a, w, &knob))
		return refuse(&p, a, w, knob, err);
	if (a->load_limit > 0)
		return om_fail(err, -EINVAL,
			       "--load-limit=%g: the tasks themselves are more load than that on the nodes of partition %s",
			       a->load_limit, w->part->name);
	return om_fail(err, -EINVAL,
		       "partition %s has no %zu nodes that hold all that is asked for and are named by -w",
		       w->part->name, w->nodelist.list.n);
}
