/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Properties of prices, on random nodes of every size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/econ/cost.h"
#include "sched/econ/move.h"
#include "tests/unit/model_fixture.h"

#define ROUNDS 20000
#define GIB 1073741824.0

static double uniform(uint64_t *seed, double below)
{
	return below * fix_random(seed, 1u << 30) / (1u << 30);
}

/* From 1e-6 to 1e6, each power of ten as likely. */
static double any_size(uint64_t *seed)
{
	return pow(10, uniform(seed, 12) - 6);
}

static struct om_econ_market random_market(uint64_t *seed)
{
	static const uint32_t nodes[] = { 0, 1, 2, 3, 4, 100, 10000, 100000 };
	struct om_econ_market m;

	om_econ_market_init(&m, nodes[fix_random(seed, 8)]);
	m.load_max = ldexp(1, (int)fix_random(seed, 12));
	m.speed_max = any_size(seed);
	return m;
}

static struct om_econ_node random_node(uint64_t *seed)
{
	return (struct om_econ_node){
		.threads = any_size(seed) * 10,
		.cpus = 1 + fix_random(seed, 256),
		.speed = any_size(seed),
		.mem_used = uniform(seed, 64 * GIB),
		.mem = 32 * GIB,
		.net_used = any_size(seed) * 1e6,
		.net = 125e6,
	};
}

static void curves_are_finite_rising_and_convex(void **state)
{
	uint64_t seed = fix_seed(__func__, 1);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		double a = any_size(&seed), d = any_size(&seed);
		double x = om_econ_curve(&m, a), y = om_econ_curve(&m, a + d),
		       z = om_econ_curve(&m, a + 2 * d);
		double p = om_econ_curve_memory(&m, a),
		       q = om_econ_curve_memory(&m, a + d),
		       r = om_econ_curve_memory(&m, a + 2 * d);

		assert_true(x >= 0 && isfinite(z) && p >= 0 && isfinite(r));
		assert_true(x <= y && y <= z && p <= q && q <= r);
		/* Above the largest ratio all are clamped to that one. */
		if (a + 2 * d > OM_ECON_RATIO_MAX)
			continue;
		assert_true(y - x <= (z - y) + 1e-12 * z);
		assert_true(q - p <= (r - q) + 1e-12 * r);
	}
}

static void the_curve_is_n_to_the_ratio(void **state)
{
	struct om_econ_market m;

	(void)state;
	om_econ_market_init(&m, 16);
	assert_true(fabs(om_econ_curve(&m, 0) - 1) < 1e-12);
	assert_true(fabs(om_econ_curve(&m, 0.5) - 4) < 1e-9);
	assert_true(fabs(om_econ_curve(&m, 1) - 16) < 1e-9);
	assert_true(fabs(om_econ_curve(&m, 2) - 256) < 1e-9);
}

static void extremes_do_not_overflow(void **state)
{
	struct om_econ_market m;
	struct om_econ_node n = { .threads = 1e300, .cpus = 1, .speed = 1e-300,
				  .mem_used = 1e300, .mem = 1, .net_used = 1e300,
				  .net = 1 };
	struct om_econ_demand d = { 1e300, 1e300, 1e300 };

	(void)state;
	om_econ_market_init(&m, UINT32_MAX);
	assert_true(isfinite(om_econ_cost(&m, &n)));
	assert_true(isfinite(om_econ_marginal(&m, &n, &d)));
	assert_true(om_econ_marginal(&m, &n, &d) >= 0);
	assert_true(isfinite(om_econ_relief(&m, &n, &d)));
	n.threads = d.mem = NAN;
	n.mem = 0;
	assert_true(isfinite(om_econ_cost(&m, &n)));
	assert_true(om_econ_marginal(&m, &n, &d) >= 0);
	assert_true(om_econ_curve(&m, 1e6) == om_econ_curve(&m, 1e9));
}

