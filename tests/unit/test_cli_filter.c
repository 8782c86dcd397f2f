/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which jobs are meant, and how they are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/common/filter.h"
#include "cli/common/jobfields.h"
#include "cli/common/jobid.h"
#include "cli/common/states.h"
#include "lib/proto/types.h"

static struct filter f;
static struct om_error err;

static int set_up(void **state)
{
	(void)state;
	filter_init(&f);
	om_error_clear(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	filter_fini(&f);
	return 0;
}

static int give(const char *word)
{
	const struct cli_group groups[] = {
		{ "a", filter_options, &f }, { NULL },
	};
	const struct cli_command c = { .name = "omq", .group = groups };
	char copy[256];
	char *argv[] = { (char *)"omq", copy, NULL };
	int rc;

	snprintf(copy, sizeof(copy), "%s", word);
	rc = cli_parse(&c, 2, argv, &err);
	return rc < 0 ? rc : 0;
}

static void jobs_are_numbers_ranges_and_array_tasks(void **state)
{
	(void)state;
	assert_int_equal(filter_add_ids(&f, "12,20-22,123_7,9_[5-9,11],4_1-2",
					&err), 0);
	assert_int_equal(f.msg.n_job_id, 4);
	assert_int_equal(f.msg.job_id[0], 12);
	assert_int_equal(f.msg.job_id[3], 22);
	assert_int_equal(f.msg.n_array_task, 3);
	assert_int_equal(f.msg.array_task[0]->array_id, 123);
	assert_string_equal(f.msg.array_task[0]->tasks, "7");
	assert_string_equal(f.msg.array_task[1]->tasks, "5-9,11");
	assert_string_equal(f.msg.array_task[2]->tasks, "1-2");
}

static void what_is_no_job_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "x", "0", "12,", "22-20", "12_", "12_[]", "12_[x]", "_4",
		"12_[3-1]", "1-99999999", "-5", "18446744073709551616", "1.0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (filter_add_ids(&f, bad[i], &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void a_sole_value_is_asked_of_the_controller(void **state)
{
	(void)state;
	assert_int_equal(give("--partition=main"), 0);
	assert_int_equal(give("--me"), 0);
	filter_prepare(&f);
	assert_string_equal(f.msg.partition, "main");
	assert_true(f.msg.has_uid);
	assert_int_equal(f.msg.uid, getuid());
}

static void several_values_are_looked_for_here(void **state)
{
	Om__JobInfo j = OM__JOB_INFO__INIT;

	(void)state;
	assert_int_equal(give("--name=a,b"), 0);
	assert_int_equal(give("-wn[1-3]"), 0);
	filter_prepare(&f);
	assert_null(f.msg.name);
	j.name = (char *)"b";
	j.nodelist = (char *)"n[3-4]";
	assert_true(filter_matches(&f, &j));
	j.nodelist = (char *)"n[4-5]";
	assert_false(filter_matches(&f, &j));
	j.nodelist = (char *)"n3";
	j.name = (char *)"c";
	assert_false(filter_matches(&f, &j));
}

static int count_call(void *arg, const Om__JobFilter *msg)
{
	char (*seen)[32] = arg;
	int i = 0;

	while (seen[i][0])
		i++;
	snprintf(seen[i], sizeof(seen[i]), "%s/%s/%u",
		 msg->name ? msg->name : "-",
		 msg->partition ? msg->partition : "-",
		 msg->has_uid ? msg->uid : 999);
	return 0;
}

static void changes_are_asked_for_each_combination(void **state)
{
	char seen[16][32] = { "" };

	(void)state;
	assert_int_equal(give("--name=a,b"), 0);
	assert_int_equal(give("--partition=p,q"), 0);
	assert_int_equal(give("--user=0"), 0);
	assert_int_equal(filter_each(&f, count_call, seen), 0);
	assert_string_equal(seen[0], "a/p/0");
	assert_string_equal(seen[1], "b/p/0");
	assert_string_equal(seen[2], "a/q/0");
	assert_string_equal(seen[3], "b/q/0");
	assert_string_equal(seen[4], "");
}

static void states_have_names_and_short_forms(void **state)
{
	(void)state;
	assert_int_equal(state_parse("PD", &err), OM__JOB_STATE__PENDING);
	assert_int_equal(state_parse("Node_Fail", &err),
			 OM__JOB_STATE__NODE_FAIL);
	for (int s = 0; s < STATES; s++)
		assert_int_equal(state_parse(state_name((Om__JobState)s), &err),
				 s);
	assert_int_equal(state_parse("runing", &err), -EINVAL);
	assert_non_null(strstr(err.text, "did you mean running"));
}

static void an_array_shows_what_of_it_waits(void **state)
{
	Om__JobInfo j = OM__JOB_INFO__INIT;
	struct om_buf b = OM_BUF_INIT;

	(void)state;
	j.job_id = j.array_id = 123;
	j.array_pending = (char *)"5-99";
	jobid_add(&j, &b);
	j.job_id = 126;
	j.array_pending = NULL;
	j.array_index = 3;
	om_buf_addc(&b, ' ');
	jobid_add(&j, &b);
	assert_string_equal(om_buf_str(&b), "123_[5-99] 123_3");
	om_buf_fini(&b);
}

static void steps_are_written_behind_a_point(void **state)
{
	uint64_t id;
	uint32_t step;

	(void)state;
	assert_int_equal(jobid_parse_step("12.0", &id, &step), 0);
	assert_int_equal(id, 12);
	assert_int_equal(step, 0);
	assert_int_equal(jobid_parse_step("12.batch", &id, &step), 0);
	assert_int_equal(step, OM_STEP_BATCH);
	assert_true(jobid_parse_step("12.", &id, &step) < 0);
	assert_true(jobid_parse_step(".1", &id, &step) < 0);
	assert_true(jobid_parse_step("12.x", &id, &step) < 0);
	assert_true(jobid_parse_step("123456789012345678901234567890.1", &id,
				     &step) < 0);
}

static void jobs_are_sorted_by_several_fields(void **state)
{
	Om__JobInfo a = OM__JOB_INFO__INIT, b = a, c = a;
	Om__JobInfo *list[] = { &a, &b, &c };

	(void)state;
	a.job_id = 1; a.name = (char *)"x"; a.tasks = 2; a.has_tasks = true;
	b.job_id = 2; b.name = (char *)"y"; b.tasks = 9; b.has_tasks = true;
	c.job_id = 3; c.name = (char *)"x"; c.tasks = 10; c.has_tasks = true;
	assert_int_equal(jobfield_sort("name,-tasks", list, 3, 0, &err), 0);
	assert_ptr_equal(list[0], &c);
	assert_ptr_equal(list[1], &a);
	assert_ptr_equal(list[2], &b);
	assert_int_equal(jobfield_sort("nane", list, 3, 0, &err), -EINVAL);
	assert_non_null(strstr(err.text, "did you mean name"));
}

static const char *reason_of(const char *field, const Om__JobInfo *j)
{
	static char text[64];
	struct om_buf b = OM_BUF_INIT;

	jobfield_find(field, NULL)->text(j, 0, &b);
	snprintf(text, sizeof(text), "%s", om_buf_str(&b));
	om_buf_fini(&b);
	return text;
}

/* The word is of the scheduler's memory: a restart of omctld loses it. */
static void an_end_tells_why_with_or_without_a_word(void **state)
{
	Om__JobInfo j = OM__JOB_INFO__INIT;

	(void)state;
	j.state = OM__JOB_STATE__NODE_FAIL;
	j.reason_text = (char *)"node n2 was rebooted";
	assert_string_equal(reason_of("reason_text", &j), j.reason_text);
	j.reason = (char *)"Priority";
	assert_string_equal(reason_of("reason_text", &j), j.reason_text);
	assert_string_equal(reason_of("reason", &j), "");
	assert_string_equal(reason_of("where", &j), "");
	j.state = OM__JOB_STATE__PENDING;
	assert_string_equal(reason_of("reason", &j), "Priority");
	assert_string_equal(reason_of("where", &j), "(Priority)");
	j.state = OM__JOB_STATE__RUNNING;
	assert_string_equal(reason_of("reason_text", &j), "");
}

static void every_field_has_a_text_for_an_empty_job(void **state)
{
	Om__JobInfo j = OM__JOB_INFO__INIT;
	struct om_buf b = OM_BUF_INIT;
	int fields = 0;

	(void)state;
	for (const struct jobfield *x = jobfields; x->name; x++) {
		x->text(&j, 0, &b);
		fields++;
	}
	om_buf_fini(&b);
	assert_true(fields < TABLE_COLUMNS);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct table t;

	(void)state;
	table_init(&t);
	table_column(&t, "NAME", false);
	assert_int_equal(table_cell(&t, "\033[31mred\n\177"), 0);
	assert_int_equal(t.column[0].width, 10);
	assert_string_equal(om_buf_str(&t.text), "?[31mred??");
	assert_int_equal(table_cell(&t, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc"
				    "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6"), 0);
	assert_int_equal(t.column[0].width, 11);
	table_fini(&t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(jobs_are_numbers_ranges_and_array_tasks),
		TEST(what_is_no_job_is_refused),
		TEST(a_sole_value_is_asked_of_the_controller),
		TEST(several_values_are_looked_for_here),
		TEST(changes_are_asked_for_each_combination),
		TEST(states_have_names_and_short_forms),
		TEST(an_array_shows_what_of_it_waits),
		TEST(steps_are_written_behind_a_point),
		TEST(jobs_are_sorted_by_several_fields),
		TEST(an_end_tells_why_with_or_without_a_word),
		TEST(every_field_has_a_text_for_an_empty_job),
		TEST(control_characters_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
