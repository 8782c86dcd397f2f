/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * model: everything the controller knows; changed only by apply (apply.h).
 *
 * Pure data with lookups: no I/O, no clock. Structs are visible because the
 * policy reads them everywhere; only sched/model writes them. A pending job
 * costs under 1 KiB: strings that repeat are interned, what only a node
 * needs (script, environment) is in the store, not here.
 */
#ifndef OM_SCHED_MODEL_MODEL_H
#define OM_SCHED_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "lib/base/error.h"
#include "lib/base/idset.h"
#include "lib/proto/openmosix.pb-c.h"

struct om_job;
struct om_node;

/* What a job asks for; one is shared by all tasks of an array. Strings are
 * interned or NULL. Zero means "not asked" throughout. */
struct om_request {
	const char *name, *partition, *account, *comment;
	uint32_t tasks, nodes_min, nodes_max, cpus_per_task, tasks_per_node;
	uint64_t mem_per_node, mem_per_cpu;
	bool exclusive, requeue, warn_batch_only;
	bool once;			/* requeue was refused, not just unasked */
	const char *nodelist, *exclude, *constraint;
	int64_t time_limit_s;		/* 0: partition's; INT64_MAX: none */
	int64_t begin_ns;
	int32_t priority;
	uint32_t warn_signal, warn_before_s, array_limit;
	const char *cluster_mask, *home, *hint;
	double load_limit;
	uint32_t max_freeze_ms;
	int64_t checkpoint_s;
	Om__MigrateMode migrate;
	Om__JobKind kind;
	uint32_t refs;			/* array parent + live tasks */
};

struct om_dependency {
	Om__DependencyKind kind;
	uint64_t job_id;
};

/* A job's part on one node. */
struct om_share {
	struct om_node *node;
	uint32_t cpus, slots;
	uint64_t mem;
	bool clean;			/* nothing of the job is left there */
	const char *cpu_list;		/* owned by the allocation, or NULL */
};

struct om_step {
	uint32_t id;
	const char *name;		/* interned */
	Om__JobState state;
	bool daemons;
	uint8_t uuid[16];
	uint32_t tasks;
	uint32_t parts, parts_over;	/* nodes, and those that are done */
	struct om_step_part {
		struct om_node *node;
		uint32_t tasks;
		bool over;
	} *part;
	int64_t start_ns, end_ns;
	uint32_t exit_code, exit_signal;
	uint64_t user_us, system_us, max_rss;
	struct om_step *next;
};

struct om_allocation {
	struct om_share *share;
	uint32_t shares;
	struct om_step *step;		/* in order of creation */
	uint32_t next_step;
	char *cpu_lists;		/* storage of share[].cpu_list */
};

struct om_job {
	uint64_t id;
	uint32_t uid, gid;
	const char *user;		/* interned */
	uint8_t uuid[16];
	struct om_request *req;		/* a reference */
	Om__JobState state;
	bool held;
	bool held_by_admin;		/* the owner may not release it */
	bool listed_pending, listed_active;
	uint32_t incarnation, restarts;
	int64_t submit_ns, eligible_ns, start_ns, end_ns;
	const char *cwd, *std_out, *submit_host;	/* interned */

	/* Array parent: tasks not started yet. A task: who its parent is. */
	struct om_idset pending;	/* array indexes */
	struct om_idset all;
	uint64_t array_id;		/* 0: no array; == id: the parent */
	uint32_t array_index;
	uint32_t array_running;		/* parent: tasks allocated now */
	uint32_t array_failed;		/* parent: tasks not completed well */

	struct om_dependency *dep;
	uint32_t deps;
	uint32_t dependents;		/* jobs that wait for this one */

	struct om_allocation *alloc;	/* NULL while pending */
	Om__JobState ending;		/* PENDING: nobody asked it to end */
	const char *ending_text;	/* interned */
	uint32_t ending_uid;
	uint32_t exit_code, exit_signal;
	uint64_t user_us, system_us, max_rss;
	uint32_t moves;
	uint64_t freeze_us;

