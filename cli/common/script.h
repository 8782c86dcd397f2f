/* SPDX-License-Identifier: GPL-3.0-or-later */
/* script: reads a batch script, judges it, and finds its #OM lines. */
#ifndef OM_CLI_COMMON_SCRIPT_H
#define OM_CLI_COMMON_SCRIPT_H

#include "cli/common/options.h"
#include "lib/base/buf.h"

#define SCRIPT_MAX_BYTES (4u << 20)

/* path NULL: standard input. The text is appended to out. */
int script_read(const char *path, struct om_buf *out, struct om_error *err);
/* Is it a script at all? name is for the message. -EINVAL with the cure. */
int script_check(const char *name, const char *text, size_t len,
		 struct om_error *err);

/*
 * Applies the #OM lines of the script's head to the command's groups, in
 * order; the head ends with the first line that is neither blank nor a
 * comment. -EINVAL names script and line. *ret_storage receives the words,
 * which option values point into: free it after the last use of them.
 */
int script_directives(const struct cli_command *c, const char *name,
		      const char *text, char **ret_storage,
		      struct om_error *err);
/* The line of the head that begins with word ("#SBATCH"), or 0. */
unsigned script_find_line(const char *text, const char *word);

/*
 * Cuts line into words as a shell would: blanks part them, '...', "..." and
 * \ quote, # begins a comment. Words are written to *storage, which moves on
 * behind them and must have strlen(line) + 1 bytes left; argv receives at most
 * max of them. Returns their number or -EINVAL.
 */
int script_split(const char *line, size_t len, char **storage, char **argv,
		 int max, struct om_error *err);

#endif
