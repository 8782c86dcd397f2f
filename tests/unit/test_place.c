/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where jobs go: prices, limits, masks, gangs; and the order they start in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/model_fixture.h"

static struct om_share *share_on(struct om_job *j, const char *node)
{
	for (uint32_t i = 0; j->alloc && i < j->alloc->shares; i++)
		if (!strcmp(j->alloc->share[i].node->name, node))
			return j->alloc->share + i;
	return NULL;
}

static void a_task_goes_to_the_least_loaded_node(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 4, 4, 8 * FIX_G);
	for (int i = 0; i < 4; i++)
		f.m->node[i]->load = i == 2 ? 0.5 : 2.5;
	fix_sched(&f);
	j = fix_submit(&f, &spec);
	assert_int_equal(fix_run(&f, 10), 1);
	assert_non_null(share_on(j, "n3"));
	fix_fini(&f);
}

static void a_faster_node_is_preferred_until_it_is_busier(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	unsigned fast = 0;

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_node(&f, "slow", 4, 8 * FIX_G, 1.0, NULL);
	fix_node(&f, "fast", 4, 8 * FIX_G, 3.0, NULL);
	fix_sched(&f);
	/* Its cpus do three times as much; twice the load there is as dear. */
	for (int i = 0; i < 16; i++) {
		struct om_job *j = fix_submit(&f, &spec);

		assert_int_equal(fix_run(&f, 10), 1);
		fast += share_on(j, "fast") != NULL;
		if (i < 4)
			assert_int_equal(fast, i + 1);
	}
	assert_in_range(fast, 10, 15);
	fix_fini(&f);
}

static void an_exclusive_cpu_is_given_once(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 2, 4, 8 * FIX_G);
	fix_sched(&f);
	for (int i = 0; i < 12; i++)
		fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 8);
	assert_int_equal(f.m->node[0]->cpus_alloc, 4);
	assert_int_equal(f.m->node[1]->cpus_alloc, 4);
	fix_fini(&f);
}

static void a_shared_cpu_is_given_as_often_as_allowed(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	f.part[0].oversubscribe = 3;
	fix_nodes(&f, 2, 2, 8 * FIX_G);
	fix_sched(&f);
	for (int i = 0; i < 20; i++)
		fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 12);
	fix_fini(&f);
}

static void memory_asked_for_is_never_given_twice(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 2, 8, 8 * FIX_G);
	fix_sched(&f);
	spec.has_mem_per_node = true;
	spec.mem_per_node = 3 * FIX_G;
	for (int i = 0; i < 10; i++)
		fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 4);
	fix_fini(&f);
}

static void a_gang_gets_as_few_nodes_as_it_can(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(8, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 4, 4, 8 * FIX_G);
	fix_sched(&f);
	j = fix_submit(&f, &spec);
	assert_int_equal(fix_run(&f, 10), 1);
	assert_int_equal(j->alloc->shares, 2);
	assert_int_equal(j->alloc->share[0].slots, 4);
	fix_fini(&f);
}

