/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * step: a step daemon: the parent of one step's tasks on this node.
 *
 *   WAITING --launch--> RUNNING --last task--> EMPTYING --group empty--> OVER
 *      |                                                                  |
 *      `---------------- cannot start: nothing is left --------------->---'
 *
 * WAITING: forked, the order has not come yet. EMPTYING: what the tasks left
 * behind is killed. OVER: the report is kept until omnoded has taken it, then
 * the process ends.
 *
 * The process lives for its one step, was forked from the zygote without exec
 * and frees nothing at its end.
 */
#ifndef OM_NODED_STEP_H
#define OM_NODED_STEP_H

#include "sched/noded/place.h"

/* Runs the step daemon on fd (omnoded's end of a socketpair); never returns. */
__attribute__((noreturn)) void step_main(const struct place *place, int fd);

#endif
