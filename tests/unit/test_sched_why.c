/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people are told: refusals at submit, reasons for waiting, estimates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/model/request.h"
#include "tests/unit/model_fixture.h"

/* Four nodes of 4 cpus and 8G; n4 has the feature big, 8 cpus and 64G. */
static void setup(struct fix *f, enum om_partition_mode mode)
{
	fix_init(f, mode);
	f->part[0].max_time_s = 86400;
	f->part[0].default_time_s = 3600;
	fix_nodes(f, 3, 4, 8 * FIX_G);
	fix_node(f, "n4", 8, 64 * FIX_G, 1.0, "big");
	fix_sched(f);
}

/* ---- check */
static int check(struct fix *f, const Om__JobSpec *spec,
		 struct om_request *ret, struct om_error *err)
{
	struct om_request *r = om_request_create(f->m, spec);
	int rc;

	assert_non_null(r);
	om_error_clear(err);
	rc = om_sched_check(f->s, r, 1000, err);
	if (ret)
		*ret = *r;
	om_request_put(f->m, r);
	return rc;
}

static void refused(struct fix *f, const Om__JobSpec *spec, const char *what,
		    const char *hint)
{
	struct om_error err = OM_ERROR_INIT;
	const char *line;

	if (check(f, spec, NULL, &err) >= 0)
		fail_msg("should have been refused: %s", what);
	line = strchr(err.text, '\n');
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	if (hint && (!line || strcmp(line + 1, hint)))
		fail_msg("'%s' does not end with '%s'", err.text, hint);
}

static void accepted(struct fix *f, const Om__JobSpec *spec)
{
	struct om_error err = OM_ERROR_INIT;

	if (check(f, spec, NULL, &err) < 0)
		fail_msg("refused: %s", err.text);
}

static void a_refusal_names_the_limit_and_what_would_do(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 16);

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	refused(&f, &spec, "main has 8 at the most", "try: omsub -c 8");
	spec = fix_spec(40, 1);
	refused(&f, &spec, "40 tasks asked for, partition main has 20",
		"try: omsub -n 20");
	spec = fix_spec(1, 1);
	spec.has_mem_per_node = true;
	spec.mem_per_node = 100 * FIX_G;
	refused(&f, &spec, "main has 64G at the most", "try: omsub --mem=64G");
	spec = fix_spec(1, 1);
	spec.has_mem_per_cpu = true;
	spec.mem_per_cpu = 100 * FIX_G;
	refused(&f, &spec, "memory for each cpu",
		"try: omsub --mem-per-cpu=64G");
	spec = fix_spec(9, 1);
	spec.has_nodes_min = true;
	spec.nodes_min = 9;
	refused(&f, &spec, "9 nodes asked for, partition main has 4",
		"try: omsub -N 4");
	spec = fix_spec(1, 1);
	spec.has_time_limit_s = true;
	spec.time_limit_s = 2 * 86400;
	refused(&f, &spec, "allows 1-00:00:00 at the most",
		"try: omsub -t 1-00:00:00");
	spec = fix_spec(1, 1);
	spec.partition = "mian";
	refused(&f, &spec, "there is no such partition",
		"try: omsub -p main");
	fix_fini(&f);
}

static void what_is_combined_is_judged_together(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(2, 4);

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.has_mem_per_node = true;
	spec.mem_per_node = 32 * FIX_G;
	accepted(&f, &spec);		/* both on n4 */
	spec.has_nodes_min = true;
	spec.nodes_min = 2;
	refused(&f, &spec, "2 nodes", NULL);
	spec.nodes_min = 0;
	spec.tasks = 3;
	refused(&f, &spec, "3 tasks", "try: omsub -n 2");
	fix_fini(&f);
}

static void names_and_filters_have_to_leave_a_node(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.nodelist = "n7";
	refused(&f, &spec, "there is no node of that name", NULL);
	spec.nodelist = "n1";
	spec.exclude = "n[1-2]";
	refused(&f, &spec, "ruled out by --exclude", NULL);
	spec.nodelist = NULL;
	spec.exclude = "n[1-4]";
	refused(&f, &spec, "--exclude='n[1-4]' leaves none", NULL);
	spec.exclude = NULL;
	spec.constraint = "gpu";
	refused(&f, &spec, "-C 'gpu': none of the 4 nodes", NULL);
	spec.constraint = "big&";
	refused(&f, &spec, "constraint 'big&'", NULL);
	spec.constraint = "big";
	accepted(&f, &spec);
	spec.cluster_mask = "!@big";
	refused(&f, &spec, "--cluster-mask", NULL);
	spec.cluster_mask = "n1,,n2";
	refused(&f, &spec, "an entry is empty", NULL);
	spec.cluster_mask = NULL;
	spec.has_load_limit = true;
	spec.load_limit = -1;
	refused(&f, &spec, "--load-limit", NULL);
	fix_fini(&f);
}

