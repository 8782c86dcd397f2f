/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * outlet: bytes on their way to a descriptor of ours that may be slow (a
 * terminal, a pipe to a pager), without ever blocking the loop and without
 * O_NONBLOCK, which whoever shares the descriptor would notice.
 */
#ifndef OM_CLI_RUN_OUTLET_H
#define OM_CLI_RUN_OUTLET_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/loop/loop.h"

struct outlet;
/* Told when a write failed (rc -Exxx; then nothing is written any more), and
 * with 0 when the queue has become short again. */
typedef void outlet_fn(void *arg, int rc);

/* fd is borrowed. */
struct outlet *outlet_create(struct om_loop *loop, int fd, outlet_fn *fn,
			     void *arg, struct om_error *err);
/* Writes what is left, waiting if it must. */
void outlet_destroy(struct outlet *o);
void outlet_write(struct outlet *o, const void *data, size_t len);
/* A pipe, socket or terminal: others, such as files and /dev/null, are always
 * ready and cannot be watched. */
bool outlet_may_wait(int fd);
size_t outlet_queued(const struct outlet *o);

#endif
