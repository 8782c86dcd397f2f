/* SPDX-License-Identifier: GPL-3.0-or-later */
/* asuser: the user's file system rights for a while; see asuser.h. */
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/fsuid.h>

#include "lib/base/log.h"
#include "sched/noded/asuser.h"

int asuser_init(const struct asuser *u, struct om_error *err)
{
	if (setgroups(u->groups, u->group) < 0)
		return om_fail_errno(err, "cannot take the groups of user %s",
				     u->name);
	return 0;
}

/* setfsuid has no error: only asking again with -1 tells what is set. */
int asuser_begin(const struct asuser *u, struct om_error *err)
{
	setfsgid(u->gid);
	setfsuid(u->uid);
	if ((uid_t)setfsuid((uid_t)-1) != u->uid ||
	    (gid_t)setfsgid((gid_t)-1) != u->gid) {
		asuser_end();
		return om_fail(err, -EPERM, "cannot act as user %s", u->name);
	}
	return 0;
}

void asuser_end(void)
{
	setfsuid(0);
	setfsgid(0);
	if (setfsuid((uid_t)-1) != 0 || setfsgid((gid_t)-1) != 0) {
		om_log_error("cannot become root again, step daemon ends");
		_exit(EXIT_FAILURE);
	}
}
