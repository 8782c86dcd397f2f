/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nodes: who is there, who is away and for how long.
 *
 *	registered -> connection lost -> 2 s: no new work ("not responding")
 *	           -> node_timeout_s: its jobs are failed or requeued
 *
 * A node that returns, whenever that is, is compared with the log
 * (reconcile.h): what the log does not want is killed there.
 */
#ifndef OM_SCHED_CTLD_NODES_H
#define OM_SCHED_CTLD_NODES_H

#include "sched/ctld/ctld.h"
#include "sched/ctld/peer.h"

struct nodes;
struct nodes *nodes_create(struct omctld *c, struct om_error *err);
void nodes_destroy(struct nodes *n);
/* After a restart: every node has its time-out to come back. */
void nodes_recover(struct omctld *c);

/* The node's connection, or NULL while it is away. */
struct peer *nodes_peer(const struct om_node *n);
/* What p registered as, or NULL. */
struct om_node *nodes_of_peer(const struct peer *p);
/* Its readings, all so far merged; or NULL. */
const Om__NodeReport *nodes_report_of(const struct om_node *n);
/* Before m leaves the model. */
void nodes_forget(struct om_node *m);
/* p, a registered node, is being destroyed. */
void nodes_lost_peer(struct omctld *c, struct peer *p);
/* It said something; silence makes it count as away. */
void nodes_heard(struct omctld *c, struct om_node *m);
/* j freed something: perhaps a node is empty now. */
void nodes_job_over(struct omctld *c, const struct om_job *j);

/* Here the configuration overrules what a node says of itself. */
const struct om_conf_node *nodes_configured(const struct om_config *conf,
					    const char *name);

#endif
