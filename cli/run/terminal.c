/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/run/terminal.h"

static struct termios before;
static bool is_raw;

int terminal_raw(struct om_error *err)
{
	struct termios t;

	if (!isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return om_fail_errno(err, "cannot ask the terminal's mode");
	t = before;
	cfmakeraw(&t);
	is_raw = true;
	atexit(terminal_restore);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) < 0)
		return om_fail_errno(err, "cannot set the terminal's mode");
	return 0;
}

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	is_raw = false;
}

void terminal_size(uint32_t *ret_rows, uint32_t *ret_cols)
{
	struct winsize w = { .ws_row = 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		w = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	*ret_rows = w.ws_row;
	*ret_cols = w.ws_col;
}
