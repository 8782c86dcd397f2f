/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The allocation as our Open MPI components read it from the environment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmix-plugin/mca/common/alloc_env.h"

/* What the two lists stand for, as "name:slots name:slots ...". */
static void assert_means(const char *nodelist, const char *slots, const char *want)
{
	struct om_alloc_error err = { "" };
	struct om_alloc_env alloc = { 0 };
	char text[512] = "";
	size_t used = 0;

	if (om_alloc_env_parse(nodelist, slots, &alloc, &err) < 0)
		fail_msg("'%s' with '%s': %s", nodelist, slots, err.text);
	for (unsigned i = 0; i < alloc.nnodes; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%u",
					 i ? " " : "", alloc.names[i], alloc.slots[i]);
	assert_string_equal(text, want);
	om_alloc_env_fini(&alloc);
}

static void assert_refused(const char *nodelist, const char *slots, int want)
{
	struct om_alloc_env alloc = { .nnodes = 77 };
	struct om_alloc_error err = { "" };

	if (om_alloc_env_parse(nodelist, slots, &alloc, &err) != want)
		fail_msg("'%.60s' with '%.60s' was not refused as it should", nodelist, slots);
	assert_true(err.text[0] != '\0');
	assert_int_equal(alloc.nnodes, 77);
	assert_null(alloc.names);
}

static void plain_list_keeps_its_order(void **state)
{
	(void)state;
	assert_means("big", "7", "big:7");
	assert_means("n2,n1,n10", "1,2,3", "n2:1 n1:2 n10:3");
}

static void brackets_expand_and_keep_zeros(void **state)
{
	(void)state;
	assert_means("n[1-3]", "2(x3)", "n1:2 n2:2 n3:2");
	assert_means("n[08-11,2],big", "1(x6)", "n08:1 n09:1 n10:1 n11:1 n2:1 big:1");
	assert_means("r[1-2]n[1,3]-ib", "1,2(x2),3", "r1n1-ib:1 r1n3-ib:2 r2n1-ib:2 r2n3-ib:3");
	assert_means("n[0-1].cluster.org", "0(x2)", "n0.cluster.org:0 n1.cluster.org:0");
}

static void repetition_aligns_with_expanded_nodes(void **state)
{
	(void)state;
	assert_means("n[1-2],m[1-2]", "2(x3),1", "n1:2 n2:2 m1:2 m2:1");
	assert_means("n[1-2]", "3(x0),2(x2)", "n1:2 n2:2");
}

static void malformed_nodelist_is_refused(void **state)
{
	static const char *const bad[] = {
		"", ",", "n1,", ",n1", "n1,,n2", "n[", "n]", "n[]", "n[1", "n[1-", "n[-1]",
		"n[1-]", "n[a]", "n[1,]", "n[,1]", "n[3-1]", "n[[1]]", "n[1]]", "n 1", "n1;id",
		"-n1", ".n", "n/1", "n\n1", "n\xc3\xa9", "n[1234567890]", "n[1]m[2]o[3]p[4]q[5]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i], "1", -EINVAL);
	assert_refused("n[3-1],n5", "1", -EINVAL);
	assert_refused("n5,n[3-1]", "1", -EINVAL);
}

static void malformed_slots_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "1", "1,1,1", "1,1,", ",1,1", "2(x3)", "2(x1)", "2(2)", "2(x", "2(x2", "2x2",
		"-1,1", "1;1", "x,1", "1 ,1", "65536,1", "99999999999,1", "1,2(x4294967295)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused("n1,n2", bad[i], -EINVAL);
}

static void node_named_twice_is_refused(void **state)
{
	(void)state;
	assert_refused("n1,n2,n1", "1(x3)", -EINVAL);
	assert_refused("n[1-3,2]", "1(x4)", -EINVAL);
}

static void short_text_for_many_nodes_is_refused(void **state)
{
	(void)state;
	assert_refused("n[0-99999999]", "1", -E2BIG);
	assert_refused("a[0-9999]b[0-9999]c[0-9999]d[0-9999]", "1", -E2BIG);
}

