/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mask: the cluster mask, where a job's processes may run or move.
 *
 * "n[1-8],!n3,@bigmem": names and @features that are allowed, and with '!'
 * in front denied. What is denied is never allowed; where nothing is allowed
 * by name, all that is not denied is.
 */
#ifndef OM_SCHED_POLICY_MASK_H
#define OM_SCHED_POLICY_MASK_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "sched/model/model.h"
#include "sched/policy/names.h"

struct om_mask {
	struct om_names allow, deny;
	struct om_strvec allow_feature, deny_feature;
};

#define OM_MASK_INIT                                                  \
	{ .allow = OM_NAMES_INIT, .deny = OM_NAMES_INIT,              \
	  .allow_feature = OM_STRVEC_INIT, .deny_feature = OM_STRVEC_INIT }

/* -EINVAL with the entry that is wrong, -ERANGE, -ENOMEM. */
int om_mask_parse(struct om_mask *mask, const char *text,
		  struct om_error *err);
bool om_mask_allows(const struct om_mask *mask, const struct om_node *n);
void om_mask_fini(struct om_mask *mask);

/* Does the node have a feature of that name? */
bool om_node_has_feature(const struct om_node *n, const char *name);

#endif
