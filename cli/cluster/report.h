/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report: how the cluster fares, by what we see and what omctld says. */
#ifndef OM_CLI_CLUSTER_REPORT_H
#define OM_CLI_CLUSTER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cluster/cluster.h"

/*
 * Until every node of c that is up has registered with omctld. -ETIMEDOUT
 * names those that are missing and shows what omctld or they said last.
 */
int report_wait(const struct cluster *c, int64_t timeout_ns,
		struct om_error *err);

int report_table(const struct cluster *c, struct om_error *err);
int report_json(const struct cluster *c, struct om_error *err);

#endif
