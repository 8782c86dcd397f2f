/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * child: the end of one child, by its pidfd. No SIGCHLD handler, so other
 * code's children and other threads are never touched.
 *
 * The pidfd becomes readable when the child is a zombie; a tracer other than
 * us can still hold it then, and wait4 has nothing for us until that lets go.
 * No event tells when, so that rare case polls.
 */
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/loop/private.h"

#define TRACED_POLL_NS (10 * OM_NS_PER_MS)

struct om_child {
	struct om_watch *watch;
	struct om_timer *retry;
	om_child_fn *fn;
	void *arg;
	pid_t pid;
	int pidfd;
};

void om_child_forget(struct om_child *c)
{
	if (!c)
		return;
	om_watch_destroy(c->watch);
	om_timer_destroy(c->retry);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free(c);
}

static void reap(struct om_child *c)
{
	struct rusage usage = { 0 };
	om_child_fn *fn = c->fn;
	void *arg = c->arg;
	pid_t pid = c->pid;
	pid_t got;
	int status = -1;

	do {
		got = wait4(pid, &status, WNOHANG, &usage);
	} while (got < 0 && errno == EINTR);
	if (got == 0) {
		om_watch_set(c->watch, 0);
		om_timer_start(c->retry, TRACED_POLL_NS, 0);
		return;
	}
	if (got < 0)
		status = -1;
	om_child_forget(c);
	fn(arg, pid, status, &usage);
}

static void on_pidfd(void *arg, int fd, int events)
{
	(void)fd;
	(void)events;
	reap(arg);
}

static void on_retry(void *arg)
{
	reap(arg);
}

struct om_child *om_child_watch(struct om_loop *loop, pid_t pid,
				om_child_fn *fn, void *arg,
				struct om_error *err)
{
	struct om_child *c = calloc(1, sizeof(*c));

	if (!c) {
		om_fail_nomem(err);
		return NULL;
	}
	*c = (struct om_child){ .fn = fn, .arg = arg, .pid = pid };
	c->pidfd = pidfd_open(pid, 0);	/* close-on-exec by itself */
	if (c->pidfd < 0) {
		om_fail_errno(err, "cannot watch process %d", (int)pid);
		goto fail;
	}
	c->retry = om_timer_create(loop, on_retry, c, err);
	if (!c->retry)
		goto fail;
	c->watch = om_watch_create(loop, c->pidfd, OM_LOOP_READ, on_pidfd, c,
				   err);
	if (!c->watch)
		goto fail;
	return c;
fail:
	om_child_forget(c);
	return NULL;
}
