/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* clock: the system's clock and one for tests and simulation. */
#include <time.h>

#include "lib/base/clock.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * OM_NS_PER_S + ts.tv_nsec;
}

static int64_t system_mono(const struct om_clock *c)
{
	(void)c;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall(const struct om_clock *c)
{
	(void)c;
	return read_clock(CLOCK_REALTIME);
}

const struct om_clock *om_clock_system(void)
{
	static const struct om_clock system = { system_mono, system_wall };

	return &system;
}

static int64_t fake_mono(const struct om_clock *c)
{
	return ((const struct om_clock_fake *)c)->mono;
}

static int64_t fake_wall(const struct om_clock *c)
{
	return ((const struct om_clock_fake *)c)->wall;
}

void om_clock_fake_init(struct om_clock_fake *f, int64_t wall_ns)
{
	*f = (struct om_clock_fake){
		.clock = { fake_mono, fake_wall },
		.mono = 0,
		.wall = wall_ns,
	};
}

void om_clock_fake_advance(struct om_clock_fake *f, int64_t ns)
{
	f->mono += ns;
	f->wall += ns;
}
