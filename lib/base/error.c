/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* error: fixed-size error texts; never allocates. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

int om_fail(struct om_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int om_fail_errno(struct om_error *err, const char *fmt, ...)
{
	int code = errno ? -errno : -EIO;
	size_t len;
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		 strerror(-code));
	return code;
}

int om_wrap(struct om_error *err, int code, const char *fmt, ...)
{
	char context[OM_ERROR_TEXT_MAX];
	char old[OM_ERROR_TEXT_MAX];
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(old, om_error_text(err), strlen(om_error_text(err)) + 1);
	err->code = code;
	/* A long chain loses its end, never its beginning. */
	if (snprintf(err->text, sizeof(err->text), "%.200s: %.300s", context,
		     old) < 0)
		err->text[0] = '\0';
	return code;
}

int om_fail_nomem(struct om_error *err)
{
	return om_fail(err, -ENOMEM, "out of memory");
}

void om_error_clear(struct om_error *err)
{
	if (!err)
		return;
	err->code = 0;
	err->text[0] = '\0';
}

const char *om_error_text(const struct om_error *err)
{
	if (!err || (!err->text[0] && !err->code))
		return "no error";
	return err->text[0] ? err->text : strerror(-err->code);
}
