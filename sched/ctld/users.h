/* SPDX-License-Identifier: GPL-3.0-or-later */
/* users: names of user ids, remembered, since a directory may be slow. */
#ifndef OM_SCHED_CTLD_USERS_H
#define OM_SCHED_CTLD_USERS_H

#include <stdbool.h>
#include <stdint.h>

/* "alice", or "1000" for an id without a name; never NULL, kept for good. */
const char *users_name(uint32_t uid);
/* om_member_fn: is uid of that name, or in that group? One of both is NULL. */
bool users_is_member(void *arg, uint32_t uid, const char *user,
		     const char *group);
void users_fini(void);

#endif
