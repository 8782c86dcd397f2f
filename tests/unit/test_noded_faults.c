/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_faults: bad jobs, daemons that die, hooks that fail. */
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

/* ------------------------------------------------------------------ bad jobs */

static void refused(struct rig *r, const struct rig_job *j, int code,
		    const char *text)
{
	Om__StepStarted *s;

	rig_launch(r, j);
	s = rig_wait_started(r, j->id);
	assert_int_equal(s->code, code);
	assert_has(s->text, text);
	assert_null(rig_exit(r, j->id));
	rig_job_end(r, j->id);
	rig_wait_clean(r, j->id);
	assert_false(rig_has_group(r, j->id));
}

static void what_is_no_script_is_refused(void **state)
{
	struct rig *r = *state;

	refused(r, &(struct rig_job){ .id = 1, .raw = true, .script = "echo hi\n" },
		-ENOEXEC, "does not begin with #!");
	refused(r, &(struct rig_job){ .id = 2, .raw = true, .script = "" },
		-ENOEXEC, "empty");
	refused(r, &(struct rig_job){ .id = 3, .raw = true, .out = "noint.txt",
		.script = "#!/no/such/shell\n" }, -ENOENT,
		"interpreter");
	{
		om_autofree char *out = rig_read(r, "noint.txt");

		assert_has(out, "openmosix: job 3 not started: cannot execute");
	}
}

static void folder_that_is_not_there_is_named(void **state)
{
	struct rig *r = *state;

	refused(r, &(struct rig_job){ .id = 4, .cwd = "/no/where",
		.script = "exit 0\n" }, -ENOENT,
		"cannot chdir to '/no/where' on rig1");
}

static void output_that_the_user_may_not_write_is_refused(void **state)
{
	struct rig *r = *state;
	char path[128];

	refused(r, &(struct rig_job){ .id = 5, .out = "/etc/om-rig-out",
		.script = "exit 0\n" }, -EACCES, "cannot open '/etc/om-rig-out'");
	assert_int_equal(access("/etc/om-rig-out", F_OK), -1);
	/* root may, the user may not: a folder of mode 0700 of root's */
	snprintf(path, sizeof(path), "%s/private", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(r, &(struct rig_job){ .id = 6, .cwd = path,
		.script = "exit 0\n" }, -EACCES, "cannot chdir");
}

static void fifo_without_a_reader_does_not_hang(void **state)
{
	struct rig *r = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", r->work);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(chown(path, RIG_UID, RIG_UID), 0);
	refused(r, &(struct rig_job){ .id = 7, .out = "fifo",
		.script = "exit 0\n" }, -ENXIO, "cannot open 'fifo'");
}

static void unknown_user_and_root_are_refused(void **state)
{
	struct rig *r = *state;

	refused(r, &(struct rig_job){ .id = 8, .uid = 54321,
		.script = "exit 0\n" }, -ENOENT, "user id 54321 is not known");
	refused(r, &(struct rig_job){ .id = 9, .root = true,
		.script = "exit 0\n" }, -EPERM, "jobs of root are not allowed");
}

static void command_that_is_not_there_is_named(void **state)
{
	struct rig *r = *state;
	char *none[] = { (char *)"om-no-such-command", NULL };
	char *dir[] = { (char *)"/etc/passwd", NULL };

	refused(r, &(struct rig_job){ .id = 10, .argv = none }, -ENOENT,
		"cannot execute 'om-no-such-command': not found in PATH");
	refused(r, &(struct rig_job){ .id = 11, .argv = dir, .tasks = 3 },
		-EACCES, "cannot execute '/etc/passwd'");
}

static void link_in_the_spool_is_not_followed(void **state)
{
	struct rig *r = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/spool/job/12", r->dir);
	assert_int_equal(symlink("/etc", path), 0);
	refused(r, &(struct rig_job){ .id = 12, .script = "exit 0\n" }, -ENOTDIR,
		"cannot open the spool folder");
	unlink(path);
}

/* ---------------------------------------------------------- said more than once */

static void launch_said_twice_runs_once(void **state)
{
	struct rig *r = *state;
	struct rig_job j = { .id = 20, .out = "twice.txt", .append = true,
			     .script = "echo ran; sleep 0.2\n" };
	om_autofree char *out = NULL;

	rig_launch(r, &j);
	rig_launch(r, &j);
	rig_wait_started(r, 20);
	rig_launch(r, &j);
	rig_wait_exit(r, 20);
	rig_launch(r, &j);
	rig_turn(r, 100);
	out = rig_read(r, "twice.txt");
	assert_string_equal(out, "ran\n");
}

static void job_that_is_over_does_not_start_again(void **state)
{
	struct rig *r = *state;
	struct rig_job j = { .id = 21, .last_of_job = true,
			     .script = "exit 0\n" };

	rig_launch(r, &j);
	rig_wait_exit(r, 21);
	rig_turn(r, 50);
	rig_forget_started(r);
	rig_launch(r, &j);
	assert_int_equal(rig_wait_started(r, 21)->code, -ESRCH);
}

static bool is_inc_2(struct rig *r, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < r->n_exits; i++)
		if (r->exits[i]->job_id == 22 && r->exits[i]->incarnation == 2)
			return true;
	return false;
}

