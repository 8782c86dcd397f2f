/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of lib/base's containers: id sets, host lists, buffers, vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/base/strvec.h"

#define UNIVERSE 200

static void assert_idset(const char *text, const char *canonical)
{
	struct om_idset s = OM_IDSET_INIT;
	om_autofree char *back = NULL;

	assert_int_equal(om_idset_parse(&s, text, 1000000, 1000, NULL), 0);
	back = om_idset_format(&s);
	assert_string_equal(back, canonical);
	om_idset_fini(&s);
}

static void id_lists_become_canonical(void **state)
{
	(void)state;
	assert_idset("1-5,7", "1-5,7");
	assert_idset("7,1-5,6", "1-7");
	assert_idset("0-10:5", "0,5,10");
	assert_idset("3,3,3", "3");
	assert_idset("1-100000", "1-100000");
	assert_idset("5-9,1-20", "1-20");
}

static void bad_id_lists_are_refused(void **state)
{
	static const char *const bad[] = { "", ",", "1,", "a", "5-3", "1-", "-1",
					   "1-5:0", "1 2", "1;2", "1-5%2" };
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct om_idset s = OM_IDSET_INIT;

		assert_int_equal(om_idset_parse(&s, bad[i], 100, 100, &err), -EINVAL);
		om_idset_fini(&s);
	}
	{
		struct om_idset s = OM_IDSET_INIT;

		assert_int_equal(om_idset_parse(&s, "1-101", 100, 100, &err), -ERANGE);
		assert_int_equal(om_idset_parse(&s, "0-100:2", 100, 10, &err), -ERANGE);
		om_idset_fini(&s);
	}
}

/* The same operations on a set and on an array of flags. */
static void an_idset_agrees_with_an_array_of_flags(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
	struct om_idset s = OM_IDSET_INIT;
	bool flag[UNIVERSE] = { false };

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		uint32_t a = (uint32_t)rand() % UNIVERSE;
		uint32_t b = a + (uint32_t)rand() % (UNIVERSE - a), next;
		uint64_t below = 0, size = 0;

		if (rand() % 3 == 0) {
			b = b - a > 8 ? a + 8 : b;
			assert_int_equal(om_idset_add_range(&s, a, b), 0);
			memset(flag + a, true, b - a + 1);
		} else {
			assert_int_equal(om_idset_remove(&s, a), 0);
			flag[a] = false;
		}
		for (uint32_t k = 0; k < UNIVERSE; k++) {
			below += k < a && flag[k];
			size += flag[k];
		}
		assert_int_equal(om_idset_size(&s), size);
		assert_int_equal(om_idset_rank(&s, a), below);
		assert_int_equal(om_idset_has(&s, a), flag[a]);
		if (below < size) {
			assert_true(om_idset_select(&s, below, &next));
			assert_true(flag[next] && next >= a);
			assert_true(om_idset_next(&s, a, &b));
			assert_int_equal(b, next);
		} else {
			assert_false(om_idset_select(&s, below, &next));
		}
	}
	om_idset_fini(&s);
}

static void the_last_number_is_a_member_like_any_other(void **state)
{
	struct om_idset s = OM_IDSET_INIT;

	(void)state;
	om_idset_add_range(&s, UINT32_MAX - 1, UINT32_MAX);
	om_idset_add_range(&s, 0, 0);
	assert_true(om_idset_has(&s, UINT32_MAX));
	assert_int_equal(om_idset_size(&s), 3);
	assert_int_equal(om_idset_remove(&s, UINT32_MAX), 0);
	assert_false(om_idset_has(&s, UINT32_MAX));
	om_idset_fini(&s);
}

static void assert_hosts(const char *text, size_t count, const char *back)
{
	struct om_strvec names = OM_STRVEC_INIT;
	om_autofree char *again = NULL;

	assert_int_equal(om_hostlist_expand(text, &names, NULL), 0);
	assert_int_equal(names.n, count);
	again = om_hostlist_compress((const char *const *)names.v, names.n);
	assert_string_equal(again, back);
	om_strvec_fini(&names);
}

static void host_lists_expand_and_compress(void **state)
{
	(void)state;
	assert_hosts("n[1-3,7]", 4, "n[1-3,7]");
	assert_hosts("n1,n2,n3", 3, "n[1-3]");
	assert_hosts("login", 1, "login");
	assert_hosts("n9,n10", 2, "n[9-10]");
	assert_hosts("r[01-03]", 3, "r[01-03]");
	assert_hosts("a1,b1,b2", 3, "a1,b[1-2]");
	assert_hosts("n3,n1", 2, "n[3,1]");
	assert_hosts("n[1-2].example.org", 2, "n1.example.org,n2.example.org");
	assert_hosts("n[098-101]", 4, "n[098-101]");
}

