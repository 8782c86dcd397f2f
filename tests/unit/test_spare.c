/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/noded/script.h"
#include "sched/noded/spare.h"

static char folder[] = "/tmp/om-spare-XXXXXX";
static int spool = -1;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	spool = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return spool < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	close(spool);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void put(const char *path, const char *text)
{
	int fd = openat(spool, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			0700);

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) >= 0);
	assert_int_equal(fchmod(fd, SCRIPT_MODE), 0);
	close(fd);
}

static void make_job(const char *name)
{
	char path[64];

	assert_int_equal(mkdirat(spool, name, SCRIPT_FOLDER_MODE), 0);
	assert_int_equal(fchmodat(spool, name, SCRIPT_FOLDER_MODE, 0), 0);
	snprintf(path, sizeof(path), "%s/script", name);
	put(path, "#!/bin/sh\ntrue\n");
}

static bool there(const char *path)
{
	return faccessat(spool, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void folder_goes_to_the_next_job_of_its_user(void **state)
{
	(void)state;
	make_job("1");
	assert_int_equal(spare_keep(spool, "1", 1), 1);
	assert_false(there("1"));
	assert_int_equal(spare_take(spool, "33", 33, geteuid()), 1);
	assert_true(there("33/script"));
	assert_int_equal(spare_take(spool, "34", 34, geteuid()), 0);
}

static void another_user_gets_none(void **state)
{
	(void)state;
	make_job("2");
	assert_int_equal(spare_keep(spool, "2", 2), 1);
	assert_int_equal(spare_take(spool, "3", 2, geteuid() + 1), 0);
	assert_int_equal(spare_take(spool, "3", 2, geteuid()), 1);
}

static void folder_with_more_than_the_script_is_not_kept(void **state)
{
	(void)state;
	make_job("4");
	put("4/notes", "mine");
	assert_int_equal(spare_keep(spool, "4", 4), 0);
	assert_true(there("4/notes"));
}

static void folder_without_a_script_is_not_kept(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(spool, "5", 0700), 0);
	assert_int_equal(spare_keep(spool, "5", 5), 0);
}

static void linked_script_is_not_kept(void **state)
{
	(void)state;
	make_job("6");
	assert_int_equal(linkat(spool, "6/script", spool, "elsewhere", 0), 0);
	assert_int_equal(spare_keep(spool, "6", 6), 0);
	assert_int_equal(unlinkat(spool, "6/script", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", spool, "6/script"), 0);
	assert_int_equal(spare_keep(spool, "6", 6), 0);
}

static void opened_folder_or_script_is_not_kept(void **state)
{
	(void)state;
	make_job("7");
	assert_int_equal(fchmodat(spool, "7", 0755, 0), 0);
	assert_int_equal(spare_keep(spool, "7", 7), 0);
	assert_int_equal(fchmodat(spool, "7", SCRIPT_FOLDER_MODE, 0), 0);
	assert_int_equal(fchmodat(spool, "7/script", 0777, 0), 0);
	assert_int_equal(spare_keep(spool, "7", 7), 0);
}

static void link_in_place_of_a_folder_is_not_kept(void **state)
{
	(void)state;
	make_job("8");
	assert_int_equal(symlinkat("8", spool, "9"), 0);
	assert_int_equal(spare_keep(spool, "9", 9), 0);
}

static void folder_that_is_there_is_not_replaced(void **state)
{
	(void)state;
	make_job("10");
	assert_int_equal(spare_keep(spool, "10", 10), 1);
	assert_int_equal(mkdirat(spool, "11", 0700), 0);
	assert_int_equal(spare_take(spool, "11", 10, geteuid()), 0);
	assert_false(there("11/script"));
	assert_int_equal(spare_take(spool, "12", 10, geteuid()), 1);
}

static void number_of_spares_is_bounded(void **state)
{
	char name[16];
	int kept = 0;

	(void)state;
	for (uint64_t job = 100; job < 200; job++) {
		snprintf(name, sizeof(name), "%d", (int)job);
		make_job(name);
		kept += spare_keep(spool, name, job);
	}
	assert_in_range(kept, 1, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folder_goes_to_the_next_job_of_its_user),
		cmocka_unit_test(another_user_gets_none),
		cmocka_unit_test(folder_with_more_than_the_script_is_not_kept),
		cmocka_unit_test(folder_without_a_script_is_not_kept),
		cmocka_unit_test(linked_script_is_not_kept),
		cmocka_unit_test(opened_folder_or_script_is_not_kept),
		cmocka_unit_test(link_in_place_of_a_folder_is_not_kept),
		cmocka_unit_test(folder_that_is_there_is_not_replaced),
		cmocka_unit_test(number_of_spares_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
