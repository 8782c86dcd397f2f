/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users may ask for: bounds of every field, and scripts that are none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/strvec.h"
#include "sched/ctld/spec.h"
#include "sched/ctld/submit.h"

#define T(s) ((char *)(uintptr_t)(s))
#define MAX_ARRAY 1000

static void refused(const Om__JobSpec *s, const char *word)
{
	struct om_error err = OM_ERROR_INIT;

	assert_true(spec_check(s, MAX_ARRAY, &err) < 0);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not speak of %s", err.text, word);
}

static void nothing_asked_is_well(void **state)
{
	Om__JobSpec s = OM__JOB_SPEC__INIT;

	(void)state;
	assert_int_equal(spec_check(&s, MAX_ARRAY, NULL), 0);
}

static void each_text_has_its_limit(void **state)
{
	static const struct {
		size_t offset, max;
		const char *option;
	} texts[] = {
		{ offsetof(Om__JobSpec, name), 256, "--job-name" },
		{ offsetof(Om__JobSpec, partition), 64, "--partition" },
		{ offsetof(Om__JobSpec, account), 64, "--account" },
		{ offsetof(Om__JobSpec, comment), 1024, "--comment" },
		{ offsetof(Om__JobSpec, nodelist), 65536, "--nodelist" },
		{ offsetof(Om__JobSpec, exclude), 65536, "--exclude" },
		{ offsetof(Om__JobSpec, constraint), 1024, "--constraint" },
		{ offsetof(Om__JobSpec, array), 65536, "--array" },
		{ offsetof(Om__JobSpec, cluster_mask), 65536, "--cluster-mask" },
		{ offsetof(Om__JobSpec, home), 63, "--home" },
		{ offsetof(Om__JobSpec, hint), 16, "--hint" },
	};
	char *text = malloc(70000);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		Om__JobSpec s = OM__JOB_SPEC__INIT;

		memset(text, 'a', texts[i].max + 1);
		text[texts[i].max + 1] = '\0';
		memcpy((char *)&s + texts[i].offset, &text, sizeof(text));
		refused(&s, texts[i].option);
		strcpy(text, "a\nb");
		refused(&s, texts[i].option);
	}
	free(text);
}

