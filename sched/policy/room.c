/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room: free resources of a node; see room.h. */
#include <math.h>

#include "sched/policy/room.h"

/* What a task is priced at that did not say how much memory it needs. */
#define TASK_MEM ((uint64_t)64 << 20)
/* Links are not measured; a gigabit is what every cluster has at least. */
#define LINK_BYTES 125e6
/* What one task of a gang is taken to say to the others together. */
#define TASK_TALK (LINK_BYTES / 50)

/* Readings come from nodes: no NaN, nothing negative. */
static double reading(double x)
{
	return isfinite(x) && x > 0 ? x : 0;
}

static uint32_t cluster_cpus(const struct om_node *n)
{
	uint64_t cpus = n->cpus;

	if (n->guest_cpu == 0 || n->guest_cpu >= 100)
		return n->cpus;
	cpus = cpus * n->guest_cpu / 100;
	return cpus ? (uint32_t)cpus : 1;	/* a part of one processor */
}

void om_room_read(struct om_room *r, const struct om_node *n)
{
	double guest = fmax(reading(n->load_guest), n->cpus_alloc);

	r->node = n;
	r->name = n->name;
	r->feature = n->feature;
	r->usable = n->up && !n->drain && !n->block;
	r->exclusive = n->exclusive;
	r->cpus = cluster_cpus(n);
	r->all_cpus = n->cpus;
	r->cpus_alloc = n->cpus_alloc;
	r->jobs = n->jobs;
	r->mem = n->memory;
	r->mem_alloc = n->mem_alloc;
	r->mem_busy = n->mem_free && n->mem_free < n->memory ?
			      n->memory - n->mem_free : 0;
	r->speed = isfinite(n->speed) && n->speed > 0 ? n->speed : 1;
	r->load_local = reading(n->load_local);
	r->load_guest = guest;
	r->load = fmax(reading(n->load), r->load_local + guest);
	r->limit = reading(n->load_limit);
	r->limit_local = reading(n->load_limit_local);
	r->limit_guest = reading(n->load_limit_guest);
	r->net = (double)n->net_rx + (double)n->net_tx;
}

static bool limits_eased(const struct om_room *old, const struct om_room *now)
{
	return now->limit != old->limit ||
	       now->limit_local != old->limit_local ||
	       now->limit_guest != old->limit_guest;
}

bool om_room_grew(const struct om_room *old, const struct om_room *now,
		  bool loads)
{
	if (!now->usable)
		return false;
	if (!old->usable || (old->exclusive && !now->exclusive) ||
	    now->cpus > old->cpus || now->cpus_alloc < old->cpus_alloc ||
	    now->mem > old->mem || now->mem_alloc < old->mem_alloc ||
	    now->jobs < old->jobs || now->cpus_own < old->cpus_own ||
	    limits_eased(old, now))
		return true;
	if (!loads && now->limit == 0 && now->limit_local == 0 &&
	    now->limit_guest == 0)
		return false;
	return now->load < old->load || now->load_local < old->load_local ||
	       now->load_guest < old->load_guest;
}

bool om_room_same(const struct om_room *a, const struct om_room *b)
{
	return a->node == b->node && a->name == b->name &&
	       a->feature == b->feature &&
	       a->usable == b->usable && a->exclusive == b->exclusive &&
	       a->cpus == b->cpus && a->cpus_alloc == b->cpus_alloc &&
	       a->jobs == b->jobs && a->cpus_own == b->cpus_own &&
	       a->mem == b->mem && a->mem_alloc == b->mem_alloc &&
	       a->mem_busy == b->mem_busy && a->speed == b->speed &&
	       a->load == b->load && a->load_local == b->load_local &&
	       a->load_guest == b->load_guest && a->limit == b->limit &&
	       a->limit_local == b->limit_local &&
	       a->limit_guest == b->limit_guest && a->net == b->net &&
	       a->all_cpus == b->all_cpus;
}

uint32_t om_room_free_cpus(const struct om_room *r, uint32_t oversubscribe)
{
	uint64_t max = r->cpus, taken = r->cpus_alloc;

	if (!r->usable || r->exclusive)
		return 0;
	if (oversubscribe) {
		/* Processors that are somebody's own are not shared. */
		uint32_t own = r->cpus_own < r->cpus ? r->cpus_own : r->cpus;

		max = (uint64_t)(r->cpus - own) * oversubscribe;
		taken -= r->cpus_own < taken ? r->cpus_own : taken;
	}
	if (taken >= max)
		return 0;
	return max - taken < UINT32_MAX ? (uint32_t)(max - taken) : UINT32_MAX;
}

uint64_t om_room_free_mem(const struct om_room *r)
{
	return r->mem > r->mem_alloc ? r->mem - r->mem_alloc : 0;
}

