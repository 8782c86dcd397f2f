/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spare: job folders that are kept, each with the old script in it, for the
 * next job of the same user.
 *
 *	SPOOL/job/spare-UID-K	K below SPARES
 *
 * Making and removing a folder and a file is the dearest thing that a disk
 * is asked for by a short job; a rename costs a tenth. A folder goes from one
 * job to another of its user only, and only if there is nothing in it but the
 * script, of which there is no other link: what a user sees is the same.
 */
#ifndef OM_NODED_SPARE_H
#define OM_NODED_SPARE_H

#include <stdint.h>
#include <sys/types.h>

/* Makes a spare of that user the folder "name": 1, or 0 if there is none. */
int spare_take(int spool_fd, const char *name, uint64_t job, uid_t uid);
/* Keeps the folder "name": 1, or 0 if it is to be removed. */
int spare_keep(int spool_fd, const char *name, uint64_t job);

#endif
