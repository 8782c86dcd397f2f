/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * hostlist: names in short form. "n[1-3,7],login,r[01-02]" stands for
 * n1 n2 n3 n7 login r01 r02; leading zeros are kept. One bracket a name.
 */
#ifndef OM_BASE_HOSTLIST_H
#define OM_BASE_HOSTLIST_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/strvec.h"

#define OM_HOSTNAME_MAX 64	/* with its NUL */
#define OM_HOSTLIST_LIMIT 65536	/* names in one list */

/* Appends the names in order; duplicates stay. -EINVAL, -ERANGE, -ENOMEM. */
int om_hostlist_expand(const char *text, struct om_strvec *names,
		       struct om_error *err);
/* The short form as an owned string; runs in order are joined. */
char *om_hostlist_compress(const char *const *names, size_t n);

/* 0 if s may be a node's name: letters, digits, '-', '_', '.'. */
int om_hostname_check(const char *s);

#endif
