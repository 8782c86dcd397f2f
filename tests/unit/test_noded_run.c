/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_run: what omnoded and omstepd do when nothing fails. */
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
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "tests/unit/nodedrig.h"

static struct rig rig;

#define assert_has(text, part)                                            \
	do {                                                              \
		if (!strstr(text, part))                                  \
			fail_msg("'%s' is not in '%s'", part, text);      \
	} while (0)

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

static int status_of(struct rig *r, uint64_t job)
{
	Om__StepExit *e = rig_wait_exit(r, job);

	assert_int_equal(e->n_task, 1);
	return (int)e->task[0]->status;
}

static void exit_code_arrives(void **state)
{
	struct rig *r = *state;

	rig_launch(r, &(struct rig_job){ .id = 1, .script = "exit 7\n" });
	assert_int_equal(status_of(r, 1), 7 << 8);
	assert_int_equal(rig_started(r, 1)->n_pid, 1);
	assert_false(rig_exit(r, 1)->has_why);
}

static void signal_that_killed_the_script_arrives(void **state)
{
	struct rig *r = *state;

	rig_launch(r, &(struct rig_job){ .id = 2, .script = "kill -SEGV $$\n" });
	assert_int_equal(WTERMSIG(status_of(r, 2)), SIGSEGV);
}

static void script_runs_as_the_user_and_nobody_else(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 3, .out = "id.txt", .script =
		"id -u; id -G; pwd; umask; ls -l /proc/self/fd | wc -l;"
		"grep -h -e ^CapEff -e ^CapPrm -e ^SigBlk -e ^SigIgn /proc/self/status\n" });
	assert_int_equal(status_of(r, 3), 0);
	out = rig_read(r, "id.txt");
	assert_has(out, "65534\n65534\n");
	assert_has(out, r->work);
	assert_has(out, "0022");
	/* total, 0, 1, 2 and ls's own: nothing of the daemon leaks */
	assert_has(out, "\n5\n");
	assert_has(out, "CapPrm:\t0000000000000000");
	assert_has(out, "CapEff:\t0000000000000000");
	assert_has(out, "SigBlk:\t0000000000000000");
	assert_has(out, "SigIgn:\t0000000000000000");
}

static void environment_is_the_users_and_ours(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 4, .out = "env.txt", .tasks = 2,
		.limit_ms = 60000, .mem = 64 << 20, .script = "env\n" });
	rig_wait_exit(r, 4);
	out = rig_read(r, "env.txt");
	assert_has(out, "FROM_USER=yes\n");
	assert_has(out, "OM_JOB_ID=4\n");
	assert_has(out, "OM_NODELIST=rig1\n");
	assert_has(out, "OM_NTASKS=2\n");
	assert_has(out, "OM_TASKS_PER_NODE=2\n");
	assert_has(out, "OM_PROCID=0\n");
	assert_has(out, "OM_STEP_ID=batch\n");
	assert_has(out, "OM_NODENAME=rig1\n");
	assert_has(out, "OM_MEM_PER_NODE=64\n");
	assert_has(out, "OM_END_TIME=1");
	assert_has(out, "HOME=/nonexistent\n");
	assert_has(out, "USER=nobody\n");
	assert_null(strstr(out, "OM_ARRAY"));
	assert_null(strstr(out, "SLURM"));
}

static void output_names_follow_their_pattern(void **state)
{
	struct rig *r = *state;
	om_autofree char *a = NULL, *b = NULL, *c = NULL;

	rig_launch(r, &(struct rig_job){ .id = 50, .array_id = 49,
		.array_index = 3, .script = "echo array\n" });
	rig_launch(r, &(struct rig_job){ .id = 51, .script = "echo def\n" });
	rig_launch(r, &(struct rig_job){ .id = 52, .script = "echo out; echo err >&2\n",
		.out = "%x-%u-%N-%5j-100%%.o", .err_out = "e.%J" });
	rig_wait_exit(r, 50);
	rig_wait_exit(r, 51);
	rig_wait_exit(r, 52);
	a = rig_read(r, "om-49_3.out");
	assert_string_equal(a, "array\n");
	b = rig_read(r, "rig_job-nobody-rig1-00052-100%.o");
	assert_string_equal(b, "out\n");
	c = rig_read(r, "e.52.batch");
	assert_string_equal(c, "err\n");
}

static void output_is_cut_or_appended_as_asked(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 60, .out = "a.txt",
		.script = "echo one; echo two\n" });
	rig_wait_exit(r, 60);
	rig_launch(r, &(struct rig_job){ .id = 61, .out = "a.txt",
		.script = "echo three\n" });
	rig_wait_exit(r, 61);
	rig_launch(r, &(struct rig_job){ .id = 62, .out = "a.txt", .append = true,
		.script = "echo four\n" });
	rig_wait_exit(r, 62);
	out = rig_read(r, "a.txt");
	assert_string_equal(out, "three\nfour\n");
}

