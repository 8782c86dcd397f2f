/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * watch: a descriptor's readiness. Reading and writing are two events, so that
 * turning one of them on or off is one epoll_ctl and leaves the other alone.
 */
#include <stdlib.h>

#include "lib/loop/private.h"

struct om_watch {
	struct event read, write;
	om_watch_fn *fn;
	void *arg;
	int events;
};

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct om_watch *w = arg;

	(void)what;
	w->fn(w->arg, (int)fd, OM_LOOP_READ);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct om_watch *w = arg;

	(void)what;
	w->fn(w->arg, (int)fd, OM_LOOP_WRITE);
}

struct om_watch *om_watch_create(struct om_loop *loop, int fd, int events,
				 om_watch_fn *fn, void *arg,
				 struct om_error *err)
{
	struct om_watch *w = calloc(1, sizeof(*w));
	struct event_base *base = om_loop_base(loop);

	if (!w) {
		om_fail_nomem(err);
		return NULL;
	}
	w->fn = fn;
	w->arg = arg;
	event_assign(&w->read, base, fd, EV_READ | EV_PERSIST, on_read, w);
	event_assign(&w->write, base, fd, EV_WRITE | EV_PERSIST, on_write, w);
	if (om_watch_set(w, events) < 0) {
		om_fail_errno(err, "cannot watch descriptor %d", fd);
		free(w);
		return NULL;
	}
	return w;
}

static int toggle(struct event *ev, bool was, bool is)
{
	if (was == is)
		return 0;
	if ((is ? event_add(ev, NULL) : event_del(ev)) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

int om_watch_set(struct om_watch *w, int events)
{
	int rc = toggle(&w->read, w->events & OM_LOOP_READ,
			events & OM_LOOP_READ);

	if (rc < 0)
		return rc;
	w->events = (w->events & ~OM_LOOP_READ) | (events & OM_LOOP_READ);
	rc = toggle(&w->write, w->events & OM_LOOP_WRITE,
		    events & OM_LOOP_WRITE);
	if (rc < 0)
		return rc;
	w->events = events;
	return 0;
}

void om_watch_destroy(struct om_watch *w)
{
	if (!w)
		return;
	om_watch_set(w, 0);
	free(w);
}
