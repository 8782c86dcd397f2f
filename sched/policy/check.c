/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check: a request at submit: defaults, access, limits; and test-only. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "sched/policy/forecast.h"
#include "sched/policy/limits.h"

/* More memory than that on a node is a slip of the pen, and products of
 * requests stay below 2^64. */
#define MEM_MAX ((uint64_t)1 << 50)
#define TASKS_MAX 10000000u
#define CPUS_PER_TASK_MAX 1000000u

struct check {
	struct om_sched *s;
	struct om_request *r;
	uint32_t uid;
	struct om_part *part;
	struct om_error *err;
};

static int no_partition(struct check *c)
{
	const char *words[64] = { NULL };
	const char *near;
	char list[200] = "";

	for (uint32_t i = 0; i < c->s->parts && i < 63; i++) {
		size_t len = strlen(list);

		words[i] = c->s->part[i].name;
		snprintf(list + len, sizeof(list) - len, "%s%s",
			 i ? ", " : "", words[i]);
	}
	near = om_str_nearest(c->r->partition, words);
	return om_fail(c->err, -EINVAL,
		       "-p %.60s: there is no such partition, there %s %s\ntry: omsub -p %s",
		       c->r->partition, c->s->parts == 1 ? "is" : "are", list,
		       near ? near : c->s->part[0].name);
}

static int check_partition(struct check *c)
{
	bool named = c->r->partition && *c->r->partition;

	c->part = om_sched_part(c->s, c->r->partition);
	if (!c->part && named)
		return no_partition(c);
	if (!c->part)
		return om_fail(c->err, -EINVAL, "no partition is configured");
	if (!named)
		c->r->partition = om_model_intern(c->s->m, c->part->name);
	return c->r->partition ? 0 : om_fail_nomem(c->err);
}

static bool is_member(const struct check *c, const char *user,
		      const char *group)
{
	return c->s->member &&
	       c->s->member(c->s->member_arg, c->uid, user, group);
}

static int check_access(struct check *c)
{
	const struct om_part *p = c->part;

	if (p->allow_users.n == 0 && p->allow_groups.n == 0)
		return 0;
	for (size_t i = 0; i < p->allow_users.n; i++)
		if (is_member(c, p->allow_users.v[i], NULL))
			return 0;
	for (size_t i = 0; i < p->allow_groups.n; i++)
		if (is_member(c, NULL, p->allow_groups.v[i]))
			return 0;
	return om_fail(c->err, -EACCES,
		       "-p %s: only %s%s%s%s may use this partition, uid %u is none of them",
		       p->name, p->allow_users.n ? "users " : "",
		       p->allow_users.n ? p->allow_users.v[0] : "",
		       p->allow_users.n > 1 ? "..." : "",
		       p->allow_groups.n ? " and some groups" : "", c->uid);
}

static int check_time(struct check *c)
{
	struct om_request *r = c->r;
	char asked[32], max[32];

	if (r->time_limit_s < 0)
		return om_fail(c->err, -EINVAL, "-t: a time limit is not negative");
	if (r->time_limit_s == 0)
		r->time_limit_s = c->part->default_time_s;
	if (r->time_limit_s <= c->part->max_time_s)
		return 0;
	om_format_duration(r->time_limit_s, asked, sizeof(asked));
	om_format_duration(c->part->max_time_s, max, sizeof(max));
	return om_fail(c->err, -EINVAL,
		       "-t %s: partition %s allows %s at the most\ntry: omsub -t %s",
		       asked, c->part->name, max, max);
}

static int check_numbers(struct check *c)
{
	struct om_request *r = c->r;

	if (r->cpus_per_task == 0)
		r->cpus_per_task = 1;
	if (r->nodes_max && r->nodes_min > r->nodes_max)
		return om_fail(c->err, -EINVAL,
			       "-N %u-%u: the least is more than the most\ntry: omsub -N %u-%u",
			       r->nodes_min, r->nodes_max, r->nodes_max,
			       r->nodes_min);
	if (r->tasks > TASKS_MAX || r->cpus_per_task > CPUS_PER_TASK_MAX ||
	    r->nodes_min > TASKS_MAX || r->tasks_per_node > TASKS_MAX)
		return om_fail(c->err, -EINVAL,
			       "-n, -N and -c: at most %u tasks and %u cpus each",
			       TASKS_MAX, CPUS_PER_TASK_MAX);
	if (r->mem_per_node > MEM_MAX || r->mem_per_cpu > MEM_MAX)
		return om_fail(c->err, -EINVAL,
			       "--mem: at most 1024T on a node");
	if (!isfinite(r->load_limit) || r->load_limit < 0)
		return om_fail(c->err, -EINVAL,
			       "--load-limit: a number of runnable threads, 0 or more");
	return 0;
}