static void bad_host_lists_are_refused(void **state)
{
	static const char *const bad[] = { "", ",", "n[", "n[1", "n[]", "n[a]",
		"n[3-1]", "n[1-2]]", "a b", "a,,b", "n[1-]", "a/b",
		"n[1-99999999]", "n[9999999999]" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct om_strvec names = OM_STRVEC_INIT;

		assert_true(om_hostlist_expand(bad[i], &names, NULL) < 0);
		om_strvec_fini(&names);
	}
	assert_int_equal(om_hostname_check("n1.example-a_b"), 0);
	assert_int_equal(om_hostname_check("../etc"), -EINVAL);
	assert_int_equal(om_hostname_check(""), -EINVAL);
}

static void a_host_list_survives_the_round_trip(void **state)
{
	(void)state;
	srand(11);
	for (int round = 0; round < 500; round++) {
		struct om_strvec a = OM_STRVEC_INIT, b = OM_STRVEC_INIT;
		om_autofree char *text = NULL;
		int n = 1 + rand() % 12;

		for (int i = 0; i < n; i++)
			om_strvec_addf(&a, rand() % 3 ? "n%d" : "m%03d",
				       rand() % 120);
		text = om_hostlist_compress((const char *const *)a.v, a.n);
		assert_int_equal(om_hostlist_expand(text, &b, NULL), 0);
		assert_int_equal(a.n, b.n);
		for (size_t i = 0; i < a.n; i++)
			assert_string_equal(a.v[i], b.v[i]);
		om_strvec_fini(&a);
		om_strvec_fini(&b);
	}
}

static void a_buffer_is_a_queue_of_bytes(void **state)
{
	struct om_buf b = OM_BUF_INIT;
	char in[4096], out[4096];
	size_t written = 0, read = 0;

	(void)state;
	srand(3);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(rand() % 255 + 1);
	while (read < sizeof(in)) {
		size_t n = (size_t)rand() % 100;

		if (n > sizeof(in) - written)
			n = sizeof(in) - written;
		assert_int_equal(om_buf_add(&b, in + written, n), 0);
		written += n;
		n = (size_t)rand() % 100;
		if (n > om_buf_len(&b))
			n = om_buf_len(&b);
		memcpy(out + read, om_buf_str(&b), n);
		om_buf_consume(&b, n);
		read += n;
		assert_int_equal(om_buf_str(&b)[om_buf_len(&b)], 0);
	}
	assert_memory_equal(in, out, sizeof(in));
	om_buf_fini(&b);
}

static void an_environment_has_each_name_once(void **state)
{
	struct om_strvec env = OM_STRVEC_INIT;

	(void)state;
	om_strvec_setenv(&env, "A", "1");
	om_strvec_setenv(&env, "AB", "2");
	om_strvec_setenvf(&env, "A", "%d", 3);
	assert_int_equal(env.n, 2);
	assert_string_equal(om_strvec_getenv(&env, "A"), "3");
	assert_string_equal(om_strvec_getenv(&env, "AB"), "2");
	assert_null(om_strvec_getenv(&env, "B"));
	om_strvec_unsetenv(&env, "A");
	assert_null(om_strvec_getenv(&env, "A"));
	assert_null(env.v[env.n]);
	om_strvec_fini(&env);
}

static void an_error_chain_reads_from_the_outside_in(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	char longer[600];

	(void)state;
	errno = ENOENT;
	assert_int_equal(om_fail_errno(&err, "cannot open '%s'", "x"), -ENOENT);
	assert_int_equal(om_wrap(&err, err.code, "restoring step %d", 4), -ENOENT);
	assert_string_equal(err.text,
		"restoring step 4: cannot open 'x': No such file or directory");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	om_wrap(&err, -EIO, "%s", longer);
	assert_true(strlen(err.text) < OM_ERROR_TEXT_MAX);
	assert_int_equal(om_fail(NULL, -EIO, "nobody listens"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_lists_become_canonical),
		cmocka_unit_test(bad_id_lists_are_refused),
		cmocka_unit_test(an_idset_agrees_with_an_array_of_flags),
		cmocka_unit_test(the_last_number_is_a_member_like_any_other),
		cmocka_unit_test(host_lists_expand_and_compress),
		cmocka_unit_test(bad_host_lists_are_refused),
		cmocka_unit_test(a_host_list_survives_the_round_trip),
		cmocka_unit_test(a_buffer_is_a_queue_of_bytes),
		cmocka_unit_test(an_environment_has_each_name_once),
		cmocka_unit_test(an_error_chain_reads_from_the_outside_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
