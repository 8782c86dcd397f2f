/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recover: the model from the store at start; snapshots that keep the log
 * short. */
#ifndef OM_SCHED_CTLD_RECOVER_H
#define OM_SCHED_CTLD_RECOVER_H

#include "sched/ctld/ctld.h"

struct recover;
struct recover *recover_create(struct omctld *c, struct om_error *err);
void recover_destroy(struct recover *r);

/* Fills the empty model of c from its store. */
int recover_replay(struct omctld *c, struct om_error *err);
/* Now, whatever there is; -EBUSY while one is being written. */
int recover_snapshot(struct omctld *c, struct om_error *err);
/* In the turn hook: a snapshot if enough has happened since the last. */
void recover_turn(struct omctld *c);

#endif
