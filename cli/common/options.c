/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options: getopt_long, driven by the tables. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/common/options.h"
#include "cli/common/say.h"
#include "config.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define OPTIONS_MAX 128
#define FIRST_LONG 256		/* val of a long option: this + its index */
#define HELP_COLUMN 30
#define HELP_WIDTH 79

/* The tables of a command, flat, in getopt's own terms. */
struct parser {
	const struct cli_command *command;
	struct option longs[OPTIONS_MAX + 1];
	const struct cli_option *option[OPTIONS_MAX];
	void *target[OPTIONS_MAX];
	const char *names[OPTIONS_MAX + 1];
	char shorts[3 * OPTIONS_MAX + 3];
	int n;
};

static int has_arg(const struct cli_option *o)
{
	if (!o->value)
		return no_argument;
	return o->value[0] == '[' ? optional_argument : required_argument;
}

static void parser_add(struct parser *p, const struct cli_option *o,
		       void *target, char **shorts)
{
	int arg = has_arg(o);

	if (p->n == OPTIONS_MAX)
		abort();	/* a table of ours is too long */
	p->longs[p->n] = (struct option){ o->name, arg, NULL,
					  FIRST_LONG + p->n };
	p->option[p->n] = o;
	p->target[p->n] = target;
	p->names[p->n] = o->name;
	p->n++;
	if (!o->letter)
		return;
	*(*shorts)++ = (char)o->letter;
	for (int i = 0; i < (arg == optional_argument ? 2 : arg); i++)
		*(*shorts)++ = ':';
}

static void parser_init(struct parser *p, const struct cli_command *c)
{
	char *shorts = p->shorts;

	memset(p, 0, sizeof(*p));
	p->command = c;
	if (c->in_order)
		*shorts++ = '+';
	*shorts++ = ':';	/* a missing value is told as ':' */
	for (const struct cli_group *g = c->group; g->option; g++)
		for (const struct cli_option *o = g->option; o->name; o++)
			parser_add(p, o, g->target, &shorts);
}

static int find_letter(const struct parser *p, int letter)
{
	for (int i = 0; i < p->n; i++)
		if (p->option[i]->letter == letter)
			return i;
	return -1;
}

static int apply(struct parser *p, int i, int val, const char *value,
		 struct om_error *err)
{
	const struct cli_option *o = p->option[i];
	int rc = o->set(p->target[i], o, value, err);

	if (rc >= 0)
		return 0;
	if (val < FIRST_LONG)
		return om_wrap(err, -EINVAL, "-%c %s", val, value ? value : "");
	return om_wrap(err, -EINVAL, "--%s%s%s", o->name, value ? "=" : "",
		       value ? value : "");
}

/* getopt said '?' to a long option: what is wrong with it? */
static int bad_long(const struct parser *p, const char *word,
		    struct om_error *err)
{
	char name[64];
	size_t len = strcspn(word + 2, "=");
	const char *near;
	int matches = 0;

	snprintf(name, sizeof(name), "%.*s", (int)len, word + 2);
	for (int i = 0; i < p->n; i++) {
		if (!strcmp(p->names[i], name))
			return om_fail(err, -EINVAL,
				       "option '--%s' takes no value", name);
		matches += om_str_starts(p->names[i], name);
	}
	if (matches > 1)
		return om_fail(err, -EINVAL,
			       "option '--%s' is the beginning of several", name);
	near = om_str_nearest(name, p->names);
	if (near)
		return om_fail(err, -EINVAL,
			       "unknown option '--%s'\ndid you mean --%s?", name,
			       near);
	return om_fail(err, -EINVAL,
		       "unknown option '--%s'\n'%s --help' lists the options",
		       name, p->command->name);
}

static int bad_option(const struct parser *p, int val, const char *word,
		      struct om_error *err)
{
	if (val == ':' && optopt >= FIRST_LONG)
		return om_fail(err, -EINVAL, "option '--%s' needs a value: %s",
			       p->names[optopt - FIRST_LONG],
			       p->option[optopt - FIRST_LONG]->value);
	if (val == ':')
		return om_fail(err, -EINVAL, "option '-%c' needs a value: %s",
			       optopt,
			       p->option[find_letter(p, optopt)]->value);
	if (optopt && optopt < FIRST_LONG)
		return om_fail(err, -EINVAL,
			       "unknown option '-%c'\n'%s --help' lists the options",
			       optopt, p->command->name);
	return bad_long(p, word, err);
}

int cli_parse(const struct cli_command *c, int argc, char **argv,
	      struct om_error *err)
{
	struct parser p;
	int val, rc = 0;

	parser_init(&p, c);
	opterr = 0;
	optind = 0;		/* glibc: begin anew, reread the '+' */
	while (rc == 0) {
		val = getopt_long(argc, argv, p.shorts, p.longs, NULL);
		if (val == -1)
			return optind;
		if (val == '?' || val == ':')
			rc = bad_option(&p, val, argv[optind - 1], err);
		else
			rc = apply(&p, val < FIRST_LONG ? find_letter(&p, val) :
				   val - FIRST_LONG, val, optarg, err);
	}
	return rc;
}

/* ---- help */

static void print_wrapped(const char *text, int column)
{
	int at = column;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > column && at + 1 + len > HELP_WIDTH) {
			printf("\n%*s", column, "");
			at = column;
		} else if (at > column) {
			putchar(' ');
			at++;
		}
		printf("%.*s", len, text);
		at += len;
		text += len + (text[len] == ' ');
	}
	putchar('\n');
}

