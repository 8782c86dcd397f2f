/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * output: what the tasks write, put together from many nodes: line by line,
 * so that tasks do not cut each other's lines, labelled if asked, to our
 * own standard output and error or into files.
 */
#ifndef OM_CLI_RUN_OUTPUT_H
#define OM_CLI_RUN_OUTPUT_H

#include "cli/run/outlet.h"

struct output_config {
	uint32_t tasks;
	bool label;			/* "3: " before each line */
	bool direct;			/* as it comes, not in lines */
	const char *out, *err;		/* patterns of files; NULL: ours;
					 * err NULL with out: with out */
	bool append;
	/* for the patterns: %j %s %x %u %t %N %n */
	uint64_t job;
	uint32_t step;
	const char *name;
	const char *const *node;	/* of each task */
	const uint32_t *node_index;
};

struct output;
/* fn: as for outlet, of our own standard output. config is borrowed. */
struct output *output_create(struct om_loop *loop,
			     const struct output_config *config, outlet_fn *fn,
			     void *arg, struct om_error *err);
/* Writes all that is left. */
void output_destroy(struct output *o);
/* stream 1 or 2; len 0: the stream has ended. 0 or -Exxx (a file cannot be
 * opened or written). */
int output_add(struct output *o, uint32_t rank, uint32_t stream,
	       const void *data, size_t len, struct om_error *err);
/* Bytes that our standard output and error have not taken yet. */
size_t output_queued(const struct output *o);

/* Expands a file pattern for a task; owned. Exported for its test. */
char *output_expand(const struct output_config *c, const char *pattern,
		    uint32_t rank);

#endif
