/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "cli/run/input.h"
#include "cli/run/outlet.h"
#include "lib/base/clock.h"

#define PIECE (64u << 10)
#define BACKGROUND_NS OM_NS_PER_S

struct input {
	int fd;
	struct om_watch *watch;	/* NULL: a file, always ready */
	struct om_timer *timer;	/* the next piece of a file; or we are in the
				 * background and must not read a terminal */
	bool paused, over;
	input_fn *fn;
	void *arg;
};

static bool in_background(int fd)
{
	return isatty(fd) && tcgetpgrp(fd) != getpgrp();
}

static void arm(struct input *in)
{
	bool want = !in->paused && !in->over;

	if (in->watch)
		om_watch_set(in->watch, want ? OM_LOOP_READ : 0);
	else if (want)
		om_timer_start(in->timer, 0, 0);
	else
		om_timer_stop(in->timer);
}

static void take(struct input *in)
{
	char piece[PIECE];
	ssize_t n;

	if (in->watch && in_background(in->fd)) {
		om_watch_set(in->watch, 0);
		om_timer_start(in->timer, BACKGROUND_NS, 0);
		return;
	}
	n = read(in->fd, piece, sizeof(piece));
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		arm(in);
		return;
	}
	in->over = n <= 0;	/* a terminal that hung up has ended, too */
	arm(in);
	in->fn(in->arg, piece, n > 0 ? (size_t)n : 0);
}

static void on_readable(void *arg, int fd, int events)
{
	(void)fd;
	(void)events;
	take(arg);
}

static void on_timer(void *arg)
{
	struct input *in = arg;

	if (in->watch)
		arm(in);
	else
		take(in);
}

struct input *input_create(struct om_loop *loop, int fd, input_fn *fn,
			   void *arg, struct om_error *err)
{
	struct input *in = calloc(1, sizeof(*in));

	if (!in) {
		om_fail_nomem(err);
		return NULL;
	}
	in->fd = fd;
	in->fn = fn;
	in->arg = arg;
	in->paused = true;
	in->timer = om_timer_create(loop, on_timer, in, err);
	if (in->timer && outlet_may_wait(fd))
		in->watch = om_watch_create(loop, fd, 0, on_readable, in, err);
	if (!in->timer || (outlet_may_wait(fd) && !in->watch)) {
		input_destroy(in);
		return NULL;
	}
	return in;
}

void input_destroy(struct input *in)
{
	if (!in)
		return;
	om_watch_destroy(in->watch);
	om_timer_destroy(in->timer);
	free(in);
}

void input_pause(struct input *in, bool paused)
{
	if (in->paused == paused)
		return;
	in->paused = paused;
	arm(in);
}
