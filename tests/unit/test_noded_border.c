/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_border: what a user must not get out of the node's daemons. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "tests/unit/nodedrig.h"

static struct rig rig;

static int start(void **state)
{
	rig_start(&rig, NULL);
	*state = &rig;
	return 0;
}

static int stop(void **state)
{
	rig_stop(*state);
	return 0;
}

/* A job may ask for less than the node gives, never for more. */
static void hard_limit_is_never_raised(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;
	char want[32];
	struct rlimit now;

	assert_int_equal(getrlimit(RLIMIT_RTPRIO, &now), 0);
	if (now.rlim_max >= 99)
		skip();
	rig_launch(r, &(struct rig_job){ .id = 1, .out = "limit.txt",
		.limited = true, .limit_resource = RLIMIT_RTPRIO,
		.limit_value = 99, .script =
		"awk '/realtime priority/ { print \"rtprio=\" $5 }' /proc/self/limits\n" });
	rig_wait_exit(r, 1);
	out = rig_read(r, "limit.txt");
	snprintf(want, sizeof(want), "rtprio=%d\n", (int)now.rlim_max);
	assert_string_equal(out, want);
}

static void lower_limit_is_set(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 2, .out = "lower.txt",
		.limited = true, .limit_resource = RLIMIT_NOFILE,
		.limit_value = 77, .script = "ulimit -Hn\n" });
	rig_wait_exit(r, 2);
	out = rig_read(r, "lower.txt");
	assert_string_equal(out, "77\n");
}

/* The daemon writes why it kills a job into its output, but waits for no one. */
static void output_that_blocks_does_not_outlive_the_limit(void **state)
{
	static const char junk[4096];
	struct rig *r = *state;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/full", r->work);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(chown(path, RIG_UID, RIG_UID), 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	rig_launch(r, &(struct rig_job){ .id = 3, .out = "full",
		.limit_ms = 300, .script = "exec sleep 88003\n" });
	assert_int_equal(rig_wait_exit(r, 3)->why, OM__JOB_STATE__TIMEOUT);
	assert_int_equal(rig_count("sleep 88003"), 0);
	close(fd);
}

/* A path in /proc means the daemon when the daemon opens it. */
static void proc_files_of_the_daemon_are_refused(void **state)
{
	static const char *const path[] = { "/proc/self/maps",
		"/proc/thread-self/stat", "/proc/self/net/unix" };
	struct rig *r = *state;

	for (uint64_t i = 0; i < 3; i++) {
		Om__StepStarted *s;

		rig_launch(r, &(struct rig_job){ .id = 40 + i, .in = path[i],
			.out = "proc.txt", .script = "cat\n" });
		s = rig_wait_started(r, 40 + i);
		assert_int_equal(s->code, -EACCES);
		assert_non_null(strstr(s->text, path[i]));
	}
}

/* What root removes again is nothing that a user put there. */
static void job_folder_takes_no_files_of_the_job(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 5, .out = "dir.txt", .script =
		"d=${0%/*}; mkdir $d/x 2>/dev/null && echo made\n"
		"rm -f $0 2>/dev/null && echo removed\n"
		"ls $d >/dev/null 2>&1 && echo listed\n"
		"echo over\n" });
	rig_wait_exit(r, 5);
	out = rig_read(r, "dir.txt");
	assert_string_equal(out, "over\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hard_limit_is_never_raised),
		cmocka_unit_test(lower_limit_is_set),
		cmocka_unit_test(output_that_blocks_does_not_outlive_the_limit),
		cmocka_unit_test(proc_files_of_the_daemon_are_refused),
		cmocka_unit_test(job_folder_takes_no_files_of_the_job),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
