/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control: one verb done to the jobs of a filter, and what came of it told. */
#ifndef OM_CLI_COMMON_CONTROL_H
#define OM_CLI_COMMON_CONTROL_H

#include "cli/common/filter.h"
#include "cli/common/session.h"

struct control {
	struct session *session;
	Om__JobControl msg;	/* verb and its values; filter is filled in */
	uint64_t done;		/* jobs it was done to */
	uint64_t refused;	/* said on standard error already */
	uint64_t over;		/* jobs that were over already */
	bool quiet;		/* that there is nothing to do is not said */
};

void control_init(struct control *c, struct session *s, Om__JobVerb verb);
/* For each combination of f's lists; an exit code. */
int control_run(struct control *c, struct filter *f);
/* As control_run, for one message. Returns 0 or the exit code. */
int control_one(struct control *c, const Om__JobFilter *msg);
/* CLI_OK if all went well, CLI_FAILED if something was refused or a job that
 * was named does not exist. */
int control_result(const struct control *c, const struct filter *f);

#endif