static void nodes_asked_for_share_the_tasks_evenly(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(8, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 4, 4, 8 * FIX_G);
	fix_sched(&f);
	spec.has_nodes_min = spec.has_nodes_max = true;
	spec.nodes_min = spec.nodes_max = 4;
	j = fix_submit(&f, &spec);
	assert_int_equal(fix_run(&f, 10), 1);
	assert_int_equal(j->alloc->shares, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(j->alloc->share[i].slots, 2);
	fix_fini(&f);
}

static void a_named_node_is_among_those_given(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(6, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 4, 4, 8 * FIX_G);
	fix_sched(&f);
	spec.nodelist = "n4";
	spec.exclude = "n[1,3]";
	j = fix_submit(&f, &spec);
	assert_int_equal(fix_run(&f, 10), 1);
	assert_int_equal(j->alloc->shares, 2);
	assert_non_null(share_on(j, "n4"));
	assert_non_null(share_on(j, "n2"));
	fix_fini(&f);
}

static void an_exclusive_job_gets_whole_empty_nodes(void **state)
{
	struct fix f;
	Om__JobSpec one = fix_spec(1, 1), whole = fix_spec(1, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 2, 4, 8 * FIX_G);
	fix_sched(&f);
	fix_submit(&f, &one);
	assert_int_equal(fix_run(&f, 10), 1);
	whole.has_exclusive = whole.exclusive = true;
	j = fix_submit(&f, &whole);
	fix_submit(&f, &whole);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(j->alloc->share[0].cpus, 4);
	assert_true(j->alloc->share[0].node->exclusive);
	/* Nobody joins it. */
	for (int i = 0; i < 4; i++)
		fix_submit(&f, &one);
	assert_int_equal(fix_run_all(&f), 4);
	assert_int_equal(j->alloc->share[0].node->jobs, 1);
	fix_fini(&f);
}

static void drained_down_and_blocked_nodes_get_nothing(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *j[4];

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 4, 2, 8 * FIX_G);
	fix_sched(&f);
	fix_node_state(&f, "n1", true, true);
	fix_node_state(&f, "n2", false, false);
	fix_node_set(&f, "n3", "block=yes");
	for (int i = 0; i < 4; i++)
		j[i] = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 2);
	assert_int_equal(f.m->node[3]->jobs, 2);
	assert_string_equal(j[2]->reason, "Resources");
	assert_string_equal(j[3]->reason, "Priority");
	/* They start as soon as a node comes back. */
	fix_node_state(&f, "n1", true, false);
	assert_int_equal(fix_run_all(&f), 2);
	assert_int_equal(f.m->node[0]->jobs, 2);
	fix_fini(&f);
}

static void load_limits_keep_tasks_away(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 3, 4, 8 * FIX_G);
	fix_node_set(&f, "n1", "load-limit=1");
	fix_node_set(&f, "n2", "load-limit-local=0.5");
	fix_node_set(&f, "n3", "load-limit-guest=0.5");
	f.m->node[0]->load = 1.5;
	f.m->node[1]->load = f.m->node[1]->load_local = 0.6;
	f.m->node[2]->load = 0.7;
	fix_sched(&f);
	fix_submit(&f, &spec);
	fix_submit(&f, &spec);
	/* n3 takes one; with it, its guests are over the limit. */
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.m->node[2]->jobs, 1);
	/* The owner of n2 goes home. */
	f.m->node[1]->load = f.m->node[1]->load_local = 0.1;
	om_sched_node_changed(f.s, f.m->node[1]);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.m->node[1]->jobs, 1);
	fix_fini(&f);
}

static void a_jobs_own_load_limit_is_kept(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 2, 4, 8 * FIX_G);
	f.m->node[0]->load = 2.0;
	f.m->node[1]->load = 1.6;
	fix_sched(&f);
	spec.has_load_limit = true;
	spec.load_limit = 1.5;
	fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 0);
	f.m->node[0]->load = 1.4;
	om_sched_node_changed(f.s, f.m->node[0]);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.m->node[0]->jobs, 1);
	fix_fini(&f);
}

static void the_cluster_mask_is_kept(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 4, 2, 8 * FIX_G);
	fix_node(&f, "n9", 2, 8 * FIX_G, 1.0, "bigmem");
	fix_sched(&f);
	spec.cluster_mask = "n[1-2],!n2,@bigmem";
	for (int i = 0; i < 10; i++)
		fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 4);
	assert_int_equal(om_model_node(f.m, "n1")->jobs, 2);
	assert_int_equal(om_model_node(f.m, "n9")->jobs, 2);
	/* A node that gains the feature later counts from then on. */
	fix_node(&f, "n4", 2, 8 * FIX_G, 1.0, "bigmem");
	assert_int_equal(fix_run_all(&f), 2);
	assert_int_equal(om_model_node(f.m, "n4")->jobs, 2);
	fix_fini(&f);
}

static void jobs_of_one_priority_start_in_turn(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *j[3];

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 1, 8 * FIX_G);
	fix_sched(&f);
	for (int i = 0; i < 3; i++)
		j[i] = fix_submit(&f, &spec);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fix_run_all(&f), 1);
		assert_int_equal(f.last_job, j[i]->id);
		fix_finish(&f, j[i], OM__JOB_STATE__COMPLETED);
	}
	fix_fini(&f);
}