static void defaults_are_filled_in(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_error err = OM_ERROR_INIT;
	struct om_request r;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	f.part[0].default_mem_per_cpu = FIX_G;
	assert_int_equal(om_sched_reconfigure(f.s, &f.config, NULL), 0);
	assert_int_equal(check(&f, &spec, &r, &err), 0);
	assert_int_equal(r.time_limit_s, 3600);
	assert_true(r.mem_per_cpu == FIX_G);
	spec.nodelist = "n[1-3]";
	assert_int_equal(check(&f, &spec, &r, &err), 0);
	assert_int_equal(r.nodes_min, 3);
	assert_int_equal(r.tasks, 3);
	spec.nodelist = NULL;
	spec.has_nodes_min = spec.has_tasks_per_node = true;
	spec.nodes_min = spec.tasks_per_node = 2;
	assert_int_equal(check(&f, &spec, &r, &err), 0);
	assert_int_equal(r.tasks, 4);
	fix_fini(&f);
}

static void nodes_that_have_not_come_yet_are_believed_in(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(64, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_partition(&f, "named", "n[1-2]", OM_PART_EXCLUSIVE, 0);
	fix_sched(&f);
	accepted(&f, &spec);		/* no node has registered at all */
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	refused(&f, &spec, "4 at the most", NULL);
	spec.partition = "named";
	accepted(&f, &spec);
	fix_nodes(&f, 2, 4, 8 * FIX_G);
	refused(&f, &spec, "8 at the most", "try: omsub -n 8");
	fix_fini(&f);
}

static void drained_nodes_do_not_make_a_refusal(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(20, 1);

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	fix_node_state(&f, "n1", false, false);
	fix_node_state(&f, "n2", true, true);
	accepted(&f, &spec);
	fix_fini(&f);
}

static bool ann(void *arg, uint32_t uid, const char *user, const char *group)
{
	(void)arg;
	return uid == 1000 && ((user && !strcmp(user, "ann")) ||
			       (group && !strcmp(group, "staff")));
}

static void a_partition_with_a_list_is_closed_to_others(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	om_strvec_add(&f.part[0].allow_users, "bob");
	fix_nodes(&f, 1, 4, 8 * FIX_G);
	fix_sched(&f);
	refused(&f, &spec, "only users bob", NULL);
	om_sched_set_member(f.s, ann, NULL);
	refused(&f, &spec, "only users bob", NULL);
	om_strvec_add(&f.part[0].allow_groups, "staff");
	om_sched_reconfigure(f.s, &f.config, NULL);
	accepted(&f, &spec);
	fix_fini(&f);
}

/* ---- why */
static struct om_why why_of(struct fix *f, struct om_job *j)
{
	struct om_why y;

	fix_run_all(f);
	om_sched_why(f->s, j, f->now_ns, &y);
	return y;
}

static const struct om_reason *find(const struct om_why *y, const char *token)
{
	for (unsigned i = 0; i < y->count; i++)
		if (!strcmp(y->reason[i].token, token))
			return y->reason + i;
	return NULL;
}

static void expect(const struct om_why *y, const char *token, const char *text)
{
	const struct om_reason *r = find(y, token);
	char all[600] = "";

	for (unsigned i = 0; i < y->count; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s: %s; ",
			 y->reason[i].token, y->reason[i].text);
	if (!r)
		fail_msg("no reason %s in: %s", token, all);
	else if (!strstr(r->text, text))
		fail_msg("%s: '%s' does not say '%s'", token, r->text, text);
}

static void occupy(struct fix *f, uint32_t tasks, int64_t limit_s)
{
	Om__JobSpec spec = fix_spec(tasks, 1);

	spec.has_time_limit_s = true;
	spec.time_limit_s = limit_s;
	fix_submit(f, &spec);
	assert_int_equal(fix_run_all(f), 1);
}

static void want_of_cpus_is_told_with_numbers(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(6, 1);
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	occupy(&f, 18, 600);
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "Resources", "needs 6 tasks of 1 cpu; 2 cpus are free");
	assert_string_equal(y.help, "-n 2 instead of 6 would start now");
	assert_true(y.start_ns == f.now_ns + 600 * FIX_S);
	fix_fini(&f);
}

