/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * where: on which nodes a job may be, a bit each.
 *
 * All jobs that say the same (partition, nodelist, exclude, constraint and
 * cluster mask) share one. Bits are kept up to date node by node as nodes
 * come, change their features and go.
 */
#ifndef OM_SCHED_POLICY_WHERE_H
#define OM_SCHED_POLICY_WHERE_H

#include "sched/policy/feature.h"
#include "sched/policy/mask.h"
#include "sched/policy/names.h"
#include "sched/policy/part.h"
#include "sched/policy/room.h"

/* Why a node is out, in the order in which it is asked. */
enum om_where_bar {
	OM_WHERE_OK, OM_WHERE_PARTITION, OM_WHERE_EXCLUDE,
	OM_WHERE_CONSTRAINT, OM_WHERE_MASK,
};

struct om_where {
	struct om_part *part;
	bool has_nodelist, has_exclude, has_constraint, has_mask;
	struct om_names nodelist, exclude;
	struct om_feature_expr *constraint;
	struct om_mask mask;
	uint64_t *bit;
	uint32_t words;
	uint32_t *required;		/* indexes of nodelist, if all exist */
	uint32_t required_count;
	uint32_t missing;		/* names of nodelist that do not */
	uint32_t refs;
	UT_hash_handle hh;
	size_t key_len;
	char key[];
};

/* Parses the request's strings; -EINVAL says which is wrong. The result has
 * one reference and no bits yet. */
int om_where_create(struct om_part *part, const struct om_request *r,
		    struct om_where **ret, struct om_error *err);
void om_where_destroy(struct om_where *w);
enum om_where_bar om_where_bar(const struct om_where *w,
			       const struct om_node *n);
/* Computes all bits, or the bit of the node at one index. 0 or -ENOMEM. */
int om_where_read(struct om_where *w, const struct om_model *m);
int om_where_read_at(struct om_where *w, const struct om_model *m,
		     uint32_t at);

static inline bool om_where_has(const struct om_where *w, uint32_t at)
{
	return at / 64 < w->words && (w->bit[at / 64] >> (at % 64) & 1);
}

/* The key under which equal ones are found: fills buf, which is reset. */
struct om_buf;
int om_where_key(struct om_buf *buf, const struct om_part *part,
		 const struct om_request *r);

#endif
