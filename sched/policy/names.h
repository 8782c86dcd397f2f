/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names: a set of node names, from a hostlist; fast to ask. */
#ifndef OM_SCHED_POLICY_NAMES_H
#define OM_SCHED_POLICY_NAMES_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/base/strvec.h"

struct om_names {
	struct om_strvec list;		/* in the order given, each once */
	struct om_names_entry *set;
};

#define OM_NAMES_INIT { .list = OM_STRVEC_INIT, .set = NULL }

/* Adds the names of a hostlist. -EINVAL, -ERANGE, -ENOMEM. */
int om_names_add(struct om_names *n, const char *hostlist,
		 struct om_error *err);
bool om_names_has(const struct om_names *n, const char *name);
void om_names_fini(struct om_names *n);

#endif