static void want_of_memory_is_told_and_what_would_do(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.has_mem_per_node = true;
	spec.mem_per_node = 61 * FIX_G;
	fix_submit(&f, &spec);
	assert_int_equal(fix_run_all(&f), 1);
	spec.mem_per_node = 10 * FIX_G;
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "Memory", "needs 10G of memory for each node; the most that is free on one node is 8G (n1)");
	assert_string_equal(y.help, "--mem=8G instead of 10G would start now");
	fix_fini(&f);
}

static void the_order_is_told_and_a_time_that_would_fit(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(20, 1);
	struct om_job *head;
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	occupy(&f, 10, 1200);
	head = fix_submit(&f, &spec);
	spec.tasks = 2;
	y = why_of(&f, fix_submit(&f, &spec));
	assert_int_equal(head->id, 2);
	expect(&y, "Priority", "promised to job 2");
	assert_string_equal(y.help, "-t 00:20:00 would fit before job 2 starts");
	fix_fini(&f);
}

static void nodes_that_are_away_are_named(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 8);
	struct om_why y;
	struct om_job *j;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	j = fix_submit(&f, &spec);
	fix_node_state(&f, "n4", true, true);
	y = why_of(&f, j);
	expect(&y, "NodesDrained", "(n4)");
	fix_node_state(&f, "n4", false, false);
	y = why_of(&f, j);
	expect(&y, "NodesDown", "(n4)");
	assert_string_equal(y.help, "-c 4 instead of 8 would start now");
	assert_true(y.start_ns == 0);
	fix_fini(&f);
}

static void filters_that_are_in_the_way_are_named(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(4, 1);
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.nodelist = "n1";
	fix_submit(&f, &spec);
	spec.nodelist = NULL;
	spec.cluster_mask = "n1";
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "ClusterMask", "--cluster-mask n1 leaves 1 nodes");
	spec.cluster_mask = NULL;
	spec.exclude = "n[2-4]";
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "ExcludedNodes", "n[2-4]");
	spec.exclude = NULL;
	spec.tasks = 8;
	spec.nodelist = "n1";
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "RequiredNodes", "-w n1");
	fix_fini(&f);
}

static void load_limits_are_told_with_loads(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_why y;

	(void)state;
	fix_init(&f, OM_PART_SHARED);
	fix_nodes(&f, 2, 4, 8 * FIX_G);
	f.m->node[0]->load = 3.25;
	f.m->node[1]->load = 4.5;
	fix_sched(&f);
	spec.has_load_limit = true;
	spec.load_limit = 1.5;
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "LoadLimit", "--load-limit=1.5: the least loaded node is n1 with 3.25");
	fix_fini(&f);
}

static void orders_and_times_are_told(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	Om__Dependency d = OM__DEPENDENCY__INIT, *list[] = { &d };
	struct om_job *first, *j;
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.has_hold = spec.hold = true;
	first = fix_submit(&f, &spec);
	y = why_of(&f, first);
	expect(&y, "Held", "omrelease 1");
	first->held_by_admin = true;
	y = why_of(&f, first);
	expect(&y, "HeldByAdmin", "administrator");
	spec.hold = false;
	spec.has_begin_ns = true;
	spec.begin_ns = f.now_ns + 7200 * FIX_S;
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "BeginTime", "in 02:00:00");
	assert_true(y.start_ns == spec.begin_ns);
	spec.has_begin_ns = false;
	d.kind = OM__DEPENDENCY_KIND__AFTER_OK;
	d.has_job_id = true;
	d.job_id = first->id;
	spec.n_dependency = 1;
	spec.dependency = list;
	j = fix_submit(&f, &spec);
	y = why_of(&f, j);
	expect(&y, "Dependency", "waits for job 1 to complete with exit code 0, which is pending");
	assert_false(y.reason[0].never);
	fix_finish(&f, first, OM__JOB_STATE__CANCELLED);
	y = why_of(&f, j);
	expect(&y, "DependencyNeverSatisfied", "but that is cancelled");
	assert_true(y.reason[0].never);
	assert_true(y.start_ns == 0);
	fix_fini(&f);
}

static void an_array_at_its_limit_says_so(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	spec.array = "1-10";
	spec.has_array_limit = true;
	spec.array_limit = 2;
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "ArrayTaskLimit", "2 tasks of the array run");
	fix_fini(&f);
}

static void what_can_never_run_says_never(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(40, 1);
	struct om_why y;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "NeverFits", "20 at the most");
	assert_true(y.reason[0].never);
	assert_string_equal(y.help, "try: omsub -n 20");
	fix_fini(&f);
}

