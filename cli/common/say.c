/* SPDX-License-Identifier: GPL-3.0-or-later */
/* say: error, hint and note lines; each is one write, so lines stay whole. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/say.h"
#include "lib/base/str.h"

static const char *name = "openmosix";

void say_init(const char *command)
{
	name = command;
	setvbuf(stderr, NULL, _IOLBF, 4096);
}

const char *say_name(void)
{
	return name;
}

/* What a server or a file said is in it: nothing of that steers a terminal. */
__attribute__((format(printf, 2, 0)))
static void say(const char *kind, const char *fmt, va_list ap)
{
	char text[4096], *p = text;

	vsnprintf(text, sizeof(text), fmt, ap);
	while (*p) {
		size_t len = strcspn(p, "\n");

		om_str_tame(p, len);
		p += len + (p[len] == '\n');
	}
	fprintf(stderr, "%s: %s: %s\n", name, kind, text);
}

#define SAY(kind)                      \
	do {                           \
		va_list ap;            \
		va_start(ap, fmt);     \
		say(kind, fmt, ap);    \
		va_end(ap);            \
	} while (0)

void say_error(const char *fmt, ...)
{
	SAY("error");
}

void say_hint(const char *fmt, ...)
{
	SAY("hint");
}

void say_note(const char *fmt, ...)
{
	SAY("note");
}

void say_refused(const char *text, const char *hint)
{
	int len = (int)strcspn(text, "\n");

	say_error("%.*s", len, text);
	if (text[len])
		say_hint("%s", text + len + 1);
	if (hint && *hint)
		say_hint("%s", hint);
}

void say_fail(const struct om_error *err)
{
	say_refused(om_error_text(err), NULL);
}

int say_finish(int exit_code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_code;
	if (errno == EPIPE)
		return exit_code ? exit_code : CLI_FAILED;
	say_error("cannot write the output: %s", strerror(errno ? errno : EIO));
	return CLI_FAILED;
}