/* How many tasks may come one after the other, see the header. */
static uint64_t fit_load(double limit, double load, uint32_t cpus)
{
	double k;

	if (!(limit > 0))
		return UINT64_MAX;
	if (load > limit)
		return 0;
	k = floor((limit - load) / cpus) + 1;
	/* The quotient is rounded; the rule is about the sum. */
	if (load + k * cpus <= limit)
		k++;
	else if (load + (k - 1) * cpus > limit)
		k--;
	return k < 4e9 ? (uint64_t)k : UINT32_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t fit_loads(const struct om_room *r, const struct om_ask *a)
{
	uint32_t cpus = a->cpus_per_task;
	uint64_t k = fit_load(a->load_limit, r->load, cpus);

	if (r->limit_local > 0 && r->load_local > r->limit_local)
		return 0;
	k = least(k, fit_load(r->limit, r->load, cpus));
	return least(k, fit_load(r->limit_guest, r->load_guest, cpus));
}

uint32_t om_room_fit(const struct om_room *r, const struct om_ask *a,
		     const struct om_hold *hold)
{
	uint64_t cpus, mem, k;

	if (!r->usable || r->exclusive || (a->exclusive && r->jobs) ||
	    (hold && (hold->whole || (a->exclusive && hold->cpus != UINT32_MAX))))
		return 0;
	cpus = om_room_free_cpus(r, a->oversubscribe);
	mem = om_room_free_mem(r);
	if (hold) {
		cpus = least(cpus, hold->cpus);
		mem = least(mem, hold->mem);
	}
	k = least(a->tasks, cpus / a->cpus_per_task);
	if (a->tasks_per_node)
		k = least(k, a->tasks_per_node);
	if (a->mem_per_node && a->mem_per_node > mem)
		return 0;
	if (!a->mem_per_node && a->mem_per_cpu)
		k = least(k, mem / a->mem_per_cpu / a->cpus_per_task);
	return (uint32_t)(k ? least(k, fit_loads(r, a)) : 0);
}

uint32_t om_room_take_cpus(const struct om_room *r, const struct om_ask *a,
			   uint32_t tasks)
{
	return a->exclusive ? r->cpus : tasks * a->cpus_per_task;
}

uint64_t om_room_take_mem(const struct om_ask *a, uint32_t tasks)
{
	if (a->mem_per_node)
		return a->mem_per_node;
	return a->mem_per_cpu * a->cpus_per_task * tasks;
}

void om_room_take(struct om_room *r, const struct om_ask *a, uint32_t tasks)
{
	uint32_t cpus = om_room_take_cpus(r, a, tasks);

	r->cpus_alloc += cpus;
	r->mem_alloc += om_room_take_mem(a, tasks);
	r->jobs++;
	r->exclusive |= a->exclusive;
	if (!a->oversubscribe)
		r->cpus_own += cpus;
	if (r->cpus_alloc > r->load_guest) {
		r->load_guest = r->cpus_alloc;
		r->load = fmax(r->load, r->load_local + r->load_guest);
	}
}

void om_room_give(struct om_room *r, const struct om_share *s, bool exclusive,
		  bool own)
{
	r->cpus_alloc -= s->cpus < r->cpus_alloc ? s->cpus : r->cpus_alloc;
	r->mem_alloc -= s->mem < r->mem_alloc ? s->mem : r->mem_alloc;
	r->jobs -= r->jobs > 0;
	if (exclusive)
		r->exclusive = false;
	if (own)
		r->cpus_own -= s->cpus < r->cpus_own ? s->cpus : r->cpus_own;
	r->load_guest = fmax(r->load_guest - s->cpus, r->cpus_alloc);
	r->load = fmax(r->load - s->cpus, r->load_local + r->load_guest);
}

void om_room_econ(const struct om_room *r, struct om_econ_node *ret)
{
	uint64_t mem = r->mem_alloc > r->mem_busy ? r->mem_alloc : r->mem_busy;

	*ret = (struct om_econ_node){
		.threads = r->load,
		.cpus = r->all_cpus ? r->all_cpus : 1,
		.speed = r->speed,
		.mem_used = (double)mem,
		.mem = (double)r->mem,
		.net_used = r->net,
		.net = LINK_BYTES,
	};
}

double om_room_price(const struct om_room *r, const struct om_econ_market *m,
		     const struct om_ask *a, uint32_t tasks, uint32_t total)
{
	uint64_t mem = om_room_take_mem(a, tasks);
	struct om_econ_demand d = {
		.threads = (double)tasks * a->cpus_per_task,
		.mem = mem ? (double)mem : (double)TASK_MEM * tasks,
	};
	struct om_econ_node n;

	/* Each task talks to all others alike; what stays on the node costs
	 * nothing. */
	if (total > tasks)
		d.net = TASK_TALK * tasks * (total - tasks) / (total - 1);
	om_room_econ(r, &n);
	return om_econ_marginal(m, &n, &d);
}
