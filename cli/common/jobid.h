/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobid: numbers of jobs and steps as people write them. */
#ifndef OM_CLI_COMMON_JOBID_H
#define OM_CLI_COMMON_JOBID_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/proto/openmosix.pb-c.h"

/* Appends "12", "123_7", "123_[5-99]". */
void jobid_add(const Om__JobInfo *j, struct om_buf *out);
/* "12.0", "12.batch"; 0 or -EINVAL. */
int jobid_parse_step(const char *text, uint64_t *ret_job, uint32_t *ret_step);
/* Appends digits, without printf's price. */
void jobid_add_u64(struct om_buf *b, uint64_t v);

#endif
