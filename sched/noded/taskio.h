/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * taskio: files for standard input, output and error, opened as the user.
 *
 * Every task on this node shares the descriptors unless the pattern names the
 * rank; so lines of several tasks do not overwrite each other.
 */
#ifndef OM_NODED_TASKIO_H
#define OM_NODED_TASKIO_H

#include "sched/noded/asuser.h"
#include "sched/noded/pattern.h"

struct taskio_spec {
	const char *in, *out, *err;	/* patterns; NULL or "": see taskio_open */
	bool append;
	bool first_node;		/* only it empties a file of all nodes */
	bool many_nodes;
};

struct taskio_files {
	int in, out, err;	/* err may be the same descriptor as out */
};
#define TASKIO_FILES_INIT { -1, -1, -1 }

/*
 * Opens all three relative to the current folder, which must be the user's.
 * No input: /dev/null. No output: the default, om-%j.out (om-%A_%a.out in an
 * array). No error file: with the output.
 */
int taskio_open(const struct taskio_spec *s, const struct pattern_values *v,
	       const struct asuser *user, struct taskio_files *ret,
	       struct om_error *err);
/*
 * A line of the daemon's own into a task's file. Only a regular file gets it:
 * whoever reads a FIFO or a terminal could hold up the daemon, and with it the
 * end of the job, for ever.
 */
void taskio_say(int fd, const char *line);
void taskio_close(struct taskio_files *f);
/* Must each task open its own? */
bool taskio_per_task(const struct taskio_spec *s);

#endif
