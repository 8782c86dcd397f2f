/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy: what should start where, as a pure function of model and time.
 */
#ifndef OM_SCHED_POLICY_POLICY_H
#define OM_SCHED_POLICY_POLICY_H

#include "sched/model/model.h"

struct om_config;

/* A placement: cpus, tasks (slots) and memory on each node. */
struct om_placement {
	struct om_share *share;		/* cpu_list unset, clean unset */
	uint32_t shares;
	double cost;			/* marginal cost in all */
};
void om_placement_fini(struct om_placement *p);

/* A blocking reason; text says the numbers. */
struct om_reason {
	const char *token;		/* "Resources", "Dependency" ... */
	char text[256];
	bool never;			/* waiting cannot cure it */
};
struct om_why {
	struct om_reason reason[16];
	unsigned count;
	char help[256];			/* smallest change that would help */
	int64_t start_ns;		/* estimate, 0: none */
};

/* The scheduler's own memory between turns (indexes, reservations): derived
 * from the model, thrown away and rebuilt at will. */
struct om_sched;
struct om_sched *om_sched_create(const struct om_config *config,
				 struct om_model *m, struct om_error *err);
void om_sched_destroy(struct om_sched *s);
/*
 * Is a user (by uid) the one of that name, or a member of that group? For
 * allow_users and allow_groups of partitions; one of user and group is NULL.
 * Asked in om_sched_check and om_sched_test only. Without such a function
 * nobody is in any list, so partitions with lists are closed.
 */
typedef bool om_member_fn(void *arg, uint32_t uid, const char *user,
			  const char *group);
void om_sched_set_member(struct om_sched *s, om_member_fn *fn, void *arg);
/* Partitions or limits changed. config is copied from, as in create. */
int om_sched_reconfigure(struct om_sched *s, const struct om_config *config,
			 struct om_error *err);

/*
 * Tell it what changed, after apply. Cheap: O(log n) at most.
 *
 * job_pending: submitted, requeued, released, held, updated, a dependency met
 * or failed (looks at the job anew; the time limit of a running job changed
 * belongs here too). job_gone: no longer pending and not by om_sched_run,
 * before it can be forgotten; harmless at any other time.
 * node_changed: joined, state, limits, readings, sums, features.
 * resources_freed: a job ended or nodes were removed. It does not say where,
 * so the next run looks at all nodes (some ns each); with thousands of nodes
 * call node_changed for each node of the job instead, which is enough.
 */
void om_sched_job_pending(struct om_sched *s, struct om_job *j);
void om_sched_job_gone(struct om_sched *s, struct om_job *j);
void om_sched_node_changed(struct om_sched *s, struct om_node *n);
void om_sched_resources_freed(struct om_sched *s);

/* A job's priority now: what it asked, and a point for each minute it waited.
 * (j->priority is the first part alone.) */
int64_t om_sched_priority(const struct om_job *j, int64_t now_ns);

/*
 * Decides what starts now, best first, at most max jobs; start_fn applies the
 * allocation (appends the event) before the next is looked at. For an array
 * parent index is the task to start. Returns how many were started; *ret_next_ns
 * is when time alone may allow another start (begin times), 0: never; a time
 * that is not after now asks to be called again soon (max was reached).
 * If start_fn fails, that is returned and the job stays queued.
 */
typedef int om_start_fn(void *arg, struct om_job *j, uint32_t array_index,
			const struct om_placement *p, struct om_error *err);
int om_sched_run(struct om_sched *s, int64_t now_ns, unsigned max,
		 om_start_fn *fn, void *arg, int64_t *ret_next_ns,
		 struct om_error *err);

/* Could this request ever run? 0, or -EINVAL with limit, asked, most
 * available and a line to copy in err: for submit. Also fills defaults. */
int om_sched_check(struct om_sched *s, struct om_request *r, uint32_t uid,
		   struct om_error *err);
/* Every reason why j waits; for --why. */
void om_sched_why(struct om_sched *s, struct om_job *j, int64_t now_ns,
		  struct om_why *ret);
/* Where it would start now (placement) or when; for --test-only. */
int om_sched_test(struct om_sched *s, struct om_request *r, uint32_t uid,
		  int64_t now_ns, struct om_placement *ret, int64_t *ret_start,
		  struct om_error *err);

/* Lays a step's tasks out over an allocation; tasks per share in ret[shares],
 * honouring nodes, tasks per node, nodelist; counts of tasks must fit the
 * slots unless overlap. */
struct om_step_request {
	uint32_t tasks, nodes, tasks_per_node, cpus_per_task;
	const char *nodelist;
	bool daemons, overlap;
};
int om_step_layout(const struct om_allocation *a, const struct om_step_request *r,
		   uint32_t *ret_tasks, struct om_error *err);
/* The shares that got tasks in the order in which nodes and ranks are
 * numbered: the allocation's, for daemons the nodelist's. How many, or -Exxx;
 * ret_order has room for a->shares. */
int om_step_order(const struct om_allocation *a, const struct om_step_request *r,
		  const uint32_t *tasks, uint32_t *ret_order,
		  struct om_error *err);

#endif
