/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cluster masks and constraints: what is allowed, and what is no mask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/policy/feature.h"
#include "sched/policy/mask.h"

static const char *const big[] = { "bigmem", "gpu" };
static const char *const none[] = { "plain" };

static struct om_node node(const char *name, const char *const *feature,
			   uint32_t features)
{
	return (struct om_node){
		.name = name,
		.feature = (const char **)(uintptr_t)feature,
		.features = features,
	};
}

static bool allows(const char *text, const char *name,
		   const char *const *feature, uint32_t features)
{
	struct om_mask mask = OM_MASK_INIT;
	struct om_error err = OM_ERROR_INIT;
	struct om_node n = node(name, feature, features);
	bool ok;

	if (om_mask_parse(&mask, text, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	ok = om_mask_allows(&mask, &n);
	om_mask_fini(&mask);
	return ok;
}

static void a_mask_allows_what_it_names(void **state)
{
	(void)state;
	assert_true(allows("n[1-8],!n3,@bigmem", "n1", none, 1));
	assert_true(allows("n[1-8],!n3,@bigmem", "x7", big, 2));
	assert_false(allows("n[1-8],!n3,@bigmem", "n3", none, 1));
	assert_false(allows("n[1-8],!n3,@bigmem", "n3", big, 2));
	assert_false(allows("n[1-8],!n3,@bigmem", "n9", none, 1));
	assert_true(allows("n[1-2,5],m1", "m1", NULL, 0));
	assert_false(allows("n[1-2,5],m1", "n3", NULL, 0));
}

static void a_mask_of_denials_allows_the_rest(void **state)
{
	(void)state;
	assert_false(allows("!n[1-2]", "n2", none, 1));
	assert_true(allows("!n[1-2]", "n3", none, 1));
	assert_false(allows("!@gpu", "n3", big, 2));
	assert_true(allows("!@gpu", "n3", none, 1));
}

static void a_bad_mask_is_refused(void **state)
{
	static const char *const bad[] = {
		"", ",", "n1,", ",n1", "!", "@", "!@", "n[1-", "n1 n2", "n]1[",
		"!!n1", "n1,@a b", "n[5-1]", "@@a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct om_mask mask = OM_MASK_INIT;
		struct om_error err = OM_ERROR_INIT;

		if (om_mask_parse(&mask, bad[i], &err) >= 0)
			fail_msg("'%s' was taken for a mask", bad[i]);
		assert_int_not_equal(err.code, 0);
		om_mask_fini(&mask);
	}
}

static bool matches(const char *text, const char *const *feature,
		    uint32_t features)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_feature_expr *e = om_feature_parse(text, &err);
	struct om_node n = node("n1", feature, features);
	bool ok;

	if (!e)
		fail_msg("'%s': %s", text, err.text);
	ok = om_feature_match(e, &n);
	om_feature_destroy(e);
	return ok;
}

static void a_constraint_is_an_expression(void **state)
{
	(void)state;
	assert_true(matches("gpu", big, 2));
	assert_false(matches("gpu", none, 1));
	assert_true(matches("gpu&bigmem", big, 2));
	assert_false(matches("gpu&plain", big, 2));
	assert_true(matches("gpu|plain", none, 1));
	/* & before | */
	assert_true(matches("plain|gpu&bigmem", none, 1));
	assert_true(matches("gpu&bigmem|plain", none, 1));
	assert_false(matches("(plain|gpu)&bigmem", none, 1));
	assert_true(matches("[plain|gpu]", none, 1));
	assert_true(matches("((gpu))", big, 2));
	assert_true(matches("gpu*4&bigmem*2", big, 2));
	assert_false(matches("gp", big, 2));
}

static void a_bad_constraint_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "&", "a&", "|a", "a||b", "(a", "a)", "(a]", "[a)", "a b",
		"a*", "a*x", "*3", "()", "a&(b|)", "!a", "a**2", "a*2*3",
	};
	char deep[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct om_error err = OM_ERROR_INIT;
		struct om_feature_expr *e = om_feature_parse(bad[i], &err);

		if (e)
			fail_msg("'%s' was taken for a constraint", bad[i]);
		assert_int_equal(err.code, -EINVAL);
	}
	memset(deep, '(', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_null(om_feature_parse(deep, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mask_allows_what_it_names),
		cmocka_unit_test(a_mask_of_denials_allows_the_rest),
		cmocka_unit_test(a_bad_mask_is_refused),
		cmocka_unit_test(a_constraint_is_an_expression),
		cmocka_unit_test(a_bad_constraint_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