static void newer_incarnation_ends_the_older_first(void **state)
{
	struct rig *r = *state;
	om_autofree char *out = NULL;

	rig_launch(r, &(struct rig_job){ .id = 22, .inc = 1, .out = "inc.txt",
		.append = true, .script = "echo old; sleep 98761; echo survived\n" });
	rig_wait_text(r, "inc.txt", "old");
	rig_launch(r, &(struct rig_job){ .id = 22, .inc = 2, .out = "inc.txt",
		.append = true, .script = "pgrep -f 'sleep 98761' || echo new\n" });
	rig_wait(r, is_inc_2, NULL, "the new incarnation's end");
	out = rig_read(r, "inc.txt");
	assert_string_equal(out, "old\nnew\n");
}

static bool acked(struct rig *r, void *arg)
{
	unsigned *seen = arg;

	return r->n_exits > *seen;
}

/* Makes it register again and again until it holds no report. */
static bool nothing_held(struct rig *r, void *arg)
{
	static unsigned asked;

	(void)arg;
	if (r->node && asked != r->n_registered) {
		if (asked && r->registered->n_step == 0)
			return true;
		asked = r->n_registered;
		om_conn_destroy(r->node);
		r->node = NULL;
	}
	return false;
}

static void exit_is_told_until_it_is_acknowledged(void **state)
{
	struct rig *r = *state;
	unsigned before;

	r->silent = true;
	rig_launch(r, &(struct rig_job){ .id = 23, .script = "exit 5\n" });
	rig_wait_exit(r, 23);
	before = r->n_exits;
	om_conn_destroy(r->node);
	r->node = NULL;
	rig_wait(r, acked, &before, "the report again");
	assert_int_equal(r->exits[before]->job_id, 23);
	assert_int_equal(r->exits[before]->task[0]->status, 5 << 8);
	/* over a restart too */
	before = r->n_exits;
	rig_noded_stop(r, SIGKILL);
	r->silent = false;
	rig_noded_start(r);
	rig_wait(r, acked, &before, "the report after a restart");
	assert_int_equal(r->exits[before]->job_id, 23);
	/* and then no more */
	rig_wait(r, nothing_held, NULL, "an empty registration");
}

/* ----------------------------------------------------------- daemons that die */

static void wait_ready(struct rig *r, uint64_t id)
{
	char file[32];

	snprintf(file, sizeof(file), "ready.%u", (unsigned)id);
	rig_wait_text(r, file, "ready");
	rig_wait_started(r, id);
}

static void launch_ready(struct rig *r, uint64_t id, const char *more,
			 int64_t limit_ms)
{
	char script[512], file[32];

	snprintf(file, sizeof(file), "ready.%u", (unsigned)id);
	snprintf(script, sizeof(script), "echo ready\n%s", more);
	rig_launch(r, &(struct rig_job){ .id = id, .script = script,
		.out = file, .limit_ms = limit_ms });
	wait_ready(r, id);
}

