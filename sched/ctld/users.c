/* SPDX-License-Identifier: GPL-3.0-or-later */
/* users: a cache in front of getpwuid. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/str.h"
#include "sched/ctld/users.h"

struct user {
	uint32_t uid;
	char name[64];
	UT_hash_handle hh;
};

static struct user *users;

const char *users_name(uint32_t uid)
{
	const struct passwd *pw;
	struct user *u;

	HASH_FIND(hh, users, &uid, sizeof(uid), u);
	if (u)
		return u->name;
	u = calloc(1, sizeof(*u));
	if (!u)
		return "?";
	u->uid = uid;
	pw = getpwuid(uid);
	if (!pw || om_str_copy(u->name, sizeof(u->name), pw->pw_name) < 0)
		snprintf(u->name, sizeof(u->name), "%u", uid);
	HASH_ADD(hh, users, uid, sizeof(u->uid), u);
	return u->name;
}

bool users_is_member(void *arg, uint32_t uid, const char *user,
		     const char *group)
{
	const struct passwd *pw = getpwuid(uid);
	const struct group *gr = pw && group ? getgrnam(group) : NULL;
	gid_t groups[1024];
	int n = sizeof(groups) / sizeof(*groups);

	(void)arg;
	if (pw && user)
		return strcmp(pw->pw_name, user) == 0;
	if (!gr || getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == gr->gr_gid)
			return true;
	return false;
}

void users_fini(void)
{
	struct user *u, *next;

	HASH_ITER(hh, users, u, next) {
		HASH_DEL(users, u);
		free(u);
	}
}