	/* Kept by the controller and policy, not part of the fold. */
	int64_t priority;
	const char *reason;		/* static token, why it waits */
	void *shell;			/* omctld's own per-job data */
	void *queued;			/* policy's own: its place in the queue */

	UT_hash_handle by_id, by_uuid;
	struct om_job *prev, *next;	/* its list: pending or active */
};

struct om_node {
	const char *name;		/* interned */
	char *address;
	bool up;			/* registered and answering */
	bool drain;
	const char *reason;		/* interned */
	uint32_t reason_uid;
	int64_t reason_ns, seen_ns;
	uint32_t cpus, cores, sockets;
	uint64_t memory;
	double speed;			/* relative to the reference, > 0 */
	Om__NodeRegister *registration;	/* owned; the last one, or NULL */
	const char **feature;		/* interned */
	uint32_t features;

	/* Administrator's limits and switches; 0 or false: none. */
	double load_limit, load_limit_local, load_limit_guest;
	uint32_t guest_cpu;
	bool block, stay, quiet, local_stay;

	/* Sums over the allocations on it, kept by apply. */
	uint32_t cpus_alloc, tasks_alloc, jobs;
	uint64_t mem_alloc;
	bool exclusive;			/* a job that shares with nobody */

	/* Readings, set by the controller, not part of the fold. */
	double load, load_local, load_guest;	/* runnable threads */
	uint64_t mem_free, net_rx, net_tx;	/* bytes, bytes a second */
	void *shell;			/* omctld's own per-node data */

	uint32_t index;			/* position in om_model.node */
	UT_hash_handle by_name;
};

struct om_model {
	struct om_job *job_by_id;	/* every job not forgotten */
	struct om_job *pending;		/* utlist DL: not allocated, arrays too */
	struct om_job *active;		/* utlist DL: allocated */
	struct om_node *node_by_name;
	struct om_node **node;		/* by index; NULL where removed */
	uint32_t nodes;			/* length of node[] */
	uint64_t next_job_id;
	uint64_t jobs_pending, jobs_active;	/* array tasks counted */
	struct om_intern *intern;
	struct om_job **array;		/* parents of arrays, by rising id */
	size_t arrays, array_cap;
	struct om_job *by_uuid;		/* submits that may be retried */
	struct om_ended *ended;		/* end states that dependants need */
	struct om_setting {		/* set at run time; utlist LL */
		char *key, *value;
		struct om_setting *next;
	} *setting;
};

struct om_model *om_model_create(struct om_error *err);
void om_model_destroy(struct om_model *m);

struct om_job *om_model_job(const struct om_model *m, uint64_t id);
struct om_node *om_model_node(const struct om_model *m, const char *name);
/* The id that a submit of uid with this uuid got, or 0. */
uint64_t om_model_submitted(const struct om_model *m, uint32_t uid,
			    const uint8_t uuid[16]);
/* The parent and index of an id inside an array that has no job of its own
 * (its task is pending still, or over and forgotten); NULL if none. */
struct om_job *om_model_array_of(const struct om_model *m, uint64_t id,
				 uint32_t *ret_index);
/* The id of an array's task: array id + 1 + rank of its index. */
uint64_t om_array_task_id(const struct om_job *parent, uint32_t index);
/* How a job ended that may be forgotten already: true and *ret if it is over,
 * false while it goes on; -> *ret_known false if nobody remembers it. */
bool om_model_end_state(const struct om_model *m, uint64_t id,
			Om__JobState *ret, bool *ret_known);
/* The runtime value of a setting, borrowed until it is set again, or NULL. */
const char *om_model_setting(const struct om_model *m, const char *key);
/* A counted copy of s that lives as long as the model. */
const char *om_model_intern(struct om_model *m, const char *s);

bool om_job_is_over(const struct om_job *j);
static inline bool om_job_is_array(const struct om_job *j)
{
	return j->array_id == j->id && j->id != 0;
}
/* cpus asked in all. */
uint64_t om_request_cpus(const struct om_request *r);

#endif
