/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cost: n^u for processors, memory and network; see cost.h. */
#include <math.h>

#include "sched/econ/cost.h"

/* ln of the cost above which the curve goes on as a straight line. */
#define LOG_STRAIGHT 200.0
/*
 * Cost of memory over 100 %, for each 100 %. A page over on a node of 4 PiB
 * is 1e-12 of it, and must outweigh the dearest processor (below 1e95).
 */
#define OVERFLOW_SLOPE 1e150

void om_econ_market_init(struct om_econ_market *m, uint32_t nodes)
{
	double n = nodes;

	/* 1^u is the same for every u: one node is priced as two are. */
	if (n < 2)
		n = 2;
	if (n > OM_ECON_NODES_MAX)
		n = OM_ECON_NODES_MAX;
	m->log_n = log(n);
	m->load_max = 1;
	m->speed_max = 0;
}

static double clamp(double x, double max)
{
	if (!(x > 0))		/* NaN too */
		return 0;
	return x < max ? x : max;
}

static double ratio_of(double used, double max)
{
	return max > 0 ? clamp(used / max, OM_ECON_RATIO_MAX) : 0;
}

double om_econ_load(const struct om_econ_market *m,
		    const struct om_econ_node *n)
{
	double speed = m->speed_max > 0 ? n->speed / m->speed_max : 1;

	return ratio_of(n->threads, n->cpus * speed);
}

double om_econ_load_max(double load)
{
	int exponent;

	load = clamp(load, OM_ECON_RATIO_MAX);
	/* frexp: load = f * 2^exponent with 1/2 <= f < 1, so 2^exponent is
	 * above it and the half of it is not. */
	if (load < 1)
		return 1;
	frexp(load, &exponent);
	return ldexp(1, exponent);
}

bool om_econ_market_see(struct om_econ_market *m, const struct om_econ_node *n)
{
	bool changed = false;
	double load;

	if (isfinite(n->speed) && n->speed > m->speed_max) {
		m->speed_max = n->speed;
		changed = true;
	}
	load = om_econ_load(m, n);
	if (load >= m->load_max) {
		m->load_max = om_econ_load_max(load);
		changed = true;
	}
	return changed;
}

double om_econ_curve(const struct om_econ_market *m, double ratio)
{
	double x = m->log_n * clamp(ratio, OM_ECON_RATIO_MAX);

	if (x <= LOG_STRAIGHT)
		return exp(x);
	return exp(LOG_STRAIGHT) * (1 + (x - LOG_STRAIGHT));
}

double om_econ_curve_memory(const struct om_econ_market *m, double ratio)
{
	double cost = om_econ_curve(m, ratio);

	ratio = clamp(ratio, OM_ECON_RATIO_MAX);
	return ratio > 1 ? cost + (ratio - 1) * OVERFLOW_SLOPE : cost;
}

/* The rise of the curve from one ratio to another; exact where the two are
 * so near that their costs differ in the last digits only. */
static double rise(const struct om_econ_market *m, double from, double to)
{
	double x = m->log_n * from, y = m->log_n * to;

	if (y <= LOG_STRAIGHT)
		return exp(x) * expm1(y - x);
	if (x >= LOG_STRAIGHT)
		return exp(LOG_STRAIGHT) * (y - x);
	return om_econ_curve(m, to) - om_econ_curve(m, from);
}

static double rise_memory(const struct om_econ_market *m, double from,
			  double to)
{
	double over = (to > 1 ? to - 1 : 0) - (from > 1 ? from - 1 : 0);

	return rise(m, from, to) + over * OVERFLOW_SLOPE;
}

double om_econ_cost(const struct om_econ_market *m,
		    const struct om_econ_node *n)
{
	double cost = om_econ_curve(m, om_econ_load(m, n) / m->load_max);

	if (n->mem > 0)
		cost += om_econ_curve_memory(m, ratio_of(n->mem_used, n->mem));
	if (n->net > 0)
		cost += om_econ_curve(m, ratio_of(n->net_used, n->net));
	return cost;
}

/* The cost between two states of a node, the second using no less. */
static double cost_between(const struct om_econ_market *m,
			   const struct om_econ_node *from,
			   const struct om_econ_node *to)
{
	double cost = 0;

	if (to->threads > from->threads)
		cost += rise(m, om_econ_load(m, from) / m->load_max,
			     om_econ_load(m, to) / m->load_max);
	if (to->mem_used > from->mem_used)
		cost += rise_memory(m, ratio_of(from->mem_used, from->mem),
				    ratio_of(to->mem_used, to->mem));
	if (to->net_used > from->net_used)
		cost += rise(m, ratio_of(from->net_used, from->net),
			     ratio_of(to->net_used, to->net));
	return cost;
}

double om_econ_marginal(const struct om_econ_market *m,
			const struct om_econ_node *n,
			const struct om_econ_demand *d)
{
	struct om_econ_node after = *n;

	after.threads += clamp(d->threads, HUGE_VAL);
	after.mem_used += clamp(d->mem, HUGE_VAL);
	after.net_used += clamp(d->net, HUGE_VAL);
	return cost_between(m, n, &after);
}

double om_econ_relief(const struct om_econ_market *m,
		      const struct om_econ_node *n,
		      const struct om_econ_demand *d)
{
	struct om_econ_node before = *n;

	before.threads = clamp(n->threads - clamp(d->threads, HUGE_VAL),
			       HUGE_VAL);
	before.mem_used = clamp(n->mem_used - clamp(d->mem, HUGE_VAL),
				HUGE_VAL);
	before.net_used = clamp(n->net_used - clamp(d->net, HUGE_VAL),
				HUGE_VAL);
	return cost_between(m, &before, n);
}
