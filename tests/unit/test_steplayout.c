/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A step's tasks over the nodes of its job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sched/policy/policy.h"
#include "tests/unit/model_fixture.h"

static struct om_node node[4] = { { .name = "n1" }, { .name = "n2" },
				  { .name = "n3" }, { .name = "n4" } };
/* Four nodes of 4, 2, 2 and 1 slots, two cpus a slot. */
static struct om_share share[4] = {
	{ .node = node + 0, .slots = 4, .cpus = 8 },
	{ .node = node + 1, .slots = 2, .cpus = 4 },
	{ .node = node + 2, .slots = 2, .cpus = 4 },
	{ .node = node + 3, .slots = 1, .cpus = 2 },
};
static const struct om_allocation alloc = { .share = share, .shares = 4 };

static void expect(const struct om_step_request *r, uint32_t a, uint32_t b,
		   uint32_t c, uint32_t d)
{
	struct om_error err = OM_ERROR_INIT;
	uint32_t tasks[4] = { 99, 99, 99, 99 }, want[4] = { a, b, c, d };

	if (om_step_layout(&alloc, r, tasks, &err) < 0)
		fail_msg("refused: %s", err.text);
	for (int i = 0; i < 4; i++)
		if (tasks[i] != want[i])
			fail_msg("%u tasks on %s, not %u", tasks[i],
				 node[i].name, want[i]);
}

static void refuse(const struct om_step_request *r, const char *text)
{
	struct om_error err = OM_ERROR_INIT;
	uint32_t tasks[4] = { 99, 99, 99, 99 };

	assert_int_equal(om_step_layout(&alloc, r, tasks, &err), -EINVAL);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_int_equal(tasks[0], 99);
}

static void all_slots_are_filled_by_default(void **state)
{
	(void)state;
	expect(&(struct om_step_request){ .tasks = 0 }, 4, 2, 2, 1);
	expect(&(struct om_step_request){ .tasks = 9 }, 4, 2, 2, 1);
}

static void tasks_go_in_blocks(void **state)
{
	(void)state;
	expect(&(struct om_step_request){ .tasks = 1 }, 1, 0, 0, 0);
	expect(&(struct om_step_request){ .tasks = 4 }, 4, 0, 0, 0);
	expect(&(struct om_step_request){ .tasks = 5 }, 4, 1, 0, 0);
}

static void each_node_asked_for_gets_a_task(void **state)
{
	(void)state;
	expect(&(struct om_step_request){ .tasks = 4, .nodes = 4 }, 1, 1, 1, 1);
	expect(&(struct om_step_request){ .tasks = 5, .nodes = 2 }, 4, 1, 0, 0);
	refuse(&(struct om_step_request){ .tasks = 9, .nodes = 5 },
	       "omrun -N 4");
	refuse(&(struct om_step_request){ .tasks = 2, .nodes = 3 },
	       "omrun -N 2");
}

static void tasks_per_node_is_a_limit(void **state)
{
	(void)state;
	expect(&(struct om_step_request){ .tasks_per_node = 1 }, 1, 1, 1, 1);
	expect(&(struct om_step_request){ .tasks_per_node = 2, .tasks = 5 },
	       2, 2, 1, 0);
	refuse(&(struct om_step_request){ .tasks_per_node = 1, .tasks = 5 },
	       "omrun -n 4");
}

static void wide_tasks_are_counted_by_cpus(void **state)
{
	(void)state;
	expect(&(struct om_step_request){ .cpus_per_task = 4 }, 2, 1, 1, 0);
	refuse(&(struct om_step_request){ .cpus_per_task = 9 }, "cpus a task");
}

static void too_many_tasks_are_refused_unless_they_may_overlap(void **state)
{
	(void)state;
	refuse(&(struct om_step_request){ .tasks = 10 }, "room for 9");
	expect(&(struct om_step_request){ .tasks = 15, .overlap = true },
	       6, 4, 3, 2);
}

static void a_node_list_is_obeyed(void **state)
{
	struct om_step_request r = { .tasks = 3, .nodelist = "n[3-4]" };
	uint32_t order[4];
	uint32_t tasks[4] = { 0, 0, 2, 1 };

	(void)state;
	expect(&r, 0, 0, 2, 1);
	assert_int_equal(om_step_order(&alloc, &r, tasks, order, NULL), 2);
	assert_int_equal(order[0], 2);
	r.nodelist = "n7";
	refuse(&r, "n7 is not one of the job's");
	r.nodelist = "n[";
	refuse(&r, "n[");
}

static void daemons_are_one_a_node_in_the_lists_order(void **state)
{
	struct om_step_request r = { .daemons = true, .nodelist = "n4,n2" };
	uint32_t order[4];
	uint32_t tasks[4] = { 0, 1, 0, 1 };

	(void)state;
	expect(&r, 0, 1, 0, 1);
	assert_int_equal(om_step_order(&alloc, &r, tasks, order, NULL), 2);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 1);
	/* Slots do not matter: the tasks of mpirun are not ours to count. */
	expect(&(struct om_step_request){ .daemons = true, .tasks = 50 },
	       1, 1, 1, 1);
}

static void random_layouts_keep_their_promises(void **state)
{
	uint64_t seed = fix_seed(__func__, 1);
	uint32_t laid = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct om_step_request r = {
			.tasks = fix_random(&seed, 12),
			.nodes = fix_random(&seed, 6),
			.tasks_per_node = fix_random(&seed, 4),
			.cpus_per_task = fix_random(&seed, 4),
			.overlap = fix_random(&seed, 4) == 0,
		};
		uint32_t tasks[4], sum = 0, nodes = 0;

		if (om_step_layout(&alloc, &r, tasks, NULL) < 0)
			continue;
		laid++;
		for (int k = 0; k < 4; k++) {
			sum += tasks[k];
			nodes += tasks[k] > 0;
			if (r.overlap)
				continue;
			assert_true(!r.tasks_per_node ||
				    tasks[k] <= r.tasks_per_node);
			assert_true(tasks[k] * (r.cpus_per_task > 1 ?
				r.cpus_per_task : 2) <= share[k].cpus);
		}
		assert_true(sum > 0 && (!r.tasks || sum == r.tasks));
		assert_true(!r.nodes || nodes == r.nodes);
	}
	assert_true(laid > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_slots_are_filled_by_default),
		cmocka_unit_test(tasks_go_in_blocks),
		cmocka_unit_test(each_node_asked_for_gets_a_task),
		cmocka_unit_test(tasks_per_node_is_a_limit),
		cmocka_unit_test(wide_tasks_are_counted_by_cpus),
		cmocka_unit_test(too_many_tasks_are_refused_unless_they_may_overlap),
		cmocka_unit_test(a_node_list_is_obeyed),
		cmocka_unit_test(daemons_are_one_a_node_in_the_lists_order),
		cmocka_unit_test(random_layouts_keep_their_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