static void print_option(const struct cli_option *o)
{
	int len;

	if (!o->help)
		return;
	len = o->letter ? printf("  -%c, ", o->letter) : printf("      ");
	len += printf("--%s", o->name);
	if (o->value && o->value[0] == '[')
		len += printf("[=%s", o->value + 1);
	else if (o->value)
		len += printf("=%s", o->value);
	if (len > HELP_COLUMN - 2) {
		putchar('\n');
		len = 0;
	}
	printf("%*s", HELP_COLUMN - len, "");
	print_wrapped(o->help, HELP_COLUMN);
}

void cli_print_help(const struct cli_command *c)
{
	for (int i = 0; i < CLI_USAGES && c->usage[i]; i++)
		printf("%s %s %s\n", i ? "   or:" : "Usage:", c->name,
		       c->usage[i]);
	print_wrapped(c->summary, 0);
	for (const struct cli_group *g = c->group; g->option; g++) {
		printf("\n%s:\n", g->title);
		for (const struct cli_option *o = g->option; o->name; o++)
			print_option(o);
	}
	printf("\nExit codes: 0 done, 1 failed, 2 wrong usage, 75 try again later.\n"
	       "See also the manual page %s.\n", c->name);
}

/* For the completion: "--name[=] -x kind" a line, last the operands. */
static void print_list(const struct cli_command *c)
{
	for (const struct cli_group *g = c->group; g->option; g++) {
		for (const struct cli_option *o = g->option; o->name; o++) {
			if (!o->help)
				continue;
			printf("--%s%s ", o->name,
			       has_arg(o) == required_argument ? "=" : "");
			printf(o->letter ? "-%c" : "-", o->letter);
			printf(" %s\n", o->complete ? o->complete : "-");
		}
	}
	printf("operands - %s\n", c->operands ? c->operands : "-");
}

/* ---- what every command has */

const struct cli_option cli_common_options[] = {
	{ "config", 0, "FILE", "configuration file (default: $OM_CONF, "
	  "then the installed one)", cli_set_string,
	  offsetof(struct cli_common, config), "file" },
	{ "timeout", 0, "TIME", "how long to try to reach the controller "
	  "(default: $OM_TIMEOUT or 60s)", cli_set_duration_ns,
	  offsetof(struct cli_common, timeout_ns), NULL },
	{ "help", 'h', NULL, "print this and exit", cli_set_true,
	  offsetof(struct cli_common, help), NULL },
	{ "version", 'V', NULL, "print the version and exit", cli_set_true,
	  offsetof(struct cli_common, version), NULL },
	{ "om-complete", 0, NULL, NULL, cli_set_true,
	  offsetof(struct cli_common, list), NULL },
	{ 0 },
};

int cli_begin(const struct cli_command *c, const struct cli_common *common,
	      int argc, char **argv, int *ret_exit)
{
	struct om_error err = OM_ERROR_INIT;
	int first;

	say_init(c->name);
	first = cli_parse(c, argc, argv, &err);
	if (first < 0) {
		say_fail(&err);
		*ret_exit = CLI_USAGE;
		return -1;
	}
	if (common->help)
		cli_print_help(c);
	else if (common->version)
		printf("%s (openMosix) %s\n", c->name, PACKAGE_VERSION);
	else if (common->list)
		print_list(c);
	else
		return first;
	*ret_exit = say_finish(CLI_OK);
	return -1;
}

/* ---- common setters */

static void *field(void *target, const struct cli_option *o)
{
	return (char *)target + o->at;
}

int cli_set_true(void *target, const struct cli_option *o, const char *value,
		 struct om_error *err)
{
	(void)value;
	(void)err;
	*(bool *)field(target, o) = true;
	return 0;
}

int cli_set_string(void *target, const struct cli_option *o, const char *value,
		   struct om_error *err)
{
	if (!value || !*value)
		return om_fail(err, -EINVAL, "the value is empty");
	*(const char **)field(target, o) = value;
	return 0;
}

int cli_set_u32(void *target, const struct cli_option *o, const char *value,
		struct om_error *err)
{
	if (om_parse_u32(value, 1, INT32_MAX, field(target, o)) < 0)
		return om_fail(err, -EINVAL, "not a number from 1 to %d",
			       INT32_MAX);
	return 0;
}

int cli_set_duration_ns(void *target, const struct cli_option *o,
			const char *value, struct om_error *err)
{
	int64_t seconds;
	double plain;

	if (om_parse_positive(value, &plain) == 0 && plain < 1e9) {
		*(int64_t *)field(target, o) = (int64_t)(plain * 1e9);
		return 0;
	}
	if (om_parse_duration(value, &seconds) < 0 ||
	    seconds > INT64_MAX / OM_NS_PER_S)
		return om_fail(err, -EINVAL,
			       "not a time such as 30 (seconds), 5min or 1:30:00");
	*(int64_t *)field(target, o) = seconds * OM_NS_PER_S;
	return 0;
}

int cli_set_when_ns(void *target, const struct cli_option *o,
		    const char *value, struct om_error *err)
{
	int64_t seconds;

	if (om_parse_when(value, (int64_t)time(NULL), &seconds) < 0 ||
	    seconds > INT64_MAX / OM_NS_PER_S)
		return om_fail(err, -EINVAL, "not a point in time such as now+2hours, "
			       "16:00 or 2026-11-22T16:00");
	*(int64_t *)field(target, o) = seconds * OM_NS_PER_S;
	return 0;
}
