/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * timer: one libevent timer, re-armed by hand: the next time of a repeating
 * one is kept as a point in time, so that it does not drift.
 */
#include <stdlib.h>

#include "lib/loop/private.h"

struct om_timer {
	struct event ev;
	om_timer_fn *fn;
	void *arg;
	int64_t next_ns, repeat_ns;
};

static int64_t now_ns(void)
{
	return om_mono_ns(om_clock_system());
}

static void arm(struct om_timer *t, int64_t delay_ns)
{
	int64_t us;
	struct timeval tv;

	if (delay_ns < 0)
		delay_ns = 0;
	us = delay_ns / 1000 + (delay_ns % 1000 != 0);
	tv = (struct timeval){
		.tv_sec = us / 1000000,
		.tv_usec = us % 1000000,
	};
	event_add(&t->ev, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct om_timer *t = arg;
	int64_t now;

	(void)fd;
	(void)what;
	if (t->repeat_ns > 0) {
		now = now_ns();
		t->next_ns += t->repeat_ns;
		if (t->next_ns <= now)
			t->next_ns = now + t->repeat_ns;
		arm(t, t->next_ns - now);
	}
	t->fn(t->arg);
}

struct om_timer *om_timer_create(struct om_loop *loop, om_timer_fn *fn,
				 void *arg, struct om_error *err)
{
	struct om_timer *t = calloc(1, sizeof(*t));

	if (!t) {
		om_fail_nomem(err);
		return NULL;
	}
	t->fn = fn;
	t->arg = arg;
	evtimer_assign(&t->ev, om_loop_base(loop), on_timer, t);
	return t;
}

void om_timer_start(struct om_timer *t, int64_t delay_ns, int64_t repeat_ns)
{
	t->repeat_ns = repeat_ns;
	if (repeat_ns > 0)
		t->next_ns = now_ns() + delay_ns;
	arm(t, delay_ns);
}

void om_timer_stop(struct om_timer *t)
{
	event_del(&t->ev);
}

bool om_timer_running(const struct om_timer *t)
{
	return event_pending(&t->ev, EV_TIMEOUT, NULL);
}

void om_timer_destroy(struct om_timer *t)
{
	if (!t)
		return;
	event_del(&t->ev);
	free(t);
}
