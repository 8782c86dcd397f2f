/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * why: every reason for which a job waits, with numbers.
 *
 * What keeps it from nodes is found by trial: if the job would fit with one
 * thing left out (its mask, a load limit, drained nodes ...), that thing is a
 * reason. The help is found in the same way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/model/apply.h"
#include "sched/policy/forecast.h"
#include "sched/policy/limits.h"

#define NS_PER_S 1000000000
#define AHEAD_MAX 1000

struct why {
	struct om_sched *s;
	struct om_job *j;
	int64_t now_ns;
	struct om_why *ret;
	struct om_part *part;
	struct om_where *where;
	struct om_ask ask;
	struct om_room *room;		/* a copy to try things on */
};

static struct om_reason *add(struct why *y, const char *token, bool never)
{
	static struct om_reason spill;
	struct om_reason *r = &spill;

	if (y->ret->count < sizeof(y->ret->reason) / sizeof(*y->ret->reason))
		r = y->ret->reason + y->ret->count++;
	*r = (struct om_reason){ .token = token, .never = never };
	return r;
}

#define SAY(y, token, never, ...)                                         \
	do {                                                              \
		struct om_reason *say_ = add(y, token, never);            \
		snprintf(say_->text, sizeof(say_->text), __VA_ARGS__);    \
	} while (0)

/* ---- what has nothing to do with nodes */
static const char *kind_text(Om__DependencyKind kind)
{
	switch (kind) {
	case OM__DEPENDENCY_KIND__AFTER: return "to start";
	case OM__DEPENDENCY_KIND__AFTER_OK: return "to complete with exit code 0";
	case OM__DEPENDENCY_KIND__AFTER_NOT_OK: return "to fail";
	default: return "to end";
	}
}

static const char *state_of(const struct om_model *m, uint64_t id)
{
	const struct om_job *j = om_model_job(m, id);
	Om__JobState end;
	bool known;

	if (j)
		return om_state_name(j->state);
	return om_model_end_state(m, id, &end, &known) ? om_state_name(end) :
							 "forgotten";
}

static void say_dependency(struct why *y, const struct om_dependency *d)
{
	const struct om_model *m = y->s->m;

	switch (om_depend_one(m, y->j, d)) {
	case OM_DEPEND_MET:
		return;
	case OM_DEPEND_NEVER:
		SAY(y, "DependencyNeverSatisfied", true,
		    "waits for job %" PRIu64 " %s, but that is %s", d->job_id,
		    kind_text(d->kind), state_of(m, d->job_id));
		return;
	case OM_DEPEND_WAITS:
		break;
	}
	if (d->kind == OM__DEPENDENCY_KIND__SINGLETON)
		SAY(y, "Dependency", false,
		    "is a singleton: job %" PRIu64 " of the same name comes first",
		    om_depend_twin(m, y->j));
	else
		SAY(y, "Dependency", false,
		    "waits for job %" PRIu64 " %s, which is %s", d->job_id,
		    kind_text(d->kind), state_of(m, d->job_id));
}

static void say_begin(struct why *y)
{
	int64_t begin_ns = y->j->req->begin_ns;
	char when[64], wait[32];

	if (begin_ns <= y->now_ns)
		return;
	om_format_when(begin_ns / NS_PER_S, when, sizeof(when));
	om_format_duration((begin_ns - y->now_ns) / NS_PER_S, wait,
			   sizeof(wait));
	SAY(y, "BeginTime", false, "may not start before %s, in %s", when,
	    wait);
}

static void say_orders(struct why *y)
{
	const struct om_job *j = y->j;

	if (j->held && j->held_by_admin)
		SAY(y, "HeldByAdmin", false,
		    "was held by an administrator, who has to release it");
	else if (j->held)
		SAY(y, "Held", false,
		    "is held (try: omrelease %" PRIu64 ")", j->id);
	for (uint32_t i = 0; i < j->deps; i++)
		say_dependency(y, j->dep + i);
	say_begin(y);
	if (om_queue_array_full(j))
		SAY(y, "ArrayTaskLimit", false,
		    "%u tasks of the array run, its limit is %u (%%%u)",
		    j->array_running, j->req->array_limit,
		    j->req->array_limit);
}

