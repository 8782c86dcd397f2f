/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * faultvfs: a disk for SQLite that fails when it is told to.
 *
 * Every write, sync and truncation counts as one operation. The failing one
 * and all after it fail the same way. A crash also loses, when
 * faultvfs_crash is called, what was written and never synced.
 */
#ifndef OM_TESTS_FAULTVFS_H
#define OM_TESTS_FAULTVFS_H

enum fault { FAULT_NONE, FAULT_FULL, FAULT_IOERR, FAULT_CRASH };

/* Makes it the default VFS. */
void faultvfs_install(void);
/* From now on: operation number "at" (1 is the next) begins to fail. */
void faultvfs_arm(enum fault fault, unsigned at);
/* Operations since it was armed. */
unsigned faultvfs_count(void);
/*
 * The power goes: undoes writes that were not synced, the last one always,
 * others by the bits of a generator started with seed (0: all).
 */
void faultvfs_crash(unsigned seed);
void faultvfs_fini(void);

#endif
