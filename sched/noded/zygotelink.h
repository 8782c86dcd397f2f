/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zygotelink: omnoded's side of the zygote (zygote.h): starts it, and again. */
#ifndef OM_NODED_ZYGOTELINK_H
#define OM_NODED_ZYGOTELINK_H

#include "lib/loop/loop.h"
#include "sched/noded/place.h"

struct zygotelink_handler {
	/* It could not fork the step daemon; code is -Exxx. */
	void (*failed)(void *arg, uint64_t job, uint32_t step, int code);
	void (*exited)(void *arg, pid_t pid, int status);
	/* Orders that were refused with -EAGAIN may be tried again. */
	void (*ready)(void *arg);
};

struct zygotelink;
struct zygotelink *zygotelink_create(struct om_loop *loop,
				     const struct place *place,
				     const struct zygotelink_handler *h,
				     void *arg, struct om_error *err);
void zygotelink_destroy(struct zygotelink *z);
/* Orders a step daemon that serves fd (borrowed). -EAGAIN: not now. */
int zygotelink_fork(struct zygotelink *z, uint64_t job, uint32_t step, int fd,
		    struct om_error *err);

#endif
