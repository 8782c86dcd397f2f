/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/str.h"
#include "tests/unit/model_fixture.h"

void fix_init(struct fix *f, enum om_partition_mode mode)
{
	*f = (struct fix){ .now_ns = 1000000 * FIX_S };
	f->m = om_model_create(NULL);
	assert_non_null(f->m);
	f->config.partition = f->part;
	fix_partition(f, "main", "all", mode, 0)->is_default = true;
}

void fix_fini(struct fix *f)
{
	om_sched_destroy(f->s);
	om_model_destroy(f->m);
	for (size_t i = 0; i < f->config.partitions; i++) {
		om_strvec_fini(&f->part[i].allow_users);
		om_strvec_fini(&f->part[i].allow_groups);
	}
}

struct om_conf_partition *fix_partition(struct fix *f, const char *name,
					const char *nodes,
					enum om_partition_mode mode,
					int32_t priority)
{
	struct om_conf_partition *p = f->part + f->config.partitions++;

	assert_true(f->config.partitions <= FIX_PARTS);
	*p = (struct om_conf_partition){
		.name = (char *)(uintptr_t)name,
		.nodes = (char *)(uintptr_t)nodes,
		.mode = mode,
		.priority = priority,
		.max_time_s = INT64_MAX,
		.oversubscribe = 4,
	};
	return p;
}

void fix_apply(struct fix *f, Om__Event *ev)
{
	struct om_error err = OM_ERROR_INIT;

	ev->at_ns = f->now_ns;
	if (om_apply(f->m, ev, &err) < 0)
		fail_msg("event refused: %s", err.text);
}

struct om_node *fix_node(struct fix *f, const char *name, uint32_t cpus,
			 uint64_t memory, double speed, const char *features)
{
	Om__Topology t = OM__TOPOLOGY__INIT;
	Om__NodeRegister reg = OM__NODE_REGISTER__INIT;
	Om__EvNode e = OM__EV_NODE__INIT;
	Om__Event ev = OM__EVENT__INIT;
	char *word[16], *copy = features ? strdup(features) : NULL, *p = copy;
	struct om_node *n;

	t.has_cpus = t.has_memory = true;
	t.cpus = cpus;
	t.memory = memory;
	reg.name = e.name = (char *)(uintptr_t)name;
	reg.topology = &t;
	reg.has_speed = true;
	reg.speed = speed;
	reg.feature = word;
	while (p && reg.n_feature < 16)
		word[reg.n_feature++] = strsep(&p, ",");
	e.registration = &reg;
	ev.what_case = OM__EVENT__WHAT_NODE_JOINED;
	ev.node_joined = &e;
	fix_apply(f, &ev);
	free(copy);
	n = om_model_node(f->m, name);
	if (f->s)
		om_sched_node_changed(f->s, n);
	return n;
}

void fix_nodes(struct fix *f, uint32_t count, uint32_t cpus, uint64_t memory)
{
	char name[32];

	for (uint32_t i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		fix_node(f, name, cpus, memory, 1.0, NULL);
	}
}

void fix_node_set(struct fix *f, const char *name, const char *set)
{
	char *list[] = { (char *)(uintptr_t)set };
	Om__EvNode e = OM__EV_NODE__INIT;
	Om__Event ev = OM__EVENT__INIT;

	e.name = (char *)(uintptr_t)name;
	e.set = list;
	e.n_set = 1;
	ev.what_case = OM__EVENT__WHAT_NODE_SET;
	ev.node_set = &e;
	fix_apply(f, &ev);
	if (f->s)
		om_sched_node_changed(f->s, om_model_node(f->m, name));
}

void fix_node_state(struct fix *f, const char *name, bool up, bool drain)
{
	Om__EvNode e = OM__EV_NODE__INIT;
	Om__Event ev = OM__EVENT__INIT;

	e.name = (char *)(uintptr_t)name;
	e.has_up = e.has_drain = true;
	e.up = up;
	e.drain = drain;
	ev.what_case = OM__EVENT__WHAT_NODE_STATE;
	ev.node_state = &e;
	fix_apply(f, &ev);
	if (f->s)
		om_sched_node_changed(f->s, om_model_node(f->m, name));
}

void fix_sched(struct fix *f)
{
	struct om_error err = OM_ERROR_INIT;

	f->s = om_sched_create(&f->config, f->m, &err);
	if (!f->s)
		fail_msg("no scheduler: %s", err.text);
}

Om__JobSpec fix_spec(uint32_t tasks, uint32_t cpus_per_task)
{
	Om__JobSpec spec = OM__JOB_SPEC__INIT;

	spec.has_tasks = spec.has_cpus_per_task = true;
	spec.tasks = tasks;
	spec.cpus_per_task = cpus_per_task;
	return spec;
}

struct om_job *fix_submit(struct fix *f, const Om__JobSpec *spec)
{
	Om__EvSubmitted e = OM__EV_SUBMITTED__INIT;
	Om__Event ev = OM__EVENT__INIT;
	uint64_t uuid[2] = { ++f->uuid, 0 };
	struct om_job *j;