static void priority_comes_before_age(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_partition(&f, "urgent", "all", OM_PART_EXCLUSIVE, 10);
	fix_nodes(&f, 1, 1, 8 * FIX_G);
	fix_sched(&f);
	fix_submit(&f, &spec);
	f.now_ns += 60 * FIX_S;
	spec.has_priority = true;
	spec.priority = 5;
	j = fix_submit(&f, &spec);
	spec.priority = 0;
	spec.partition = "urgent";
	fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.last_job, 3);
	fix_finish(&f, om_model_job(f.m, 3), OM__JOB_STATE__COMPLETED);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.last_job, j->id);
	fix_fini(&f);
}

static void an_array_starts_no_more_than_its_limit(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *parent;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 2, 8, 8 * FIX_G);
	fix_sched(&f);
	spec.array = "5-100";
	spec.has_array_limit = true;
	spec.array_limit = 3;
	parent = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 3);
	assert_string_equal(parent->reason, "ArrayTaskLimit");
	assert_int_equal(om_model_job(f.m, parent->id + 3)->array_index, 7);
	fix_finish(&f, om_model_job(f.m, parent->id + 2),
		   OM__JOB_STATE__COMPLETED);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(om_model_job(f.m, parent->id + 4)->array_index, 8);
	fix_fini(&f);
}

static void an_array_is_gone_with_its_last_task(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *parent;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 2, 8, 8 * FIX_G);
	fix_sched(&f);
	spec.array = "0-9";
	parent = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 10);
	assert_null(parent->queued);
	assert_int_equal(fix_run_all(&f), 0);
	fix_fini(&f);
}

static void a_begin_time_is_waited_for_and_told(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	int64_t next;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 1, 8 * FIX_G);
	fix_sched(&f);
	spec.has_begin_ns = true;
	spec.begin_ns = f.now_ns + 100 * FIX_S;
	fix_submit(&f, &spec);
	assert_int_equal(om_sched_run(f.s, f.now_ns, 10, fix_start, &f, &next,
				      NULL), 0);
	assert_true(next == spec.begin_ns);
	f.now_ns = next;
	assert_int_equal(om_sched_run(f.s, f.now_ns, 10, fix_start, &f, &next,
				      NULL), 1);
	assert_true(next == 0);
	fix_fini(&f);
}

static void a_held_job_starts_when_released(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 1, 8 * FIX_G);
	fix_sched(&f);
	spec.has_hold = spec.hold = true;
	j = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 0);
	assert_string_equal(j->reason, "Held");
	fix_release(&f, j);
	assert_int_equal(fix_run_all(&f), 1);
	fix_fini(&f);
}

static void a_dependent_job_starts_when_told(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	Om__Dependency ok = OM__DEPENDENCY__INIT, not = OM__DEPENDENCY__INIT;
	Om__Dependency *list[1];
	struct om_job *first, *then, *never;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	fix_sched(&f);
	first = fix_submit(&f, &spec);
	ok.kind = OM__DEPENDENCY_KIND__AFTER_OK;
	not.kind = OM__DEPENDENCY_KIND__AFTER_NOT_OK;
	ok.has_job_id = not.has_job_id = true;
	ok.job_id = not.job_id = first->id;
	spec.n_dependency = 1;
	spec.dependency = list;
	list[0] = &ok;
	then = fix_submit(&f, &spec);
	list[0] = &not;
	never = fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 1);
	assert_string_equal(then->reason, "Dependency");
	fix_finish(&f, first, OM__JOB_STATE__COMPLETED);
	om_sched_job_pending(f.s, then);
	om_sched_job_pending(f.s, never);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.last_job, then->id);
	assert_string_equal(never->reason, "DependencyNeverSatisfied");
	fix_fini(&f);
}

static void singletons_of_a_name_follow_each_other(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	Om__Dependency single = OM__DEPENDENCY__INIT;
	Om__Dependency *list[] = { &single };
	struct om_job *j[3];

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	fix_sched(&f);
	single.kind = OM__DEPENDENCY_KIND__SINGLETON;
	spec.name = "only";
	spec.n_dependency = 1;
	spec.dependency = list;
	for (int i = 0; i < 3; i++)
		j[i] = fix_submit(&f, &spec);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fix_run_all(&f), 1);
		assert_int_equal(f.last_job, j[i]->id);
		fix_finish(&f, j[i], OM__JOB_STATE__COMPLETED);
	}
	fix_fini(&f);
}

