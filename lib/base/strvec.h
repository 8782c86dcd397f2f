/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* strvec: a NULL-ended list of owned strings (argv, environment). */
#ifndef OM_BASE_STRVEC_H
#define OM_BASE_STRVEC_H

#include <stddef.h>

struct om_strvec {
	char **v;	/* v[n] is NULL; v itself NULL while empty */
	size_t n, cap;
};

#define OM_STRVEC_INIT { .v = NULL, .n = 0, .cap = 0 }

void om_strvec_fini(struct om_strvec *s);
/* 0 or -ENOMEM; the string is copied. */
int om_strvec_add(struct om_strvec *s, const char *text);
int om_strvec_addf(struct om_strvec *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* For "K=V" lists: the value of key (borrowed) or NULL. */
const char *om_strvec_getenv(const struct om_strvec *s, const char *key);
/* Sets or replaces key; 0 or -ENOMEM. */
int om_strvec_setenv(struct om_strvec *s, const char *key, const char *value);
int om_strvec_setenvf(struct om_strvec *s, const char *key, const char *fmt,
		      ...) __attribute__((format(printf, 3, 4)));
void om_strvec_unsetenv(struct om_strvec *s, const char *key);

#endif
