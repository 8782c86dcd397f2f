/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zygote: forks step daemons, reaps orphans; see zygote.h. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/step.h"
#include "sched/noded/zygote.h"

#define LINE_MAX_ 128

__attribute__((format(printf, 2, 3)))
static void tell(int fd, const char *fmt, ...)
{
	char line[LINE_MAX_];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		om_log_warn("zygote cannot tell omnoded: %s", strerror(errno));
}

/* A packet and the descriptor that came with it; 0: the far end closed. */
static ssize_t receive(int fd, char *line, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = line, .iov_len = size - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	*ret_fd = -1;
	n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

struct zygote {
	const struct place *place;
	int fd, sigfd;
	sigset_t mask;		/* to be given back to step daemons */
	pid_t *daemons;		/* our own children, in no order */
	size_t count, cap;
};

/* Before the fork, so that there is no child that could not be noted. */
static int make_room(struct zygote *z)
{
	size_t cap = z->cap ? 2 * z->cap : 256;
	pid_t *p;

	if (z->count < z->cap)
		return 0;
	p = realloc(z->daemons, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	z->daemons = p;
	z->cap = cap;
	return 0;
}

/* Was it one of ours? The latest are the likeliest to end. */
static bool forget(struct zygote *z, pid_t pid)
{
	for (size_t i = z->count; i-- > 0;)
		if (z->daemons[i] == pid) {
			z->daemons[i] = z->daemons[--z->count];
			return true;
		}
	return false;
}

static void fork_step(struct zygote *z, uint64_t job, uint32_t step, int fd)
{
	pid_t pid = -1;

	if (make_room(z) < 0)
		errno = ENOMEM;
	else
		pid = fork();
	if (pid == 0) {
		close(z->fd);
		close(z->sigfd);
		sigprocmask(SIG_SETMASK, &z->mask, NULL);
		step_main(z->place, fd);
	}
	if (pid < 0)
		tell(z->fd, "failed %" PRIu64 " %" PRIu32 " %d", job, step,
		     errno);
	else
		z->daemons[z->count++] = pid;
}

static void obey(struct zygote *z, const char *line, int fd)
{
	uint64_t job;
	uint32_t step;

	if (fd < 0 ||
	    sscanf(line, "fork %" SCNu64 " %" SCNu32, &job, &step) != 2) {
		om_log_error("zygote: strange order '%s'", line);
		return;
	}
	fork_step(z, job, step, fd);
}

static void reap(struct zygote *z)
{
	struct signalfd_siginfo si;
	pid_t pid;
	int status;

	while (read(z->sigfd, &si, sizeof(si)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!forget(z, pid))
			tell(z->fd, "exit %d %d", (int)pid, status);
}

static int watch_children(struct zygote *z, struct om_error *err)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &chld, &z->mask) < 0)
		return om_fail_errno(err, "cannot block SIGCHLD");
	sigdelset(&z->mask, SIGCHLD);
	z->sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (z->sigfd < 0)
		return om_fail_errno(err, "cannot make a signalfd");
	return 0;
}

/* 1 to go on, 0 when omnoded is gone. */
static int serve_one(struct zygote *z, struct om_error *err)
{
	char line[LINE_MAX_];
	om_autofd int got = -1;
	ssize_t n = receive(z->fd, line, sizeof(line), &got);

	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0 && n != -EINTR && n != -EAGAIN)
		return om_fail(err, (int)n, "cannot hear omnoded: %s",
			       strerror((int)-n));
	if (n > 0)
		obey(z, line, got);
	return 1;
}

static int serve(struct zygote *z, struct om_error *err)
{
	struct pollfd p[2] = {
		{ .fd = z->fd, .events = POLLIN },
		{ .fd = z->sigfd, .events = POLLIN },
	};
	int rc = 1;

	while (rc > 0) {
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return om_fail_errno(err, "cannot poll");
		}
		if (p[1].revents)
			reap(z);
		if (p[0].revents)
			rc = serve_one(z, err);
	}
	return rc;
}

int zygote_serve(const struct place *place, int fd, struct om_error *err)
{
	struct zygote z = { .place = place, .fd = fd, .sigfd = -1 };
	int rc;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return om_fail_errno(err, "cannot become the subreaper");
	rc = watch_children(&z, err);
	if (rc == 0)
		rc = serve(&z, err);
	om_cleanup_fd(&z.sigfd);
	free(z.daemons);
	return rc;
}
