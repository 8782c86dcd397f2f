/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options that jobs are asked for with, word by word. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/common/jobspec.h"
#include "lib/base/str.h"

static struct jobspec job;
static struct om_error err;

static int set_up(void **state)
{
	(void)state;
	jobspec_init(&job, OM__JOB_KIND__BATCH);
	om_error_clear(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	jobspec_fini(&job);
	return 0;
}

/* Parses one word as the command would; 0 or -EINVAL. */
static int give(const char *word)
{
	const struct cli_group groups[] = {
		{ "a", jobspec_resources, &job }, { "b", jobspec_naming, &job },
		{ "c", jobspec_start, &job }, { "d", jobspec_batch, &job },
		{ "e", jobspec_process, &job }, { "f", jobspec_moving, &job },
		{ NULL },
	};
	const struct cli_command c = { .name = "test", .group = groups,
				       .in_order = true };
	static char copy[4][256];	/* options borrow their words */
	static unsigned slot;
	char *argv[] = { (char *)"test", copy[slot++ % 4], NULL };
	int rc;

	snprintf(argv[1], 256, "%s", word);
	rc = cli_parse(&c, 2, argv, &err);
	return rc < 0 ? rc : 0;
}

#define ACCEPT(word) assert_int_equal(give(word), 0)
#define REFUSE(word, says)                                                   \
	do {                                                                 \
		assert_int_equal(give(word), -EINVAL);                       \
		if (!strstr(om_error_text(&err), says))                      \
			fail_msg("%s: '%s' does not say '%s'", word,         \
				 om_error_text(&err), says);                 \
	} while (0)

static void dependencies_name_kind_and_jobs(void **state)
{
	(void)state;
	ACCEPT("--dependency=afterok:1:2,afterany:3,singleton");
	assert_int_equal(job.spec.n_dependency, 4);
	assert_int_equal(job.spec.dependency[0]->kind,
			 OM__DEPENDENCY_KIND__AFTER_OK);
	assert_int_equal(job.spec.dependency[1]->job_id, 2);
	assert_int_equal(job.spec.dependency[2]->kind,
			 OM__DEPENDENCY_KIND__AFTER_ANY);
	assert_int_equal(job.spec.dependency[2]->job_id, 3);
	assert_int_equal(job.spec.dependency[3]->kind,
			 OM__DEPENDENCY_KIND__SINGLETON);
	assert_false(job.spec.dependency[3]->has_job_id);
}

static void a_second_dependency_option_replaces_the_first(void **state)
{
	(void)state;
	ACCEPT("-dafterok:1:2");
	ACCEPT("-dafternotok:9");
	assert_int_equal(job.spec.n_dependency, 1);
	assert_int_equal(job.spec.dependency[0]->job_id, 9);
}

static void bad_dependencies_are_refused_with_a_cure(void **state)
{
	(void)state;
	REFUSE("--dependency=afterokk:1", "did you mean afterok");
	REFUSE("--dependency=afterok", "afterok:123");
	REFUSE("--dependency=afterok:", "is not a job's number");
	REFUSE("--dependency=afterok:1,", "unknown kind");
	REFUSE("--dependency=afterok:1?afterok:2", "alternatives");
	REFUSE("--dependency=afterok:12_3", "whole array");
	REFUSE("--dependency=singleton:4", "takes no job number");
	REFUSE("--dependency=afterok:-4", "is not a job's number");
	REFUSE("--dependency=afterok:99999999999999999999", "not a job's");
}

static void signals_have_a_time_before_the_end(void **state)
{
	(void)state;
	ACCEPT("--signal=B:USR1@120");
	assert_int_equal(job.spec.warn_signal, SIGUSR1);
	assert_int_equal(job.spec.warn_before_s, 120);
	assert_true(job.spec.warn_batch_only);
	ACCEPT("--signal=SIGTERM");
	assert_int_equal(job.spec.warn_signal, SIGTERM);
	assert_int_equal(job.spec.warn_before_s, 60);
	assert_false(job.spec.warn_batch_only);
	ACCEPT("--signal=10@0");
	assert_int_equal(job.spec.warn_signal, 10);
	assert_int_equal(job.spec.warn_before_s, 0);
	REFUSE("--signal=USR9", "is not a signal");
	REFUSE("--signal=USR1@", "number of seconds");
	REFUSE("--signal=USR1@soon", "number of seconds");
	REFUSE("--signal=USR1@65536", "number of seconds");
	REFUSE("--signal=", "is not a signal");
}

static void arrays_are_tasks_and_a_limit(void **state)
{
	(void)state;
	ACCEPT("--array=1-100000%50");
	assert_string_equal(job.spec.array, "1-100000");
	assert_int_equal(job.spec.array_limit, 50);
	ACCEPT("-a0,3,7-20:2");
	assert_string_equal(job.spec.array, "0,3,7-20:2");
	assert_false(job.spec.has_array_limit);
	REFUSE("--array=5-1", "--array=5-1");
	REFUSE("--array=", "--array=");
	REFUSE("--array=1-5%", "number of tasks");
	REFUSE("--array=1-5%0", "number of tasks");
	REFUSE("--array=-5", "--array=-5");
	REFUSE("--array=1-4294967295", "4294967295");
}

static void nodes_are_a_number_or_a_range(void **state)
{
	(void)state;
	ACCEPT("-N4");
	assert_int_equal(job.spec.nodes_min, 4);
	assert_int_equal(job.spec.nodes_max, 4);
	ACCEPT("--nodes=2-8");
	assert_int_equal(job.spec.nodes_min, 2);
	assert_int_equal(job.spec.nodes_max, 8);
	REFUSE("--nodes=0", "not a number of nodes");
	REFUSE("--nodes=8-2", "not a number of nodes");
	REFUSE("--nodes=2-", "not a number of nodes");
	REFUSE("--nodes=99999999999999999999-4", "not a number of nodes");
}

static void the_later_way_to_ask_for_memory_counts(void **state)
{
	(void)state;
	ACCEPT("--mem=4G");
	ACCEPT("--mem-per-cpu=100");
	assert_false(job.spec.has_mem_per_node);
	assert_int_equal(job.spec.mem_per_cpu, 100 << 20);
	ACCEPT("--mem=512K");
	assert_false(job.spec.has_mem_per_cpu);
	assert_int_equal(job.spec.mem_per_node, 512 << 10);
	REFUSE("--mem=lots", "not a size");
}

static void a_time_limit_of_zero_means_none(void **state)
{
	(void)state;
	ACCEPT("-t90");
	assert_int_equal(job.spec.time_limit_s, 5400);
	ACCEPT("--time=0");
	assert_true(job.spec.time_limit_s == OM_DURATION_UNLIMITED);
	REFUSE("--time=1:2:3:4", "not a time");
	REFUSE("--time=-5", "not a time");
}

static void counts_are_at_least_one(void **state)
{
	(void)state;
	REFUSE("--ntasks=0", "not a number from 1");
	REFUSE("-n-3", "not a number from 1");
	REFUSE("-n1e3", "not a number from 1");
	REFUSE("--cpus-per-task=4294967297", "not a number from 1");
	assert_false(job.spec.has_tasks);
}

static void masks_hold_nodes_and_features(void **state)
{
	(void)state;
	ACCEPT("--cluster-mask=n[1-8,10],!n3,@bigmem,!@slow");
	assert_string_equal(job.spec.cluster_mask,
			    "n[1-8,10],!n3,@bigmem,!@slow");
	REFUSE("--cluster-mask=n[1-", "write nodes");
	REFUSE("--cluster-mask=n1,,n2", "write nodes");
	REFUSE("--cluster-mask=@", "write nodes");
	REFUSE("--cluster-mask=n1 n2", "write nodes");
}

static void what_is_ours_is_judged_too(void **state)
{
	(void)state;
	ACCEPT("--migrate=drain");
	assert_int_equal(job.spec.migrate, OM__MIGRATE_MODE__DRAIN);
	ACCEPT("--max-freeze=1.5s");
	assert_int_equal(job.spec.max_freeze_ms, 1500);
	ACCEPT("--max-freeze=200");
	assert_int_equal(job.spec.max_freeze_ms, 200);
	ACCEPT("--checkpoint=1:00:00");
	assert_int_equal(job.spec.checkpoint_s, 3600);
	ACCEPT("--load-limit=1.5");
	ACCEPT("--priority=-5");
	assert_int_equal(job.spec.priority, -5);
	REFUSE("--migrate=maybe", "none of auto, drain, never");
	REFUSE("--max-freeze=0", "not a time");
	REFUSE("--max-freeze=2weeks", "not a time");
	REFUSE("--checkpoint=unlimited", "not a time");
	REFUSE("--hint=gpu", "neither cpu nor io");
	REFUSE("--home=n[1-2]", "not a node's name");
	REFUSE("--load-limit=-1", "not a number");
	REFUSE("--open-mode=a", "neither append nor truncate");
}

static void an_unknown_option_names_the_nearest(void **state)
{
	(void)state;
	REFUSE("--ndoes=4", "did you mean --nodes?");
	REFUSE("--exclusive=user", "takes no value");
	REFUSE("--time", "needs a value: TIME");
	REFUSE("-N", "needs a value: MIN[-MAX]");
	REFUSE("-Z", "unknown option '-Z'");
	REFUSE("--ntasks-per-planet=1", "--ntasks-per-");
	REFUSE("--mem-", "--mem-per-cpu");
}

static void tasks_follow_from_nodes(void **state)
{
	(void)state;
	ACCEPT("-N4");
	ACCEPT("--ntasks-per-node=2");
	assert_int_equal(jobspec_complete(&job, &err), 0);
	assert_int_equal(job.spec.tasks, 8);
}

static void contradictions_are_refused(void **state)
{
	(void)state;
	ACCEPT("-N4");
	ACCEPT("-n2");
	assert_int_equal(jobspec_complete(&job, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--ntasks=2 is less than --nodes=4"));
	ACCEPT("-n9");
	ACCEPT("--tasks-per-node=2");
	assert_int_equal(jobspec_complete(&job, &err), -EINVAL);
	assert_non_null(strstr(err.text, "does not fit"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dependencies_name_kind_and_jobs),
		TEST(a_second_dependency_option_replaces_the_first),
		TEST(bad_dependencies_are_refused_with_a_cure),
		TEST(signals_have_a_time_before_the_end),
		TEST(arrays_are_tasks_and_a_limit),
		TEST(nodes_are_a_number_or_a_range),
		TEST(the_later_way_to_ask_for_memory_counts),
		TEST(a_time_limit_of_zero_means_none),
		TEST(counts_are_at_least_one),
		TEST(masks_hold_nodes_and_features),
		TEST(what_is_ours_is_judged_too),
		TEST(an_unknown_option_names_the_nearest),
		TEST(tasks_follow_from_nodes),
		TEST(contradictions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