	e.job_id = f->m->next_job_id;
	e.uid = e.gid = 1000;
	e.uuid.data = (uint8_t *)uuid;
	e.uuid.len = sizeof(uuid);
	e.spec = (Om__JobSpec *)(uintptr_t)spec;
	ev.what_case = OM__EVENT__WHAT_SUBMITTED;
	ev.submitted = &e;
	fix_apply(f, &ev);
	j = om_model_job(f->m, e.job_id);
	if (f->s)
		om_sched_job_pending(f->s, j);
	return j;
}

void fix_release(struct fix *f, struct om_job *j)
{
	Om__EvJob e = OM__EV_JOB__INIT;
	Om__Event ev = OM__EVENT__INIT;

	e.job_id = j->id;
	ev.what_case = OM__EVENT__WHAT_RELEASED;
	ev.released = &e;
	fix_apply(f, &ev);
	om_sched_job_pending(f->s, j);
}

void fix_finish(struct fix *f, struct om_job *j, Om__JobState state)
{
	Om__EvFinished e = OM__EV_FINISHED__INIT;
	Om__Event ev = OM__EVENT__INIT;
	bool ran = j->alloc != NULL;

	e.job_id = j->id;
	e.state = state;
	ev.what_case = OM__EVENT__WHAT_FINISHED;
	ev.finished = &e;
	fix_apply(f, &ev);
	if (!f->s)
		return;
	if (ran)
		om_sched_resources_freed(f->s);
	else
		om_sched_job_gone(f->s, j);
}

static void allocate(struct fix *f, uint64_t id, struct om_job *j,
		     uint32_t index, const struct om_placement *p)
{
	Om__EvAllocated e = OM__EV_ALLOCATED__INIT;
	Om__Event ev = OM__EVENT__INIT;
	uint32_t n = p->shares;

	e.job_id = id;
	e.has_array_id = e.has_array_index = om_job_is_array(j);
	e.array_id = j->array_id;
	e.array_index = index;
	e.incarnation = j->incarnation + 1;
	e.n_node = e.n_cpus = e.n_slots = e.n_mem = n;
	e.node = calloc(n, sizeof(*e.node));
	e.cpus = calloc(n, sizeof(*e.cpus));
	e.slots = calloc(n, sizeof(*e.slots));
	e.mem = calloc(n, sizeof(*e.mem));
	for (uint32_t i = 0; i < n; i++) {
		e.node[i] = (char *)(uintptr_t)p->share[i].node->name;
		e.cpus[i] = p->share[i].cpus;
		e.slots[i] = p->share[i].slots;
		e.mem[i] = p->share[i].mem;
	}
	ev.what_case = OM__EVENT__WHAT_ALLOCATED;
	ev.allocated = &e;
	fix_apply(f, &ev);
	free(e.node);
	free(e.cpus);
	free(e.slots);
	free(e.mem);
}

int fix_start(void *arg, struct om_job *j, uint32_t index,
	      const struct om_placement *p, struct om_error *err)
{
	struct fix *f = arg;
	uint64_t id = om_job_is_array(j) ? om_array_task_id(j, index) : j->id;
	Om__EvStarted e = OM__EV_STARTED__INIT;
	Om__Event ev = OM__EVENT__INIT;

	if (f->fail)
		return om_fail(err, f->fail, "told to fail");
	if (f->on_start)
		f->on_start(f, j, p);
	allocate(f, id, j, index, p);
	e.job_id = id;
	ev.what_case = OM__EVENT__WHAT_STARTED;
	ev.started = &e;
	fix_apply(f, &ev);
	f->starts++;
	f->last_job = id;
	return 0;
}

int fix_run(struct fix *f, unsigned max)
{
	struct om_error err = OM_ERROR_INIT;
	int64_t next;
	int rc = om_sched_run(f->s, f->now_ns, max, fix_start, f, &next, &err);

	if (rc < 0)
		fail_msg("run failed: %s", err.text);
	return rc;
}

unsigned fix_run_all(struct fix *f)
{
	struct om_error err = OM_ERROR_INIT;
	unsigned started = 0;
	int64_t next;
	int rc;

	do {
		rc = om_sched_run(f->s, f->now_ns, 1000, fix_start, f, &next,
				  &err);
		if (rc < 0)
			fail_msg("run failed: %s", err.text);
		started += (unsigned)rc;
	} while (next && next <= f->now_ns);
	return started;
}

uint64_t fix_seed(const char *test, uint64_t def)
{
	const char *env = getenv("SEED");
	uint64_t seed = def;

	if (env && om_parse_u64(env, 0, UINT64_MAX, &seed) < 0)
		fail_msg("SEED=%s is no number", env);
	print_message("%s: SEED=%" PRIu64 "\n", test, seed);
	return seed;
}

uint32_t fix_random(uint64_t *state, uint32_t below)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((x ^ (x >> 31)) >> 16) % below;
}
