/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may do what: every cell of the table, written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sched/ctld/access.h"

/* Columns: anybody, owner, operator, admin, node. */
static const struct {
	enum access_action act;
	const char *may;
} wanted[] = {
	{ ACT_PING, "y----" },
	{ ACT_SUBMIT, "y----" },
	{ ACT_SUBMIT_ROOT, "-----" },
	{ ACT_JOB_VIEW, "y----" },
	{ ACT_JOB_WAIT, "y----" },
	{ ACT_JOB_WHY, "y----" },
	{ ACT_HISTORY, "y----" },
	{ ACT_JOB_CANCEL, "-yyy-" },
	{ ACT_JOB_SIGNAL, "-yyy-" },
	{ ACT_JOB_HOLD, "-yyy-" },
	{ ACT_JOB_RELEASE, "-yyy-" },
	{ ACT_JOB_RELEASE_ADMIN, "--yy-" },
	{ ACT_JOB_REQUEUE, "-yyy-" },
	{ ACT_JOB_UPDATE, "-yyy-" },
	{ ACT_JOB_RAISE, "--yy-" },
	{ ACT_JOB_FINISH, "-yyy-" },
	{ ACT_JOB_ATTACH, "-y---" },
	{ ACT_STEP_CREATE, "-y---" },
	{ ACT_STEP_SIGNAL, "-yyy-" },
	{ ACT_NODE_VIEW, "y----" },
	{ ACT_NODE_DRAIN, "--yy-" },
	{ ACT_NODE_SET, "--yy-" },
	{ ACT_NODE_REMOVE, "---y-" },
	{ ACT_CONFIG_SHOW, "y----" },
	{ ACT_CONFIG_SET, "---y-" },
	{ ACT_CONFIG_RELOAD, "---y-" },
	{ ACT_NODE_SERVE, "----y" },
};

static void every_cell_is_as_it_should_be(void **state)
{
	bool seen[ACCESS_ACTIONS] = { false };

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		seen[wanted[i].act] = true;
		for (unsigned bit = 0; bit < 5; bit++)
			if (access_may(1u << bit, wanted[i].act) !=
			    (wanted[i].may[bit] == 'y'))
				fail_msg("%s, class %u",
					 access_name(wanted[i].act), bit);
	}
	for (int act = 0; act < ACCESS_ACTIONS; act++)
		assert_true(seen[act]);
}

static void what_is_no_action_is_denied(void **state)
{
	(void)state;
	assert_false(access_may(~0u, ACCESS_ACTIONS));
	assert_false(access_may(~0u, (enum access_action)-1));
	assert_false(access_may(0, ACT_PING));
}

static struct access *make(const char *admin, const char *operator)
{
	static struct om_config config;
	static char *admins[2], *operators[2];
	struct access *a;

	admins[0] = (char *)(uintptr_t)admin;
	operators[0] = (char *)(uintptr_t)operator;
	config = (struct om_config){
		.controller_uid = 4242,
		.admins = { .v = admins, .n = admin != NULL },
		.operators = { .v = operators, .n = operator != NULL },
	};
	a = access_create(&config, NULL);
	assert_non_null(a);
	return a;
}

static void root_and_the_controllers_user_are_admins(void **state)
{
	struct access *a = make(NULL, NULL);

	(void)state;
	assert_int_equal(access_classes(a, 0, false, 0),
			 ACCESS_ANY | ACCESS_ADMIN);
	assert_int_equal(access_classes(a, 4242, false, 0),
			 ACCESS_ANY | ACCESS_ADMIN);
	assert_int_equal(access_classes(a, 1000, false, 0), ACCESS_ANY);
	access_destroy(a);
}

static void names_of_the_configuration_count(void **state)
{
	struct access *a = make("daemon", "bin");	/* uids 1 and 2 */

	(void)state;
	assert_true(access_classes(a, 1, false, 0) & ACCESS_ADMIN);
	assert_true(access_classes(a, 2, false, 0) & ACCESS_OPERATOR);
	assert_false(access_classes(a, 2, false, 0) & ACCESS_ADMIN);
	access_destroy(a);
}

static void an_unknown_name_gives_nobody_a_right(void **state)
{
	struct access *a = make("no-such-user-here", NULL);

	(void)state;
	assert_int_equal(access_classes(a, (uint32_t)-1, false, 0), ACCESS_ANY);
	access_destroy(a);
}

static void an_owner_is_one_only_of_his_own(void **state)
{
	struct access *a = make(NULL, NULL);
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_int_equal(access_check_owned(a, 1000, 1000, ACT_JOB_CANCEL,
					    &err), 0);
	assert_int_equal(access_check_owned(a, 1001, 1000, ACT_JOB_CANCEL,
					    &err), -EPERM);
	assert_non_null(strstr(err.text, "owner, operators and admins"));
	/* Without an owner nobody is one, not even uid 0 of job 0. */
	assert_int_equal(access_check(a, 1000, ACT_STEP_CREATE, &err), -EPERM);
	/* An admin is not by that an owner. */
	assert_int_equal(access_check_owned(a, 0, 1000, ACT_STEP_CREATE, &err),
			 -EPERM);
	access_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_it_should_be),
		cmocka_unit_test(what_is_no_action_is_denied),
		cmocka_unit_test(root_and_the_controllers_user_are_admins),
		cmocka_unit_test(names_of_the_configuration_count),
		cmocka_unit_test(an_unknown_name_gives_nobody_a_right),
		cmocka_unit_test(an_owner_is_one_only_of_his_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
