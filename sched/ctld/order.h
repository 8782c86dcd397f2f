/* SPDX-License-Identifier: GPL-3.0-or-later */
/* order: what omctld tells nodes to do. A node that is not connected is told
 * nothing: when it registers, it is compared with the log (reconcile.h). */
#ifndef OM_SCHED_CTLD_ORDER_H
#define OM_SCHED_CTLD_ORDER_H

#include "sched/ctld/ctld.h"

/* Starts the step's part on its node. 0 also if the node is away. */
int order_launch(struct omctld *c, struct om_job *j, const struct om_step *s,
		 uint32_t part, struct om_error *err);

struct order_kill {
	uint32_t signal;
	Om__JobState why;		/* PENDING: a mere signal */
	bool batch_only;
	bool then_kill;			/* SIGKILL after kill_wait_s */
};
/* To every node that the job (step NULL) or step is on. */
void order_kill(struct omctld *c, const struct om_job *j,
		const struct om_step *s, const struct order_kill *k);
/* To those that have something left of the job. */
void order_end(struct omctld *c, const struct om_job *j);
/* A running job's limit moved. */
void order_limit(struct omctld *c, const struct om_job *j, int64_t end_ns);
/* The same to one node, about a job that it should not have. */
void order_kill_stale(struct peer *p, uint64_t job_id, uint32_t step_id,
		      uint32_t incarnation);
void order_end_stale(struct peer *p, uint64_t job_id, uint32_t incarnation);
void order_ack(struct peer *p, const Om__StepExit *x);

/* The store's key of a step's packed Launch. */
uint64_t order_step_key(uint64_t job_id, uint32_t step_id);
/* That of the job whose script this is: the array's for its tasks. */
uint64_t order_job_key(const struct om_job *j);

/* A job's or step's places as a message; strings borrowed. */
struct placing {
	Om__Allocation msg;
	void *store;
};
int placing_init(struct placing *p, const struct om_job *j,
		 const struct om_step *s);
void placing_fini(struct placing *p);

#endif
