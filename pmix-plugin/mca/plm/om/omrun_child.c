/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pmix-plugin/mca/plm/om/omrun_child.h"

#ifndef OM_BINDIR
#define OM_BINDIR ""
#endif

static int try_dir(const char *dir, size_t len, char *path, size_t size)
{
	int n = snprintf(path, size, "%.*s/omrun", (int)len, dir);

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

static int try_path(char *path, size_t size)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		if (len && try_dir(dir, len, path, size) == 0)
			return 0;
		dir += len;
		dir += *dir == ':';
	}
	snprintf(path, size, "omrun");
	return -ENOENT;
}

int omrun_child_find(char *path, size_t size)
{
	const char *dir = getenv("OM_BINDIR");

	if (dir && *dir)
		return try_dir(dir, strlen(dir), path, size);
	if (OM_BINDIR[0] && try_dir(OM_BINDIR, strlen(OM_BINDIR), path, size) == 0)
		return 0;
	return try_path(path, size);
}

/*
 * From here to exec only async-signal-safe calls: mpirun has other threads, one
 * of which may have held the lock of malloc at the fork.
 */
static void detach_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns only with an errno. report_fd moves to 3 so that the rest can go. */
static int set_up_descriptors(bool silent, int *report_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		return errno;
	if (silent && dup2(null, 1) < 0)
		return errno;
	if (*report_fd != 3 && dup3(*report_fd, 3, O_CLOEXEC) < 0)
		return errno;
	*report_fd = 3;
	close_range(4, ~0U, 0);
	return 0;
}

static void run_child(const char *path, char *const argv[], char *const env[], bool silent,
		      int report_fd, pid_t parent)
{
	int error;

	detach_signals();
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);	/* it died before prctl could arm the signal */
	error = set_up_descriptors(silent, &report_fd);
	if (!error) {
		execve(path, argv, env);
		error = errno;
	}
	if (write(report_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* The pipe closes at exec, or brings the errno of what failed before. */
static int read_report(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == sizeof(error) ? -error : 0;
}

int omrun_child_start(const char *path, char *const argv[], char *const env[], bool silent,
		      struct omrun_child *ret_child)
{
	pid_t parent = getpid();
	int report[2];
	pid_t pid;
	int rc;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run_child(path, argv, env, silent, report[1], parent);
	rc = pid < 0 ? -errno : 0;
	close(report[1]);
	if (rc == 0)
		rc = read_report(report[0]);
	close(report[0]);
	if (rc < 0)
		return rc;
	ret_child->pid = pid;
	ret_child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret_child->pidfd >= 0)
		fcntl(ret_child->pidfd, F_SETFD, FD_CLOEXEC);
	return 0;
}

bool omrun_child_wait(const struct omrun_child *child, int timeout_ms)
{
	struct pollfd p = { .fd = child->pidfd, .events = POLLIN };

	if (child->pidfd < 0)
		return true;
	return poll(&p, 1, timeout_ms) == 1;
}

/* By pidfd: the pid may be someone else's once omrun has been reaped. */
void omrun_child_terminate(const struct omrun_child *child)
{
	if (child->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGTERM, NULL, 0);
}

void omrun_child_fini(struct omrun_child *child)
{
	if (child->pidfd >= 0)
		close(child->pidfd);
	child->pidfd = -1;
}
