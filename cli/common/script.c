/* SPDX-License-Identifier: GPL-3.0-or-later */
/* script: what is sent is exactly what was read and judged here. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/script.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#define DIRECTIVE "#OM"
#define WORDS_MAX 128		/* on one #OM line */

/* ---- reading */

static int read_all(int fd, const char *name, struct om_buf *out,
		    struct om_error *err)
{
	for (;;) {
		size_t room;
		char *p = om_buf_space(out, 16384, &room);
		ssize_t n;

		if (!p)
			return om_fail_nomem(err);
		n = read(fd, p, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return om_fail_errno(err, "cannot read %s", name);
		if (n == 0)
			return 0;
		om_buf_commit(out, (size_t)n);
		if (om_buf_len(out) > SCRIPT_MAX_BYTES)
			return om_fail(err, -EFBIG,
				       "%s is larger than a script may be: %u bytes\n"
				       "keep data in files and let the script read them",
				       name, SCRIPT_MAX_BYTES);
	}
}

int script_read(const char *path, struct om_buf *out, struct om_error *err)
{
	om_autofd int fd = -1;
	struct stat st;
	int rc;

	if (!path)
		return read_all(STDIN_FILENO, "standard input", out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = om_fail_errno(err, "cannot open script '%.300s'", path);
		if (rc == -ENOENT && !strchr(path, '/'))
			rc = om_fail(err, rc, "there is no script '%.200s' here\n"
				     "to run a command write: omsub --wrap='%.100s'",
				     path, path);
		return rc;
	}
	if (fstat(fd, &st) < 0)
		return om_fail_errno(err, "cannot read '%.300s'", path);
	if (S_ISDIR(st.st_mode))
		return om_fail(err, -EISDIR, "'%.300s' is a folder, not a script",
			       path);
	return read_all(fd, path, out, err);
}

/* ---- judging */

int script_check(const char *name, const char *text, size_t len,
		 struct om_error *err)
{
	size_t blank = strspn(text, " \t\r\n");

	if (blank >= len)
		return om_fail(err, -EINVAL, "%.200s is empty", name);
	if (strlen(text) != len)
		return om_fail(err, -EINVAL,
			       "%.150s is not a text but a binary file\n"
			       "to run a program write: omsub --wrap='%.100s'",
			       name, name);
	if (strstr(text, "\r\n"))
		return om_fail(err, -EINVAL,
			       "%.150s has DOS line ends (CR LF)\n"
			       "to cure it: sed -i 's/\\r$//' %.100s", name, name);
	if (!om_str_starts(text, "#!"))
		return om_fail(err, -EINVAL,
			       "%.200s does not begin with #!\n"
			       "its first line must name the interpreter: #!/bin/sh",
			       name);
	return 0;
}

/* ---- words of a line */

/* One word from *p to *out; 1, 0 at the end of the line, or -EINVAL. */
static int take_word(const char **p, const char *end, char **out)
{
	char quote = 0;
	bool any = false;

	while (*p < end && isblank((unsigned char)**p))
		(*p)++;
	if (*p < end && **p == '#')
		*p = end;
	for (; *p < end; (*p)++) {
		char c = **p;

		if (!quote && isblank((unsigned char)c))
			break;
		any = true;
		if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? 0 : c;
			continue;
		}
		if (c == '\\' && quote != '\'' && *p + 1 < end)
			c = *++*p;
		*(*out)++ = c;
	}
	*(*out)++ = '\0';
	return quote ? -EINVAL : any;
}

int script_split(const char *line, size_t len, char **storage, char **argv,
		 int max, struct om_error *err)
{
	const char *p = line, *end = line + len;
	int n = 0;

	for (;;) {
		char *word = *storage;
		int rc = take_word(&p, end, storage);

		if (rc < 0)
			return om_fail(err, rc, "a quote is not closed");
		if (rc == 0)
			return n;
		if (n == max)
			return om_fail(err, -EINVAL, "more than %d words", max);
		argv[n++] = word;
	}
}

/* ---- directives */

struct head {
	const char *line;	/* NULL: the head is over */
	size_t len;
	unsigned number;	/* from 1 */
};

static bool head_next(struct head *h, const char *text)
{
	const char *p = h->line ? h->line + h->len : text;

	if (h->line && *p == '\n')
		p++;
	h->line = p;
	h->len = strcspn(p, "\n");
	h->number++;
	p += strspn(p, " \t");
	return *h->line && (*p == '#' || *p == '\n' || !*p);
}

/* Does the line begin with word and a blank after it? */
static bool line_begins(const struct head *h, const char *word)
{
	size_t n = strlen(word);

	return h->len >= n && !strncmp(h->line, word, n) &&
	       (h->len == n || isblank((unsigned char)h->line[n]));
}

unsigned script_find_line(const char *text, const char *word)
{
	struct head h = { NULL };

	while (head_next(&h, text))
		if (line_begins(&h, word))
			return h.number;
	return 0;
}

static int apply_line(const struct cli_command *c, const struct head *h,
		      char **storage, struct om_error *err)
{
	char *argv[WORDS_MAX + 2] = { (char *)c->name };
	size_t skip = strlen(DIRECTIVE);
	int n, first;

	n = script_split(h->line + skip, h->len - skip, storage, argv + 1,
			 WORDS_MAX, err);
	if (n < 0)
		return n;
	argv[n + 1] = NULL;
	first = cli_parse(c, n + 1, argv, err);
	if (first < 0)
		return first;
	if (first < n + 1)
		return om_fail(err, -EINVAL, "'%.100s' is not an option\n"
			       "options begin with - or --, and values with "
			       "blanks need quotes", argv[first]);
	return 0;
}

int script_directives(const struct cli_command *c, const char *name,
		      const char *text, char **ret_storage,
		      struct om_error *err)
{
	/* Quoting only removes characters, and each word's NUL takes the
	 * place of the blank or line end after it. */
	char *storage = malloc(strlen(text) + 2), *at = storage;
	struct head h = { NULL };
	int rc = 0;

	if (!storage)
		return om_fail_nomem(err);
	while (rc == 0 && head_next(&h, text)) {
		if (!line_begins(&h, DIRECTIVE))
			continue;
		rc = apply_line(c, &h, &at, err);
		if (rc < 0)
			rc = om_wrap(err, rc, "%.100s: line %u", name, h.number);
	}
	*ret_storage = storage;
	return rc;
}
