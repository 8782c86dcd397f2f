/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* strvec: a growing NULL-ended vector of owned strings. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strvec.h"

void om_strvec_fini(struct om_strvec *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct om_strvec)OM_STRVEC_INIT;
}

/* Takes text, also on failure. */
static int add_owned(struct om_strvec *s, char *text)
{
	if (!text)
		return -ENOMEM;
	if (s->n + 2 > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 8;
		char **v = realloc(s->v, cap * sizeof(*v));

		if (!v) {
			free(text);
			return -ENOMEM;
		}
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
	return 0;
}

int om_strvec_add(struct om_strvec *s, const char *text)
{
	return add_owned(s, strdup(text));
}

int om_strvec_addf(struct om_strvec *s, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return add_owned(s, len < 0 ? NULL : text);
}

static char **find_key(const struct om_strvec *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->n; i++)
		if (!strncmp(s->v[i], key, len) && s->v[i][len] == '=')
			return s->v + i;
	return NULL;
}

const char *om_strvec_getenv(const struct om_strvec *s, const char *key)
{
	char **at = find_key(s, key);

	return at ? *at + strlen(key) + 1 : NULL;
}

int om_strvec_setenv(struct om_strvec *s, const char *key, const char *value)
{
	char **at = find_key(s, key);
	char *text;

	if (asprintf(&text, "%s=%s", key, value) < 0)
		return -ENOMEM;
	if (!at)
		return add_owned(s, text);
	free(*at);
	*at = text;
	return 0;
}

int om_strvec_setenvf(struct om_strvec *s, const char *key, const char *fmt,
		      ...)
{
	om_autofree char *value = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (len < 0) {
		value = NULL;
		return -ENOMEM;
	}
	return om_strvec_setenv(s, key, value);
}

void om_strvec_unsetenv(struct om_strvec *s, const char *key)
{
	char **at = find_key(s, key);
	size_t i;

	if (!at)
		return;
	free(*at);
	i = (size_t)(at - s->v);
	memmove(at, at + 1, (s->n - i) * sizeof(*at));
	s->n--;
}
