/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster/folder.h"
#include "cli/cluster/process.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

/* Field 22 of /proc/PID/stat, 0 if there is no such process or a zombie. */
static unsigned long long start_time(pid_t pid)
{
	om_autofree char *text = NULL;
	unsigned long long at = 0;
	char path[32], state, *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (folder_read(path, &text, NULL) < 0)
		return 0;
	p = strrchr(text, ')');		/* the name may hold anything */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			 "%*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
			 &at) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : at;
}

int process_write(const char *path, pid_t pid, struct om_error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %llu\n", (int)pid, start_time(pid));
	return folder_write(path, text, 0644, err);
}

pid_t process_read(const char *path)
{
	om_autofree char *text = NULL;
	unsigned long long at;
	int pid;

	if (folder_read(path, &text, NULL) < 0 ||
	    sscanf(text, "%d %llu", &pid, &at) != 2 || pid <= 0)
		return 0;
	return at && start_time(pid) == at ? pid : 0;
}

int process_stop(pid_t pid, int signo, int64_t grace_ns, struct om_error *err)
{
	om_autofd int fd = pidfd_open(pid, 0);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return errno == ESRCH ? 0 :
			om_fail_errno(err, "cannot watch process %d", pid);
	if (pidfd_send_signal(fd, signo, NULL, 0) < 0 && errno != ESRCH)
		return om_fail_errno(err, "cannot signal process %d", pid);
	if (poll(&pfd, 1, (int)(grace_ns / OM_NS_PER_MS)) > 0)
		return 0;
	if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return om_fail_errno(err, "cannot kill process %d", pid);
	if (poll(&pfd, 1, 10000) > 0)
		return 0;
	return om_fail(err, -EBUSY, "process %d does not end", pid);
}

static int detach_stdio(const char *log_path)
{
	om_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	om_autofd int log = open(log_path, O_WRONLY | O_APPEND | O_CREAT |
				 O_CLOEXEC | O_NOFOLLOW, 0644);

	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
	    dup2(log, 2) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

/* The daemon itself, whose parent is about to go. */
static void run_body(const char *log_path, process_body_fn *body, void *arg,
		     int report)
{
	int rc;

	setsid();
	signal(SIGPIPE, SIG_IGN);
	/* above all the lock, which would be held for ever */
	if (report > 3)
		close_range(3, (unsigned)report - 1, 0);
	close_range((unsigned)report + 1, UINT_MAX, 0);
	rc = detach_stdio(log_path);
	if (rc < 0) {
		dprintf(report, "cannot write '%s': %s", log_path,
			strerror(-rc));
		_exit(1);
	}
	_exit(body(arg, report) < 0);
}

/* What the daemon reported, until every copy of the pipe's end is closed. */
static int read_report(int fd, struct om_error *err)
{
	char text[OM_ERROR_TEXT_MAX];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1) {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	if (strcmp(text, "ok") == 0)
		return 0;
	return om_fail(err, -EIO, "%s", len ? text : "it ended at once");
}

int process_detach(const char *log_path, process_body_fn *body, void *arg,
		   struct om_error *err)
{
	int pipefd[2], status, rc;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return om_fail_errno(err, "cannot make a pipe");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pipefd[0]);
		if (fork() == 0)
			run_body(log_path, body, arg, pipefd[1]);
		_exit(0);
	}
	close(pipefd[1]);
	if (pid < 0)
		rc = om_fail_errno(err, "cannot fork");
	else
		rc = read_report(pipefd[0], err);
	close(pipefd[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return rc;
}