static void command_step_runs_a_task_for_each_slot(void **state)
{
	struct rig *r = *state;
	char *argv[] = { (char *)"sh", (char *)"-c",
			 (char *)"echo $OM_PROCID $OM_LOCALID $OM_STEP_ID; exit $OM_PROCID",
			 NULL };
	Om__StepExit *e;
	om_autofree char *out = NULL, *own = NULL;

	rig_launch(r, &(struct rig_job){ .id = 70, .step = 5, .argv = argv,
		.tasks = 3, .out = "tasks.txt" });
	e = rig_wait_exit(r, 70);
	assert_int_equal(e->n_task, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(e->task[i]->rank, i);
		assert_int_equal(e->task[i]->status, i << 8);
	}
	out = rig_read(r, "tasks.txt");
	assert_has(out, "0 0 5\n");
	assert_has(out, "2 2 5\n");
	rig_launch(r, &(struct rig_job){ .id = 71, .argv = argv, .tasks = 2,
		.out = "rank.%t" });
	rig_wait_exit(r, 71);
	own = rig_read(r, "rank.1");
	assert_string_equal(own, "1 1 0\n");
}

static void stdin_is_the_file_that_was_named(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 80, .out = "in.txt",
		.script = "echo hello > input; cat\n" });
	rig_wait_exit(r, 80);
	rig_launch(r, &(struct rig_job){ .id = 81, .out = "in.txt",
		.in = "input", .script = "cat\n" });
	rig_wait_exit(r, 81);
	out = rig_read(r, "in.txt");
	assert_string_equal(out, "hello\n");
}

static void last_step_cleans_the_job_by_itself(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[128];

	rig_launch(r, &(struct rig_job){ .id = 90, .last_of_job = true,
		.script = "setsid sleep 987654 & exit 0\n" });
	assert_int_equal(status_of(r, 90), 0);
	assert_true(rig_exit(r, 90)->job_clean);
	assert_int_equal(rig_count("sleep 987654"), 0);
	assert_false(rig_has_group(r, 90));
	snprintf(path, sizeof(path), "%s/spool/job/90", r->dir);
	assert_int_equal(stat(path, &st), -1);
}

static void job_end_leaves_nothing(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[128];

	rig_launch(r, &(struct rig_job){ .id = 91, .script = "exit 3\n" });
	assert_int_equal(status_of(r, 91), 3 << 8);
	assert_false(rig_exit(r, 91)->job_clean);
	snprintf(path, sizeof(path), "%s/spool/job/91", r->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(st.st_uid, 0);
	rig_job_end(r, 91);
	assert_int_equal(rig_wait_clean(r, 91)->code, 0);
	assert_int_equal(stat(path, &st), -1);
	assert_false(rig_has_group(r, 91));
	/* said twice: answered twice */
	rig_job_end(r, 9100);
	rig_wait_clean(r, 9100);
}

static void kill_reaches_whoever_hides(void **state)
{
	struct rig *r = *state;

	rig_launch(r, &(struct rig_job){ .id = 92, .out = "k.txt", .script =
		"trap '' TERM HUP INT\n"
		"( setsid sh -c 'trap \"\" TERM; sleep 87651 & sleep 87651 & wait' & ) &\n"
		"echo ready\nwhile :; do sleep 87651; done\n" });
	rig_wait_text(r, "k.txt", "ready");
	rig_kill(r, 92, SIGTERM, OM__JOB_STATE__CANCELLED, 200);
	rig_wait_exit(r, 92);
	assert_int_equal(rig_exit(r, 92)->why, OM__JOB_STATE__CANCELLED);
	assert_int_equal(rig_count("sleep 87651"), 0);
	{
		om_autofree char *out = rig_read(r, "k.txt");

		assert_has(out, "openmosix: job 92 killed: cancelled\n");
	}
}

static void end_of_a_running_job_kills_all(void **state)
{
	struct rig *r = *state;

	rig_launch(r, &(struct rig_job){ .id = 93, .out = "e.txt", .script =
		"setsid sleep 87652 &\necho ready; sleep 87652\n" });
	rig_wait_text(r, "e.txt", "ready");
	rig_job_end(r, 93);
	rig_wait_clean(r, 93);
	assert_int_equal(rig_count("sleep 87652"), 0);
	assert_int_equal(WTERMSIG(status_of(r, 93)), SIGKILL);
}

static void time_limit_warns_then_ends(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 94, .out = "t.txt",
		.limit_ms = 1500, .warn_signal = SIGUSR1, .warn_before_s = 1,
		.warn_batch_only = true, .script =
		"trap 'echo warned' USR1\ntrap 'echo term; exit 9' TERM\n"
		"while :; do sleep 0.05; done\n" });
	rig_wait_exit(r, 94);
	assert_int_equal(rig_exit(r, 94)->why, OM__JOB_STATE__TIMEOUT);
	assert_has(rig_exit(r, 94)->text, "time limit of 00:00:02 reached");
	out = rig_read(r, "t.txt");
	assert_has(out, "warned\n");
	assert_has(out, "term\n");
	assert_has(out, "openmosix: job 94 killed: time limit of 00:00:02 reached\n");
	assert_true(strstr(out, "warned") < strstr(out, "term"));
}

