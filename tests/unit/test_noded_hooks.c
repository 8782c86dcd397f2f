/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_hooks: prolog and epilog around a job. */
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
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "tests/unit/nodedrig.h"

#define assert_has(text, part)                                            \
	do {                                                              \
		if (!strstr(text, part))                                  \
			fail_msg("'%s' is not in '%s'", part, text);      \
	} while (0)

/* A folder that root alone can write, as hooks need: below /run, not /tmp. */
static char hooks[64];
static char log_file[96];

static void write_hook(const char *name, const char *body, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", hooks, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s", body);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static char *read_log(void)
{
	om_autofd int fd = open(log_file, O_RDONLY | O_CLOEXEC);
	char *buf = calloc(1, 8192);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, 8191);

	assert_non_null(buf);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static int start(void **state)
{
	static struct rig rig;
	char extra[512];

	if (geteuid() == 0) {
		strcpy(hooks, "/run/om-hooks-XXXXXX");
		assert_non_null(mkdtemp(hooks));
		chmod(hooks, 0755);
	}
	snprintf(log_file, sizeof(log_file), "%s/log", hooks);
	snprintf(extra, sizeof(extra), "prolog = \"%s/prolog\"\n"
		 "epilog = \"%s/epilog\"\nhook_timeout = \"1s\"", hooks, hooks);
	rig_start(&rig, extra);
	*state = &rig;
	return 0;
}

static int stop(void **state)
{
	char cmd[128];

	rig_stop(*state);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", hooks);
	return system(cmd);
}

static int each(void **state)
{
	char body[512];

	(void)state;
	unlink(log_file);
	snprintf(body, sizeof(body), "echo prolog $OM_JOB_ID $OM_JOB_UID "
		 "$OM_JOB_USER $OM_NODENAME >> %s; env > %s.env\n", log_file,
		 log_file);
	write_hook("prolog", body, 0755);
	snprintf(body, sizeof(body), "echo epilog $OM_JOB_ID >> %s\n"
		 "pgrep -f 'sleep 7654[3]' >> %s\nexit 0\n", log_file, log_file);
	write_hook("epilog", body, 0755);
	return 0;
}

static void hooks_run_around_the_job(void **state)
{
	struct rig *r = *state;
	om_autofree char *log = NULL;
	char script[256];

	snprintf(script, sizeof(script), "cat %s > seen\nsetsid sleep 76543 &\n"
		 "exit 0\n", log_file);
	rig_launch(r, &(struct rig_job){ .id = 1, .script = script });
	rig_wait_exit(r, 1);
	rig_job_end(r, 1);
	assert_int_equal(rig_wait_clean(r, 1)->code, 0);
	log = read_log();
	/* and nothing of the job was alive in the epilog */
	assert_string_equal(log, "prolog 1 65534 nobody rig1\nepilog 1\n");
	free(log);
	log = rig_read(r, "seen");
	assert_string_equal(log, "prolog 1 65534 nobody rig1\n");
}

static void hooks_get_a_fresh_environment(void **state)
{
	struct rig *r = *state;
	char path[128], buf[4096] = "";
	om_autofd int fd = -1;

	rig_launch(r, &(struct rig_job){ .id = 2, .script = "exit 0\n" });
	rig_wait_exit(r, 2);
	snprintf(path, sizeof(path), "%s.env", log_file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, buf, sizeof(buf) - 1) > 0);
	assert_has(buf, "OM_JOB_ID=2\n");
	assert_has(buf, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
	assert_null(strstr(buf, "FROM_USER"));
	assert_null(strstr(buf, "HOME="));
	rig_job_end(r, 2);
	rig_wait_clean(r, 2);
}

static void last_step_waits_for_the_epilog(void **state)
{
	struct rig *r = *state;
	om_autofree char *log = NULL;

	rig_launch(r, &(struct rig_job){ .id = 3, .last_of_job = true,
		.script = "exit 4\n" });
	assert_int_equal(rig_wait_exit(r, 3)->task[0]->status, 4 << 8);
	assert_true(rig_exit(r, 3)->job_clean);
	log = read_log();
	assert_has(log, "epilog 3\n");
	assert_false(rig_has_group(r, 3));
}

static void failed_prolog_starts_nothing(void **state)
{
	struct rig *r = *state;

	write_hook("prolog", "exit 3\n", 0755);
	rig_launch(r, &(struct rig_job){ .id = 4, .script = "echo ran > ran4\n" });
	assert_int_equal(rig_wait_started(r, 4)->code, -EHOSTDOWN);
	assert_has(rig_started(r, 4)->text, "failed with exit code 3");
	rig_job_end(r, 4);
	rig_wait_clean(r, 4);
	{
		om_autofree char *ran = rig_read(r, "ran4");
		om_autofree char *log = read_log();

		assert_string_equal(ran, "");
		/* where the prolog failed there is nothing to undo */
		assert_string_equal(log, "");
	}
}