static void step_of_a_dead_step_daemon_ends_rightly(void **state)
{
	struct rig *r = *state;
	pid_t stepd;

	launch_ready(r, 30, "until [ -e go30 ]; do sleep 0.02; done; exit 6\n", 0);
	stepd = rig_stepd(r);
	assert_true(stepd > 1);
	assert_int_equal(kill(stepd, SIGKILL), 0);
	rig_turn(r, 100);
	assert_null(rig_exit(r, 30));
	{
		char path[128];

		snprintf(path, sizeof(path), "%s/go30", r->work);
		close(open(path, O_CREAT | O_WRONLY, 0644));
	}
	/* the zygote saw how it ended */
	rig_wait_exit(r, 30);
	assert_int_equal(rig_exit(r, 30)->task[0]->status, 6 << 8);
	rig_job_end(r, 30);
	rig_wait_clean(r, 30);
	assert_false(rig_has_group(r, 30));
}

static void orphans_can_be_killed_and_time_out(void **state)
{
	struct rig *r = *state;

	launch_ready(r, 31, "setsid sleep 98762 & sleep 98762\n", 0);
	kill(rig_stepd(r), SIGKILL);
	rig_kill(r, 31, SIGTERM, OM__JOB_STATE__CANCELLED, 100);
	rig_wait_exit(r, 31);
	assert_int_equal(rig_exit(r, 31)->why, OM__JOB_STATE__CANCELLED);
	assert_int_equal(rig_count("sleep 98762"), 0);

	launch_ready(r, 32, "trap '' TERM; while :; do sleep 0.05; done\n",
		     700);
	kill(rig_stepd(r), SIGKILL);
	rig_wait_exit(r, 32);
	assert_int_equal(rig_exit(r, 32)->why, OM__JOB_STATE__TIMEOUT);
	assert_int_equal(WTERMSIG(rig_exit(r, 32)->task[0]->status), SIGKILL);
}

static void step_goes_on_when_the_zygote_dies(void **state)
{
	struct rig *r = *state;
	pid_t zygote = rig_zygote(r);

	launch_ready(r, 33, "sleep 0.3; exit 4\n", 0);
	kill(zygote, SIGKILL);
	rig_wait_exit(r, 33);
	assert_int_equal(rig_exit(r, 33)->task[0]->status, 4 << 8);
	/* and another zygote takes the next */
	rig_launch(r, &(struct rig_job){ .id = 34, .script = "exit 0\n" });
	rig_wait_exit(r, 34);
	assert_int_not_equal(rig_zygote(r), zygote);
}

static void launch_survives_the_zygotes_death(void **state)
{
	struct rig *r = *state;

	for (uint64_t id = 200; id < 220; id++) {
		rig_launch(r, &(struct rig_job){ .id = id, .script = "exit 0\n" });
		if (id == 210)
			kill(rig_zygote(r), SIGKILL);
	}
	for (uint64_t id = 200; id < 220; id++)
		assert_int_equal(rig_wait_exit(r, id)->task[0]->status, 0);
}

static void burst_of_launches_is_not_too_much(void **state)
{
	struct rig *r = *state;
	pid_t zygote = rig_zygote(r);

	/* While it is stopped its queue fills up. */
	kill(zygote, SIGSTOP);
	for (uint64_t id = 1000; id < 1350; id++)
		rig_launch(r, &(struct rig_job){ .id = id, .last_of_job = true,
			.script = "exit 0\n", .out = "/dev/null" });
	rig_turn(r, 300);
	kill(zygote, SIGCONT);
	for (uint64_t id = 1000; id < 1350; id++)
		assert_int_equal(rig_wait_exit(r, id)->task[0]->status, 0);
}

