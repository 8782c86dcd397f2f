/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model_fixture: a small cluster as a model and a scheduler, for tests. Every
 * change is an event that om_apply folds in, as in the controller. */
#ifndef OM_TESTS_MODEL_FIXTURE_H
#define OM_TESTS_MODEL_FIXTURE_H

#include "lib/conf/config.h"
#include "sched/model/apply.h"
#include "sched/policy/policy.h"

#define FIX_S INT64_C(1000000000)
#define FIX_G ((uint64_t)1 << 30)
#define FIX_PARTS 4

struct fix {
	struct om_model *m;
	struct om_sched *s;		/* made by fix_sched */
	struct om_config config;
	struct om_conf_partition part[FIX_PARTS];
	int64_t now_ns;
	uint64_t uuid;
	/* Called for each start before the model changes, if set; j is the
	 * parent where an array's task starts. */
	void (*on_start)(struct fix *f, struct om_job *j,
			 const struct om_placement *p);
	void *arg;			/* the test's own */
	uint64_t starts;
	uint64_t last_job;
	int fail;			/* start_fn fails with this */
};

/* A model, and a default partition "main" of all nodes in that mode. */
void fix_init(struct fix *f, enum om_partition_mode mode);
void fix_fini(struct fix *f);
struct om_conf_partition *fix_partition(struct fix *f, const char *name,
					const char *nodes,
					enum om_partition_mode mode,
					int32_t priority);
/* features: "a,b" or NULL. Joins, or registers again. */
struct om_node *fix_node(struct fix *f, const char *name, uint32_t cpus,
			 uint64_t memory, double speed, const char *features);
void fix_nodes(struct fix *f, uint32_t count, uint32_t cpus, uint64_t memory);
void fix_node_set(struct fix *f, const char *name, const char *set);
void fix_node_state(struct fix *f, const char *name, bool up, bool drain);

/* A scheduler over what is there; the model may grow afterwards. */
void fix_sched(struct fix *f);

/* A spec with every field at its default, one task. */
Om__JobSpec fix_spec(uint32_t tasks, uint32_t cpus_per_task);
/* Submits by uid 1000 and tells the scheduler. */
struct om_job *fix_submit(struct fix *f, const Om__JobSpec *spec);
/* Applies an event and expects it to be taken. */
void fix_apply(struct fix *f, Om__Event *ev);
void fix_release(struct fix *f, struct om_job *j);
/* Ends a running job, or cancels a pending one, and tells the scheduler. */
void fix_finish(struct fix *f, struct om_job *j, Om__JobState state);

om_start_fn fix_start;
/* One turn: how many were started. */
int fix_run(struct fix *f, unsigned max);
/* Turns until the scheduler asks for no more. */
unsigned fix_run_all(struct fix *f);

/* A repeatable stream of numbers; the seed comes from SEED or the default,
 * and is printed so that a failure can be repeated. */
uint64_t fix_seed(const char *test, uint64_t def);
uint32_t fix_random(uint64_t *state, uint32_t below);

#endif
