/* SPDX-License-Identifier: GPL-3.0-or-later */
/* munged: see munged.h. */
#include <fcntl.h>
#include <limits.h>
#include <munge.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/munged.h"

static void path(const struct munged *m, const char *name, char *buf)
{
	snprintf(buf, PATH_MAX, "%s/%s", m->dir, name);
}

static void write_key(const struct munged *m)
{
	char key[64], file[PATH_MAX];
	int fd;

	path(m, "key", file);
	assert_int_equal(getrandom(key, sizeof(key), 0), sizeof(key));
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, key, sizeof(key)), sizeof(key));
	close(fd);
}

static void option(const struct munged *m, const char *name, const char *file,
		   char *buf)
{
	snprintf(buf, PATH_MAX, "--%s=%s/%s", name, m->dir, file);
}

static void run(const struct munged *m)
{
	static char key[PATH_MAX], sock[PATH_MAX], pid[PATH_MAX],
		    logfile[PATH_MAX], seed[PATH_MAX], err[PATH_MAX];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	option(m, "key-file", "key", key);
	option(m, "socket", "socket", sock);
	option(m, "pid-file", "pid", pid);
	option(m, "log-file", "log", logfile);
	option(m, "seed-file", "seed", seed);
	path(m, "err", err);
	fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execlp("munged", "munged", "--foreground", "--force", key, sock, pid,
	       logfile, seed, "--num-threads=2", NULL);
	execl("/usr/sbin/munged", "munged", "--foreground", "--force", key,
	      sock, pid, logfile, seed, "--num-threads=2", NULL);
	_exit(127);
}

static int answers(const struct munged *m)
{
	munge_ctx_t ctx = munge_ctx_create();
	char *cred = NULL;
	munge_err_t e;

	munge_ctx_set(ctx, MUNGE_OPT_SOCKET, m->socket);
	e = munge_encode(&cred, ctx, NULL, 0);
	munge_ctx_destroy(ctx);
	free(cred);
	return e == EMUNGE_SUCCESS;
}

void munged_restart(struct munged *m)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	time_t end = time(NULL) + 20;

	m->pid = fork();
	assert_true(m->pid >= 0);
	if (m->pid == 0)
		run(m);
	while (access(m->socket, F_OK) < 0 || !answers(m)) {
		if (time(NULL) > end)
			fail_msg("munged does not start, see %s", m->dir);
		assert_int_equal(waitpid(m->pid, NULL, WNOHANG), 0);
		nanosleep(&pause, NULL);
	}
}

void munged_start(struct munged *m)
{
	strcpy(m->dir, "/tmp/om-test-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	assert_int_equal(chmod(m->dir, 0711), 0);
	snprintf(m->socket, sizeof(m->socket), "%s/socket", m->dir);
	write_key(m);
	munged_restart(m);
}

void munged_kill(struct munged *m)
{
	if (m->pid <= 0)
		return;
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	m->pid = 0;
	unlink(m->socket);
}

void munged_stop(struct munged *m)
{
	static const char *const file[] = {
		"key", "socket", "socket.lock", "pid", "log", "seed", "err",
	};
	char name[PATH_MAX];

	munged_kill(m);
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		path(m, file[i], name);
		unlink(name);
	}
	rmdir(m->dir);
}
