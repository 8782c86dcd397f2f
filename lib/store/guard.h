/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guard: may this file be our store, and is it ours alone? */
#ifndef OM_STORE_GUARD_H
#define OM_STORE_GUARD_H

#include "lib/base/error.h"

/*
 * Refuses a folder that is not ours or that others can write (-EPERM), a file
 * that is not ours, no regular file, or that others can read or write; makes
 * the file (0600, empty) if it is not there; takes the lock PATH.lock, which
 * lasts as long as the descriptor that is returned. -EBUSY names who has it.
 */
int store_guard(const char *path, struct om_error *err);

#endif
