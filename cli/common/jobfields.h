/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobfields: what can be shown of a job, by name; omq -o and omhist -o. */
#ifndef OM_CLI_COMMON_JOBFIELDS_H
#define OM_CLI_COMMON_JOBFIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/common/table.h"
#include "lib/proto/openmosix.pb-c.h"

struct jobfield {
	const char *name;	/* "time_limit" */
	const char *header;	/* "LIMIT" */
	bool right;
	/* Appends the text of the field; nothing means "-". */
	void (*text)(const Om__JobInfo *j, int64_t now_ns, struct om_buf *out);
	/* To sort by; NULL: by the text. */
	int64_t (*number)(const Om__JobInfo *j, int64_t now_ns);
};

const struct jobfield *jobfield_find(const char *name, struct om_error *err);
/* Ended by a name of NULL. */
extern const struct jobfield jobfields[];

/* "job_id,user,state" as a list; the number of fields or -EINVAL. */
int jobfield_parse_list(const char *text, const struct jobfield **list,
			int max, struct om_error *err);

/* Is there a word for what it waits for? */
bool jobfield_waits_for(const Om__JobInfo *j);
/* Is there a text that says why it waits, ends or ended? */
bool jobfield_has_text(const Om__JobInfo *j);
/* Seconds it has run, or ran; -1 before it started. */
int64_t jobfield_elapsed(const Om__JobInfo *j, int64_t now_ns);

void jobfield_columns(struct table *t, const struct jobfield *const *list,
		      int n);
/* A row for each job; 0 or -ENOMEM. */
int jobfield_rows(struct table *t, const struct jobfield *const *list, int n,
		  Om__JobInfo *const *job, size_t jobs, int64_t now_ns);
/* Sorts by fields, each with '-' before it for descending. */
int jobfield_sort(const char *keys, Om__JobInfo **job, size_t jobs,
		  int64_t now_ns, struct om_error *err);

#endif
