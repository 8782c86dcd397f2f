/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * asuser: touching files with the user's rights and no others.
 *
 * Between begin and end the calling thread's file system ids are the user's
 * and the kernel has dropped the capabilities that would override permissions
 * (setfsuid(2)). The supplementary groups are set once for the process, which
 * must be single-threaded and serve one user only, as a step daemon does.
 */
#ifndef OM_NODED_ASUSER_H
#define OM_NODED_ASUSER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/error.h"

struct asuser {
	uid_t uid;
	gid_t gid;
	const char *name, *home, *shell;	/* borrowed */
	const gid_t *group;			/* supplementary; borrowed */
	size_t groups;
};

/* Takes the user's groups for good. */
int asuser_init(const struct asuser *u, struct om_error *err);
int asuser_begin(const struct asuser *u, struct om_error *err);
/* Back to root. Dies if that fails: going on as a half user is worse. */
void asuser_end(void);

#endif
