/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zygotelink: starts the zygote and speaks with it; see zygotelink.h. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/zygotelink.h"

extern char **environ;

#define ZYGOTE_FD 3
#define AGAIN_NS OM_NS_PER_S

struct zygotelink {
	struct om_loop *loop;
	const struct place *place;
	const struct zygotelink_handler *h;
	void *arg;
	struct om_child *child;
	struct om_watch *watch;
	struct om_timer *again;
	int fd;			/* -1: no zygote now */
	int64_t born_ns;
};

static void hang_up(struct zygotelink *z)
{
	om_watch_destroy(om_take(z->watch));
	om_cleanup_fd(&z->fd);
	z->fd = -1;
}

static void hear(struct zygotelink *z, const char *line)
{
	uint64_t job;
	uint32_t step;
	int pid, status;

	if (sscanf(line, "failed %" SCNu64 " %" SCNu32 " %d", &job, &step,
		   &status) == 3)
		z->h->failed(z->arg, job, step, -status);
	else if (sscanf(line, "exit %d %d", &pid, &status) == 2)
		z->h->exited(z->arg, pid, status);
	else
		om_log_error("zygote says '%s'", line);
}

static void on_packet(void *arg, int fd, int events)
{
	struct zygotelink *z = arg;
	char line[256];

	if (events == OM_LOOP_WRITE) {
		om_watch_set(z->watch, OM_LOOP_READ);
		z->h->ready(z->arg);
		return;
	}
	while (z->fd == fd) {
		ssize_t n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			hang_up(z);	/* on_end starts the next */
			return;
		}
		line[n] = '\0';
		hear(z, line);
	}
}

static int spawn(struct zygotelink *z, int fd, pid_t *ret)
{
	om_autofree char *path = place_program("OM_STEPD", "omstepd",
					       OM_PKGLIBEXECDIR);
	const char *conf = z->place->conf->path;
	char number[16];
	char *argv[] = { path, "--zygote", number, z->place->name,
			 (char *)(conf ? conf : ""), NULL };
	posix_spawn_file_actions_t a;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	if (!path)
		return -ENOMEM;
	snprintf(number, sizeof(number), "%d", ZYGOTE_FD);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&a);
	posix_spawnattr_init(&attr);
	rc = posix_spawn_file_actions_adddup2(&a, fd, ZYGOTE_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&a, 0, "/dev/null",
						      O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_addchdir_np(&a, "/");
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	/* A session of its own: a ^C on omnoded's terminal is not for tasks'
	 * parents. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
				 POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawn(ret, path, &a, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&a);
	if (rc)
		om_log_error("cannot start '%s': %s", path, strerror(rc));
	return -rc;
}

static void on_end(void *arg, pid_t pid, int status, const struct rusage *u);

static int start(struct zygotelink *z, struct om_error *err)
{
	om_autofd int theirs = -1;
	int pair[2], rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return om_fail_errno(err, "cannot make a socketpair");
	z->fd = pair[0];
	theirs = pair[1];
	rc = spawn(z, theirs, &pid);
	if (rc < 0) {
		hang_up(z);
		return om_fail(err, rc, "cannot start omstepd: %s",
			       strerror(-rc));
	}
	z->born_ns = om_mono_ns(om_loop_clock(z->loop));
	z->child = om_child_watch(z->loop, pid, on_end, z, err);
	z->watch = om_watch_create(z->loop, z->fd, OM_LOOP_READ, on_packet, z,
				   err);
	if (!z->child || !z->watch) {
		hang_up(z);
		return err->code;
	}
	om_log_debug("zygote started pid=%d", (int)pid);
	return 0;
}

static void restart(void *arg)
{
	struct zygotelink *z = arg;
	struct om_error err = OM_ERROR_INIT;

	if (start(z, &err) < 0) {
		om_log_error("%s", om_error_text(&err));
		om_timer_start(z->again, AGAIN_NS, 0);
		return;
	}
	z->h->ready(z->arg);
}

static void on_end(void *arg, pid_t pid, int status, const struct rusage *u)
{
	struct zygotelink *z = arg;
	int64_t lived = om_mono_ns(om_loop_clock(z->loop)) - z->born_ns;

	(void)u;
	z->child = NULL;
	/* What it said before it died is still to be heard. */
	if (z->fd >= 0)
		on_packet(z, z->fd, OM_LOOP_READ);
	hang_up(z);
	om_log_warn("zygote ended pid=%d status=%d, starting another",
		    (int)pid, status);
	om_timer_start(z->again, lived < AGAIN_NS ? AGAIN_NS : 0, 0);
}

struct zygotelink *zygotelink_create(struct om_loop *loop,
				     const struct place *place,
				     const struct zygotelink_handler *h,
				     void *arg, struct om_error *err)
{
	struct zygotelink *z = calloc(1, sizeof(*z));

	if (!z) {
		om_fail_nomem(err);
		return NULL;
	}
	*z = (struct zygotelink){ .loop = loop, .place = place, .h = h,
				  .arg = arg, .fd = -1 };
	z->again = om_timer_create(loop, restart, z, err);
	if (!z->again || start(z, err) < 0) {
		zygotelink_destroy(z);
		return NULL;
	}
	return z;
}

void zygotelink_destroy(struct zygotelink *z)
{
	if (!z)
		return;
	om_child_forget(z->child);
	om_timer_destroy(z->again);
	hang_up(z);
	free(z);
}

int zygotelink_fork(struct zygotelink *z, uint64_t job, uint32_t step, int fd,
		    struct om_error *err)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char line[64];
	struct iovec iov = { .iov_base = line };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (z->fd < 0)
		return om_fail(err, -EAGAIN, "the zygote is being restarted");
	iov.iov_len = (size_t)snprintf(line, sizeof(line), "fork %" PRIu64
				       " %" PRIu32, job, step);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(z->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EPIPE || errno == ECONNRESET)
			return om_fail(err, -EAGAIN, "the zygote is gone");
		if (errno == EAGAIN || errno == ETOOMANYREFS) {
			/* It is behind; so many descriptors are on the way. */
			om_watch_set(z->watch, OM_LOOP_READ | OM_LOOP_WRITE);
			return om_fail(err, -EAGAIN, "the zygote is busy");
		}
		return om_fail_errno(err, "cannot reach the zygote");
	}
	return 0;
}
