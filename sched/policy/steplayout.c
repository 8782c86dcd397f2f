/* SPDX-License-Identifier: GPL-3.0-or-later */
/* steplayout: a step's tasks over the nodes of its job, in blocks. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/hostlist.h"
#include "sched/policy/policy.h"

static int find_share(const struct om_allocation *a, const char *name)
{
	for (uint32_t i = 0; i < a->shares; i++)
		if (strcmp(a->share[i].node->name, name) == 0)
			return (int)i;
	return -1;
}

/* The shares of the request's node list, each once, in its order; all of the
 * allocation's without one. How many, or -Exxx. */
static int list_shares(const struct om_allocation *a,
		       const struct om_step_request *r, uint32_t *ret,
		       struct om_error *err)
{
	struct om_strvec names = OM_STRVEC_INIT;
	uint32_t n = 0;
	int rc = 0;

	if (!r->nodelist || !*r->nodelist) {
		for (; n < a->shares; n++)
			ret[n] = n;
		return (int)n;
	}
	rc = om_hostlist_expand(r->nodelist, &names, err);
	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		int at = find_share(a, names.v[i]);
		uint32_t k = 0;

		if (at < 0) {
			rc = om_fail(err, -EINVAL,
				     "node %s is not one of the job's",
				     names.v[i]);
			break;
		}
		while (k < n && ret[k] != (uint32_t)at)
			k++;
		if (k == n)
			ret[n++] = (uint32_t)at;
	}
	om_strvec_fini(&names);
	return rc < 0 ? rc : (int)n;
}

/* Tasks that a share has room for. */
static uint32_t capacity(const struct om_share *s,
			 const struct om_step_request *r)
{
	uint32_t max = s->slots;

	if (r->cpus_per_task > 1)
		max = s->cpus / r->cpus_per_task;
	if (r->tasks_per_node && r->tasks_per_node < max)
		max = r->tasks_per_node;
	return max;
}

static int too_many(const struct om_step_request *r, uint64_t tasks,
		    uint64_t room, uint32_t nodes, struct om_error *err)
{
	if (room == 0)
		return om_fail(err, -EINVAL,
			       "%u cpus a task are more than the job has on any of its nodes (try: omrun -c 1)",
			       r->cpus_per_task);
	return om_fail(err, -EINVAL,
		       "%llu tasks asked for, but there is room for %llu on %u node%s (try: omrun -n %llu, or --overlap)",
		       (unsigned long long)tasks, (unsigned long long)room,
		       nodes, nodes == 1 ? "" : "s", (unsigned long long)room);
}

/* One task on each first, the rest in blocks; then, with overlap, more than
 * there are slots, the same number on each. */
static void deal(const struct om_allocation *a, const struct om_step_request *r,
		 const uint32_t *share, uint32_t nodes, uint32_t tasks,
		 uint32_t *ret_tasks)
{
	uint32_t left = tasks;

	for (uint32_t i = 0; i < nodes && left; i++, left--)
		ret_tasks[share[i]] = 1;
	for (uint32_t i = 0; i < nodes && left; i++) {
		uint32_t max = capacity(a->share + share[i], r);
		uint32_t more = max > 1 ? max - 1 : 0;

		if (more > left)
			more = left;
		ret_tasks[share[i]] += more;
		left -= more;
	}
	for (uint32_t i = 0; left && i < nodes; i++)
		ret_tasks[share[i]] += left / nodes + (i < left % nodes);
}

/* How many of the n listed nodes the tasks need, when that is left open. */
static uint32_t count_nodes(const struct om_allocation *a,
			    const struct om_step_request *r,
			    const uint32_t *share, uint32_t n, uint32_t tasks)
{
	uint64_t room = 0;
	uint32_t i = 0;

	while (i < n && room < tasks)
		room += capacity(a->share + share[i++], r);
	return i;
}

static int lay_tasks(const struct om_allocation *a,
		     const struct om_step_request *r, uint32_t *share,
		     uint32_t n, uint32_t *ret_tasks, struct om_error *err)
{
	uint32_t tasks = r->tasks, nodes, used = 0;
	uint64_t room = 0;

	if (r->nodes > n)
		return om_fail(err, -EINVAL,
			       "%u nodes asked for, the job has %u (try: omrun -N %u)",
			       r->nodes, n, n);
	nodes = r->nodes ? r->nodes : n;
	/* Nodes without room for one task are of no use. */
	for (uint32_t i = 0; i < n && used < nodes; i++) {
		uint32_t max = capacity(a->share + share[i], r);

		if (max == 0 && !r->overlap)
			continue;
		share[used++] = share[i];
		room += max;
	}
	if (r->nodes > used)
		return om_fail(err, -EINVAL,
			       "%u nodes asked for, %u of the job's have room for a task (try: omrun -N %u)",
			       r->nodes, used, used);
	if (tasks == 0)
		tasks = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
	if (tasks == 0 || used == 0 || (room < tasks && !r->overlap))
		return too_many(r, tasks, room, used, err);
	if (r->nodes > tasks)
		return om_fail(err, -EINVAL,
			       "%u nodes cannot be had with %u task%s (try: omrun -N %u)",
			       r->nodes, tasks, tasks == 1 ? "" : "s", tasks);
	if (!r->nodes && !(r->nodelist && *r->nodelist))
		used = count_nodes(a, r, share, used, tasks);
	deal(a, r, share, used, tasks, ret_tasks);
	return 0;
}

int om_step_layout(const struct om_allocation *a, const struct om_step_request *r,
		   uint32_t *ret_tasks, struct om_error *err)
{
	uint32_t *share = calloc(a->shares + 1, sizeof(*share));
	uint32_t *tasks = calloc(a->shares + 1, sizeof(*tasks));
	int rc = share && tasks ? list_shares(a, r, share, err) :
				  om_fail_nomem(err);

	if (rc >= 0 && r->daemons) {
		for (int i = 0; i < rc; i++)
			tasks[share[i]] = 1;
		rc = 0;
	} else if (rc >= 0) {
		rc = lay_tasks(a, r, share, (uint32_t)rc, tasks, err);
	}
	if (rc == 0)
		memcpy(ret_tasks, tasks, a->shares * sizeof(*tasks));
	free(share);
	free(tasks);
	return rc;
}

int om_step_order(const struct om_allocation *a, const struct om_step_request *r,
		  const uint32_t *tasks, uint32_t *ret_order,
		  struct om_error *err)
{
	int n = 0;

	if (r->daemons)
		return list_shares(a, r, ret_order, err);
	for (uint32_t i = 0; i < a->shares; i++)
		if (tasks[i])
			ret_order[n++] = i;
	return n;
}
