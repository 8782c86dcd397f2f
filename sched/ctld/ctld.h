/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ctld: what everything in omctld hangs on. One loop thread owns it all.
 */
#ifndef OM_SCHED_CTLD_CTLD_H
#define OM_SCHED_CTLD_CTLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/conf/config.h"
#include "lib/loop/loop.h"
#include "lib/store/store.h"
#include "sched/model/model.h"
#include "sched/policy/policy.h"

struct journal;
struct clients;
struct nodes;
struct waits;
struct run;
struct finish;
struct depends;
struct queue;
struct recover;
struct access;
struct drain_wait;

struct omctld {
	struct om_loop *loop;
	const struct om_clock *clock;
	const char *config_path;	/* as given, NULL: searched */
	struct om_config *config;	/* in effect: file and runtime */
	struct om_model *model;
	struct om_store *store;
	struct om_sched *sched;
	struct journal *journal;
	struct access *access;
	struct clients *clients;
	struct nodes *nodes;
	struct waits *waits;
	struct run *run;
	struct finish *finish;
	struct depends *depends;
	struct queue *queue;
	struct recover *recover;
	struct drain_wait *drain_waits;	/* see nodecmd.c */
	struct om_timer *commit;	/* of what nobody waits for */
	int64_t started_ns;		/* wall */
	int exit_code;			/* of the process, once stopped */
	bool stopping;
	bool doomed;			/* some peer is, see peer.h */
};

/* Opens the store, replays, listens. config is taken, also on failure. */
int ctld_init(struct omctld *c, struct om_config *config,
	      struct om_error *err);
/* Runs until told to stop; the process's exit code. */
int ctld_run(struct omctld *c);
void ctld_fini(struct omctld *c);

static inline int64_t ctld_mono(const struct omctld *c)
{
	return om_mono_ns(c->clock);
}
static inline int64_t ctld_wall(const struct omctld *c)
{
	return om_wall_ns(c->clock);
}

#endif
