/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batch scripts: what is one, and its #OM lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/common/jobspec.h"
#include "cli/common/script.h"

static struct jobspec job;
static char *words;
static struct om_error err;

static int set_up(void **state)
{
	(void)state;
	jobspec_init(&job, OM__JOB_KIND__BATCH);
	words = NULL;
	om_error_clear(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	jobspec_fini(&job);
	free(words);
	return 0;
}

static int directives(const char *text)
{
	const struct cli_group groups[] = {
		{ "a", jobspec_resources, &job }, { "b", jobspec_naming, &job },
		{ "c", jobspec_start, &job }, { "d", jobspec_batch, &job },
		{ NULL },
	};
	const struct cli_command c = { .name = "omsub", .group = groups,
				       .in_order = true };

	free(words);
	words = NULL;
	return script_directives(&c, "job.sh", text, &words, &err);
}

static void says(const char *what)
{
	if (!strstr(om_error_text(&err), what))
		fail_msg("'%s' does not say '%s'", om_error_text(&err), what);
}

static void directives_are_read_in_the_head(void **state)
{
	(void)state;
	assert_int_equal(directives("#!/bin/sh\n"
				    "# a comment first\n"
				    "\n"
				    "#OM -n 4 --time=10\n"
				    "  # an indented comment\n"
				    "#OM\t--job-name=x -p short # why\n"
				    "true\n"
				    "#OM --ntasks=99\n"), 0);
	assert_int_equal(job.spec.tasks, 4);
	assert_int_equal(job.spec.time_limit_s, 600);
	assert_string_equal(job.spec.name, "x");
	assert_string_equal(job.spec.partition, "short");
}

static void quoted_values_keep_their_blanks(void **state)
{
	(void)state;
	assert_int_equal(directives("#!/bin/sh\n"
				    "#OM --comment=\"two words\" -J 'a # b'\n"
				    "#OM --account=it\\'s"), 0);
	assert_string_equal(job.spec.comment, "two words");
	assert_string_equal(job.spec.name, "a # b");
	assert_string_equal(job.spec.account, "it's");
}

static void other_words_with_the_same_beginning_are_comments(void **state)
{
	(void)state;
	assert_int_equal(directives("#!/bin/sh\n#OMP --nonsense\n"
				    "#OMEGA\n#om -n 3\n# OM -n 5\n"), 0);
	assert_false(job.spec.has_tasks);
}

static void a_bad_directive_names_its_line(void **state)
{
	(void)state;
	assert_int_equal(directives("#!/bin/sh\n\n#OM --ntaks=4\n"), -EINVAL);
	says("job.sh: line 3: unknown option '--ntaks'");
	says("did you mean --ntasks?");
	assert_int_equal(directives("#!/bin/sh\n#OM -n four\n"), -EINVAL);
	says("job.sh: line 2: -n four: not a number");
	assert_int_equal(directives("#!/bin/sh\n#OM -n 4 there\n"), -EINVAL);
	says("line 2: 'there' is not an option");
	assert_int_equal(directives("#!/bin/sh\n#OM -J 'open\n"), -EINVAL);
	says("line 2: a quote is not closed");
	assert_int_equal(directives("#!/bin/sh\n#OM --mem\n"), -EINVAL);
	says("needs a value");
}

static void a_line_of_too_many_words_is_refused(void **state)
{
	char text[1024] = "#!/bin/sh\n#OM";

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(text, " -H");
	assert_int_equal(directives(text), -EINVAL);
	says("more than 128 words");
}

static void every_byte_as_an_argument_is_survived(void **state)
{
	char text[600];

	(void)state;
	for (int c = 1; c < 256; c++) {
		snprintf(text, sizeof(text), "#!/bin/sh\n#OM -J %c%c\\", c, c);
		directives(text);
		snprintf(text, sizeof(text), "#!/bin/sh\n#OM%c-n%c4\n", c, c);
		directives(text);
	}
}

static int check(const char *text, size_t len)
{
	om_error_clear(&err);
	return script_check("job.sh", text, len, &err);
}

static void what_is_no_script_is_refused_with_a_cure(void **state)
{
	(void)state;
	assert_int_equal(check("", 0), -EINVAL);
	says("job.sh is empty");
	assert_int_equal(check(" \n\n", 3), -EINVAL);
	says("job.sh is empty");
	assert_int_equal(check("#!/bin/sh\0true", 14), -EINVAL);
	says("binary");
	assert_int_equal(check("#!/bin/sh\r\ntrue\r\n", 17), -EINVAL);
	says("sed -i");
	assert_int_equal(check("echo hello\n", 11), -EINVAL);
	says("#!/bin/sh");
	assert_int_equal(check("#!/bin/sh\ntrue\n", 15), 0);
}

static void lines_of_another_scheduler_are_found(void **state)
{
	(void)state;
	assert_int_equal(script_find_line("#!/bin/sh\n#\n#SBATCH -n 4\n",
					  "#SBATCH"), 3);
	assert_int_equal(script_find_line("#!/bin/sh\ntrue\n#SBATCH -n 4\n",
					  "#SBATCH"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directives_are_read_in_the_head),
		TEST(quoted_values_keep_their_blanks),
		TEST(other_words_with_the_same_beginning_are_comments),
		TEST(a_bad_directive_names_its_line),
		TEST(a_line_of_too_many_words_is_refused),
		TEST(every_byte_as_an_argument_is_survived),
		TEST(what_is_no_script_is_refused_with_a_cure),
		TEST(lines_of_another_scheduler_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
