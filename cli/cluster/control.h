/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control: the cluster's side on the host: files, munged, omctld. */
#ifndef OM_CLI_CLUSTER_CONTROL_H
#define OM_CLI_CLUSTER_CONTROL_H

#include "cli/cluster/cgroup.h"
#include "cli/cluster/cluster.h"

#define CONTROL_USER "openmosix"
/* The nodes see FOLDER/openmpi.conf in its place. */
#define CONTROL_OPENMPI "/etc/openmpi/openmpi-mca-params.conf"

/* Makes the system user that omctld runs as. 1: made, 0: it was there. */
int control_user(struct om_error *err);

/* The first port from c->port on that nobody listens on, into c->port. */
int control_port(struct cluster *c, struct om_error *err);

/* Folders, munge key, hosts, openmpi.conf and openmosix.conf, as c says. */
int control_write(const struct cluster *c, struct om_error *err);

/* The supervisor of munged and omctld, or 0. */
pid_t control_pid(const struct cluster *c);
int control_start(const struct cluster *c, const struct cgroups *cg,
		  const char *omctld, const char *munged,
		  struct om_error *err);
/* Lets omctld end in order; returns when nothing of it is left. */
int control_stop(const struct cluster *c, struct om_error *err);
/* Tells omctld to read its configuration anew. */
int control_reload(const struct cluster *c, struct om_error *err);

#endif
