/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The allocation of the job we run in, read from its environment:
 *
 *	OM_JOB_ID=123
 *	OM_NODELIST=n[1-3],big		nodes, a compressed hostlist
 *	OM_SLOTS_PER_NODE=2(x3),1	slots, one entry a node, in the same order
 *
 * This is code for foreign processes (mpirun, orted): it needs only libc, never
 * prints, and takes whatever stands in the variables for hostile.
 */
#ifndef OM_MCA_ALLOC_ENV_H
#define OM_MCA_ALLOC_ENV_H

#include <stddef.h>

enum {
	OM_ALLOC_MAX_TEXT = 128 * 1024,	/* the kernel's limit for one variable */
	OM_ALLOC_MAX_NODES = 65536,
	OM_ALLOC_MAX_SLOTS = 65535,	/* on one node */
	OM_ALLOC_MAX_NAME = 255,	/* bytes of a node's name, without the NUL */
	OM_ALLOC_MAX_GROUPS = 4,	/* brackets in one item, as in r[1-2]n[1-8] */
};

struct om_alloc_error {
	char text[200];
};

struct om_alloc_env {
	unsigned nnodes;
	char **names;		/* nnodes, all different */
	unsigned *slots;	/* nnodes, each 0..OM_ALLOC_MAX_SLOTS */
};

/*
 * Fill *ret_alloc from the two lists. Returns 0, or -EINVAL (malformed, not as
 * many slot entries as nodes, a node named twice), -E2BIG (a limit above is
 * passed) or -ENOMEM, with one sentence in err (which may be NULL); then
 * *ret_alloc is untouched. The caller owns the result: om_alloc_env_fini().
 */
int om_alloc_env_parse(const char *nodelist, const char *slots,
		       struct om_alloc_env *ret_alloc, struct om_alloc_error *err);

/* The same from this process's environment; -ENOENT if a variable is missing. */
int om_alloc_env_load(struct om_alloc_env *ret_alloc, struct om_alloc_error *err);

/* Index of the node of that name, or -ENOENT. */
int om_alloc_env_find(const struct om_alloc_env *alloc, const char *name);

/* Release what parse or load made; a zeroed struct is accepted. */
void om_alloc_env_fini(struct om_alloc_env *alloc);

/*
 * A whole decimal number 0..max and nothing else, as in OM_PROCID.
 * Returns 0 or -EINVAL.
 */
int om_alloc_env_number(const char *text, unsigned max, unsigned *ret_value);

#endif
