/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * zygote: the small process that step daemons are forked from.
 *
 * It has done once what every step daemon needs done (linking, configuration,
 * open spool and cgroup tree) and then only waits. With omnoded it speaks over
 * a SOCK_SEQPACKET pair, one line a packet:
 *
 *	omnoded -> zygote	fork JOB STEP		+ a descriptor (the step
 *						daemon's end of a socketpair)
 *	zygote -> omnoded	failed JOB STEP ERRNO	it could not fork
 *				exit PID STATUS		an orphan ended
 *
 * Of a step daemon's own life its connection tells.
 *
 * The zygote is the child subreaper: tasks whose step daemon was killed become
 * its children, and their ends are told. When omnoded goes away so does the
 * zygote; step daemons live on.
 */
#ifndef OM_NODED_ZYGOTE_H
#define OM_NODED_ZYGOTE_H

#include "sched/noded/place.h"

/* Serves until the far end of fd closes; 0 or -Exxx. */
int zygote_serve(const struct place *place, int fd, struct om_error *err);

#endif
