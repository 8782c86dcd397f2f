/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * error: what went wrong, told once and in words.
 *
 * A function that can fail returns a count >= 0 or -Exxx and takes a
 * struct om_error * as its last parameter, which may be NULL. The text lives
 * in the caller's storage, so reporting works out of memory too.
 */
#ifndef OM_BASE_ERROR_H
#define OM_BASE_ERROR_H

#include <errno.h>
#include <stddef.h>

#define OM_ERROR_TEXT_MAX 512

struct om_error {
	int code;			/* -Exxx, 0 while nothing failed */
	char text[OM_ERROR_TEXT_MAX];	/* one line, without a full stop */
};

#define OM_ERROR_INIT { .code = 0, .text = "" }

/* Records "text" and returns code, which must be negative (-Exxx). */
int om_fail(struct om_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Records "text: strerror(errno)" and returns -errno (-EIO if errno is 0). */
int om_fail_errno(struct om_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts context before what err already says; returns code unchanged. */
int om_wrap(struct om_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Out of memory as an ordinary error: returns -ENOMEM. */
int om_fail_nomem(struct om_error *err);

void om_error_clear(struct om_error *err);

/* The text, or strerror(-code) where a callee left no text; never NULL. */
const char *om_error_text(const struct om_error *err);

#endif