/* ---- nodes */
static bool fits(const struct why *y, const struct om_ask *a,
		 const struct om_where *w)
{
	struct om_place p = om_sched_place(y->s, false);

	p.room = y->room;
	p.open = NULL;
	return om_limits_fits(&p, a, w);
}

static void reset_rooms(struct why *y)
{
	if (y->s->rooms)
		memcpy(y->room, y->s->room, y->s->rooms * sizeof(*y->room));
}

/* What fits_without leaves out; nodes of a kind, or a filter of the job. */
enum leave_out {
	OUT_DOWN, OUT_DRAINED, OUT_BLOCKED, OUT_NODE_LIMITS, OUT_OWNERS,
	OUT_JOB_LIMIT, OUT_MEMORY, OUT_MASK, OUT_CONSTRAINT, OUT_EXCLUDE,
	OUT_NODELIST, OUT_KINDS,
};

static bool is_kind(const struct om_node *n, enum leave_out what)
{
	switch (what) {
	case OUT_DOWN: return !n->up;
	case OUT_DRAINED: return n->up && n->drain;
	case OUT_BLOCKED: return n->up && !n->drain && n->block;
	default: return false;
	}
}

static void ease_room(struct om_room *r, enum leave_out what)
{
	if (is_kind(r->node, what))
		r->usable = true;
	if (what == OUT_NODE_LIMITS)
		r->limit = r->limit_local = r->limit_guest = 0;
	if (what == OUT_OWNERS)
		r->exclusive = false;
}

/* The place where the job could be with one filter less; to be put. */
static struct om_where *ease_where(struct why *y, enum leave_out what)
{
	struct om_request r = *y->j->req;
	struct om_where *w = NULL;

	if (what == OUT_MASK)
		r.cluster_mask = NULL;
	else if (what == OUT_CONSTRAINT)
		r.constraint = NULL;
	else if (what == OUT_EXCLUDE)
		r.exclude = NULL;
	else if (what == OUT_NODELIST)
		r.nodelist = NULL;
	return om_where_get(y->s, y->part, &r, &w, NULL) < 0 ? NULL : w;
}

static bool fits_without(struct why *y, enum leave_out what)
{
	struct om_ask a = y->ask;
	struct om_where *w = ease_where(y, what);
	bool ok;

	for (uint32_t at = 0; at < y->s->rooms; at++)
		if (y->room[at].node)
			ease_room(y->room + at, what);
	if (what == OUT_JOB_LIMIT)
		a.load_limit = 0;
	if (what == OUT_MEMORY)
		a.mem_per_node = a.mem_per_cpu = 0;
	ok = w && fits(y, &a, w);
	om_where_put(y->s, w);
	reset_rooms(y);
	return ok;
}

/* Nodes of the kind among those the job may use, one of them by name. */
static uint32_t count_kind(const struct why *y, enum leave_out what,
			   const char **ret_name)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < y->s->rooms; at++) {
		const struct om_node *node = y->s->room[at].node;

		if (!node || !om_where_has(y->where, at) ||
		    !is_kind(node, what))
			continue;
		if (n++ == 0)
			*ret_name = node->name;
	}
	return n;
}

static void say_kind(struct why *y, enum leave_out what)
{
	const char *name = "", *token = "NodesDown", *verb = "down";
	uint32_t n = count_kind(y, what, &name);

	if (n == 0 || !fits_without(y, what))
		return;
	if (what == OUT_DRAINED) {
		token = "NodesDrained";
		verb = "drained";
	} else if (what == OUT_BLOCKED) {
		token = "NodesBlocked";
		verb = "closed to cluster work";
	}
	SAY(y, token, false,
	    "%u of the nodes it could use %s %s (%s%s); with %s it would start",
	    n, n == 1 ? "is" : "are", verb, name, n > 1 ? " ..." : "",
	    n == 1 ? "it" : "them");
}

struct count {
	uint32_t nodes, usable;
	uint64_t free_cpus;
	uint32_t most_cpus;
	const char *most_cpus_at;
	uint64_t most_mem;
	const char *most_mem_at;
	double least_load;
	const char *least_load_at;
};

static struct count count_rooms(const struct why *y)
{
	struct count c = { .most_cpus_at = "none", .most_mem_at = "none",
			   .least_load_at = "none" };

