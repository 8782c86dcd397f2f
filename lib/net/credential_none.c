/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * credential_none: auth = none, for tests only. The payload goes as it is; who
 * is there is what the kernel says of a unix socket. Built as a refusal unless
 * configured with --enable-auth-none.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/net/credential.h"

#ifdef OM_AUTH_NONE
static const char none_mark[] = "none:";

char *om_credential_none_encode(const void *payload, size_t len,
				struct om_error *err)
{
	struct om_buf text = OM_BUF_INIT;
	const uint8_t *p = payload;
	int rc = om_buf_adds(&text, none_mark);

	for (size_t i = 0; rc == 0 && i < len; i++)
		rc = om_buf_addf(&text, "%02x", p[i]);
	if (rc < 0) {
		om_buf_fini(&text);
		om_fail_nomem(err);
		return NULL;
	}
	return om_buf_steal(&text);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -EINVAL;
}

int om_credential_none_decode(const char *text, uid_t uid, gid_t gid,
			      struct om_credential *ret, struct om_error *err)
{
	size_t len = strlen(text), mark = sizeof(none_mark) - 1;
	om_autofree uint8_t *p = malloc(len + 1);
	int high, low;

	if (!p)
		return om_fail_nomem(err);
	if (uid == (uid_t)-1 ||
	    !om_str_starts(text, none_mark) || (len - mark) % 2)
		return om_fail(err, -EACCES, "auth = none: refused");
	for (size_t i = mark; i < len; i += 2) {
		high = hex_digit(text[i]);
		low = hex_digit(text[i + 1]);
		if (high < 0 || low < 0)
			return om_fail(err, -EACCES, "auth = none: refused");
		p[(i - mark) / 2] = (uint8_t)(high << 4 | low);
	}
	*ret = (struct om_credential){
		.payload = om_take(p), .len = (len - mark) / 2,
		.uid = uid, .gid = gid,
	};
	return 0;
}
#else
char *om_credential_none_encode(const void *payload, size_t len,
				struct om_error *err)
{
	(void)payload;
	(void)len;
	om_fail(err, -EPERM, "auth = none is not built in");
	return NULL;
}

int om_credential_none_decode(const char *text, uid_t uid, gid_t gid,
			      struct om_credential *ret, struct om_error *err)
{
	(void)uid;
	(void)gid;
	(void)text;
	(void)ret;
	return om_fail(err, -EPERM, "auth = none is not built in");
}
#endif
