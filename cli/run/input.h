/* SPDX-License-Identifier: GPL-3.0-or-later */
/* input: our standard input, read only as fast as it is taken. */
#ifndef OM_CLI_RUN_INPUT_H
#define OM_CLI_RUN_INPUT_H

#include <stdbool.h>

#include "lib/loop/loop.h"

struct input;
/* len 0: the end. */
typedef void input_fn(void *arg, const void *data, size_t len);

/* fd is borrowed; begins paused. */
struct input *input_create(struct om_loop *loop, int fd, input_fn *fn,
			   void *arg, struct om_error *err);
void input_destroy(struct input *in);
void input_pause(struct input *in, bool paused);

#endif
