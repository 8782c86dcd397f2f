/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * submit: from a Submit message to a job in the log.
 *
 * The order of the checks is that of their price: identity, limits, bounds,
 * then the scheduler. The same uuid of the same user twice is one job.
 */
#ifndef OM_SCHED_CTLD_SUBMIT_H
#define OM_SCHED_CTLD_SUBMIT_H

#include "lib/base/strvec.h"
#include "sched/ctld/ctld.h"

/* What a user should know of options that have no effect yet. */
int submit_notes(const Om__JobSpec *s, struct om_strvec *notes);

#endif
