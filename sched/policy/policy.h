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
/* Partitions or limits changed. */
int om_sched_reconfigure(struct om_sched *s, const struct om_config *config,
			 struct om_error *err);

/* Tell it what changed, after apply. Cheap: O(log n) at most. */
void om_sched_job_pending(struct om_sched *s, struct om_job *j);
void om_sched_job_gone(struct om_sched *s, struct om_job *j);	/* left pending */
void om_sched_node_changed(struct om_sched *s, struct om_node *n);
void om_sched_resources_freed(struct om_sched *s);

/*
 * Decides what starts now, best first, at most max jobs; start_fn applies the
 * allocation (appends the event) before the next is looked at. For an array
 * parent index is the task to start. Returns how many were started; *ret_next_ns
 * is when time alone may allow another start (begin times), 0: never.
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

#endif
