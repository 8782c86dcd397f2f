/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* history: answers filters from the table of finished jobs; one thread. */
#ifndef OM_STORE_HISTORY_H
#define OM_STORE_HISTORY_H

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"

struct store_history;

/* A connection of its own; the store is open already. */
struct store_history *store_history_open(const char *path,
					 struct om_error *err);
void store_history_close(struct store_history *h);

/*
 * The matching rows by falling job id, at most the filter's limit or
 * OM_STORE_HISTORY_MAX. Returns how many and *ret, both to be freed by
 * store_history_free, or -Exxx.
 */
int store_history_query(struct store_history *h, const Om__JobFilter *f,
			Om__JobInfo ***ret, struct om_error *err);
void store_history_free(Om__JobInfo **row, int n);

#endif
