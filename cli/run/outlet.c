/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/run/outlet.h"

/* A pipe or terminal that polls as writable takes so much without blocking. */
#define PIECE 4096
#define SHORT_QUEUE (64u << 10)

struct outlet {
	int fd;
	struct om_watch *watch;	/* NULL: a file, never waits */
	struct om_buf queue;
	bool dead, was_long;
	outlet_fn *fn;
	void *arg;
};

static bool is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

static void give_up(struct outlet *o, int rc)
{
	o->dead = true;
	om_buf_reset(&o->queue);
	if (o->watch)
		om_watch_set(o->watch, 0);
	o->fn(o->arg, rc);
}

/* Writes while the descriptor takes it; all of it if wait. */
static void flush(struct outlet *o, bool wait)
{
	while (om_buf_len(&o->queue) && !o->dead) {
		size_t len = om_buf_len(&o->queue);
		ssize_t n;

		if (o->watch && !wait && !is_writable(o->fd))
			break;
		n = write(o->fd, om_buf_str(&o->queue),
			  len < PIECE || !o->watch ? len : PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && !wait)
			break;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = o->fd, .events = POLLOUT };

			poll(&p, 1, 1000);
			continue;
		}
		if (n < 0) {
			give_up(o, -errno);
			return;
		}
		om_buf_consume(&o->queue, (size_t)n);
	}
	if (o->watch && !o->dead)
		om_watch_set(o->watch,
			     om_buf_len(&o->queue) ? OM_LOOP_WRITE : 0);
	if (o->was_long && om_buf_len(&o->queue) < SHORT_QUEUE) {
		o->was_long = false;
		o->fn(o->arg, 0);
	}
}

static void on_writable(void *arg, int fd, int events)
{
	(void)fd;
	(void)events;
	flush(arg, false);
}

bool outlet_may_wait(int fd)
{
	struct stat st;

	return isatty(fd) || (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) ||
						      S_ISSOCK(st.st_mode)));
}

struct outlet *outlet_create(struct om_loop *loop, int fd, outlet_fn *fn,
			     void *arg, struct om_error *err)
{
	struct outlet *o = calloc(1, sizeof(*o));

	if (!o) {
		om_fail_nomem(err);
		return NULL;
	}
	o->fd = fd;
	o->fn = fn;
	o->arg = arg;
	if (!outlet_may_wait(fd))
		return o;
	o->watch = om_watch_create(loop, fd, 0, on_writable, o, err);
	if (!o->watch) {
		free(o);
		return NULL;
	}
	return o;
}

void outlet_destroy(struct outlet *o)
{
	if (!o)
		return;
	flush(o, true);
	om_watch_destroy(o->watch);
	om_buf_fini(&o->queue);
	free(o);
}

void outlet_write(struct outlet *o, const void *data, size_t len)
{
	if (o->dead || !len)
		return;
	if (om_buf_add(&o->queue, data, len) < 0) {
		give_up(o, -ENOMEM);
		return;
	}
	flush(o, false);
	if (om_buf_len(&o->queue) >= SHORT_QUEUE)
		o->was_long = true;
}

size_t outlet_queued(const struct outlet *o)
{
	return om_buf_len(&o->queue);
}
