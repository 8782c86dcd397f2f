/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * script: a job's folder in the spool and the batch script in it.
 *
 *	SPOOL/job/ID/		0711, root's
 *	SPOOL/job/ID/script	0700, the user's
 *
 * All folders are root's: nobody else can put something in them, so root never
 * lists, follows or removes what a user made.
 */
#ifndef OM_NODED_SCRIPT_H
#define OM_NODED_SCRIPT_H

#include <stdint.h>

#include "sched/noded/asuser.h"

#define SCRIPT_NAME "script"
#define SCRIPT_FOLDER_MODE 0711	/* root's: tasks pass through it */
#define SCRIPT_MODE 0700	/* writable, so that a spare can be used again */

/* Opens (and makes) SPOOL/job; a descriptor or -Exxx. */
int script_spool_open(const char *spool_dir, struct om_error *err);
/* 0 if it is a script ("#!"), else why not, in words a user understands. */
int script_check(const void *text, size_t len, struct om_error *err);
/* Makes the job's folder, root's, if it is not there; a descriptor to it. */
int script_folder(int spool_fd, uint64_t job, struct om_error *err);
/* Writes a new file into the folder and hands it over. */
struct script_owner {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};
int script_write(int folder_fd, const char *name, const void *text, size_t len,
		 const struct script_owner *to, struct om_error *err);
/* Writes the batch script into the job's folder, which is made or taken from
 * the spare ones. */
int script_put(int spool_fd, uint64_t job, const void *text, size_t len,
	       const struct asuser *user, struct om_error *err);
/* Removes the job's folder with all that is in it, or keeps it as a spare one.
 * Gone already is success. */
int script_remove(int spool_fd, uint64_t job, struct om_error *err);

#endif