static void death_of_both_is_told_as_unknown(void **state)
{
	struct rig *r = *state;
	pid_t zygote, stepd;

	launch_ready(r, 35, "sleep 0.5; exit 4\n", 0);
	zygote = rig_zygote(r);
	stepd = rig_stepd(r);
	kill(zygote, SIGKILL);
	kill(stepd, SIGKILL);
	rig_wait_exit(r, 35);
	assert_int_equal(rig_exit(r, 35)->why, OM__JOB_STATE__FAILED);
	assert_string_equal(rig_exit(r, 35)->text,
			    "its step daemon was killed, exit status unknown");
}

static bool registered_again(struct rig *r, void *arg)
{
	return r->n_registered > *(unsigned *)arg && r->node;
}

static void restart_noded(struct rig *r, int signo)
{
	unsigned before = r->n_registered;

	rig_noded_stop(r, signo);
	rig_noded_start(r);
	rig_wait(r, registered_again, &before, "registration again");
}

static void running_step_does_not_notice_a_restart(void **state)
{
	struct rig *r = *state;
	static const int how[] = { SIGKILL, SIGTERM };

	for (unsigned i = 0; i < 2; i++) {
		uint64_t id = 36 + i;

		launch_ready(r, id, "sleep 0.8; exit 8\n", 0);
		restart_noded(r, how[i]);
		assert_int_equal(r->registered->n_step, 1);
		assert_int_equal(r->registered->step[0]->job_id, id);
		assert_null(r->registered->step[0]->exit);
		rig_wait_exit(r, id);
		assert_int_equal(rig_exit(r, id)->task[0]->status, 8 << 8);
		assert_false(rig_exit(r, id)->has_why);
		rig_job_end(r, id);
		rig_wait_clean(r, id);
		assert_false(rig_has_group(r, id));
	}
}

static void step_that_ended_meanwhile_is_told(void **state)
{
	struct rig *r = *state;

	launch_ready(r, 38, "sleep 0.1; exit 9\n", 0);
	rig_noded_stop(r, SIGKILL);
	rig_turn(r, 400);
	rig_noded_start(r);
	rig_wait_exit(r, 38);
	assert_int_equal(rig_exit(r, 38)->task[0]->status, 9 << 8);
}

static void orders_reach_a_step_after_a_restart(void **state)
{
	struct rig *r = *state;

	launch_ready(r, 39, "sleep 98763\n", 0);
	restart_noded(r, SIGKILL);
	rig_kill(r, 39, SIGKILL, OM__JOB_STATE__CANCELLED, 0);
	rig_wait_exit(r, 39);
	assert_int_equal(rig_exit(r, 39)->why, OM__JOB_STATE__CANCELLED);
}

static void step_whose_daemon_died_during_a_restart_is_told(void **state)
{
	struct rig *r = *state;
	pid_t stepd;

	launch_ready(r, 40, "sleep 1.5\n", 0);
	stepd = rig_stepd(r);
	rig_noded_stop(r, SIGKILL);
	kill(stepd, SIGKILL);
	rig_noded_start(r);
	rig_wait_exit(r, 40);
	assert_int_equal(rig_exit(r, 40)->why, OM__JOB_STATE__FAILED);
	assert_has(rig_exit(r, 40)->text, "exit status unknown");
}

static bool has_job(const Om__NodeRegister *m, uint64_t id)
{
	for (size_t i = 0; i < m->n_jobs; i++)
		if (m->jobs[i] == id)
			return true;
	return false;
}

static void job_of_a_forgotten_group_can_be_ended(void **state)
{
	struct rig *r = *state;
	char path[128];

	launch_ready(r, 41, "setsid sleep 98764 & sleep 98764\n", 0);
	kill(rig_stepd(r), SIGKILL);
	rig_noded_stop(r, SIGKILL);
	snprintf(path, sizeof(path), "%s/run/node/journal", r->dir);
	assert_int_equal(unlink(path), 0);
	r->n_registered = 0;
	rig_noded_start(r);
	{
		unsigned none = 0;

		rig_wait(r, registered_again, &none, "registration");
	}
	assert_int_equal(r->registered->n_step, 0);
	assert_true(has_job(r->registered, 41));
	rig_job_end(r, 41);
	rig_wait_clean(r, 41);
	assert_int_equal(rig_count("sleep 98764"), 0);
	assert_false(rig_has_group(r, 41));
}