static void who_ignores_the_end_is_killed(void **state)
{
	struct rig *r = *state;

	rig_launch(r, &(struct rig_job){ .id = 95, .limit_ms = 300, .script =
		"trap '' TERM\nwhile :; do sleep 0.05; done\n" });
	assert_int_equal(WTERMSIG(status_of(r, 95)), SIGKILL);
	assert_int_equal(rig_exit(r, 95)->why, OM__JOB_STATE__TIMEOUT);
}

static void limit_can_be_moved(void **state)
{
	struct rig *r = *state;
	Om__JobLimit m = OM__JOB_LIMIT__INIT;

	rig_launch(r, &(struct rig_job){ .id = 96, .limit_ms = 600000,
		.script = "sleep 1000\n" });
	rig_wait_started(r, 96);
	m.job_id = 96;
	m.end_ns = om_wall_ns(om_clock_system()) + 100 * OM_NS_PER_MS;
	rig_send(r, OM_MSG_JOB_LIMIT, &m.base);
	rig_wait_exit(r, 96);
	assert_int_equal(rig_exit(r, 96)->why, OM__JOB_STATE__TIMEOUT);
}

static void too_much_memory_is_told(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 97, .mem = 32 << 20,
		.out = "oom.txt", .script =
		"x=$(head -c 200000000 /dev/zero | tr '\\0' x)\necho $?\n" });
	rig_wait_exit(r, 97);
	assert_int_equal(rig_exit(r, 97)->why, OM__JOB_STATE__OUT_OF_MEMORY);
	out = rig_read(r, "oom.txt");
	assert_has(out, "openmosix: job 97 killed: out of memory: used 32M of 32M on rig1\n");
}

static void bound_job_sees_its_processors(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 98, .cpu_list = "1",
		.out = "cpu.txt",
		.script = "grep Cpus_allowed_list /proc/self/status\n" });
	rig_wait_exit(r, 98);
	out = rig_read(r, "cpu.txt");
	assert_has(out, "Cpus_allowed_list:\t1\n");
}

static void usage_is_told(void **state)
{
	struct rig *r = *state;
	Om__StepExit *e;

	rig_launch(r, &(struct rig_job){ .id = 99, .script =
		"i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\n" });
	e = rig_wait_exit(r, 99);
	assert_non_null(e->usage);
	assert_true(e->usage->user_us > 20000);
	assert_true(e->usage->max_rss > 500000);
	assert_true(e->end_ns > e->start_ns);
}

static bool has_reports(struct rig *r, void *arg)
{
	(void)arg;
	return r->n_reports > 0;
}

static void node_tells_what_it_is(void **state)
{
	struct rig *r = *state;
	const Om__NodeRegister *m = r->registered;

	assert_string_equal(m->name, RIG_NODE);
	assert_int_equal(m->boot_id.len, 16);
	assert_true(m->topology->cpus >= 1);
	assert_true(m->topology->memory > 64 << 20);
	assert_true(m->topology->cpu_model && *m->topology->cpu_model);
	assert_true(m->speed > 0.05 && m->speed < 20);
	rig_wait(r, has_reports, NULL, "readings");
}

static bool is_loaded(struct rig *r, void *arg)
{
	(void)arg;
	return r->report.has_load_guest && r->report.load_guest > 1.2;
}

static bool is_idle_again(struct rig *r, void *arg)
{
	(void)arg;
	return r->report.has_load_guest && r->report.load_guest < 1.0;
}

static void load_of_guests_is_told(void **state)
{
	struct rig *r = *state;
	char *argv[] = { (char *)"sh", (char *)"-c",
			 (char *)"while :; do :; done", NULL };

	/* two that run or wait for a processor: the load is near two */
	rig_launch(r, &(struct rig_job){ .id = 100, .argv = argv, .tasks = 2 });
	rig_wait(r, is_loaded, NULL, "the guests' load");
	rig_job_end(r, 100);
	rig_wait_exit(r, 100);
	rig_wait(r, is_idle_again, NULL, "the load to fall");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_tells_what_it_is),
		cmocka_unit_test(exit_code_arrives),
		cmocka_unit_test(signal_that_killed_the_script_arrives),
		cmocka_unit_test(script_runs_as_the_user_and_nobody_else),
		cmocka_unit_test(environment_is_the_users_and_ours),
		cmocka_unit_test(output_names_follow_their_pattern),
		cmocka_unit_test(output_is_cut_or_appended_as_asked),
		cmocka_unit_test(command_step_runs_a_task_for_each_slot),
		cmocka_unit_test(stdin_is_the_file_that_was_named),
		cmocka_unit_test(last_step_cleans_the_job_by_itself),
		cmocka_unit_test(job_end_leaves_nothing),
		cmocka_unit_test(kill_reaches_whoever_hides),
		cmocka_unit_test(end_of_a_running_job_kills_all),
		cmocka_unit_test(time_limit_warns_then_ends),
		cmocka_unit_test(who_ignores_the_end_is_killed),
		cmocka_unit_test(limit_can_be_moved),
		cmocka_unit_test(too_much_memory_is_told),
		cmocka_unit_test(bound_job_sees_its_processors),
		cmocka_unit_test(usage_is_told),
		cmocka_unit_test(load_of_guests_is_told),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
