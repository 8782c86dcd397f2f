/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobdetail: everything about one job, and its steps. */
#ifndef OM_CLI_COMMON_JOBDETAIL_H
#define OM_CLI_COMMON_JOBDETAIL_H

#include "cli/common/table.h"
#include "lib/proto/openmosix.pb-c.h"

void jobdetail_print(Om__JobInfo *j, int64_t now_ns);
void jobdetail_step_columns(struct table *t);
/* A row for each step of the jobs; 0 or -ENOMEM. */
int jobdetail_step_rows(struct table *t, Om__JobInfo *const *job, size_t jobs,
			int64_t now_ns);

#endif