static void marginal_cost_is_the_difference_of_costs(void **state)
{
	uint64_t seed = fix_seed(__func__, 2);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node n = random_node(&seed), after = n;
		struct om_econ_demand d = { any_size(&seed),
					    uniform(&seed, 8 * GIB),
					    any_size(&seed) * 1e5 };
		double before = om_econ_cost(&m, &n), diff, mc, back;

		after.threads += d.threads;
		after.mem_used += d.mem;
		after.net_used += d.net;
		diff = om_econ_cost(&m, &after) - before;
		mc = om_econ_marginal(&m, &n, &d);
		back = om_econ_relief(&m, &after, &d);
		assert_true(mc >= 0 && back >= 0);
		assert_true(fabs(mc - diff) <= 1e-7 * (before + diff));
		/* a + d - d is not a to the last bit. */
		assert_true(fabs(mc - back) <= 1e-6 * (before + diff));
	}
}

static void nothing_added_costs_nothing(void **state)
{
	uint64_t seed = fix_seed(__func__, 3);
	struct om_econ_demand none = { 0, 0, 0 };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node n = random_node(&seed);

		assert_true(om_econ_marginal(&m, &n, &none) == 0);
		assert_true(om_econ_relief(&m, &n, &none) == 0);
	}
}

static void more_load_makes_a_task_dearer(void **state)
{
	uint64_t seed = fix_seed(__func__, 4);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node n = random_node(&seed), busier = n;
		struct om_econ_demand d = { 1, 0, 0 };
		double less = om_econ_marginal(&m, &n, &d);

		busier.threads = n.threads * 1.5 + 2;
		if (om_econ_load(&m, &busier) >= OM_ECON_RATIO_MAX)
			continue;	/* clamped: all are the same there */
		busier.threads--;
		assert_true(om_econ_marginal(&m, &busier, &d) >= less * (1 - 1e-6));
	}
}

static void speeds_count_as_ratios_only(void **state)
{
	uint64_t seed = fix_seed(__func__, 5);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market a, b;
		struct om_econ_node n = random_node(&seed), fast = n;
		struct om_econ_node scaled, fast_scaled;
		struct om_econ_demand d = { 1, GIB, 0 };
		double k = any_size(&seed), x, y;

		fast.speed = n.speed * (1 + uniform(&seed, 10));
		scaled = n;
		fast_scaled = fast;
		scaled.speed *= k;
		fast_scaled.speed *= k;
		om_econ_market_init(&a, 100);
		om_econ_market_init(&b, 100);
		om_econ_market_see(&a, &fast);
		om_econ_market_see(&a, &n);
		om_econ_market_see(&b, &fast_scaled);
		om_econ_market_see(&b, &scaled);
		x = om_econ_marginal(&a, &n, &d);
		y = om_econ_marginal(&b, &scaled, &d);
		/* Rounding may put a load on the other side of a power of
		 * two; then the prices are of two scales. */
		if (a.load_max == b.load_max)
			assert_true(fabs(x - y) <= 1e-6 * x);
	}
}

static void a_faster_node_is_cheaper_for_the_same_load(void **state)
{
	uint64_t seed = fix_seed(__func__, 6);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node n = random_node(&seed), fast = n;
		struct om_econ_demand d = { 1, 0, 0 };

		fast.speed = n.speed * (1 + uniform(&seed, 10));
		if (om_econ_load(&m, &n) * (1 + 1 / n.threads) >=
		    OM_ECON_RATIO_MAX)
			continue;
		assert_true(om_econ_marginal(&m, &fast, &d) <=
			    om_econ_marginal(&m, &n, &d) * (1 + 1e-6));
	}
}

static void memory_that_fits_beats_any_overflow(void **state)
{
	uint64_t seed = fix_seed(__func__, 7);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node fits = random_node(&seed);
		struct om_econ_node full = random_node(&seed);
		struct om_econ_demand d = { any_size(&seed), 4096, 0 };

		/* The one that fits has all else against it. */
		fits.threads = 1e6;
		fits.net_used = 1e12;
		fits.mem_used = fits.mem - d.mem;
		full.threads = full.net_used = 0;
		full.mem_used = full.mem + uniform(&seed, full.mem);
		if (fix_random(&seed, 2))
			full.mem_used = full.mem;
		assert_true(om_econ_marginal(&m, &fits, &d) <
			    om_econ_marginal(&m, &full, &d));
	}
}

