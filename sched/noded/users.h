/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * users: whom this node knows by a uid, with all groups.
 *
 * Lookups may ask a directory service far away, so they run in a worker thread
 * and are kept for a minute.
 */
#ifndef OM_NODED_USERS_H
#define OM_NODED_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

struct user {
	uid_t uid;
	gid_t gid;		/* the primary one */
	char *name, *home, *shell;
	uint32_t *group;	/* supplementary, the primary one among them */
	size_t groups;
};

struct users;
struct users *users_create(struct om_loop *loop);
void users_destroy(struct users *u);

/* What is known now, borrowed until the next turn; NULL: ask. */
const struct user *users_find(struct users *u, uid_t uid);
/*
 * Calls fn when the answer is there: user is NULL and err set if there is
 * none. While a uid is being asked for, asking again does nothing: whoever
 * asks must be ready to serve all that wait for it by one answer.
 */
typedef void users_fn(void *arg, uid_t uid, const struct user *user,
		      const struct om_error *err);
int users_ask(struct users *u, uid_t uid, users_fn *fn, void *arg,
	      struct om_error *err);

bool user_in_group(const struct user *u, gid_t gid);

#endif