static void overlong_name_is_refused(void **state)
{
	char name[OM_ALLOC_MAX_NAME + 8];
	struct om_alloc_env alloc = { 0 };

	(void)state;
	memset(name, 'n', sizeof(name));
	strcpy(name + OM_ALLOC_MAX_NAME, "");
	assert_int_equal(om_alloc_env_parse(name, "1", &alloc, NULL), 0);
	om_alloc_env_fini(&alloc);
	strcpy(name + OM_ALLOC_MAX_NAME, "n");
	assert_refused(name, "1", -E2BIG);
	strcpy(name + OM_ALLOC_MAX_NAME - 1, "[10]");
	assert_refused(name, "1", -E2BIG);
}

static void overlong_text_is_refused(void **state)
{
	char *text = malloc(OM_ALLOC_MAX_TEXT + 2);

	(void)state;
	assert_non_null(text);
	memset(text, '1', OM_ALLOC_MAX_TEXT + 1);
	text[OM_ALLOC_MAX_TEXT + 1] = '\0';
	assert_refused(text, "1", -E2BIG);
	assert_refused("n1", text, -E2BIG);
	free(text);
}

static void largest_allocation_is_read(void **state)
{
	struct om_alloc_env alloc = { 0 };

	(void)state;
	assert_int_equal(om_alloc_env_parse("n[0-65535]", "65535(x65536)", &alloc, NULL), 0);
	assert_int_equal(alloc.nnodes, OM_ALLOC_MAX_NODES);
	assert_string_equal(alloc.names[65535], "n65535");
	assert_int_equal(om_alloc_env_find(&alloc, "n40000"), 40000);
	om_alloc_env_fini(&alloc);
}

static void missing_variable_is_named(void **state)
{
	struct om_alloc_error err = { "" };
	struct om_alloc_env alloc = { 0 };

	(void)state;
	unsetenv("OM_NODELIST");
	unsetenv("OM_SLOTS_PER_NODE");
	assert_int_equal(om_alloc_env_load(&alloc, &err), -ENOENT);
	assert_string_equal(err.text, "OM_NODELIST is not set");
	setenv("OM_NODELIST", "n1", 1);
	assert_int_equal(om_alloc_env_load(&alloc, &err), -ENOENT);
	assert_string_equal(err.text, "OM_SLOTS_PER_NODE is not set");
	setenv("OM_SLOTS_PER_NODE", "4", 1);
	assert_int_equal(om_alloc_env_load(&alloc, &err), 0);
	assert_int_equal(om_alloc_env_find(&alloc, "n1"), 0);
	assert_int_equal(om_alloc_env_find(&alloc, "n"), -ENOENT);
	om_alloc_env_fini(&alloc);
	om_alloc_env_fini(&alloc);
}

static void only_a_whole_number_is_a_number(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "101", "9999999999" };
	unsigned n = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(om_alloc_env_number(bad[i], 100, &n), -EINVAL);
	assert_int_equal(n, 5);
	assert_int_equal(om_alloc_env_number("100", 100, &n), 0);
	assert_int_equal(n, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_list_keeps_its_order),
		cmocka_unit_test(brackets_expand_and_keep_zeros),
		cmocka_unit_test(repetition_aligns_with_expanded_nodes),
		cmocka_unit_test(malformed_nodelist_is_refused),
		cmocka_unit_test(malformed_slots_are_refused),
		cmocka_unit_test(node_named_twice_is_refused),
		cmocka_unit_test(short_text_for_many_nodes_is_refused),
		cmocka_unit_test(overlong_name_is_refused),
		cmocka_unit_test(overlong_text_is_refused),
		cmocka_unit_test(largest_allocation_is_read),
		cmocka_unit_test(missing_variable_is_named),
		cmocka_unit_test(only_a_whole_number_is_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