static void the_load_scale_is_the_next_power_of_two(void **state)
{
	struct om_econ_market m;
	struct om_econ_node n = { .cpus = 1, .speed = 1 };

	(void)state;
	assert_true(om_econ_load_max(0) == 1);
	assert_true(om_econ_load_max(0.9) == 1);
	assert_true(om_econ_load_max(1) == 2);
	assert_true(om_econ_load_max(3.9) == 4);
	assert_true(om_econ_load_max(4) == 8);
	om_econ_market_init(&m, 4);
	assert_true(om_econ_market_see(&m, &n));	/* the speed */
	assert_false(om_econ_market_see(&m, &n));
	n.threads = 5;
	assert_true(om_econ_market_see(&m, &n));
	assert_true(m.load_max == 8);
	n.threads = 1;		/* seen once, remembered */
	assert_false(om_econ_market_see(&m, &n));
	assert_true(m.load_max == 8);
}

static void a_move_has_to_pay_for_itself(void **state)
{
	struct om_econ_move mv = { .bytes = GIB, .rate = 125e6, .freeze_s = 0.1,
				   .ran_s = 600 };
	struct om_econ_offer o = { .present = 3, .elsewhere = 1 };

	(void)state;
	o.price = om_econ_move_price(&mv, o.present, o.elsewhere);
	assert_true(o.price > 0 && om_econ_move_pays(&o));
	/* A task that has just begun may be over before it is there. */
	mv.ran_s = 2;
	o.price = om_econ_move_price(&mv, o.present, o.elsewhere);
	assert_false(om_econ_move_pays(&o));
	/* One that would call home all the time stays. */
	mv.ran_s = 600;
	mv.calls = 50000;
	mv.call_s = 1e-4;
	o.price = om_econ_move_price(&mv, o.present, o.elsewhere);
	assert_false(om_econ_move_pays(&o));
	mv.calls = 0;
	mv.rate = 0;
	o.price = om_econ_move_price(&mv, o.present, o.elsewhere);
	assert_false(om_econ_move_pays(&o));
}

static void equal_nodes_never_trade_a_task(void **state)
{
	uint64_t seed = fix_seed(__func__, 8);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct om_econ_market m = random_market(&seed);
		struct om_econ_node without = random_node(&seed), with;
		struct om_econ_demand d = { 1, GIB, 0 };
		struct om_econ_offer o;

		with = without;
		with.threads += d.threads;
		with.mem_used += d.mem;
		o.present = om_econ_relief(&m, &with, &d);
		o.elsewhere = om_econ_marginal(&m, &without, &d);
		/* A move without any price is still none. */
		o.price = 1e-5 * o.present;
		assert_false(om_econ_move_pays(&o));
	}
}

static void a_moved_task_cools_down(void **state)
{
	(void)state;
	assert_true(om_econ_move_cooled(0, 5, 100));
	assert_false(om_econ_move_cooled(1000, 1099, 100));
	assert_true(om_econ_move_cooled(1000, 1100, 100));
	assert_false(om_econ_move_cooled(1000, 990, 100));
	assert_true(om_econ_move_cooled(1000, 10, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(curves_are_finite_rising_and_convex),
		cmocka_unit_test(the_curve_is_n_to_the_ratio),
		cmocka_unit_test(extremes_do_not_overflow),
		cmocka_unit_test(marginal_cost_is_the_difference_of_costs),
		cmocka_unit_test(nothing_added_costs_nothing),
		cmocka_unit_test(more_load_makes_a_task_dearer),
		cmocka_unit_test(speeds_count_as_ratios_only),
		cmocka_unit_test(a_faster_node_is_cheaper_for_the_same_load),
		cmocka_unit_test(memory_that_fits_beats_any_overflow),
		cmocka_unit_test(the_load_scale_is_the_next_power_of_two),
		cmocka_unit_test(a_move_has_to_pay_for_itself),
		cmocka_unit_test(equal_nodes_never_trade_a_task),
		cmocka_unit_test(a_moved_task_cools_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
