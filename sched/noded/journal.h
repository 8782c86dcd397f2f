/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * journal: what a restarted omnoded must know of the one before.
 *
 * RUN/node/journal is a run of NodeRecords, each after its length (4 bytes,
 * big-endian). It lives as long as the processes it tells of, so it is never
 * synced; one of another boot (or PID namespace) is thrown away. A record cut
 * off in the middle ends the reading and is overwritten.
 */
#ifndef OM_NODED_JOURNAL_H
#define OM_NODED_JOURNAL_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"

struct journal;
typedef void journal_fn(void *arg, const Om__NodeRecord *r);

/* Reads what is there, calling fn for each record, then appends. */
struct journal *journal_open(const char *dir, journal_fn *fn, void *arg,
			     struct om_error *err);
void journal_close(struct journal *j);
/* Written by the next flush. */
int journal_add(struct journal *j, const Om__NodeRecord *r,
		struct om_error *err);
/* One that is packed already. */
int journal_add_packed(struct journal *j, const void *record, size_t len,
		       struct om_error *err);
/* At the end of a turn, before its messages leave. */
int journal_flush(struct journal *j, struct om_error *err);

/* Has it grown so much that it should be written anew? */
bool journal_is_long(const struct journal *j);
/* Between begin and end journal_add writes a new one, which end puts in the
 * old one's place. */
int journal_rewrite_begin(struct journal *j, struct om_error *err);
int journal_rewrite_end(struct journal *j, struct om_error *err);

#endif
