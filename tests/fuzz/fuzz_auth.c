/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whatever a peer may say to either end of a handshake. Munge is replaced: a
 * credential is good if it begins with '+', its payload is what the input says;
 * '=' makes one with the right nonce, which no fuzzer could guess. On request a
 * good first frame is put before the input, so that what comes after it is
 * reached.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/auth.h"
#include "lib/net/credential.h"
#include "lib/proto/openmosix.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static uint8_t nonce[16];
static const uint8_t *payload;
static size_t payload_len;
static bool enclosed_right;	/* the last payload repeated the nonce */

void om_credential_fini(struct om_credential *c)
{
	free(c->payload);
	c->payload = NULL;
}

char *om_credential_encode(const char *socket, uid_t uid, const void *p,
			   size_t len, struct om_error *err)
{
	(void)socket;
	(void)uid;
	assert(p && len);
	if (payload_len % 2)
		return strdup("+made");
	om_fail(err, -EAGAIN, "munge is away");
	return NULL;
}

static void enclose(struct om_credential *c)
{
	uint8_t secret[64] = { 0 };
	Om__AuthPayload p = OM__AUTH_PAYLOAD__INIT;

	p.major = payload_len > 0 ? payload[0] : 1;
	p.role = payload_len > 1 ? payload[1] : 1;
	p.seal = payload_len > 2 && payload[2] & 1;
	p.server_nonce = (ProtobufCBinaryData){ 16, nonce };
	p.proof = (ProtobufCBinaryData){ 16, secret };
	p.key = (ProtobufCBinaryData){ 32, secret };
	if (payload_len > 3)
		p.proof.len = payload[3] % sizeof(secret);
	if (payload_len > 4)
		p.key.len = payload[4] % sizeof(secret);
	c->len = om__auth_payload__get_packed_size(&p);
	c->payload = malloc(c->len);
	assert(c->payload);
	om__auth_payload__pack(&p, c->payload);
}

int om_credential_decode(const char *socket, const char *text,
			 struct om_credential *ret, struct om_error *err)
{
	(void)socket;
	*ret = (struct om_credential){ .uid = payload_len % 3 };
	enclosed_right = text[0] == '=';
	if (text[0] == '=') {
		enclose(ret);
		return 0;
	}
	if (text[0] != '+')
		return om_fail(err, -EACCES, "no credential");
	ret->payload = malloc(payload_len + 1);
	assert(ret->payload);
	memcpy(ret->payload, payload, payload_len);
	ret->len = payload_len;
	return 0;
}

/* Hello's nonce, for the credentials that are to be right. */
static void learn_nonce(struct om_buf *out)
{
	Om__Hello *h = (Om__Hello *)om_msg_unpack(OM_MSG_HELLO,
		(const uint8_t *)om_buf_str(out) + OM_FRAME_HEADER,
		om_buf_len(out) - OM_FRAME_HEADER, NULL);

	assert(h && h->nonce.len == sizeof(nonce));
	memcpy(nonce, h->nonce.data, sizeof(nonce));
	om__hello__free_unpacked(h, NULL);
}

static int feed(struct om_auth *a, bool server, const uint8_t *p, size_t len)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_buf out = OM_BUF_INIT;
	struct om_peer peer;
	struct om_frame f;
	int64_t n;
	int rc = 0;

	assert(om_auth_begin(a, &out, &err) == 0);
	if (server)
		learn_nonce(&out);
	while (rc == 0 && (n = om_auth_parse(a, p, len, &f, &err)) > 0) {
		rc = om_auth_step(a, &f, &out, &peer, &err);
		p += n;
		len -= (size_t)n;
	}
	/* Nobody gets in who did not repeat the nonce or knew the proof. */
	assert(rc <= 0 || (server && enclosed_right));
	if (rc > 0)
		assert(peer.role == OM_ROLE_CLIENT || peer.uid == 0 ||
		       peer.role == OM_ROLE_CTLD);
	if (rc < 0)
		assert(err.code == rc && err.text[0]);
	om_buf_fini(&out);
	return rc;
}

static void add_good(bool server, struct om_buf *in)
{
	Om__Hello hello = OM__HELLO__INIT;
	Om__Auth auth = OM__AUTH__INIT;

	hello.major = OM_PROTO_MAJOR;
	hello.nonce = (ProtobufCBinaryData){ sizeof(nonce), nonce };
	auth.credential = (char *)"=";
	assert(om_frame_add(in, server ? OM_MSG_AUTH : OM_MSG_HELLO, 0,
			    server ? &auth.base : &hello.base, NULL) == 0);
}

static int handshake(const uint8_t *data, size_t size)
{
	struct om_buf in = OM_BUF_INIT;
	struct om_auth_config config = {
		.server_uid = 7, .role = OM_ROLE_CLIENT,
		.accept_roles = OM_ROLE_CLIENT | OM_ROLE_NODE, .cluster = "x",
	};
	struct om_auth *a;
	bool server;
	int rc;

	if (size < 2 || size - 2 < data[1])
		return 0;
	server = data[0] & 1;
	config.seal = data[0] & 2;
	payload = data + 2;
	payload_len = data[1];
	enclosed_right = false;
	a = server ? om_auth_server(&config, NULL) :
		     om_auth_client(&config, NULL);
	assert(a);
	if (data[0] & 4)
		add_good(server, &in);
	om_buf_add(&in, data + 2 + payload_len, size - 2 - payload_len);
	rc = feed(a, server, (const uint8_t *)om_buf_str(&in), om_buf_len(&in));
	om_auth_destroy(a);
	om_buf_fini(&in);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	handshake(data, size);
	return 0;
}

/* The target itself is tried: a good handshake must get through. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t good[] = { 5, 5, OM_PROTO_MAJOR, 1, 0, 16, 32 };
	static const uint8_t bad[] = { 5, 5, OM_PROTO_MAJOR, 1, 0, 16, 31 };

	(void)argc;
	(void)argv;
	assert(handshake(good, sizeof(good)) == 1);
	assert(handshake(bad, sizeof(bad)) == -EPROTO);
	return 0;
}
