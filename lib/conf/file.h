/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file: reads configuration files that can be trusted, and finds them. */
#ifndef OM_CONF_FILE_H
#define OM_CONF_FILE_H

#include "lib/base/error.h"
#include "lib/base/strvec.h"

#define CONF_FILE_MAX (4u << 20)	/* bytes */

/*
 * The whole file as an owned string. Refuses what is no regular file, is not
 * root's or the caller's, or can be written by others (-EPERM), is too long
 * or holds NUL bytes.
 */
char *conf_file_read(const char *path, struct om_error *err);

/*
 * Adds the path of each DIR/conf.d/?*.conf, sorted; DIR is path's folder. No
 * conf.d is no error; one that others can write is.
 */
int conf_file_list(const char *path, struct om_strvec *files,
		   struct om_error *err);

#endif
