/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scan: makes a configuration's text safe for libconfuse's lexer. */
#ifndef OM_CONF_SCAN_H
#define OM_CONF_SCAN_H

#include "lib/base/error.h"

/*
 * Blanks comments out (lines keep their numbers) and refuses, with name:line,
 * what the lexer would trip over or read in a surprising way: strings and
 * comments without an end, control characters, escapes other than \" and \\,
 * environment variables, the '|' that reaches into sections. text is changed
 * in place. 0 or -EINVAL.
 */
int conf_scan(const char *name, char *text, struct om_error *err);

#endif
