/* SPDX-License-Identifier: GPL-3.0-or-later */
/* folder: small files and whole trees, written and removed with care. */
#ifndef OM_CLI_CLUSTER_FOLDER_H
#define OM_CLI_CLUSTER_FOLDER_H

#include <sys/types.h>

#include "lib/base/error.h"

/* Makes the folder and its parents; one that is there keeps its mode. */
int folder_make(const char *path, mode_t mode, struct om_error *err);
/* As folder_make, then sets owner and mode in any case. */
int folder_make_owned(const char *path, mode_t mode, uid_t uid, gid_t gid,
		      struct om_error *err);

/* Replaces the file's contents at once (a new file, then rename). */
int folder_write(const char *path, const char *text, mode_t mode,
		 struct om_error *err);
/* The same file, new contents: for a file that is bind-mounted elsewhere. */
int folder_rewrite(const char *path, const char *text, mode_t mode,
		   struct om_error *err);
/* The whole file (64 KiB at most) as an owned string. */
int folder_read(const char *path, char **ret_text, struct om_error *err);
/* Writes text to a file that is there (/proc, cgroup). */
int folder_poke(const char *path, const char *text, struct om_error *err);

/* Removes the tree without following a link or crossing into a mount. */
int folder_remove(const char *path, struct om_error *err);

#endif
