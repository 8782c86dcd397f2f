/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cost: the price of resources on the nodes of a cluster.
 *
 * Amir, Awerbuch, Barak, Borgstrom and Keren, "An Opportunity Cost Approach
 * for Job Assignment in a Scalable Computing Cluster" (IEEE TPDS 11, 2000):
 * with n nodes, a resource of which the share u = used / max is taken costs
 * n^u, and a task goes to the node whose cost rises least by it. The greatest
 * use of any resource then stays within O(log n) of an optimum that knows the
 * future.
 *
 *   processor  used is the number of runnable threads in units of what the
 *              node's processors do: threads / (cpus * speed / fastest speed);
 *              max is the smallest power of two above the largest such load
 *              seen. Speeds are taken relative to the fastest node, so that
 *              multiplying all of them by one number changes nothing.
 *   memory     max is the node's memory; what is over 100 % pages and makes
 *              everything an order slower, hence a penalty that no load of
 *              processors or links outweighs.
 *   network    bytes a second against what the link carries.
 *
 * Pure functions of their arguments. Costs are finite, never negative, rising
 * and convex for every ratio up to OM_ECON_RATIO_MAX, to which larger ones are
 * clamped, and every n up to OM_ECON_NODES_MAX. Beyond n^u = e^200 the curve
 * goes on as its tangent, which keeps both properties without overflow.
 */
#ifndef OM_SCHED_ECON_COST_H
#define OM_SCHED_ECON_COST_H

#include <stdbool.h>
#include <stdint.h>

#define OM_ECON_RATIO_MAX 1e6
#define OM_ECON_NODES_MAX 100000.0

/* What all prices of a cluster have in common. */
struct om_econ_market {
	double log_n;		/* of the number of nodes, at least of 2 */
	double load_max;	/* a power of two above the largest load seen */
	double speed_max;	/* of the fastest node */
};

/* Use of a node. Zero memory or link: the resource has no price there. */
struct om_econ_node {
	double threads;		/* runnable */
	double cpus, speed;
	double mem_used, mem;	/* bytes */
	double net_used, net;	/* bytes a second */
};

/* What a task, or several on one node, would add. */
struct om_econ_demand {
	double threads, mem, net;
};

/* A market of so many nodes, nothing seen yet. */
void om_econ_market_init(struct om_econ_market *m, uint32_t nodes);
/*
 * Takes a node's speed and load into account. True if prices changed by it,
 * which happens each time the largest load doubles or a faster node comes.
 */
bool om_econ_market_see(struct om_econ_market *m, const struct om_econ_node *n);

/* A node's load in units of the fastest processors. */
double om_econ_load(const struct om_econ_market *m,
		    const struct om_econ_node *n);
/* The smallest power of two above load; 1 for an idle cluster. */
double om_econ_load_max(double load);

/* n^ratio and what the header says. */
double om_econ_curve(const struct om_econ_market *m, double ratio);
/* n^ratio plus the penalty for what is over 1. */
double om_econ_curve_memory(const struct om_econ_market *m, double ratio);

/* The cost of all resources of a node as they are used. */
double om_econ_cost(const struct om_econ_market *m,
		    const struct om_econ_node *n);
/* How much the cost would rise by the demand; zero for none. */
double om_econ_marginal(const struct om_econ_market *m,
			const struct om_econ_node *n,
			const struct om_econ_demand *d);
/* How much it would fall if a demand that is part of the use went away. */
double om_econ_relief(const struct om_econ_market *m,
		      const struct om_econ_node *n,
		      const struct om_econ_demand *d);

#endif
