/* SPDX-License-Identifier: GPL-3.0-or-later */
/* move: the inequality of reassignment; see move.h. */
#include <math.h>

#include "sched/econ/move.h"

/* A task that has only just begun may end at once. */
#define REST_MIN_S 0.1

static double positive(double x)
{
	return x > 0 ? x : 0;		/* NaN too */
}

double om_econ_move_seconds(const struct om_econ_move *mv)
{
	double bytes = positive(mv->bytes), rate = positive(mv->rate);

	if (bytes > 0 && rate == 0)
		return HUGE_VAL;
	return (bytes > 0 ? bytes / rate : 0) + positive(mv->freeze_s);
}

double om_econ_move_price(const struct om_econ_move *mv, double present,
			  double elsewhere)
{
	double rest = fmax(positive(mv->ran_s), REST_MIN_S);
	double calls = positive(mv->calls) * positive(mv->call_s);
	double seconds = om_econ_move_seconds(mv);

	if (isinf(seconds))
		return HUGE_VAL;
	return positive(present) * seconds / rest +
	       positive(elsewhere) * calls;
}

bool om_econ_move_pays(const struct om_econ_offer *o)
{
	return o->present - o->elsewhere > o->price;
}

bool om_econ_move_cooled(int64_t last_ns, int64_t now_ns, int64_t cool_ns)
{
	/* The wall clock may have been set back: then wait, not forever. */
	if (last_ns == 0 || cool_ns <= 0)
		return true;
	return now_ns >= last_ns ? now_ns - last_ns >= cool_ns :
				   last_ns - now_ns >= cool_ns;
}
