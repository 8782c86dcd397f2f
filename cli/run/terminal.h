/* SPDX-License-Identifier: GPL-3.0-or-later */
/* terminal: raw mode for --pty, undone whatever happens but SIGKILL. */
#ifndef OM_CLI_RUN_TERMINAL_H
#define OM_CLI_RUN_TERMINAL_H

#include <stdint.h>

#include "lib/base/error.h"

/* 0: done, or standard input is no terminal. */
int terminal_raw(struct om_error *err);
void terminal_restore(void);
/* Of standard output, or 24 by 80. */
void terminal_size(uint32_t *ret_rows, uint32_t *ret_cols);

#endif
