/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * loop: the turn, its hooks and deferred functions, and signals.
 *
 * A turn blocks only if nobody asked for it to come at once: "woken" and a
 * queued om_defer both make it look at what is ready and go on.
 */
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/loop/private.h"

struct hook {
	om_turn_fn *fn;
	void *arg;
};

struct signal_watch {
	struct event ev;
	om_signal_fn *fn;
	void *arg;
	struct signal_watch *next;
};

struct om_loop {
	struct event_base *base;
	struct event deadline;		/* ends a turn that waits too long */
	struct hook *hooks;
	size_t hook_count;
	struct om_defer defers;		/* head of a ring */
	struct signal_watch *signals;
	struct om_workers *workers;
	bool woken, stopping;
};

struct event_base *om_loop_base(const struct om_loop *loop)
{
	return loop->base;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;	/* its coming is all that is wanted of it */
}

/*
 * NOLOCK: one thread only, even where a library switched libevent's locks on.
 * NO_CACHE_TIME: a timer counts from its start, not from the turn's start.
 * IGNORE_ENV: daemons run as root; the environment chooses nothing here.
 */
static struct event_base *base_create(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
				  EVENT_BASE_FLAG_IGNORE_ENV |
				  EVENT_BASE_FLAG_NO_CACHE_TIME |
				  EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct om_loop *om_loop_create(struct om_error *err)
{
	struct om_loop *loop = calloc(1, sizeof(*loop));

	if (!loop) {
		om_fail_nomem(err);
		return NULL;
	}
	loop->defers.next = loop->defers.prev = &loop->defers;
	loop->base = base_create();
	if (!loop->base) {
		om_fail_errno(err, "cannot create an event loop");
		free(loop);
		return NULL;
	}
	event_assign(&loop->deadline, loop->base, -1, 0, on_deadline, NULL);
	return loop;
}

void om_loop_destroy(struct om_loop *loop)
{
	struct signal_watch *s;

	if (!loop)
		return;
	om_workers_destroy(loop->workers);
	while ((s = loop->signals) != NULL) {
		loop->signals = s->next;
		event_del(&s->ev);
		free(s);
	}
	while (loop->defers.next != &loop->defers)
		om_defer_cancel(loop->defers.next);
	event_del(&loop->deadline);
	event_base_free(loop->base);
	free(loop->hooks);
	free(loop);
}

static bool defers_queued(const struct om_loop *loop)
{
	return loop->defers.next != &loop->defers;
}

void om_loop_defer(struct om_loop *loop, struct om_defer *d, om_turn_fn *fn,
		   void *arg)
{
	struct om_defer *head = &loop->defers;

	d->fn = fn;
	d->arg = arg;
	if (d->next)
		return;
	d->next = head;
	d->prev = head->prev;
	head->prev->next = d;
	head->prev = d;
}

void om_defer_cancel(struct om_defer *d)
{
	if (!d->next)
		return;
	d->next->prev = d->prev;
	d->prev->next = d->next;
	d->next = d->prev = NULL;
}

/*
 * What a deferred function queues anew waits for the next turn, so that the
 * hooks see what it did. The mark is the end of what this turn works off.
 */
static void run_defers(struct om_loop *loop)
{
	struct om_defer mark = { 0 };
	struct om_defer *d;

	if (!defers_queued(loop))
		return;
	om_loop_defer(loop, &mark, NULL, NULL);
	while ((d = loop->defers.next) != &mark) {
		om_defer_cancel(d);
		d->fn(d->arg);
	}
	om_defer_cancel(&mark);
}

static int wait_and_dispatch(struct om_loop *loop, int64_t timeout_ns,
			     struct om_error *err)
{
	struct timeval tv = {
		.tv_sec = timeout_ns / OM_NS_PER_S,
		.tv_usec = (timeout_ns % OM_NS_PER_S + 999) / 1000,
	};
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
	int rc;

	if (timeout_ns == 0)
		flags = EVLOOP_NONBLOCK;
	else if (timeout_ns > 0)
		event_add(&loop->deadline, &tv);
	rc = event_base_loop(loop->base, flags);
	if (timeout_ns > 0)
		event_del(&loop->deadline);
	if (rc < 0)
		return om_fail_errno(err, "waiting for events");
	return 0;
}

int om_loop_turn(struct om_loop *loop, int64_t timeout_ns, struct om_error *err)
{
	bool at_once = loop->woken || defers_queued(loop);
	int rc;

	loop->woken = false;
	rc = wait_and_dispatch(loop, at_once ? 0 : timeout_ns, err);
	if (rc < 0)
		return rc;
	/* A hook may add hooks, so the array may move. */
	for (size_t i = 0; i < loop->hook_count; i++)
		loop->hooks[i].fn(loop->hooks[i].arg);
	run_defers(loop);
	return 0;
}

int om_loop_run(struct om_loop *loop, struct om_error *err)
{
	int rc = 0;

	while (rc == 0 && !loop->stopping)
		rc = om_loop_turn(loop, -1, err);
	loop->stopping = false;
	return rc;
}

void om_loop_stop(struct om_loop *loop)
{
	loop->stopping = true;
	loop->woken = true;
}

void om_loop_wake(struct om_loop *loop)
{
	loop->woken = true;
}

const struct om_clock *om_loop_clock(const struct om_loop *loop)
{
	(void)loop;
	return om_clock_system();
}

struct om_workers *om_loop_workers(struct om_loop *loop, struct om_error *err)
{
	if (!loop->workers)
		loop->workers = om_workers_create(loop, 2, err);
	return loop->workers;
}

int om_loop_on_turn(struct om_loop *loop, om_turn_fn *fn, void *arg)
{
	struct hook *hooks = reallocarray(loop->hooks, loop->hook_count + 1,
					  sizeof(*hooks));

	if (!hooks)
		return -ENOMEM;
	hooks[loop->hook_count++] = (struct hook){ .fn = fn, .arg = arg };
	loop->hooks = hooks;
	return 0;
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct signal_watch *s = arg;

	(void)what;
	s->fn(s->arg, (int)signo);
}

int om_loop_on_signal(struct om_loop *loop, int signo, om_signal_fn *fn,
		      void *arg, struct om_error *err)
{
	om_autofree struct signal_watch *s = calloc(1, sizeof(*s));

	if (!s)
		return om_fail_nomem(err);
	s->fn = fn;
	s->arg = arg;
	if (evsignal_assign(&s->ev, loop->base, signo, on_signal, s) < 0)
		return om_fail(err, -EINVAL, "signal %d cannot be watched",
			       signo);
	if (evsignal_add(&s->ev, NULL) < 0)
		return om_fail_errno(err, "cannot watch signal %d", signo);
	s->next = loop->signals;
	loop->signals = om_take(s);
	return 0;
}
