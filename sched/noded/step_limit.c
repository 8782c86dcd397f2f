/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * step_limit: the end of a step's time: warning, SIGTERM, SIGKILL.
 *
 * The order names the end by the wall clock; what is left of it is measured
 * once, when the order comes, and runs on the monotonic clock, so that setting
 * the clock does not end jobs.
 */
#include <signal.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/step_private.h"

struct step_limit {
	struct om_timer *warn, *end, *kill;
	int64_t end_ns;		/* as told */
	int64_t limit_s;	/* the whole limit, for the text */
};

static void on_warn(void *arg)
{
	struct step *s = arg;
	bool batch = s->req->step_id == OM_STEP_BATCH;

	if (s->req->warn_batch_only && !batch)
		return;
	step_signal(s, (int)s->req->warn_signal, s->req->warn_batch_only);
}

static void on_end(void *arg)
{
	struct step *s = arg;
	char limit[32], text[80];

	if (s->state != STEP_RUNNING)
		return;
	om_format_duration(s->limit->limit_s, limit, sizeof(limit));
	snprintf(text, sizeof(text), "time limit of %s reached", limit);
	step_ending(s, OM__JOB_STATE__TIMEOUT, text);
	step_signal(s, SIGTERM, false);
	step_signal(s, SIGCONT, false);
	step_limit_kill_after(s, s->place->conf->kill_wait_s * OM_NS_PER_S);
}

static void on_kill(void *arg)
{
	step_kill(arg);
}

/* Made on first use: most steps end long before. */
static struct om_timer *need(struct step *s, struct om_timer **t,
			     om_timer_fn *fn)
{
	struct om_error err = OM_ERROR_INIT;

	if (!*t) {
		*t = om_timer_create(s->loop, fn, s, &err);
		if (!*t)
			om_log_error("no timer job=%" PRIu64 ": %s",
				     s->req->job_id, om_error_text(&err));
	}
	return *t;
}

int step_limit_create(struct step *s, struct om_error *err)
{
	s->limit = calloc(1, sizeof(*s->limit));
	return s->limit ? 0 : om_fail_nomem(err);
}

static void set_limit_s(struct step *s, int64_t end_ns)
{
	struct step_limit *l = s->limit;

	if (l->end_ns)		/* moved: by as much as the end has */
		l->limit_s += (end_ns - l->end_ns) / OM_NS_PER_S;
	else if (s->req->time_limit_s > 0)
		l->limit_s = s->req->time_limit_s;
	else
		l->limit_s = (end_ns - s->start_ns + OM_NS_PER_S / 2) /
			     OM_NS_PER_S;
}

void step_limit_set(struct step *s, int64_t end_ns)
{
	struct step_limit *l = s->limit;
	int64_t left = end_ns - om_wall_ns(om_loop_clock(s->loop));
	int64_t before = (int64_t)s->req->warn_before_s * OM_NS_PER_S;

	if (end_ns <= 0) {
		step_limit_stop(s);
		l->end_ns = 0;
		return;
	}
	if (left < 0)
		left = 0;
	set_limit_s(s, end_ns);
	l->end_ns = end_ns;
	if (need(s, &l->end, on_end))
		om_timer_start(l->end, left, 0);
	if (s->req->warn_signal && need(s, &l->warn, on_warn))
		om_timer_start(l->warn, left > before ? left - before : 0, 0);
}

void step_limit_kill_after(struct step *s, int64_t ns)
{
	if (need(s, &s->limit->kill, on_kill))
		om_timer_start(s->limit->kill, ns, 0);
	else
		step_kill(s);
}

void step_limit_stop(struct step *s)
{
	struct step_limit *l = s->limit;

	if (l->end)
		om_timer_stop(l->end);
	if (l->warn)
		om_timer_stop(l->warn);
	if (l->kill)
		om_timer_stop(l->kill);
}
