/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * options: one table per group of options, from which come the parsing,
 * --help, the completion's list and the reading of #OM lines.
 *
 *	static const struct cli_option table[] = {
 *		{ "name", 'n', "NAME", "what it does", cli_set_string,
 *		  offsetof(struct foo, name) },
 *		{ 0 },
 *	};
 *
 * A setter gets the group's target and the value as text.
 */
#ifndef OM_CLI_COMMON_OPTIONS_H
#define OM_CLI_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cli_option;
/* 0 or -EINVAL with what was expected in err; value NULL: none was given. */
typedef int cli_set_fn(void *target, const struct cli_option *o,
		       const char *value, struct om_error *err);

struct cli_option {
	const char *name;
	int letter;		/* 0: none */
	const char *value;	/* "N" for --help; "[N]": may be left out;
				 * NULL: takes none */
	const char *help;	/* NULL: another name of one above, not shown */
	cli_set_fn *set;
	size_t at;		/* offset in the target, for common setters */
	const char *complete;	/* kind of value for completion, or NULL:
				 * file dir node partition user job state
				 * signal command, or words "a|b" */
};

/* Ended by an option of NULL. */
struct cli_group {
	const char *title;		/* "Resources" */
	const struct cli_option *option;	/* ended by a name of NULL */
	void *target;
};

#define CLI_USAGES 4

struct cli_command {
	const char *name;
	const char *usage[CLI_USAGES];	/* "[OPTION]... SCRIPT" */
	const char *summary;		/* a sentence or two for --help */
	const char *operands;		/* completion: kind, as in option */
	bool in_order;		/* options end at the first operand */
	const struct cli_group *group;
};

/* What every command has; its group is cli_common_options. */
struct cli_common {
	const char *config;	/* --config */
	int64_t timeout_ns;	/* --timeout, else $OM_TIMEOUT, else 0 */
	bool help, version, list;
};
extern const struct cli_option cli_common_options[];

/*
 * Applies argv to the targets: the index of the first operand, or -EINVAL
 * with option, value, what was expected and a near name in err. argv is
 * reordered unless in_order.
 */
int cli_parse(const struct cli_command *c, int argc, char **argv,
	      struct om_error *err);
/* As cli_parse, then does --help and --version; <0: the command is over and
 * *ret_exit is its exit code. */
int cli_begin(const struct cli_command *c, const struct cli_common *common,
	      int argc, char **argv, int *ret_exit);
void cli_print_help(const struct cli_command *c);

/* Common setters; at names the field. */
cli_set_fn cli_set_true;	/* bool */
cli_set_fn cli_set_string;	/* const char *, borrowed from argv */
cli_set_fn cli_set_u32;		/* uint32_t, at least 1 */
cli_set_fn cli_set_duration_ns;	/* int64_t; a plain number is seconds */
cli_set_fn cli_set_when_ns;	/* int64_t */

#endif
