/* SPDX-License-Identifier: GPL-3.0-or-later */
/* depends: which pending jobs wait for a job, so that its start and end reach
 * them without a look at the whole queue. */
#ifndef OM_SCHED_CTLD_DEPENDS_H
#define OM_SCHED_CTLD_DEPENDS_H

#include "sched/ctld/ctld.h"

struct depends;
struct depends *depends_create(struct om_error *err);
void depends_destroy(struct depends *d);
/* A pending job, new or with other dependencies. 0 or -ENOMEM. */
int depends_add(struct omctld *c, const struct om_job *j);
/* Job id began, or is over: the scheduler looks at those who wait for it. */
void depends_changed(struct omctld *c, uint64_t id, bool over);

#endif