	for (uint32_t at = 0; at < y->s->rooms; at++) {
		const struct om_room *r = y->s->room + at;
		uint32_t cpus = om_room_free_cpus(r, y->ask.oversubscribe);
		uint64_t mem = om_room_free_mem(r);

		if (!r->node || !om_where_has(y->where, at))
			continue;
		c.nodes++;
		if (!r->usable)
			continue;
		if (c.usable++ == 0 || r->load < c.least_load) {
			c.least_load = r->load;
			c.least_load_at = r->name;
		}
		c.free_cpus += cpus;
		if (cpus > c.most_cpus) {
			c.most_cpus = cpus;
			c.most_cpus_at = r->name;
		}
		if (mem > c.most_mem && !r->exclusive) {
			c.most_mem = mem;
			c.most_mem_at = r->name;
		}
	}
	return c;
}

static void say_resources(struct why *y, const struct count *c)
{
	const struct om_ask *a = &y->ask;
	char what[96];
	int n;

	n = snprintf(what, sizeof(what), "%u task%s of %u cpu%s", a->tasks,
		     a->tasks == 1 ? "" : "s", a->cpus_per_task,
		     a->cpus_per_task == 1 ? "" : "s");
	if (a->nodes_min > 1)
		n += snprintf(what + n, sizeof(what) - (size_t)n,
			      " on %u nodes", a->nodes_min);
	if (a->exclusive)
		snprintf(what + n, sizeof(what) - (size_t)n,
			 ", nodes to itself");
	SAY(y, "Resources", false,
	    "needs %s; %" PRIu64 " cpus are free on the %u of %u nodes that are up, at the most %u on one (%s)",
	    what, c->free_cpus, c->usable, c->nodes, c->most_cpus,
	    c->most_cpus_at);
}

static void say_memory(struct why *y, const struct count *c)
{
	const struct om_ask *a = &y->ask;
	char asked[16], most[16];

	if (!(a->mem_per_node || a->mem_per_cpu) ||
	    !fits_without(y, OUT_MEMORY))
		return;
	om_format_size(a->mem_per_node ? a->mem_per_node : a->mem_per_cpu,
		       asked, sizeof(asked));
	om_format_size(c->most_mem, most, sizeof(most));
	SAY(y, "Memory", false,
	    "needs %s of memory for each %s; the most that is free on one node is %s (%s)",
	    asked, a->mem_per_node ? "node" : "cpu", most, c->most_mem_at);
}

static void say_limits(struct why *y, const struct count *c)
{
	if (y->ask.load_limit > 0 && fits_without(y, OUT_JOB_LIMIT))
		SAY(y, "LoadLimit", false,
		    "--load-limit=%g: the least loaded node is %s with %.2f",
		    y->ask.load_limit, c->least_load_at, c->least_load);
	if (fits_without(y, OUT_NODE_LIMITS))
		SAY(y, "LoadLimit", false,
		    "nodes with free cpus are above the load limits set for them; the least loaded is %s with %.2f",
		    c->least_load_at, c->least_load);
	if (fits_without(y, OUT_OWNERS))
		SAY(y, "ExclusiveNodes", false,
		    "nodes with free cpus are taken by jobs that share with nobody");
}

static void say_filters(struct why *y, const struct count *c)
{
	const struct om_request *r = y->j->req;
	static const struct {
		enum leave_out what;
		const char *token, *option;
		size_t text;
	} filter[] = {
		{ OUT_MASK, "ClusterMask", "--cluster-mask",
		  offsetof(struct om_request, cluster_mask) },
		{ OUT_CONSTRAINT, "Constraint", "-C",
		  offsetof(struct om_request, constraint) },
		{ OUT_EXCLUDE, "ExcludedNodes", "--exclude",
		  offsetof(struct om_request, exclude) },
		{ OUT_NODELIST, "RequiredNodes", "-w",
		  offsetof(struct om_request, nodelist) },
	};

	for (size_t i = 0; i < sizeof(filter) / sizeof(*filter); i++) {
		const char *text = *(const char *const *)(const void *)(
			(const char *)r + filter[i].text);

		if (!text || !*text || !fits_without(y, filter[i].what))
			continue;
		if (filter[i].what == OUT_NODELIST)
			SAY(y, filter[i].token, false,
			    "-w %.100s: not all of these nodes are free; others are",
			    text);
		else
			SAY(y, filter[i].token, false,
			    "%s %.100s leaves %u nodes, none of them free; others are",
			    filter[i].option, text, c->nodes);
	}
}