static void a_partition_that_went_away_is_named(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_why y;
	struct om_job *j;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	fix_partition(&f, "gone", "all", OM_PART_EXCLUSIVE, 0);
	fix_nodes(&f, 1, 1, 8 * FIX_G);
	fix_sched(&f);
	spec.partition = "gone";
	fix_submit(&f, &spec);
	j = fix_submit(&f, &spec);
	fix_run_all(&f);
	f.config.partitions = 1;
	om_sched_reconfigure(f.s, &f.config, NULL);
	y = why_of(&f, j);
	expect(&y, "PartitionDown", "partition gone");
	assert_string_equal(j->reason, "PartitionDown");
	fix_fini(&f);
}

static void another_partition_may_be_the_help(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(1, 1);
	struct om_why y;

	(void)state;
	fix_init(&f, OM_PART_EXCLUSIVE);
	f.part[0].nodes = "n1";
	fix_partition(&f, "other", "n2", OM_PART_EXCLUSIVE, 0);
	fix_nodes(&f, 2, 1, 8 * FIX_G);
	fix_sched(&f);
	fix_submit(&f, &spec);
	y = why_of(&f, fix_submit(&f, &spec));
	expect(&y, "Resources", "0 cpus are free on the 1 of 1 nodes");
	assert_string_equal(y.help, "-p other would start now");
	fix_fini(&f);
}

/* ---- test-only */
static int64_t test_start(struct fix *f, const Om__JobSpec *spec,
			  struct om_placement *p)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_request *r = om_request_create(f->m, spec);
	int64_t at = -1;

	if (om_sched_test(f->s, r, 1000, f->now_ns, p, &at, &err) < 0)
		fail_msg("refused: %s", err.text);
	om_request_put(f->m, r);
	return at == 0 ? -1 : (at - f->now_ns) / FIX_S;
}

static void a_test_tells_where_and_when(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(8, 1);
	struct om_placement p;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	assert_int_equal(test_start(&f, &spec, &p), 0);
	assert_int_equal(p.shares, 1);
	assert_string_equal(p.share[0].node->name, "n4");
	om_placement_fini(&p);
	occupy(&f, 15, 1000);
	assert_int_equal(test_start(&f, &spec, &p), 1000);
	assert_true(p.shares > 0);
	om_placement_fini(&p);
	fix_submit(&f, &spec);		/* now one is ahead of it */
	fix_submit(&f, &spec);
	fix_submit(&f, &spec);
	fix_run_all(&f);
	assert_int_equal(test_start(&f, &spec, &p), 4600);
	om_placement_fini(&p);
	/* A short one goes through the gap. */
	spec.tasks = 2;
	spec.has_time_limit_s = true;
	spec.time_limit_s = 100;
	assert_int_equal(test_start(&f, &spec, &p), 0);
	om_placement_fini(&p);
	/* Nothing was started or queued by asking. */
	assert_int_equal(f.m->jobs_pending, 3);
	assert_int_equal(f.m->jobs_active, 1);
	fix_fini(&f);
}

static void nothing_is_estimated_that_cannot_be(void **state)
{
	struct fix f;
	Om__JobSpec spec = fix_spec(20, 1);
	struct om_placement p;

	(void)state;
	setup(&f, OM_PART_EXCLUSIVE);
	fix_node_state(&f, "n1", false, false);
	assert_int_equal(test_start(&f, &spec, &p), -1);
	assert_int_equal(p.shares, 0);
	om_placement_fini(&p);
	fix_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_names_the_limit_and_what_would_do),
		cmocka_unit_test(what_is_combined_is_judged_together),
		cmocka_unit_test(names_and_filters_have_to_leave_a_node),
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(nodes_that_have_not_come_yet_are_believed_in),
		cmocka_unit_test(drained_nodes_do_not_make_a_refusal),
		cmocka_unit_test(a_partition_with_a_list_is_closed_to_others),
		cmocka_unit_test(want_of_cpus_is_told_with_numbers),
		cmocka_unit_test(want_of_memory_is_told_and_what_would_do),
		cmocka_unit_test(the_order_is_told_and_a_time_that_would_fit),
		cmocka_unit_test(nodes_that_are_away_are_named),
		cmocka_unit_test(filters_that_are_in_the_way_are_named),
		cmocka_unit_test(load_limits_are_told_with_loads),
		cmocka_unit_test(orders_and_times_are_told),
		cmocka_unit_test(an_array_at_its_limit_says_so),
		cmocka_unit_test(what_can_never_run_says_never),
		cmocka_unit_test(a_partition_that_went_away_is_named),
		cmocka_unit_test(another_partition_may_be_the_help),
		cmocka_unit_test(a_test_tells_where_and_when),
		cmocka_unit_test(nothing_is_estimated_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
