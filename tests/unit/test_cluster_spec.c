/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What "omcluster up" was asked for, and which nodes come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cluster/spec.h"

#define GIB (UINT64_C(1) << 30)

static const struct spec_host two_cores = { .cpus = 2, .mem_bytes = 20 * GIB };

static void fresh(struct cluster *c)
{
	assert_int_equal(cluster_init(c, "test", NULL), 0);
}

static void nodes_share_the_machine(void **state)
{
	struct spec s = { .nodes = 4 };
	struct cluster c;

	(void)state;
	fresh(&c);
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 4);
	assert_int_equal(c.nodes, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(c.node[i].number, i + 1);
		assert_int_equal(c.node[i].cpus, 1);
		assert_int_equal(c.node[i].cpu_share, 100);
		assert_true(c.node[i].mem_bytes > 4 * GIB);
		assert_true(c.node[i].mem_bytes < 5 * GIB);
	}
	cluster_fini(&c);
}

static void a_node_is_never_left_without_processors_or_memory(void **state)
{
	struct spec s = { .nodes = 253 };
	struct spec_host tiny = { .cpus = 1, .mem_bytes = GIB };
	struct cluster c;

	(void)state;
	fresh(&c);
	assert_int_equal(spec_apply(&s, &tiny, &c, NULL), 253);
	assert_int_equal(c.node[252].cpus, 1);
	assert_true(c.node[252].mem_bytes >= 64 << 20);
	cluster_fini(&c);
}

static void a_nodes_own_settings_count_more_than_those_for_all(void **state)
{
	struct spec s = { .nodes = 3, .all = { .cpus = 2 } };
	struct cluster c;

	(void)state;
	fresh(&c);
	om_strvec_add(&s.node, "n2:cpu-share=50,memory=2G");
	om_strvec_add(&s.node, "n3:cpus=7");
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 3);
	assert_int_equal(c.node[1].cpus, 2);
	assert_int_equal(c.node[1].cpu_share, 50);
	assert_int_equal(c.node[1].mem_bytes, 2 * GIB);
	assert_int_equal(c.node[2].cpus, 7);
	/* never more time than the machine has */
	assert_int_equal(c.node[2].cpu_share, 200);
	om_strvec_fini(&s.node);
	cluster_fini(&c);
}

static void up_again_adds_only_what_is_missing(void **state)
{
	struct spec s = { .nodes = 2 };
	struct cluster c;

	(void)state;
	fresh(&c);
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 2);
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 0);
	s.nodes = 3;
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 1);
	s.nodes = 1;
	assert_int_equal(spec_apply(&s, &two_cores, &c, NULL), 0);
	assert_int_equal(c.nodes, 3);
	cluster_fini(&c);
}

static void settings_that_contradict_a_running_node_are_refused(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct spec s = { .nodes = 2 };
	struct cluster c;

	(void)state;
	fresh(&c);
	spec_apply(&s, &two_cores, &c, NULL);
	s.all.cpu_share = 55;
	assert_int_equal(spec_apply(&s, &two_cores, &c, &err), -EEXIST);
	assert_non_null(strstr(err.text, "n1"));
	s.all.cpu_share = 0;
	s.network = "10.91.0.0/24";
	assert_int_equal(spec_apply(&s, &two_cores, &c, &err), -EEXIST);
	cluster_fini(&c);
}

static void bad_node_settings_are_refused_with_words(void **state)
{
	static const char *const bad[] = {
		"n1", "n1:cpus", "n1:cpus=0", "n1:cpus=x", "n1:speed=3",
		"n1:memory=1M", "n1:cpu-share=-1", "n5:cpus=1", "n0:cpus=1",
		"m1:cpus=1", "n99999:cpus=1", ":cpus=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct om_error err = OM_ERROR_INIT;
		struct spec s = { .nodes = 2 };
		struct cluster c;

		fresh(&c);
		om_strvec_add(&s.node, bad[i]);
		assert_true(spec_apply(&s, &two_cores, &c, &err) < 0);
		assert_true(err.text[0]);
		om_strvec_fini(&s.node);
		cluster_fini(&c);
	}
}

static void networks_and_names_are_checked(void **state)
{
	static const char *const bad[] = {
		"", "10.90.0.0", "10.90.0.0/16", "10.90.0.1/24", "a.b.c.0/24",
		"10.90.0.0/24x", "10.90.0.0.0.0.0.0.0.0/24",
	};
	struct cluster c;
	uint32_t net = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cluster_network_parse(bad[i], &net, NULL),
				 -EINVAL);
	assert_int_equal(net, 7);
	assert_int_equal(cluster_network_parse("10.90.1.0/24", &net, NULL), 0);
	assert_int_equal(net, 0x0a5a0100);
	assert_int_equal(cluster_init(&c, "../etc", NULL), -EINVAL);
	assert_int_equal(cluster_init(&c, "toolongname", NULL), -EINVAL);
	assert_int_equal(cluster_init(&c, "Upper", NULL), -EINVAL);
}

static void link_names_always_fit(void **state)
{
	struct cluster_node n = { .name = "n253", .number = 253 };
	char name[IFNAMSIZ];
	struct cluster c;

	(void)state;
	assert_int_equal(cluster_init(&c, "eightchr", NULL), 0);
	cluster_link_name(&c, &n, name);
	assert_string_equal(name, "omeightchr.253");
	assert_string_equal(c.bridge, "omc-eightchr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_share_the_machine),
		cmocka_unit_test(a_node_is_never_left_without_processors_or_memory),
		cmocka_unit_test(a_nodes_own_settings_count_more_than_those_for_all),
		cmocka_unit_test(up_again_adds_only_what_is_missing),
		cmocka_unit_test(settings_that_contradict_a_running_node_are_refused),
		cmocka_unit_test(bad_node_settings_are_refused_with_words),
		cmocka_unit_test(networks_and_names_are_checked),
		cmocka_unit_test(link_names_always_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
