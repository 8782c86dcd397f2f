/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodecmd: nodes as commands see and change them. */
#ifndef OM_SCHED_CTLD_NODECMD_H
#define OM_SCHED_CTLD_NODECMD_H

#include "sched/ctld/ctld.h"

/* A node that fails at its own work gets no more of it. */
void nodecmd_drain_faulty(struct omctld *c, struct om_node *m,
			  const char *text);
/* Answers those who wait for nodes to be empty. */
void nodecmd_check_waits(struct omctld *c);
/* "idle" "mixed" "allocated" "draining" "drained" "down" */
const char *nodecmd_state(const struct om_node *m);

#endif
