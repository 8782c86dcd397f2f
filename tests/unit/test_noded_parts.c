/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_parts: the pieces of omnoded that need no daemon. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/proto/types.h"
#include "sched/noded/cgroup.h"
#include "sched/noded/guests.h"
#include "sched/noded/hooks.h"
#include "sched/noded/journal.h"
#include "sched/noded/launch.h"
#include "sched/noded/pattern.h"
#include "sched/noded/readings.h"
#include "sched/noded/script.h"
#include "sched/noded/speed.h"
#include "sched/noded/taskenv.h"
#include "sched/noded/topology.h"

#define assert_has(text, part)                                            \
	do {                                                              \
		if (!strstr(text, part))                                  \
			fail_msg("'%s' is not in '%s'", part, text);      \
	} while (0)

/* ------------------------------------------------------------------ patterns */

static const struct pattern_values values = {
	.job = 12, .array = 10, .index = 3, .step = 4, .node_index = 2,
	.rank = 7, .name = "a/b", .user = "eve", .node = "n1",
};

static void expands(const char *pattern, const char *want)
{
	struct om_error err = OM_ERROR_INIT;
	om_autofree char *got = pattern_expand(pattern, &values, &err);

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void every_letter_has_its_value(void **state)
{
	(void)state;
	expands("%j %J %A %a %n %t %s", "12 12.4 10 3 2 7 4");
	expands("%x-%u-%N", "a_b-eve-n1");
	expands("%%j 100%%", "%j 100%");
	expands("%5j.%3a", "00012.003");
}

static void what_is_no_pattern_stays(void **state)
{
	(void)state;
	expands("", "");
	expands("plain", "plain");
	expands("%", "%");
	expands("%q%", "%q%");
	expands("%99j", "%99j");
	expands("%5", "%5");
	expands("a%4", "a%4");
}

static void batch_step_has_a_name(void **state)
{
	struct pattern_values v = values;
	struct om_error err = OM_ERROR_INIT;
	om_autofree char *got = NULL;

	(void)state;
	v.step = OM_STEP_BATCH;
	got = pattern_expand("%J/%s", &v, &err);
	assert_string_equal(got, "12.batch/batch");
}

static void too_long_a_name_is_an_error(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	char pattern[8001];

	(void)state;
	memset(pattern, 'x', 8000);
	pattern[8000] = '\0';
	assert_null(pattern_expand(pattern, &values, &err));
	assert_int_equal(err.code, -ENAMETOOLONG);
}

static void own_files_are_told_from_shared_ones(void **state)
{
	(void)state;
	assert_true(pattern_per_task("o.%t"));
	assert_true(pattern_per_task("o.%3t"));
	assert_false(pattern_per_task("o.%%t"));
	assert_false(pattern_per_task("o.%N"));
	assert_true(pattern_per_node("o.%N"));
	assert_true(pattern_per_node("o.%n"));
	assert_false(pattern_per_node("o.%j"));
}

static void counts_are_written_in_runs(void **state)
{
	const uint32_t v[] = { 2, 2, 2, 1, 4, 4 };
	om_autofree char *all = taskenv_counts(v, 6);
	om_autofree char *one = taskenv_counts(v, 1);
	om_autofree char *none = taskenv_counts(v, 0);

	(void)state;
	assert_string_equal(all, "2(x3),1,4(x2)");
	assert_string_equal(one, "2");
	assert_string_equal(none, "");
}

static void processor_lists_are_checked(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	cpu_set_t set;

	(void)state;
	assert_int_equal(launch_cpus("0-2,5", &set, &err), 0);
	assert_int_equal(CPU_COUNT(&set), 4);
	assert_true(CPU_ISSET(5, &set));
	assert_true(launch_cpus("0-99999999", &set, &err) < 0);
	assert_true(launch_cpus("a", &set, &err) < 0);
	assert_true(launch_cpus("3-1", &set, &err) < 0);
}

static void scripts_are_told_from_other_things(void **state)
{
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_int_equal(script_check("#!/bin/sh\n", 10, &err), 0);
	assert_int_equal(script_check("", 0, &err), -ENOEXEC);
	assert_int_equal(script_check("#!", 2, &err), -ENOEXEC);
	assert_int_equal(script_check("ls\n", 3, &err), -ENOEXEC);
	assert_int_equal(script_check("\177ELF\0\0", 6, &err), -ENOEXEC);
	assert_has(err.text, "not a text");
	assert_int_equal(script_check("#!/bin/sh\0x", 11, &err), -ENOEXEC);
}

/* -------------------------------------------------------------------- journal */

static char dir[64];

static void make_dir(void)
{
	strcpy(dir, "/tmp/om-parts-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static int remove_dir(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return *dir ? system(cmd) : 0;
}

static void count_gone(void *arg, const Om__NodeRecord *r)
{
	uint64_t *sum = arg;

	assert_true(r->has_job_gone);
	*sum += r->job_gone;
}

static void count_nothing(void *arg, const Om__NodeRecord *r)
{
	(void)arg;
	(void)r;
}

static uint64_t read_journal(void)
{
	struct om_error err = OM_ERROR_INIT;
	uint64_t sum = 0;
	struct journal *j = journal_open(dir, count_gone, &sum, &err);

	if (!j)
		fail_msg("%s", err.text);
	journal_close(j);
	return sum;
}

static void write_journal(uint64_t from, uint64_t to)
{
	struct om_error err = OM_ERROR_INIT;
	uint64_t sum = 0;
	struct journal *j = journal_open(dir, count_gone, &sum, &err);

	assert_non_null(j);
	for (uint64_t i = from; i <= to; i++) {
		Om__NodeRecord r = OM__NODE_RECORD__INIT;

		r.has_job_gone = true;
		r.job_gone = i;
		assert_int_equal(journal_add(j, &r, &err), 0);
	}
	assert_int_equal(journal_flush(j, &err), 0);
	journal_close(j);
}

static void journal_is_read_back(void **state)
{
	(void)state;
	make_dir();
	assert_int_equal(read_journal(), 0);
	write_journal(1, 10);
	assert_int_equal(read_journal(), 55);
	write_journal(11, 11);
	assert_int_equal(read_journal(), 66);
}

static void path_of(char *path, const char *name)
{
	snprintf(path, 128, "%s/%s", dir, name);
}

static void cut_off_record_is_left_out(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	make_dir();
	write_journal(1, 3);
	path_of(path, "journal");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_int_equal(read_journal(), 3);	/* 1 + 2 */
	write_journal(100, 100);
	assert_int_equal(read_journal(), 103);
}

static void rubbish_in_the_journal_does_no_harm(void **state)
{
	char path[128], rubbish[512];

	(void)state;
	make_dir();
	path_of(path, "journal");
	srand(7);
	for (int round = 0; round < 300; round++) {
		int fd;

		if (round % 2)
			write_journal(1, 3);
		else
			unlink(path);
		for (size_t i = 0; i < sizeof(rubbish); i++)
			rubbish[i] = (char)(rand() % (round % 3 ? 256 : 4));
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		assert_int_equal(write(fd, rubbish, sizeof(rubbish)),
				 sizeof(rubbish));
		close(fd);
		{
			struct om_error err = OM_ERROR_INIT;
			struct journal *j = journal_open(dir, count_nothing,
							 NULL, &err);

			assert_non_null(j);
			journal_close(j);
		}
	}
}

static void journal_of_another_boot_is_thrown_away(void **state)
{
	char path[128], bytes[256];
	int fd;

	(void)state;
	make_dir();
	write_journal(1, 3);
	path_of(path, "journal");
	fd = open(path, O_RDWR);
	assert_true(pread(fd, bytes, sizeof(bytes), 0) > 20);
	bytes[12] ^= 1;		/* in the first record: the boot's id */
	assert_int_equal(pwrite(fd, bytes, 20, 0), 20);
	close(fd);
	assert_int_equal(read_journal(), 0);
}

static void journal_written_anew_holds_what_it_is_told(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	uint64_t sum = 0;
	struct journal *j;

	(void)state;
	make_dir();
	write_journal(1, 100);
	j = journal_open(dir, count_gone, &sum, &err);
	assert_int_equal(journal_rewrite_begin(j, &err), 0);
	r.has_job_gone = true;
	r.job_gone = 7;
	journal_add(j, &r, &err);
	assert_int_equal(journal_rewrite_end(j, &err), 0);
	r.job_gone = 8;
	journal_add(j, &r, &err);
	journal_flush(j, &err);
	journal_close(j);
	assert_int_equal(read_journal(), 15);
}

/* ------------------------------------------------------------ the machine */

static void topology_is_this_machines(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct topology t;
	struct om_conf_node conf = { .cpus = 0, .memory = 0 };
	struct cgroup_tree *tree = cgroup_tree_open("om-parts", CGROUP_AUTO,
						    &err);

	(void)state;
	if (!tree)
		skip();
	assert_int_equal(topology_read(&t, tree, NULL, &err), 0);
	assert_in_range(t.cpus, 1, sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(t.cores <= sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(t.memory > 0);
	assert_true(strlen(t.kernel) > 0);
	topology_fini(&t);
	conf.cpus = 77;
	conf.memory = 123456;
	assert_int_equal(topology_read(&t, tree, &conf, &err), 0);
	assert_int_equal(t.cpus, 77);
	assert_int_equal(t.memory, 123456);
	topology_fini(&t);
	setenv("OM_NODE_CPUS", "zero", 1);
	assert_int_equal(topology_read(&t, tree, NULL, &err), -EINVAL);
	topology_fini(&t);
	unsetenv("OM_NODE_CPUS");
	cgroup_tree_close(tree);
}

static void speed_is_measured_once_a_boot(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	const struct om_clock *c = om_clock_system();
	double first, second;
	int64_t t;

	(void)state;
	make_dir();
	assert_int_equal(speed_measure(dir, "cpu A", &first, &err), 0);
	assert_true(first > 0.04 && first < 20);
	t = om_mono_ns(c);
	assert_int_equal(speed_measure(dir, "cpu A", &second, &err), 0);
	assert_true(om_mono_ns(c) - t < 20 * OM_NS_PER_MS);
	assert_true(first - second < 0.001 && second - first < 0.001);
	/* what stands in the file counts for its own model only */
	{
		char path[128];
		FILE *f;

		path_of(path, "speed");
		f = fopen(path, "we");
		fputs("nonsense\n7.5\n", f);
		fclose(f);
	}
	assert_int_equal(speed_measure(dir, "cpu B", &second, &err), 0);
	assert_true(second != 7.5);
}

/* ---------------------------------------------------------------- cgroups */

static pid_t sleeper(struct cgroup_group *g)
{
	int join[CGROUP_JOIN_MAX], into, n, ready[2];
	struct om_error err = OM_ERROR_INIT;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	n = cgroup_group_join(g, &into, join, &err);
	assert_true(n >= 0);
	pid = fork();
	if (pid == 0) {
		char path[64];
		int fd;

		for (int i = 0; i < n; i++)
			if (write(join[i], "0", 1) != 1)
				_exit(1);
		if (into >= 0) {
			snprintf(path, sizeof(path),
				 "/proc/self/fd/%d/cgroup.procs", into);
			fd = open(path, O_WRONLY);
			if (fd < 0 || write(fd, "0", 1) != 1)
				_exit(2);
		}
		if (fork() == 0)	/* one that nobody knows of */
			setsid();
		if (write(ready[1], "r", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	for (int i = 0; i < n; i++)
		close(join[i]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void wait_empty(struct cgroup_group *g)
{
	int64_t end = om_mono_ns(om_clock_system()) + 10 * OM_NS_PER_S;
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (cgroup_group_populated(g, NULL) > 0) {
		assert_true(om_mono_ns(om_clock_system()) < end);
		nanosleep(&pause, NULL);
	}
}

static void try_groups(enum cgroup_mode mode)
{
	struct om_error err = OM_ERROR_INIT;
	struct cgroup_tree *t = cgroup_tree_open("om-parts", mode, &err);
	const struct cgroup_limits limits = { .mem = 0 };
	struct cgroup_group g, whole;
	int pids[16];
	pid_t pid;

	if (!t)
		skip();
	assert_int_equal(cgroup_step_create(t, 77, 3, &limits, &g, &err), 0);
	assert_int_equal(cgroup_group_populated(&g, &err), 0);
	pid = sleeper(&g);
	assert_int_equal(cgroup_group_populated(&g, &err), 1);
	assert_int_equal(cgroup_group_pids(&g, pids, 16), 2);
	assert_int_equal(cgroup_group_signal(&g, 0, &err), 2);
	assert_int_equal(cgroup_step_remove(t, 77, 3, &err), -EBUSY);
	assert_int_equal(cgroup_group_open(t, 77, CGROUP_WHOLE_JOB, &whole,
					   &err), 0);
	assert_int_equal(cgroup_group_populated(&whole, &err), 1);
	assert_true(cgroup_group_watch(&g, &err) >= 0);
	assert_int_equal(cgroup_group_kill(&whole, &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	wait_empty(&whole);
	cgroup_group_close(&whole);
	cgroup_group_close(&g);
	assert_int_equal(cgroup_job_remove(t, 77, &err), 0);
	/* gone already is fine */
	assert_int_equal(cgroup_job_remove(t, 77, &err), 0);
	assert_int_equal(cgroup_step_remove(t, 77, 3, &err), 0);
	assert_int_equal(cgroup_group_open(t, 77, 3, &g, &err), -ENOENT);
	cgroup_tree_close(t);
}

static void groups_hold_and_kill_by_v2(void **state)
{
	(void)state;
	try_groups(CGROUP_AUTO);
}

static void groups_hold_and_kill_by_v1(void **state)
{
	(void)state;
	try_groups(CGROUP_V1_ONLY);
}

static void group_paths_cannot_leave_their_root(void **state)
{
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_null(cgroup_tree_open("../evil", CGROUP_AUTO, &err));
	assert_null(cgroup_tree_open("", CGROUP_AUTO, &err));
	assert_null(cgroup_tree_open("/", CGROUP_AUTO, &err));
}

static void hooks_must_be_roots_all_the_way_up(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	char real[PATH_MAX];

	(void)state;
	assert_int_equal(hook_check("relative", real, &err), -EINVAL);
	assert_int_equal(hook_check("/no/such/hook", real, &err), -ENOENT);
	assert_int_equal(hook_check("/etc", real, &err), -EACCES);
	assert_int_equal(hook_check("/bin/true", real, &err), 0);
	if (geteuid() != 0)
		return;
	make_dir();	/* in /tmp, where anybody may rename it away */
	{
		char path[128];
		int fd;

		path_of(path, "hook");
		fd = open(path, O_CREAT | O_WRONLY, 0755);
		close(fd);
		assert_int_equal(hook_check(path, real, &err), -EPERM);
		assert_has(err.text, "'/tmp'");
	}
}

static int remove_groups(void **state)
{
	(void)state;
	return system("find /sys/fs/cgroup -depth -type d -name om-parts "
		      "-exec rmdir {} + 2>/dev/null; true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_letter_has_its_value),
		cmocka_unit_test(what_is_no_pattern_stays),
		cmocka_unit_test(batch_step_has_a_name),
		cmocka_unit_test(too_long_a_name_is_an_error),
		cmocka_unit_test(own_files_are_told_from_shared_ones),
		cmocka_unit_test(counts_are_written_in_runs),
		cmocka_unit_test(processor_lists_are_checked),
		cmocka_unit_test(scripts_are_told_from_other_things),
		cmocka_unit_test_teardown(journal_is_read_back, remove_dir),
		cmocka_unit_test_teardown(cut_off_record_is_left_out, remove_dir),
		cmocka_unit_test_teardown(rubbish_in_the_journal_does_no_harm, remove_dir),
		cmocka_unit_test_teardown(journal_of_another_boot_is_thrown_away, remove_dir),
		cmocka_unit_test_teardown(journal_written_anew_holds_what_it_is_told, remove_dir),
		cmocka_unit_test(topology_is_this_machines),
		cmocka_unit_test_teardown(speed_is_measured_once_a_boot, remove_dir),
		cmocka_unit_test(groups_hold_and_kill_by_v2),
		cmocka_unit_test(groups_hold_and_kill_by_v1),
		cmocka_unit_test(group_paths_cannot_leave_their_root),
		cmocka_unit_test_teardown(hooks_must_be_roots_all_the_way_up, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, remove_groups);
}
