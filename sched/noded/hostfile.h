/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hostfile: the files by which an MPI launcher learns the job's nodes.
 *
 * A job on one node shares them with every other such job of as many slots:
 * SPOOL/hosts/NODE.SLOTS/, root's, made once. Other jobs have them in their folder.
 */
#ifndef OM_NODED_HOSTFILE_H
#define OM_NODED_HOSTFILE_H

#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/asuser.h"
#include "sched/noded/place.h"

/* The folder they are in; owned. NULL with err set. */
char *hostfile_make(const struct place *p, const Om__StepLaunch *req,
		    const struct asuser *user, struct om_error *err);

#endif
