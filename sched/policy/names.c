/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names: a hash over the names of a list. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/hostlist.h"
#include "sched/policy/names.h"

struct om_names_entry {
	UT_hash_handle hh;
	char name[];
};

static int add_one(struct om_names *n, const char *name)
{
	size_t len = strlen(name);
	struct om_names_entry *e;

	if (om_names_has(n, name))
		return 0;
	e = malloc(sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len + 1);
	if (om_strvec_add(&n->list, name) < 0) {
		free(e);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, n->set, e->name, len, e);
	return 0;
}

int om_names_add(struct om_names *n, const char *hostlist,
		 struct om_error *err)
{
	struct om_strvec all = OM_STRVEC_INIT;
	int rc = om_hostlist_expand(hostlist, &all, err);

	for (size_t i = 0; rc >= 0 && i < all.n; i++)
		if (add_one(n, all.v[i]) < 0)
			rc = om_fail_nomem(err);
	om_strvec_fini(&all);
	return rc < 0 ? rc : 0;
}

bool om_names_has(const struct om_names *n, const char *name)
{
	struct om_names_entry *e;

	HASH_FIND(hh, n->set, name, strlen(name), e);
	return e != NULL;
}

void om_names_fini(struct om_names *n)
{
	struct om_names_entry *e, *next;

	HASH_ITER(hh, n->set, e, next) {
		HASH_DEL(n->set, e);
		free(e);
	}
	om_strvec_fini(&n->list);
	*n = (struct om_names)OM_NAMES_INIT;
}