/* It could never start, not even on the empty cluster. */
static bool say_never(struct why *y)
{
	struct om_error err = OM_ERROR_INIT;
	char *line;

	if (om_limits_check(y->s, y->j->req, &y->ask, y->where, &err) >= 0)
		return false;
	line = strchr(err.text, '\n');
	if (line)
		*line++ = '\0';
	SAY(y, "NeverFits", true, "%.250s", err.text);
	if (line)
		snprintf(y->ret->help, sizeof(y->ret->help), "%.250s", line);
	return true;
}

static void say_nodes(struct why *y)
{
	struct count c = count_rooms(y);

	if (c.nodes == 0 && !y->where->has_constraint && !y->where->has_mask &&
	    !y->where->has_exclude) {
		SAY(y, "NodesDown", false,
		    "no node of partition %s (%.100s) has registered",
		    y->part->name, y->part->hosts);
		return;
	}
	say_resources(y, &c);
	say_memory(y, &c);
	say_kind(y, OUT_DOWN);
	say_kind(y, OUT_DRAINED);
	say_kind(y, OUT_BLOCKED);
	say_limits(y, &c);
	say_filters(y, &c);
}

/* ---- the order */
static void forecast_of(const struct why *y, struct om_forecast *f)
{
	*f = (struct om_forecast){
		.ask = &y->ask,
		.where = y->where,
		.part = y->part,
		.order = { .key = om_queue_key(y->j), .id = y->j->id },
	};
}

static uint64_t count_ahead(const struct why *y, uint64_t *ret_first)
{
	struct om_cursor c = OM_CURSOR_INIT;
	struct om_forecast f;
	struct om_entry *e;
	uint64_t n = 0;

	forecast_of(y, &f);
	*ret_first = 0;
	while (n < AHEAD_MAX && (e = om_queue_next(y->s, &c)) &&
	       om_forecast_ahead(e, &f)) {
		if (e->job == y->j)
			continue;
		if (n++ == 0)
			*ret_first = e->job->id;
	}
	return n;
}

static int64_t limit_s(const struct why *y)
{
	return om_part_limit_s(y->part, y->j->req->time_limit_s);
}

static void help_time(struct why *y, const struct om_backfill *b)
{
	int64_t room_s = (b->by_ns - y->now_ns) / NS_PER_S;
	char text[32];

	if (room_s < 1 || y->ret->help[0])
		return;
	om_format_duration(room_s, text, sizeof(text));
	snprintf(y->ret->help, sizeof(y->ret->help),
		 "-t %s would fit before job %" PRIu64 " starts", text,
		 b->for_job);
}

/* Room there is; a promise to a job ahead keeps it from it. */
static void say_promise(struct why *y, const struct om_backfill *b)
{
	char when[64], limit[32];

	om_format_when(b->by_ns / NS_PER_S, when, sizeof(when));
	om_format_duration(limit_s(y), limit, sizeof(limit));
	SAY(y, "Priority", false,
	    "its nodes are promised to job %" PRIu64 " at %s, and its time limit is %s",
	    b->for_job, when, limit);
	help_time(y, b);
}

static void say_turn(struct why *y)
{
	struct om_place p = om_sched_place(y->s, true);
	struct om_shape sh = { .part = y->part, .where = y->where };
	struct om_entry e = { .job = y->j };
	struct om_backfill b;
	struct om_forecast f;
	uint64_t first, ahead;
	bool around;

	forecast_of(y, &f);
	sh.order = e.order = f.order;
	memcpy(&sh.key.ask, &y->ask, sizeof(y->ask));
	e.order.value = (uint64_t)limit_s(y);
	if (om_backfill_check(y->s, &sh, &e, y->now_ns, &b) < 0)
		return;
	around = !b.held || om_limits_fits(&p, &y->ask, y->where);
	om_backfill_release(y->s);
	if (!around) {
		say_promise(y, &b);
		return;
	}
	ahead = count_ahead(y, &first);
	if (ahead)
		SAY(y, "Priority", false,
		    "%s%" PRIu64 " job%s before it in the queue, the first is %" PRIu64,
		    ahead == AHEAD_MAX ? "at least " : "", ahead,
		    ahead == 1 ? " is" : "s are", first);
	else
		SAY(y, "None", false, "it fits and will start at once");
}

