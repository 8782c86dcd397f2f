/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of lib/base/str: what people write as numbers, times and sizes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/base/str.h"

static int64_t duration(const char *s)
{
	int64_t v = -1;
	int rc = om_parse_duration(s, &v);

	return rc < 0 ? rc : v;
}

static void durations_read_as_users_of_batch_systems_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} t[] = {
		{ "5", 300 }, { "0", 0 }, { "1:30", 90 }, { "0:5:0", 300 },
		{ "02:03:04", 7384 }, { "100:00:00", 360000 },
		{ "1-0", 86400 }, { "1-12", 129600 }, { "2-01:30", 178200 },
		{ "1-02:03:04", 93784 }, { "90s", 90 }, { "5min", 300 },
		{ "1.5h", 5400 }, { "2d", 172800 }, { "1week", 604800 },
		{ "unlimited", OM_DURATION_UNLIMITED },
		{ "INFINITE", OM_DURATION_UNLIMITED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(duration(t[i].text), t[i].seconds);
}

static void bad_durations_are_refused_whole(void **state)
{
	static const char *const bad[] = { "", "x", "5x", "-1", "1:", ":1",
		"1:2:3:4", "1-", "-", "1-2-3", "1.5", "5 min", "0x10s",
		"1e5s", "nan", "inf" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration(bad[i]), -EINVAL);
	assert_int_equal(duration("99999999999999999999"), -ERANGE);
	assert_int_equal(duration("99999999999-0"), -ERANGE);
}

static void a_duration_survives_being_formatted(void **state)
{
	static const int64_t v[] = { 0, 1, 59, 60, 3599, 3600, 86399, 86400,
				     93784, 31536000 };
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(duration(om_format_duration(v[i], buf,
							     sizeof(buf))), v[i]);
	assert_string_equal(om_format_duration(OM_DURATION_UNLIMITED, buf,
					       sizeof(buf)), "unlimited");
}

static void sizes_know_their_units(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(om_parse_size("512", 1 << 20, &v), 0);
	assert_int_equal(v, 512 << 20);
	assert_int_equal(om_parse_size("4G", 1, &v), 0);
	assert_int_equal(v, UINT64_C(4) << 30);
	assert_int_equal(om_parse_size("1.5KiB", 1, &v), 0);
	assert_int_equal(v, 1536);
	assert_int_equal(om_parse_size("12b", 1 << 20, &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(om_parse_size("4X", 1, &v), -EINVAL);
	assert_int_equal(om_parse_size("-4", 1, &v), -EINVAL);
	assert_int_equal(om_parse_size("G", 1, &v), -EINVAL);
	assert_int_equal(om_parse_size("9999999P", 1, &v), -ERANGE);
	assert_int_equal(v, 12);	/* untouched by failures */
}

static void numbers_have_no_signs_and_no_tails(void **state)
{
	uint64_t v = 1;

	(void)state;
	assert_int_equal(om_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(om_parse_u64("18446744073709551616", 0, UINT64_MAX, &v),
			 -ERANGE);
	assert_int_equal(om_parse_u64("+1", 0, 9, &v), -EINVAL);
	assert_int_equal(om_parse_u64(" 1", 0, 9, &v), -EINVAL);
	assert_int_equal(om_parse_u64("1 ", 0, 9, &v), -EINVAL);
	assert_int_equal(om_parse_u64("", 0, 9, &v), -EINVAL);
	assert_int_equal(om_parse_u64("10", 0, 9, &v), -ERANGE);
}

static void points_in_time_are_local_and_in_the_future(void **state)
{
	int64_t now, v = 0;
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 22,
			 .tm_hour = 14, .tm_isdst = -1 };

	(void)state;
	setenv("TZ", "Europe/Zurich", 1);
	tzset();
	now = mktime(&tm);
	assert_int_equal(om_parse_when("now", now, &v), 0);
	assert_int_equal(v, now);
	om_parse_when("now+2hours", now, &v);
	assert_int_equal(v, now + 7200);
	om_parse_when("now+90", now, &v);
	assert_int_equal(v, now + 90);
	om_parse_when("16:00", now, &v);
	assert_int_equal(v, now + 7200);
	om_parse_when("13:00", now, &v);
	assert_int_equal(v, now + 23 * 3600);
	om_parse_when("midnight", now, &v);
	assert_int_equal(v, now + 10 * 3600);
	om_parse_when("2026-11-22T15:00", now, &v);
	assert_int_equal(v, now + 3600);
	om_parse_when("2026-11-23", now, &v);
	assert_int_equal(v, now + 10 * 3600);
	assert_int_equal(om_parse_when("25:00", now, &v), -EINVAL);
	assert_int_equal(om_parse_when("2026-13-01", now, &v), -EINVAL);
	assert_int_equal(om_parse_when("nowish", now, &v), -EINVAL);
	assert_int_equal(om_parse_when("", now, &v), -EINVAL);
}

static void the_nearest_word_is_within_three_edits(void **state)
{
	static const char *const words[] = { "controller", "partition", "spool_dir",
					     NULL };

	(void)state;
	assert_string_equal(om_str_nearest("controler", words), "controller");
	assert_string_equal(om_str_nearest("partitoin", words), "partition");
	assert_null(om_str_nearest("zebra", words));
	assert_int_equal(om_str_distance("", "abc"), 3);
	assert_int_equal(om_str_distance("abc", "abc"), 0);
}

static void signals_have_names_and_numbers(void **state)
{
	(void)state;
	assert_int_equal(om_parse_signal("9"), SIGKILL);
	assert_int_equal(om_parse_signal("SIGUSR1"), SIGUSR1);
	assert_int_equal(om_parse_signal("term"), SIGTERM);
	assert_int_equal(om_parse_signal("0"), -EINVAL);
	assert_int_equal(om_parse_signal("NOPE"), -EINVAL);
	assert_int_equal(om_parse_signal("999"), -EINVAL);
}

static void sizes_print_short(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(om_format_size(0, buf, sizeof(buf)), "0");
	assert_string_equal(om_format_size(1023, buf, sizeof(buf)), "1023");
	assert_string_equal(om_format_size(1536, buf, sizeof(buf)), "1.5K");
	assert_string_equal(om_format_size(UINT64_C(8) << 30, buf, sizeof(buf)), "8G");
	for (int shift = 0; shift < 64; shift++)
		assert_true(strlen(om_format_size(UINT64_MAX >> shift, buf,
						  sizeof(buf))) <= 8);
}

static void control_characters_are_made_harmless(void **state)
{
	char text[] = "a\033[2J\nb\x7f\xc2\x9b" "31m \xc3\xa4\xc2";

	(void)state;
	assert_false(om_str_is_tame(text, strlen(text)));
	om_str_tame(text, strlen(text));
	assert_string_equal(text, "a?[2J?b???31m \xc3\xa4\xc2");
	assert_true(om_str_is_tame(text, strlen(text)));
}

static void log_line_stays_one_line(void **state)
{
	int pair[2], saved = dup(STDERR_FILENO);
	char line[256];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	dup2(pair[1], STDERR_FILENO);
	om_log_error("cannot open '%s'", "x\n2026 omctld: forged\033[1m");
	dup2(saved, STDERR_FILENO);
	n = read(pair[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	assert_null(strchr(line, '\033'));
	assert_non_null(strstr(line, "'x?2026 omctld: forged?[1m'"));
	close(pair[0]);
	close(pair[1]);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_read_as_users_of_batch_systems_write_them),
		cmocka_unit_test(bad_durations_are_refused_whole),
		cmocka_unit_test(a_duration_survives_being_formatted),
		cmocka_unit_test(sizes_know_their_units),
		cmocka_unit_test(numbers_have_no_signs_and_no_tails),
		cmocka_unit_test(points_in_time_are_local_and_in_the_future),
		cmocka_unit_test(the_nearest_word_is_within_three_edits),
		cmocka_unit_test(signals_have_names_and_numbers),
		cmocka_unit_test(sizes_print_short),
		cmocka_unit_test(control_characters_are_made_harmless),
		cmocka_unit_test(log_line_stays_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
