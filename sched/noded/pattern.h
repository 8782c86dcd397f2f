/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pattern: names of output files.
 *
 *	%j job id	%J job.step	%A array's id (job id if no array)
 *	%a array index	%x job name	%u user
 *	%N node		%n its number	%s step		%t rank		%% a %
 *
 * A number between % and a letter pads numbers with zeros (%4j). What is not
 * a pattern stays as it is. A slash in a name becomes '_': it is one name.
 */
#ifndef OM_NODED_PATTERN_H
#define OM_NODED_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct pattern_values {
	uint64_t job, array;		/* array 0: not of an array */
	uint32_t index, step, node_index, rank;
	const char *name, *user, *node;	/* NULL: empty */
};

/* An owned string, or NULL with err set (-ENOMEM, -ENAMETOOLONG). */
char *pattern_expand(const char *pattern, const struct pattern_values *v,
		     struct om_error *err);
/* Does it give each task a file of its own? */
bool pattern_per_task(const char *pattern);
/* Does it give each node a file of its own? */
bool pattern_per_node(const char *pattern);

#endif
