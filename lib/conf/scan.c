/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * scan: a pass over the text before libconfuse sees it.
 *
 * libconfuse's lexer stays inside a string whose end is missing, so that the
 * next file fails too (a daemon that reloads), and replaces ${VAR} from the
 * environment of whoever happens to read. Neither gets past here, and what
 * is left for the lexer to misread is small.
 */
#include <string.h>

#include "lib/conf/scan.h"

struct scan {
	const char *name;
	char *p;
	int line;
	int open[2];		/* lines of the braces that are open */
	int depth;
	struct om_error *err;
};

static int bad(const struct scan *s, int line, const char *what)
{
	return om_fail(s->err, -EINVAL, "%.200s:%d: %s", s->name, line, what);
}

/* From '#' or "//" to the end of the line. */
static void skip_line_comment(struct scan *s)
{
	size_t len = strcspn(s->p, "\n");

	memset(s->p, ' ', len);
	s->p += len;
}

/* From slash-star to star-slash. */
static int skip_block_comment(struct scan *s)
{
	char *end = strstr(s->p + 2, "*/");
	int first = s->line;

	if (!end)
		return bad(s, first, "the comment that begins here has no end (*/)");
	for (end += 2; s->p < end; s->p++) {
		if (*s->p == '\n')
			s->line++;
		else
			*s->p = ' ';
	}
	return 0;
}

static int skip_string(struct scan *s)
{
	char quote = *s->p++;

	for (; *s->p != quote; s->p++) {
		if (!*s->p || *s->p == '\n')
			return bad(s, s->line, "a string has no closing quote");
		if ((unsigned char)*s->p < ' ' && *s->p != '\t')
			return bad(s, s->line, "a control character in a string");
		if (*s->p == '$' && s->p[1] == '{')
			return bad(s, s->line, "environment variables (${...}) are not replaced here, write the value");
		if (*s->p != '\\')
			continue;
		if (s->p[1] != '\\' && s->p[1] != quote)
			return bad(s, s->line, "in a string, only \\\\ and the quote can follow a backslash");
		s->p++;
	}
	s->p++;
	return 0;
}

/* libconfuse takes the end of the file for any missing '}'. */
static int scan_brace(struct scan *s)
{
	if (*s->p == '{') {
		if (s->depth == 2)
			return bad(s, s->line, "no '{' can stand here");
		s->open[s->depth++] = s->line;
	} else if (--s->depth < 0) {
		return bad(s, s->line, "this '}' has no '{'");
	}
	s->p++;
	return 0;
}

static int scan_char(struct scan *s)
{
	unsigned char c = (unsigned char)*s->p;

	if (c == '\n')
		s->line++;
	else if (c == '$' && s->p[1] == '{')
		return bad(s, s->line, "environment variables (${...}) are not replaced here, write the value");
	else if (c == '|' || c == '\\' || c == '(' || c == ')')
		return bad(s, s->line, "'|', '\\', '(' and ')' stand in quotes only");
	else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
		return bad(s, s->line, "a control character: is this a text file?");
	s->p++;
	return 0;
}

int conf_scan(const char *name, char *text, struct om_error *err)
{
	struct scan s = { .name = name, .p = text, .line = 1, .err = err };
	int rc = 0;

	while (rc == 0 && *s.p) {
		if (*s.p == '#' || (*s.p == '/' && s.p[1] == '/'))
			skip_line_comment(&s);
		else if (*s.p == '/' && s.p[1] == '*')
			rc = skip_block_comment(&s);
		else if (*s.p == '"' || *s.p == '\'')
			rc = skip_string(&s);
		else if (*s.p == '{' || *s.p == '}')
			rc = scan_brace(&s);
		else
			rc = scan_char(&s);
	}
	if (rc == 0 && s.depth > 0)
		rc = bad(&s, s.open[s.depth - 1], "this '{' has no '}'");
	return rc;
}
