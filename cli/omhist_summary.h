/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omhist_summary: what all jobs of a user came to. */
#ifndef OM_CLI_OMHIST_SUMMARY_H
#define OM_CLI_OMHIST_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/proto/openmosix.pb-c.h"

struct omhist_sum {
	char user[64];
	uint64_t jobs, completed, failed, cancelled, other;
	double core_s;		/* processors held, times seconds */
	double cpu_s;		/* processor time used */
	uint64_t moves;
};

struct omhist_summary {
	struct omhist_sum *user;	/* one for each */
	size_t users;
};

int omhist_summary_add(struct omhist_summary *s, const Om__JobInfo *j,
		       int64_t now_ns);
void omhist_summary_print(const struct omhist_summary *s, bool json,
			  bool header);
void omhist_summary_fini(struct omhist_summary *s);

#endif