/* ---- what would help */
static void help_knobs(struct why *y)
{
	static const enum om_knob order[] = {
		OM_KNOB_MEM_NODE, OM_KNOB_MEM_CPU, OM_KNOB_TASKS,
		OM_KNOB_NODES, OM_KNOB_CPUS_PER_TASK,
	};
	struct om_place p = om_sched_place(y->s, false);
	double best = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		uint64_t asked = om_limits_asked(&y->ask, order[i]);
		uint64_t most = om_limits_largest(&p, &y->ask, y->where,
						  order[i]);
		bool mem = order[i] == OM_KNOB_MEM_NODE ||
			   order[i] == OM_KNOB_MEM_CPU;
		char now[64], was[64];
		double part;

		if (mem)
			asked <<= 20;
		part = asked ? (double)most / (double)asked : 0;
		if (part <= best)
			continue;
		best = part;	/* the smallest change is the best */
		snprintf(y->ret->help, sizeof(y->ret->help),
			 "%s instead of %s would start now",
			 om_limits_option(order[i], most, now, sizeof(now)),
			 strpbrk(om_limits_option(order[i], asked, was,
						  sizeof(was)), " =") + 1);
	}
}

static void help_partition(struct why *y)
{
	for (uint32_t i = 0; i < y->s->parts && !y->ret->help[0]; i++) {
		struct om_part *p = y->s->part + i;
		struct om_where *w;
		struct om_ask a;

		/* Who may use one with lists is not known here. */
		if (p == y->part || p->allow_users.n || p->allow_groups.n ||
		    limit_s(y) > p->max_time_s ||
		    om_where_get(y->s, p, y->j->req, &w, NULL) < 0)
			continue;
		om_ask_of(p, y->j->req, &a);
		if (fits(y, &a, w))
			snprintf(y->ret->help, sizeof(y->ret->help),
				 "-p %s would start now", p->name);
		om_where_put(y->s, w);
	}
}

static void estimate(struct why *y)
{
	struct om_placement where;
	struct om_forecast f;
	int64_t from_ns = y->now_ns, at_ns = 0;

	if (y->j->req->begin_ns > from_ns)
		from_ns = y->j->req->begin_ns;
	forecast_of(y, &f);
	if (om_forecast(y->s, &f, from_ns, &at_ns, &where) > 0) {
		om_placement_fini(&where);
		y->ret->start_ns = at_ns;
	}
}

static void explain(struct why *y)
{
	unsigned orders = y->ret->count;
	bool never = say_never(y);

	if (!never && fits(y, &y->ask, y->where)) {
		if (orders == 0)
			say_turn(y);
	} else if (!never) {
		say_nodes(y);
		help_knobs(y);
		if (!y->ret->help[0])
			help_partition(y);
	}
	for (unsigned i = 0; i < y->ret->count; i++)
		never |= y->ret->reason[i].never;
	if (!never && !y->j->held && om_depend_all(y->s->m, y->j) ==
	    OM_DEPEND_MET)
		estimate(y);
}

void om_sched_why(struct om_sched *s, struct om_job *j, int64_t now_ns,
		  struct om_why *ret)
{
	struct why y = { .s = s, .j = j, .now_ns = now_ns, .ret = ret };
	struct om_error err = OM_ERROR_INIT;

	*ret = (struct om_why){ .count = 0 };
	if (j->state != OM__JOB_STATE__PENDING)
		return;
	if (s->lost && om_sched_rebuild(s, NULL) < 0)
		return;
	if (s->rescan)
		om_nodes_look_all(s);
	say_orders(&y);
	y.part = om_sched_part(s, j->req->partition);
	if (!y.part) {
		SAY(&y, "PartitionDown", false,
		    "partition %.60s is not configured any more",
		    j->req->partition ? j->req->partition : "(default)");
		return;
	}
	if (om_where_get(s, y.part, j->req, &y.where, &err) < 0) {
		SAY(&y, "BadConstraint", true, "%.250s", err.text);
		return;
	}
	om_ask_of(y.part, j->req, &y.ask);
	y.room = malloc((s->rooms + 1) * sizeof(*y.room));
	if (y.room) {
		reset_rooms(&y);
		explain(&y);
	}
	free(y.room);
	om_where_put(s, y.where);
}