static void a_refused_start_leaves_the_job_queued(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_error err = OM_ERROR_INIT;
	int64_t next;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	fix_sched(&f);
	fix_submit(&f, &spec);
	f.fail = -ENOSPC;
	assert_int_equal(om_sched_run(f.s, f.now_ns, 10, fix_start, &f, &next,
				      &err), -ENOSPC);
	f.fail = 0;
	assert_int_equal(fix_run_all(&f), 1);
	fix_fini(&f);
}

static void a_new_scheduler_finds_everything_in_the_model(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 1, 2, 8 * FIX_G);
	for (int i = 0; i < 5; i++)
		fix_submit(&f, &spec);
	fix_sched(&f);
	assert_int_equal(fix_run_all(&f), 2);
	om_sched_destroy(f.s);
	fix_sched(&f);
	assert_int_equal(fix_run_all(&f), 0);
	fix_finish(&f, om_model_job(f.m, 1), OM__JOB_STATE__COMPLETED);
	assert_int_equal(om_sched_reconfigure(f.s, &f.config, NULL), 0);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(f.last_job, 3);
	fix_fini(&f);
}

static void own_cpus_are_not_shared_on_mixed_nodes(void **state)
{
	struct fix f;
	Om__JobSpec own = fix_spec(1, 3), some = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_partition(&f, "shared", "n1", OM_PART_SHARED, 0);
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	fix_sched(&f);
	fix_submit(&f, &own);
	assert_int_equal(fix_run_all(&f), 1);
	some.partition = "shared";
	for (int i = 0; i < 10; i++)
		fix_submit(&f, &some);
	assert_int_equal(fix_run_all(&f), 4);
	fix_finish(&f, om_model_job(f.m, 1), OM__JOB_STATE__COMPLETED);
	assert_int_equal(fix_run_all(&f), 6);
	fix_fini(&f);
}

static void a_removed_node_is_forgotten(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	Om__EvNode e = OM__EV_NODE__INIT;
	Om__Event ev = OM__EVENT__INIT;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_nodes(&f, 2, 1, 8 * FIX_G);
	fix_sched(&f);
	e.name = "n1";
	ev.what_case = OM__EVENT__WHAT_NODE_REMOVED;
	ev.node_removed = &e;
	fix_apply(&f, &ev);
	om_sched_resources_freed(f.s);
	fix_submit(&f, &spec);
	fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 1);
	fix_node(&f, "x1", 1, 8 * FIX_G, 1.0, NULL);
	assert_int_equal(fix_run_all(&f), 1);
	assert_int_equal(om_model_node(f.m, "x1")->jobs, 1);
	fix_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_goes_to_the_least_loaded_node),
		cmocka_unit_test(a_faster_node_is_preferred_until_it_is_busier),
		cmocka_unit_test(an_exclusive_cpu_is_given_once),
		cmocka_unit_test(a_shared_cpu_is_given_as_often_as_allowed),
		cmocka_unit_test(memory_asked_for_is_never_given_twice),
		cmocka_unit_test(a_gang_gets_as_few_nodes_as_it_can),
		cmocka_unit_test(nodes_asked_for_share_the_tasks_evenly),
		cmocka_unit_test(a_named_node_is_among_those_given),
		cmocka_unit_test(an_exclusive_job_gets_whole_empty_nodes),
		cmocka_unit_test(drained_down_and_blocked_nodes_get_nothing),
		cmocka_unit_test(load_limits_keep_tasks_away),
		cmocka_unit_test(a_jobs_own_load_limit_is_kept),
		cmocka_unit_test(the_cluster_mask_is_kept),
		cmocka_unit_test(jobs_of_one_priority_start_in_turn),
		cmocka_unit_test(priority_comes_before_age),
		cmocka_unit_test(an_array_starts_no_more_than_its_limit),
		cmocka_unit_test(an_array_is_gone_with_its_last_task),
		cmocka_unit_test(a_begin_time_is_waited_for_and_told),
		cmocka_unit_test(a_held_job_starts_when_released),
		cmocka_unit_test(a_dependent_job_starts_when_told),
		cmocka_unit_test(singletons_of_a_name_follow_each_other),
		cmocka_unit_test(a_refused_start_leaves_the_job_queued),
		cmocka_unit_test(a_new_scheduler_finds_everything_in_the_model),
		cmocka_unit_test(own_cpus_are_not_shared_on_mixed_nodes),
		cmocka_unit_test(a_removed_node_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
