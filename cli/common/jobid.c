/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/common/jobid.h"
#include "lib/base/str.h"
#include "lib/proto/types.h"

void jobid_add_u64(struct om_buf *b, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	om_buf_add(b, digits + n, sizeof(digits) - n);
}

void jobid_add(const Om__JobInfo *j, struct om_buf *out)
{
	if (!j->array_id) {
		jobid_add_u64(out, j->job_id);
		return;
	}
	jobid_add_u64(out, j->array_id);
	if (j->array_pending && *j->array_pending) {
		om_buf_adds(out, "_[");
		om_buf_adds(out, j->array_pending);
		om_buf_addc(out, ']');
	} else if (j->job_id != j->array_id) {
		om_buf_addc(out, '_');
		jobid_add_u64(out, j->array_index);
	}
}

int jobid_parse_step(const char *text, uint64_t *ret_job, uint32_t *ret_step)
{
	const char *dot = strchr(text, '.');
	char job[24];

	if (!dot)
		return -EINVAL;
	snprintf(job, sizeof(job), "%.*s", (int)(dot - text), text);
	if (om_parse_u64(job, 1, INT64_MAX, ret_job) < 0)
		return -EINVAL;
	if (!strcmp(dot + 1, "batch")) {
		*ret_step = OM_STEP_BATCH;
		return 0;
	}
	return om_parse_u32(dot + 1, 0, OM_STEP_BATCH - 1, ret_step);
}