/* The number of tasks follows from that of nodes where it was not given. */
static int check_tasks(struct check *c, const struct om_where *w)
{
	struct om_request *r = c->r;
	uint32_t names = (uint32_t)w->nodelist.list.n;
	uint64_t tasks;

	if (names > r->nodes_min)
		r->nodes_min = names;
	if (r->nodes_max && r->nodes_min > r->nodes_max)
		return om_fail(c->err, -EINVAL,
			       "-w names %u nodes, -N allows %u at the most\ntry: omsub -N %u",
			       names, r->nodes_max, names);
	tasks = r->nodes_min ? r->nodes_min : 1;
	if (r->tasks <= 1 && r->tasks_per_node)
		tasks *= r->tasks_per_node;
	if (r->tasks > 1 && r->tasks < r->nodes_min)
		return om_fail(c->err, -EINVAL,
			       "-N %u: %u tasks cannot be on %u nodes\ntry: omsub -N %u",
			       r->nodes_min, r->tasks, r->nodes_min, r->tasks);
	if (r->tasks <= 1)
		r->tasks = tasks < TASKS_MAX ? (uint32_t)tasks : TASKS_MAX;
	return 0;
}

static void fill_memory(struct check *c)
{
	if (!c->r->mem_per_node && !c->r->mem_per_cpu)
		c->r->mem_per_cpu = c->part->default_mem_per_cpu;
}

/* All but whether it fits; *ret_where holds a reference. */
static int check_basics(struct check *c, struct om_where **ret_where)
{
	int rc = check_partition(c);

	if (rc == 0)
		rc = check_access(c);
	if (rc == 0)
		rc = check_numbers(c);
	if (rc == 0)
		rc = check_time(c);
	if (rc == 0)
		rc = om_where_get(c->s, c->part, c->r, ret_where, c->err);
	if (rc < 0)
		return rc;
	rc = check_tasks(c, *ret_where);
	if (rc < 0)
		om_where_put(c->s, *ret_where);
	else
		fill_memory(c);
	return rc;
}

/* Nodes may have changed since the last turn. */
static int refresh(struct om_sched *s, struct om_error *err)
{
	if (s->lost)
		return om_sched_rebuild(s, err);
	if (s->rescan)
		om_nodes_look_all(s);
	return s->lost ? om_fail_nomem(err) : 0;
}

int om_sched_check(struct om_sched *s, struct om_request *r, uint32_t uid,
		   struct om_error *err)
{
	struct check c = { .s = s, .r = r, .uid = uid, .err = err };
	struct om_where *w;
	struct om_ask a;
	int rc = refresh(s, err);

	if (rc == 0)
		rc = check_basics(&c, &w);
	if (rc < 0)
		return rc;
	om_ask_of(c.part, r, &a);
	rc = om_limits_check(s, r, &a, w, err);
	om_where_put(s, w);
	return rc;
}

/* Would it start now, behind everything that waits? 1 and the placement. */
static int test_now(struct om_sched *s, const struct om_forecast *f,
		    const struct om_request *r, int64_t now_ns,
		    struct om_placement *ret)
{
	struct om_place p = om_sched_place(s, true);
	struct om_shape sh = {
		.order = f->order,
		.part = (struct om_part *)(uintptr_t)f->part,
		.where = (struct om_where *)(uintptr_t)f->where,
	};
	struct om_entry e = { .order = f->order };
	struct om_backfill b;
	int rc;

	memcpy(&sh.key.ask, f->ask, sizeof(sh.key.ask));
	e.order.value = (uint64_t)om_part_limit_s(f->part, r->time_limit_s);
	rc = om_backfill_check(s, &sh, &e, now_ns, &b);
	if (rc == 0)
		rc = om_place(&p, f->ask, f->where, ret);
	om_backfill_release(s);
	return rc;
}

int om_sched_test(struct om_sched *s, struct om_request *r, uint32_t uid,
		  int64_t now_ns, struct om_placement *ret, int64_t *ret_start,
		  struct om_error *err)
{
	struct check c = { .s = s, .r = r, .uid = uid, .err = err };
	struct om_job like = { .submit_ns = now_ns, .req = r };
	struct om_where *w;
	struct om_ask a;
	struct om_forecast f = { .ask = &a };
	int rc = om_sched_check(s, r, uid, err);

	if (rc == 0)
		rc = check_basics(&c, &w);
	if (rc < 0)
		return rc;
	om_ask_of(c.part, r, &a);
	f.where = w;
	f.part = c.part;
	f.order.key = om_queue_key(&like);
	f.order.id = UINT64_MAX;
	*ret = (struct om_placement){ .share = NULL };
	*ret_start = 0;
	if (r->begin_ns <= now_ns)
		rc = test_now(s, &f, r, now_ns, ret);
	if (rc > 0)
		*ret_start = now_ns;
	else if (rc == 0)
		rc = om_forecast(s, &f, r->begin_ns > now_ns ? r->begin_ns :
							       now_ns,
				 ret_start, ret);
	om_where_put(s, w);
	return rc < 0 ? om_fail_nomem(err) : 0;
}
