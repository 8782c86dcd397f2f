/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * say: what a command tells a person on standard error.
 *
 *	omsub: error: --time=x: not a duration
 *	omsub: hint: write minutes, h:mm:ss or d-hh
 *
 * An error's text may have a second line; that one is the hint.
 */
#ifndef OM_CLI_COMMON_SAY_H
#define OM_CLI_COMMON_SAY_H

#include "lib/base/error.h"

enum {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_AGAIN = 75,		/* EX_TEMPFAIL */
};

/* name is borrowed for the life of the process. */
void say_init(const char *name);
const char *say_name(void);

void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Error and, from its second line, hint. */
void say_fail(const struct om_error *err);
/* The two parts of an answer's text; hint may be NULL. */
void say_refused(const char *text, const char *hint);

/*
 * Flushes standard output: the exit code, or CLI_FAILED with a word if what
 * was printed could not be written (a full disk, a closed pipe).
 */
int say_finish(int exit_code);

#endif