static void counts_and_times_have_limits(void **state)
{
	static const struct {
		const char *word;
		Om__JobSpec s;
	} bad[] = {
#define BAD(word, ...) { word, { .base = { 0 }, __VA_ARGS__ } }
		BAD("--ntasks", .has_tasks = 1, .tasks = 0),
		BAD("--ntasks", .has_tasks = 1, .tasks = 1000001),
		BAD("--cpus-per-task", .has_cpus_per_task = 1),
		BAD("--cpus-per-task", .cpus_per_task = 65537),
		BAD("--nodes", .nodes_min = 5, .nodes_max = 4),
		BAD("--nodes", .nodes_min = 70000),
		BAD("--ntasks-per-node", .tasks_per_node = 2000000),
		BAD("--mem", .mem_per_node = 1, .mem_per_cpu = 1),
		BAD("--time", .time_limit_s = -1),
		BAD("--time", .time_limit_s = INT64_MAX - 1),
		BAD("--begin", .begin_ns = -1),
		BAD("--signal", .warn_signal = 65),
		BAD("--signal", .warn_before_s = 65536),
		BAD("--checkpoint", .checkpoint_s = -1),
		BAD("--load-limit", .load_limit = -0.5),
		BAD("--load-limit", .load_limit = NAN),
		BAD("--load-limit", .load_limit = INFINITY),
		BAD("kind", .kind = 3),
		BAD("--migrate", .migrate = 77),
		BAD("--hint", .hint = (char *)(uintptr_t)"gpu"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(&bad[i].s, bad[i].word);
}

static void an_array_is_checked_against_its_limit(void **state)
{
	Om__JobSpec s = OM__JOB_SPEC__INIT;

	(void)state;
	s.array = T("1-1000");
	assert_int_equal(spec_check(&s, MAX_ARRAY, NULL), 0);
	s.array = T("0-1000");
	refused(&s, "1001 tasks asked, max_array allows 1000");
	s.array = T("7-3");
	refused(&s, "--array");
	s.array = T("x");
	refused(&s, "--array");
	s.array = T("1-10");
	s.has_kind = 1;
	s.kind = OM__JOB_KIND__ALLOCATION;
	refused(&s, "only batch jobs");
}

static void dependencies_are_complete_and_few(void **state)
{
	Om__JobSpec s = OM__JOB_SPEC__INIT;
	Om__Dependency d = OM__DEPENDENCY__INIT, *list[300];

	(void)state;
	for (int i = 0; i < 300; i++)
		list[i] = &d;
	s.dependency = list;
	s.n_dependency = 1;
	d.kind = OM__DEPENDENCY_KIND__AFTER_OK;
	refused(&s, "job id is missing");
	d.kind = OM__DEPENDENCY_KIND__SINGLETON;
	assert_int_equal(spec_check(&s, MAX_ARRAY, NULL), 0);
	d.kind = 99;
	refused(&s, "unknown kind");
	s.n_dependency = 300;
	refused(&s, "at most");
}

/* ------------------------------------------------------------------- launches */

static int check(const Om__Launch *l, Om__JobKind kind, struct om_error *err)
{
	ProtobufCBinaryData packed;
	Om__Launch *got = NULL;
	int rc;

	packed.len = om__launch__get_packed_size(l);
	packed.data = malloc(packed.len + 1);
	om__launch__pack(l, packed.data);
	rc = launch_check(&packed, kind, &got, err);
	if (rc == 0)
		om__launch__free_unpacked(got, NULL);
	free(packed.data);
	return rc;
}

static int check_script(const char *text, size_t len, struct om_error *err)
{
	Om__Launch l = OM__LAUNCH__INIT;

	l.cwd = T("/home");
	l.has_script = 1;
	l.script.data = (uint8_t *)(uintptr_t)text;
	l.script.len = len;
	return check(&l, OM__JOB_KIND__BATCH, err);
}

static void a_script_must_be_one(void **state)
{
	static const char elf[] = "#!\177ELF\0\1\2";
	struct om_error err = OM_ERROR_INIT;
	char *big = calloc(1, (5u << 20) + 1);

	(void)state;
	assert_int_equal(check_script("#!/bin/sh\n", 10, &err), 0);
	assert_true(check_script("echo hi\n", 8, &err) < 0);
	assert_non_null(strstr(err.text, "#!/bin/sh"));
	assert_true(check_script("", 0, &err) < 0);
	assert_true(check_script(elf, sizeof(elf), &err) < 0);
	assert_non_null(strstr(err.text, "NUL"));
	assert_true(check_script("#!/bin/sh\r\nid\r\n", 15, &err) < 0);
	assert_non_null(strstr(err.text, "DOS"));
	memset(big, 'x', 5u << 20);
	memcpy(big, "#!/bin/sh\n", 10);
	assert_true(check_script(big, 5u << 20, &err) < 0);
	free(big);
}

static void paths_and_environment_are_checked(void **state)
{
	Om__Launch l = OM__LAUNCH__INIT;
	struct om_error err = OM_ERROR_INIT;
	char *env[] = { T("A=1"), T("B") };

	(void)state;
	l.has_script = 1;
	l.script.data = (uint8_t *)(uintptr_t)"#!/bin/sh\n";
	l.script.len = 10;
	assert_true(check(&l, OM__JOB_KIND__BATCH, &err) < 0);
	l.cwd = T("home");
	assert_true(check(&l, OM__JOB_KIND__BATCH, &err) < 0);
	l.cwd = T("/home");
	assert_int_equal(check(&l, OM__JOB_KIND__BATCH, &err), 0);
	l.env = env;
	l.n_env = 2;
	assert_true(check(&l, OM__JOB_KIND__BATCH, &err) < 0);
	assert_non_null(strstr(err.text, "entry 1"));
	l.n_env = 1;
	assert_int_equal(check(&l, OM__JOB_KIND__BATCH, &err), 0);
	l.has_umask = 1;
	l.umask = 01000;
	assert_true(check(&l, OM__JOB_KIND__BATCH, &err) < 0);
}

/* What the controller keeps of a job is bounded, whatever its kind. */
static void name_of_the_submitting_host_is_bounded(void **state)
{
	Om__Launch l = OM__LAUNCH__INIT;
	struct om_error err = OM_ERROR_INIT;
	char host[257];

	(void)state;
	memset(host, 'h', sizeof(host));
	host[256] = '\0';
	l.submit_host = host;
	assert_true(check(&l, OM__JOB_KIND__ALLOCATION, &err) < 0);
	assert_non_null(strstr(err.text, "255"));
	host[255] = '\0';
	assert_int_equal(check(&l, OM__JOB_KIND__ALLOCATION, &err), 0);
}

static void a_malformed_launch_is_refused(void **state)
{
	uint8_t junk[] = { 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x' };
	ProtobufCBinaryData packed = { sizeof(junk), junk };
	Om__Launch *got = NULL;
	unsigned seed = 1;

	(void)state;
	assert_true(launch_check(&packed, OM__JOB_KIND__BATCH, &got, NULL) < 0);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[24];

		packed.data = bytes;
		packed.len = (size_t)(rand_r(&seed) % 24);
		for (size_t i = 0; i < packed.len; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		got = NULL;
		if (launch_check(&packed, OM__JOB_KIND__ALLOCATION, &got,
				 NULL) == 0)
			om__launch__free_unpacked(got, NULL);
		else
			assert_null(got);
	}
}

static void many_empty_strings_are_refused_before_they_are_decoded(void **state)
{
	size_t n = 200000;
	uint8_t *bytes = malloc(2 * n);
	ProtobufCBinaryData packed = { 2 * n, bytes };
	Om__Launch *got = NULL;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bytes[2 * i] = 0x1a;		/* env, empty */
		bytes[2 * i + 1] = 0;
	}
	assert_int_equal(launch_check(&packed, OM__JOB_KIND__ALLOCATION, &got,
				      NULL), -E2BIG);
	free(bytes);
}

static void a_step_needs_a_command_and_no_script(void **state)
{
	Om__Launch l = OM__LAUNCH__INIT, *got = NULL;
	char *argv[] = { T("true") };
	uint8_t buf[256];
	ProtobufCBinaryData packed = { 0, buf };

	(void)state;
	l.cwd = T("/");
	packed.len = om__launch__pack(&l, buf);
	assert_true(launch_check_step(&packed, &got, NULL) < 0);
	l.argv = argv;
	l.n_argv = 1;
	packed.len = om__launch__pack(&l, buf);
	assert_int_equal(launch_check_step(&packed, &got, NULL), 0);
	om__launch__free_unpacked(got, NULL);
}

static void options_without_effect_are_said(void **state)
{
	Om__JobSpec s = OM__JOB_SPEC__INIT;
	struct om_strvec notes = OM_STRVEC_INIT;

	(void)state;
	assert_int_equal(submit_notes(&s, &notes), 0);
	assert_int_equal(notes.n, 0);
	s.checkpoint_s = 60;
	s.max_freeze_ms = 5;
	s.has_migrate = 1;
	s.migrate = OM__MIGRATE_MODE__NEVER;
	assert_int_equal(submit_notes(&s, &notes), 0);
	assert_int_equal(notes.n, 3);
	om_strvec_fini(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_is_well),
		cmocka_unit_test(each_text_has_its_limit),
		cmocka_unit_test(counts_and_times_have_limits),
		cmocka_unit_test(an_array_is_checked_against_its_limit),
		cmocka_unit_test(dependencies_are_complete_and_few),
		cmocka_unit_test(a_script_must_be_one),
		cmocka_unit_test(paths_and_environment_are_checked),
		cmocka_unit_test(name_of_the_submitting_host_is_bounded),
		cmocka_unit_test(a_malformed_launch_is_refused),
		cmocka_unit_test(many_empty_strings_are_refused_before_they_are_decoded),
		cmocka_unit_test(a_step_needs_a_command_and_no_script),
		cmocka_unit_test(options_without_effect_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
