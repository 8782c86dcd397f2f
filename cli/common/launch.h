/* SPDX-License-Identifier: GPL-3.0-or-later */
/* launch: what processes take along from here: folder, environment, limits. */
#ifndef OM_CLI_COMMON_LAUNCH_H
#define OM_CLI_COMMON_LAUNCH_H

#include "cli/common/jobspec.h"
#include "lib/base/strvec.h"

#define LAUNCH_LIMITS 16

struct launch {
	Om__Launch msg;		/* points into what follows */
	Om__ResourceLimit limit[LAUNCH_LIMITS];
	Om__ResourceLimit *limits[LAUNCH_LIMITS];
	char *cwd;
	char host[256];
	char **env;		/* the strings are borrowed, mostly */
	struct om_strvec extra;	/* NAME=VALUE given with --export */
};

/*
 * Fills l from this process and j's options. environ and j must outlive it.
 * inherit_job: the OM_ variables of the job we run in are taken along (omrun
 * in a job); otherwise they are left out, as are those of PMIx and mpirun.
 */
int launch_init(struct launch *l, const struct jobspec *j, bool inherit_job,
		struct om_error *err);
void launch_fini(struct launch *l);
/* The packed message, owned. */
int launch_pack(const struct launch *l, ProtobufCBinaryData *ret,
		struct om_error *err);

/* True for NAME=... that only means something inside a job. */
bool launch_is_job_variable(const char *entry);

#endif