static void step_survives_the_loss_of_the_journal(void **state)
{
	struct rig *r = *state;
	char path[128];
	unsigned none = 0;

	launch_ready(r, 44, "sleep 1.2; exit 7\n", 0);
	rig_noded_stop(r, SIGKILL);
	snprintf(path, sizeof(path), "%s/run/node/journal", r->dir);
	assert_int_equal(unlink(path), 0);
	r->n_registered = 0;
	rig_noded_start(r);
	rig_wait(r, registered_again, &none, "registration");
	rig_wait_exit(r, 44);
	assert_int_equal(rig_exit(r, 44)->task[0]->status, 7 << 8);
}

static void cut_from_the_controller_nothing_is_lost(void **state)
{
	struct rig *r = *state;
	unsigned before;

	launch_ready(r, 42, "sleep 0.3; exit 3\n", 0);
	before = r->n_registered;
	r->deaf = true;
	om_conn_destroy(r->node);
	r->node = NULL;
	rig_turn(r, 800);
	assert_null(rig_exit(r, 42));
	r->deaf = false;
	rig_wait(r, registered_again, &before, "registration again");
	rig_wait_exit(r, 42);
	assert_int_equal(rig_exit(r, 42)->task[0]->status, 3 << 8);
}

static void second_daemon_on_one_node_is_refused(void **state)
{
	struct rig *r = *state;
	pid_t first = r->noded;
	int status;

	rig_noded_start(r);
	assert_int_equal(waitpid(r->noded, &status, 0), r->noded);
	assert_int_equal(WEXITSTATUS(status), 1);
	r->noded = first;
}

static void reload_starts_anew_under_running_tasks(void **state)
{
	struct rig *r = *state;
	unsigned before = r->n_registered;

	launch_ready(r, 43, "sleep 0.5; exit 2\n", 0);
	kill(r->noded, SIGHUP);
	rig_wait(r, registered_again, &before, "registration again");
	rig_wait_exit(r, 43);
	assert_int_equal(rig_exit(r, 43)->task[0]->status, 2 << 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_script_is_refused),
		cmocka_unit_test(folder_that_is_not_there_is_named),
		cmocka_unit_test(output_that_the_user_may_not_write_is_refused),
		cmocka_unit_test(fifo_without_a_reader_does_not_hang),
		cmocka_unit_test(unknown_user_and_root_are_refused),
		cmocka_unit_test(command_that_is_not_there_is_named),
		cmocka_unit_test(link_in_the_spool_is_not_followed),
		cmocka_unit_test(launch_said_twice_runs_once),
		cmocka_unit_test(job_that_is_over_does_not_start_again),
		cmocka_unit_test(newer_incarnation_ends_the_older_first),
		cmocka_unit_test(exit_is_told_until_it_is_acknowledged),
		cmocka_unit_test(step_of_a_dead_step_daemon_ends_rightly),
		cmocka_unit_test(orphans_can_be_killed_and_time_out),
		cmocka_unit_test(step_goes_on_when_the_zygote_dies),
		cmocka_unit_test(launch_survives_the_zygotes_death),
		cmocka_unit_test(burst_of_launches_is_not_too_much),
		cmocka_unit_test(death_of_both_is_told_as_unknown),
		cmocka_unit_test(running_step_does_not_notice_a_restart),
		cmocka_unit_test(step_that_ended_meanwhile_is_told),
		cmocka_unit_test(orders_reach_a_step_after_a_restart),
		cmocka_unit_test(step_whose_daemon_died_during_a_restart_is_told),
		cmocka_unit_test(job_of_a_forgotten_group_can_be_ended),
		cmocka_unit_test(step_survives_the_loss_of_the_journal),
		cmocka_unit_test(cut_from_the_controller_nothing_is_lost),
		cmocka_unit_test(second_daemon_on_one_node_is_refused),
		cmocka_unit_test(reload_starts_anew_under_running_tasks),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
