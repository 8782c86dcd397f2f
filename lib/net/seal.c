/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * seal: AES-256-GCM by OpenSSL's libcrypto; see seal.h for the records.
 *
 * libcrypto is opened when the first stream is sealed, not linked: being
 * linked with it costs every start of a program 0.8 ms of processor time (its
 * relocations; 0.9 ms become 1.7 on the machine where this was measured), and
 * most commands speak over a local socket and never seal anything.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/net/seal.h"

#define HEADER 4
#define TAG 16
#define NONCE 12
#define COUNTER_MAX (UINT64_C(1) << 48)	/* 2^32 records are 281 TB at most */

/* ----------------------------------------------------------------- libcrypto */

#define FUNCTIONS(f)            \
	f(EVP_CIPHER_CTX_new)   \
	f(EVP_CIPHER_CTX_free)  \
	f(EVP_CIPHER_CTX_ctrl)  \
	f(EVP_aes_256_gcm)      \
	f(EVP_sha256)           \
	f(EVP_CipherInit_ex)    \
	f(EVP_CipherUpdate)     \
	f(EVP_CipherFinal_ex)   \
	f(HMAC)

#define MEMBER(name) __typeof__(&name) name;
#define LOAD(name)                                                        \
	if (rc == 0 && !(crypto.name = (__typeof__(&name))dlsym(lib, #name))) \
		rc = -ELIBACC;
#define STRING2(x) #x
#define STRING(x) STRING2(x)
#define SONAME "libcrypto.so." STRING(OPENSSL_SHLIB_VERSION)

static struct {
	FUNCTIONS(MEMBER)
} crypto;
static int crypto_rc;
static char crypto_text[160];
static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;

/* Never closed: libcrypto leaves handlers behind that run at exit. */
static void crypto_load(void)
{
	void *lib = dlopen(SONAME, RTLD_LAZY | RTLD_LOCAL);
	int rc = lib ? 0 : -ELIBACC;
	const char *why;

	FUNCTIONS(LOAD)
	crypto_rc = rc;
	why = rc < 0 ? dlerror() : NULL;
	strncpy(crypto_text, why ? why : "no reason given",
		sizeof(crypto_text) - 1);
}

static int crypto_need(struct om_error *err)
{
	pthread_once(&crypto_once, crypto_load);
	if (crypto_rc < 0)
		return om_fail(err, crypto_rc,
			       "cannot seal the connection: %s", crypto_text);
	return 0;
}

/* ---------------------------------------------------------------- directions */

struct direction {
	EVP_CIPHER_CTX *ctx;	/* has its key; a record sets the nonce */
	uint64_t count;		/* of records so far */
	bool broken;
};

struct om_seal {
	struct direction out, in;
};

static int direction_init(struct direction *d, const uint8_t *key,
			  const char *label, bool encrypt)
{
	uint8_t own[32];
	unsigned len = sizeof(own);
	int ok;

	d->ctx = crypto.EVP_CIPHER_CTX_new();
	ok = d->ctx && crypto.HMAC(crypto.EVP_sha256(), key, OM_SEAL_KEY,
				   (const unsigned char *)label, strlen(label),
				   own, &len);
	ok = ok && crypto.EVP_CipherInit_ex(d->ctx, crypto.EVP_aes_256_gcm(),
					    NULL, own, NULL, encrypt) == 1;
	explicit_bzero(own, sizeof(own));
	return ok ? 0 : -ENOMEM;
}

struct om_seal *om_seal_create(const uint8_t key[OM_SEAL_KEY], bool server,
			       struct om_error *err)
{
	static const char by_client[] = "openmosix seal 1 client";
	static const char by_server[] = "openmosix seal 1 server";
	struct om_seal *s;

	if (crypto_need(err) < 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s &&
	    direction_init(&s->out, key, server ? by_server : by_client,
			   true) == 0 &&
	    direction_init(&s->in, key, server ? by_client : by_server,
			   false) == 0)
		return s;
	om_seal_destroy(s);
	om_fail_nomem(err);
	return NULL;
}

void om_seal_destroy(struct om_seal *s)
{
	if (!s)
		return;
	if (s->out.ctx)
		crypto.EVP_CIPHER_CTX_free(s->out.ctx);
	if (s->in.ctx)
		crypto.EVP_CIPHER_CTX_free(s->in.ctx);
	free(s);
}

/* ------------------------------------------------------------------- records */

/* Sets the next nonce and authenticates the header. */
static int record_start(struct direction *d, const uint8_t *header)
{
	uint32_t high = htonl((uint32_t)(d->count >> 32));
	uint32_t low = htonl((uint32_t)d->count);
	uint8_t nonce[NONCE] = { 0 };
	int len;

	if (d->broken || d->count >= COUNTER_MAX)
		return -EBADMSG;
	memcpy(nonce + 4, &high, sizeof(high));
	memcpy(nonce + 8, &low, sizeof(low));
	d->count++;
	if (crypto.EVP_CipherInit_ex(d->ctx, NULL, NULL, NULL, nonce, -1) != 1 ||
	    crypto.EVP_CipherUpdate(d->ctx, NULL, &len, header, HEADER) != 1)
		return -EBADMSG;
	return 0;
}

static int record_seal(struct direction *d, uint8_t *to, const uint8_t *p,
		       uint32_t len)
{
	uint32_t header = htonl(len);
	uint8_t *body = to + HEADER;
	int n, rest;

	memcpy(to, &header, sizeof(header));
	if (record_start(d, to) < 0 ||
	    crypto.EVP_CipherUpdate(d->ctx, body, &n, p, (int)len) != 1 ||
	    crypto.EVP_CipherFinal_ex(d->ctx, body + n, &rest) != 1 ||
	    crypto.EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
				       body + len) != 1)
		return -EBADMSG;
	return 0;
}

static int record_open(struct direction *d, const uint8_t *from, uint8_t *to,
		       uint32_t len)
{
	const uint8_t *body = from + HEADER;
	int n, rest;

	if (record_start(d, from) < 0 ||
	    crypto.EVP_CipherUpdate(d->ctx, to, &n, body, (int)len) != 1 ||
	    crypto.EVP_CIPHER_CTX_ctrl(d->ctx, EVP_CTRL_AEAD_SET_TAG, TAG,
				       (void *)(body + len)) != 1 ||
	    crypto.EVP_CipherFinal_ex(d->ctx, to + n, &rest) != 1)
		return -EBADMSG;
	return 0;
}

static int broken(struct direction *d, const char *what, struct om_error *err)
{
	d->broken = true;
	return om_fail(err, -EBADMSG, "sealed record %llu %s",
		       (unsigned long long)d->count, what);
}

int om_seal_add(struct om_seal *s, struct om_buf *out, const void *p,
		size_t len, struct om_error *err)
{
	const uint8_t *from = p;
	uint32_t part;
	size_t room;
	char *to;

	for (; len; from += part, len -= part) {
		part = len < OM_SEAL_RECORD_MAX ? (uint32_t)len :
						  OM_SEAL_RECORD_MAX;
		to = om_buf_space(out, part + OM_SEAL_OVERHEAD, &room);
		if (!to)
			return om_fail_nomem(err);
		if (record_seal(&s->out, (uint8_t *)to, from, part) < 0)
			return broken(&s->out, "cannot be sealed", err);
		om_buf_commit(out, part + OM_SEAL_OVERHEAD);
	}
	return 0;
}

int om_seal_open(struct om_seal *s, struct om_buf *in, struct om_buf *plain,
		 struct om_error *err)
{
	const uint8_t *p;
	uint32_t len;
	size_t room;
	char *to;

	while (om_buf_len(in) >= HEADER) {
		p = (const uint8_t *)om_buf_str(in);
		memcpy(&len, p, sizeof(len));
		len = ntohl(len);
		if (len == 0 || len > OM_SEAL_RECORD_MAX || s->in.broken)
			return broken(&s->in, "has a length that cannot be",
				      err);
		if (om_buf_len(in) < (size_t)len + OM_SEAL_OVERHEAD)
			return 0;
		to = om_buf_space(plain, len, &room);
		if (!to)
			return om_fail_nomem(err);
		if (record_open(&s->in, p, (uint8_t *)to, len) < 0) {
			/* Nobody may see what was not verified. */
			memset(to, 0, len);
			return broken(&s->in, "was changed, lost or repeated "
				      "on its way", err);
		}
		om_buf_commit(plain, len);
		om_buf_consume(in, (size_t)len + OM_SEAL_OVERHEAD);
	}
	return 0;
}