static void hook_that_hangs_is_killed(void **state)
{
	struct rig *r = *state;

	write_hook("prolog", "sleep 76544 & sleep 76544\n", 0755);
	rig_launch(r, &(struct rig_job){ .id = 5, .script = "exit 0\n" });
	assert_int_equal(rig_wait_started(r, 5)->code, -EHOSTDOWN);
	assert_has(rig_started(r, 5)->text, "did not end within 1 s");
	assert_int_equal(rig_count("sleep 76544"), 0);
	rig_job_end(r, 5);
	rig_wait_clean(r, 5);
}

static void failed_epilog_is_told(void **state)
{
	struct rig *r = *state;

	write_hook("epilog", "exit 9\n", 0755);
	rig_launch(r, &(struct rig_job){ .id = 6, .script = "exit 0\n" });
	rig_wait_exit(r, 6);
	rig_job_end(r, 6);
	assert_true(rig_wait_clean(r, 6)->code < 0);
	assert_has(rig_clean(r, 6)->text, "failed with exit code 9");
	/* of a job that the node ends by itself too */
	rig_launch(r, &(struct rig_job){ .id = 7, .last_of_job = true,
		.script = "exit 0\n" });
	rig_wait_exit(r, 7);
	assert_false(rig_exit(r, 7)->job_clean);
	assert_true(rig_wait_clean(r, 7)->code < 0);
}

static void hook_that_others_can_write_is_refused(void **state)
{
	struct rig *r = *state;
	static const mode_t mode[] = { 0775, 0757 };

	for (unsigned i = 0; i < 2; i++) {
		uint64_t id = 8 + i;

		write_hook("prolog", "exit 0\n", mode[i]);
		rig_launch(r, &(struct rig_job){ .id = id,
			.script = "exit 0\n" });
		assert_int_equal(rig_wait_started(r, id)->code, -EHOSTDOWN);
		assert_has(rig_started(r, id)->text,
			   "must belong to root and not be writable");
		rig_job_end(r, id);
		rig_wait_clean(r, id);
	}
}

/* What was judged is what runs, wherever a link points to by then. */
static void hook_runs_by_its_path_without_links(void **state)
{
	struct rig *r = *state;
	om_autofree char *log = NULL;
	char path[128], body[256], want[256];

	snprintf(body, sizeof(body), "echo $0 >> %s\n", log_file);
	write_hook("behind", body, 0755);
	snprintf(path, sizeof(path), "%s/prolog", hooks);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("behind", path), 0);
	rig_launch(r, &(struct rig_job){ .id = 20, .script = "exit 0\n" });
	rig_wait_exit(r, 20);
	log = read_log();
	snprintf(want, sizeof(want), "%s/behind\n", hooks);
	assert_string_equal(log, want);
	assert_int_equal(unlink(path), 0);
	rig_job_end(r, 20);
	rig_wait_clean(r, 20);
}

static bool came_back(struct rig *r, void *arg)
{
	return r->n_registered > *(unsigned *)arg && r->node;
}

static void restart_during_the_prolog_forgets_the_launch(void **state)
{
	struct rig *r = *state;
	unsigned before = r->n_registered;

	write_hook("prolog", "sleep 0.5\n", 0755);
	rig_launch(r, &(struct rig_job){ .id = 11, .script = "exit 0\n" });
	rig_turn(r, 150);
	rig_noded_stop(r, SIGKILL);
	rig_noded_start(r);
	rig_wait(r, came_back, &before, "registration");
	/* not held, so the controller orders it anew */
	for (size_t i = 0; i < r->registered->n_step; i++)
		assert_int_not_equal(r->registered->step[i]->job_id, 11);
	rig_launch(r, &(struct rig_job){ .id = 11, .script = "exit 5\n" });
	assert_int_equal(rig_wait_exit(r, 11)->task[0]->status, 5 << 8);
	rig_job_end(r, 11);
	rig_wait_clean(r, 11);
}

static void job_ended_during_its_prolog_does_not_start(void **state)
{
	struct rig *r = *state;

	write_hook("prolog", "sleep 0.5\n", 0755);
	rig_launch(r, &(struct rig_job){ .id = 10, .script = "echo ran > ran10\n" });
	rig_turn(r, 100);
	rig_job_end(r, 10);
	rig_wait_clean(r, 10);
	assert_int_equal(rig_wait_started(r, 10)->code, -ECANCELED);
	rig_turn(r, 600);
	{
		om_autofree char *ran = rig_read(r, "ran10");

		assert_string_equal(ran, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(hooks_run_around_the_job, each),
		cmocka_unit_test_setup(hooks_get_a_fresh_environment, each),
		cmocka_unit_test_setup(last_step_waits_for_the_epilog, each),
		cmocka_unit_test_setup(failed_prolog_starts_nothing, each),
		cmocka_unit_test_setup(hook_that_hangs_is_killed, each),
		cmocka_unit_test_setup(failed_epilog_is_told, each),
		cmocka_unit_test_setup(hook_runs_by_its_path_without_links, each),
		cmocka_unit_test_setup(hook_that_others_can_write_is_refused, each),
		cmocka_unit_test_setup(job_ended_during_its_prolog_does_not_start, each),
		cmocka_unit_test_setup(restart_during_the_prolog_forgets_the_launch, each),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
