/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* clock: where time comes from, so that the core runs on a fake one too. */
#ifndef OM_BASE_CLOCK_H
#define OM_BASE_CLOCK_H

#include <stdint.h>

#define OM_NS_PER_S INT64_C(1000000000)
#define OM_NS_PER_MS INT64_C(1000000)

struct om_clock {
	/* Never runs backwards; for time-outs and durations. */
	int64_t (*mono_ns)(const struct om_clock *c);
	/* Seconds since 1970 in nanoseconds; may jump; for people and logs. */
	int64_t (*wall_ns)(const struct om_clock *c);
};

/* The machine's clock; shared, never freed. */
const struct om_clock *om_clock_system(void);

/* A clock that stands still until told; embed it and hand out &f->clock. */
struct om_clock_fake {
	struct om_clock clock;
	int64_t mono, wall;	/* ns */
};
void om_clock_fake_init(struct om_clock_fake *f, int64_t wall_ns);
void om_clock_fake_advance(struct om_clock_fake *f, int64_t ns);

static inline int64_t om_mono_ns(const struct om_clock *c)
{
	return c->mono_ns(c);
}
static inline int64_t om_wall_ns(const struct om_clock *c)
{
	return c->wall_ns(c);
}

#endif
