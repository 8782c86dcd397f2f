/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * feature: constraints on the features of nodes, "a&(b|c)".
 *
 * '&' binds tighter than '|'; square brackets are the same as round ones; a
 * count behind a name ("a*4", as Slurm has it) is read and has no effect.
 */
#ifndef OM_SCHED_POLICY_FEATURE_H
#define OM_SCHED_POLICY_FEATURE_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "sched/model/model.h"

struct om_feature_expr;

/* NULL: bad text (-EINVAL in err) or no memory. */
struct om_feature_expr *om_feature_parse(const char *text,
					 struct om_error *err);
bool om_feature_match(const struct om_feature_expr *e,
		      const struct om_node *n);
void om_feature_destroy(struct om_feature_expr *e);

#endif
