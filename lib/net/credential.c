/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* credential: libmunge behind two functions; see credential.h. */
#include <munge.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/net/credential.h"

static void om_cleanup_ctx(munge_ctx_t *ctx)
{
	if (*ctx)
		munge_ctx_destroy(*ctx);
}
#define autoctx __attribute__((cleanup(om_cleanup_ctx)))

void om_credential_fini(struct om_credential *c)
{
	if (c->payload) {
		explicit_bzero(c->payload, c->len);
		free(c->payload);
	}
	c->payload = NULL;
	c->len = 0;
}

static munge_ctx_t ctx_create(const char *socket, struct om_error *err)
{
	munge_ctx_t ctx = munge_ctx_create();

	if (!ctx) {
		om_fail_nomem(err);
		return NULL;
	}
	if (socket && munge_ctx_set(ctx, MUNGE_OPT_SOCKET, socket) !=
	    EMUNGE_SUCCESS) {
		om_fail_nomem(err);
		munge_ctx_destroy(ctx);
		return NULL;
	}
	return ctx;
}

/* munged away: who is asked, what it said, and what to do about it. */
static int fail_away(const char *socket, munge_ctx_t ctx, munge_err_t e,
		     struct om_error *err)
{
	const char *detail = munge_ctx_strerror(ctx);

	return om_fail(err, -EAGAIN,
		       "munge does not answer%s%s (is munged running?): %s",
		       socket ? " at " : "", socket ? socket : "",
		       detail ? detail : munge_strerror(e));
}

static int fail_decode(const char *socket, munge_ctx_t ctx, munge_err_t e,
		       struct om_error *err)
{
	switch (e) {
	case EMUNGE_SOCKET:
	case EMUNGE_TIMEOUT:
		return fail_away(socket, ctx, e, err);
	case EMUNGE_NO_MEMORY:
		return om_fail_nomem(err);
	case EMUNGE_CRED_EXPIRED:
	case EMUNGE_CRED_REWOUND:
		return om_fail(err, -EACCES,
			       "clocks differ by more than %d s: the "
			       "credential %s (are both hosts' clocks set?)",
			       OM_CREDENTIAL_TTL_S, e == EMUNGE_CRED_EXPIRED ?
			       "has expired" : "comes from the future");
	case EMUNGE_CRED_REPLAYED:
		return om_fail(err, -EACCES,
			       "replayed: the credential was used before");
	case EMUNGE_CRED_UNAUTHORIZED:
		return om_fail(err, -EACCES,
			       "the credential is meant for another user than "
			       "this server's (uid %u)", geteuid());
	case EMUNGE_CRED_INVALID:
		return om_fail(err, -EACCES,
			       "the credential is invalid (have both hosts "
			       "the same munge key?)");
	default:
		return om_fail(err, -EACCES, "the credential is refused: %s",
			       munge_strerror(e));
	}
}

/*
 * The cipher is set, not left to the daemon's default, because the payload is
 * a secret; it is random, so compressing it would be in vain.
 */
static munge_err_t set_options(munge_ctx_t ctx, uid_t uid)
{
	const struct {
		munge_opt_t opt;
		int value;
	} list[] = {
		{ MUNGE_OPT_CIPHER_TYPE, MUNGE_CIPHER_AES128 },
		{ MUNGE_OPT_MAC_TYPE, MUNGE_MAC_SHA256 },
		{ MUNGE_OPT_ZIP_TYPE, MUNGE_ZIP_NONE },
		{ MUNGE_OPT_TTL, OM_CREDENTIAL_TTL_S },
	};
	munge_err_t e = munge_ctx_set(ctx, MUNGE_OPT_UID_RESTRICTION, uid);

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (e == EMUNGE_SUCCESS)
			e = munge_ctx_set(ctx, list[i].opt, list[i].value);
	return e;
}

char *om_credential_encode(const char *socket, uid_t uid, const void *payload,
			   size_t len, struct om_error *err)
{
	autoctx munge_ctx_t ctx = ctx_create(socket, err);
	char *text = NULL;
	munge_err_t e;

	if (!ctx)
		return NULL;
	e = set_options(ctx, uid);
	if (e == EMUNGE_SUCCESS)
		e = munge_encode(&text, ctx, payload, (int)len);
	if (e == EMUNGE_SUCCESS)
		return text;
	if (e == EMUNGE_SOCKET || e == EMUNGE_TIMEOUT)
		fail_away(socket, ctx, e, err);
	else if (e == EMUNGE_NO_MEMORY)
		om_fail_nomem(err);
	else
		om_fail(err, -EACCES, "munge makes no credential: %s",
			munge_strerror(e));
	return NULL;
}

int om_credential_decode(const char *socket, const char *text,
			 struct om_credential *ret, struct om_error *err)
{
	autoctx munge_ctx_t ctx = ctx_create(socket, err);
	struct om_credential c = { .payload = NULL };
	munge_err_t e;
	int len = 0;

	if (!ctx)
		return -ENOMEM;
	e = munge_decode(text, ctx, &c.payload, &len, &c.uid, &c.gid);
	c.len = len > 0 ? (size_t)len : 0;
	if (e != EMUNGE_SUCCESS) {
		/* A credential that is only too old comes with its payload. */
		om_credential_fini(&c);
		return fail_decode(socket, ctx, e, err);
	}
	*ret = c;
	return 0;
}
