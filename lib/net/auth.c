/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * auth: the handshake's state machine; see auth.h for what it proves.
 *
 *   server: START -begin-> AWAIT_AUTH -----------------> OVER
 *   client: START -begin-> AWAIT_HELLO -> AWAIT_WELCOME -> OVER
 *
 * Every failure ends it too. What a peer sends is judged as a list of named
 * steps of which the first refusal wins.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/net/auth.h"
#include "lib/net/credential.h"
#include "lib/proto/openmosix.pb-c.h"

#define NONCE 16
#define PROOF 16
#define PAYLOAD_MAX 1024

enum state { START, AWAIT_AUTH, AWAIT_HELLO, AWAIT_WELCOME, OVER };

struct om_auth {
	struct om_auth_config config;
	bool server;
	enum state state;
	uint8_t nonce[NONCE];		/* the server's */
	uint8_t proof[PROOF];		/* the client's */
	uint8_t key[OM_AUTH_KEY];
};

static int check_mode(const struct om_auth_config *c, struct om_error *err)
{
#ifndef OM_AUTH_NONE
	if (c->none)
		return om_fail(err, -EPERM,
			       "auth = none is refused: this build does not "
			       "allow it");
#endif
	(void)c;
	(void)err;
	return 0;
}

void om_auth_config_fini(struct om_auth_config *c)
{
	free((char *)c->munge_socket);
	free((char *)c->cluster);
	*c = (struct om_auth_config){ .munge_socket = NULL };
}

/* A worker thread may outlive who configured it, so nothing is borrowed. */
int om_auth_config_copy(struct om_auth_config *to,
			const struct om_auth_config *from)
{
	*to = *from;
	to->munge_socket = to->cluster = NULL;
	if (from->munge_socket)
		to->munge_socket = strdup(from->munge_socket);
	if (from->cluster)
		to->cluster = strdup(from->cluster);
	if (!to->munge_socket == !from->munge_socket &&
	    !to->cluster == !from->cluster)
		return 0;
	om_auth_config_fini(to);
	return -ENOMEM;
}

static struct om_auth *create(const struct om_auth_config *c, bool server,
			      struct om_error *err)
{
	struct om_auth *a;

	if (check_mode(c, err) < 0)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a || om_auth_config_copy(&a->config, c) < 0) {
		om_auth_destroy(a);
		om_fail_nomem(err);
		return NULL;
	}
	a->server = server;
	if (!a->config.server_role)
		a->config.server_role = OM_ROLE_CTLD;
	return a;
}

struct om_auth *om_auth_server(const struct om_auth_config *c,
			       struct om_error *err)
{
	return create(c, true, err);
}

struct om_auth *om_auth_client(const struct om_auth_config *c,
			       struct om_error *err)
{
	return create(c, false, err);
}

void om_auth_destroy(struct om_auth *a)
{
	if (!a)
		return;
	om_auth_config_fini(&a->config);
	explicit_bzero(a, sizeof(*a));
	free(a);
}

static int fill_random(void *p, size_t len, struct om_error *err)
{
	/* Up to 256 bytes come whole and uninterrupted, see getrandom(2). */
	if (getrandom(p, len, 0) != (ssize_t)len)
		return om_fail_errno(err, "no random numbers");
	return 0;
}

/* Takes the same time wherever the difference is. */
static bool same_secret(const uint8_t *a, const uint8_t *b, size_t len)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

static bool blob_is(const ProtobufCBinaryData *b, size_t len)
{
	return b->len == len;
}

int om_auth_begin(struct om_auth *a, struct om_buf *out, struct om_error *err)
{
	Om__Hello hello = OM__HELLO__INIT;
	int rc;

	if (a->state != START)
		return om_fail(err, -EPROTO, "the handshake has begun");
	if (!a->server) {
		a->state = AWAIT_HELLO;
		return 0;
	}
	rc = fill_random(a->nonce, sizeof(a->nonce), err);
	if (rc < 0)
		return rc;
	hello.major = OM_PROTO_MAJOR;
	hello.minor = OM_PROTO_MINOR;
	hello.nonce.data = a->nonce;
	hello.nonce.len = sizeof(a->nonce);
	rc = om_frame_add(out, OM_MSG_HELLO, 0, &hello.base, err);
	if (rc == 0)
		a->state = AWAIT_AUTH;
	return rc;
}

bool om_auth_blocks(const struct om_auth *a)
{
	return !a->config.none &&
	       (a->state == AWAIT_AUTH || a->state == AWAIT_HELLO);
}

/* A server may turn a client away at any point, with a Reply. */
static bool awaited(const struct om_auth *a, uint32_t type)
{
	switch (a->state) {
	case AWAIT_AUTH:
		return type == OM_MSG_AUTH;
	case AWAIT_HELLO:
		return type == OM_MSG_HELLO || type == OM_MSG_REPLY;
	case AWAIT_WELCOME:
		return type == OM_MSG_WELCOME || type == OM_MSG_REPLY;
	default:
		return false;
	}
}

int64_t om_auth_parse(const struct om_auth *a, const uint8_t *in, size_t len,
		      struct om_frame *ret, struct om_error *err)
{
	uint32_t type;

	if (len < OM_FRAME_HEADER)
		return 0;
	type = om_frame_type(in);
	if (!awaited(a, type))
		return om_fail(err, -EPROTO,
			       "message type %u is out of place in a handshake",
			       type);
	return om_frame_parse(in, len, OM_ROLE_ANY, ret, err);
}

int om_auth_refuse(struct om_buf *out, int code, const char *text)
{
	Om__Reply reply = OM__REPLY__INIT;

	reply.code = code;
	reply.text = (char *)text;	/* packing only reads it */
	return om_frame_add(out, OM_MSG_REPLY, 0, &reply.base, NULL);
}

/* ------------------------------------------------------------------- client */

static int take_refusal(const Om__Reply *reply, struct om_error *err)
{
	int code = reply->code;
	struct om_error text;

	om_fail(&text, -EACCES, "%s", reply->text && reply->text[0] ?
		reply->text : "no reason given");
	/* It is shown to people, and the server has proved nothing yet. */
	om_str_tame(text.text, strlen(text.text));
	if (code != -EAGAIN && code != -EPROTO)
		code = -EACCES;
	return om_fail(err, code, "refused: %.400s", text.text);
}

static int enclose(struct om_auth *a, char **ret_text, struct om_error *err)
{
	Om__AuthPayload p = OM__AUTH_PAYLOAD__INIT;
	char host[HOST_NAME_MAX + 1] = "";
	uint8_t packed[PAYLOAD_MAX];
	size_t len;

	gethostname(host, sizeof(host) - 1);
	p.major = OM_PROTO_MAJOR;
	p.minor = OM_PROTO_MINOR;
	p.server_nonce = (ProtobufCBinaryData){ NONCE, a->nonce };
	p.proof = (ProtobufCBinaryData){ PROOF, a->proof };
	p.key = (ProtobufCBinaryData){ OM_AUTH_KEY, a->key };
	p.seal = a->config.seal;
	p.role = a->config.role;
	p.host = host;
	if (om__auth_payload__get_packed_size(&p) > sizeof(packed))
		return om_fail(err, -ENAMETOOLONG, "the host's name is too long");
	len = om__auth_payload__pack(&p, packed);
	*ret_text = a->config.none ?
		om_credential_none_encode(packed, len, err) :
		om_credential_encode(a->config.munge_socket,
				     a->config.server_uid, packed, len, err);
	explicit_bzero(packed, sizeof(packed));
	return *ret_text ? 0 : err->code;
}

static int take_hello(struct om_auth *a, const Om__Hello *hello,
		      struct om_buf *out, struct om_error *err)
{
	om_autofree char *text = NULL;
	Om__Auth auth = OM__AUTH__INIT;
	int rc;

	if (hello->major != OM_PROTO_MAJOR)
		return om_fail(err, -EPROTO,
			       "the server speaks protocol %u.%u, this program "
			       "%u.%u: install the same version on both",
			       hello->major, hello->minor, OM_PROTO_MAJOR,
			       OM_PROTO_MINOR);
	if (!blob_is(&hello->nonce, NONCE))
		return om_fail(err, -EPROTO, "malformed hello message");
	memcpy(a->nonce, hello->nonce.data, NONCE);
	rc = fill_random(a->proof, sizeof(a->proof), err);
	if (rc == 0)
		rc = fill_random(a->key, sizeof(a->key), err);
	if (rc == 0)
		rc = enclose(a, &text, err);
	if (rc < 0)
		return rc;
	auth.credential = text;
	rc = om_frame_add(out, OM_MSG_AUTH, 0, &auth.base, err);
	if (rc == 0)
		a->state = AWAIT_WELCOME;
	return rc;
}

static int take_welcome(struct om_auth *a, const Om__Welcome *w,
			struct om_peer *ret_peer, struct om_error *err)
{
	if (!blob_is(&w->proof, PROOF) ||
	    !same_secret(w->proof.data, a->proof, PROOF))
		return om_fail(err, -EACCES,
			       "the server could not prove to be uid %u",
			       a->config.server_uid);
	*ret_peer = (struct om_peer){
		.uid = a->config.server_uid,
		.gid = (gid_t)-1,
		.role = a->config.server_role,
		.sealed = a->config.seal,
		.minor = w->minor,
	};
	memcpy(ret_peer->key, a->key, OM_AUTH_KEY);
	return 1;
}

/* ------------------------------------------------------------------- server */

static int check_version(const struct om_auth *a, const Om__AuthPayload *p,
			 const struct om_credential *c, struct om_error *err)
{
	(void)a;
	(void)c;
	if (p->major == OM_PROTO_MAJOR)
		return 0;
	return om_fail(err, -EPROTO,
		       "this server speaks protocol %u.%u, you %u.%u: install "
		       "the same version on both", OM_PROTO_MAJOR,
		       OM_PROTO_MINOR, p->major, p->minor);
}

static int check_form(const struct om_auth *a, const Om__AuthPayload *p,
		      const struct om_credential *c, struct om_error *err)
{
	(void)a;
	(void)c;
	if (blob_is(&p->server_nonce, NONCE) && blob_is(&p->proof, PROOF) &&
	    blob_is(&p->key, OM_AUTH_KEY))
		return 0;
	return om_fail(err, -EPROTO, "malformed credential payload");
}

static int check_nonce(const struct om_auth *a, const Om__AuthPayload *p,
		       const struct om_credential *c, struct om_error *err)
{
	(void)c;
	if (same_secret(p->server_nonce.data, a->nonce, NONCE))
		return 0;
	return om_fail(err, -EACCES,
		       "replayed: the credential was made for another "
		       "connection");
}

static int check_role(const struct om_auth *a, const Om__AuthPayload *p,
		      const struct om_credential *c, struct om_error *err)
{
	bool one = p->role && !(p->role & (p->role - 1));

	if (!one || !(p->role & a->config.accept_roles))
		return om_fail(err, -EACCES, "role %u is not served here",
			       p->role);
	if (p->role == OM_ROLE_CLIENT || c->uid == 0 ||
	    (p->role == OM_ROLE_CTLD && c->uid == geteuid()))
		return 0;
	return om_fail(err, -EACCES, "role %u is not for uid %u", p->role,
		       c->uid);
}

static int check_seal(const struct om_auth *a, const Om__AuthPayload *p,
		      const struct om_credential *c, struct om_error *err)
{
	(void)c;
	if (p->seal || !a->config.seal)
		return 0;
	return om_fail(err, -EACCES,
		       "this server takes sealed connections only");
}

typedef int check_fn(const struct om_auth *a, const Om__AuthPayload *p,
		     const struct om_credential *c, struct om_error *err);

static int judge(const struct om_auth *a, const Om__AuthPayload *p,
		 const struct om_credential *c, struct om_error *err)
{
	static check_fn *const check[] = {
		check_version, check_form, check_nonce, check_role, check_seal,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(check) / sizeof(*check); i++)
		rc = check[i](a, p, c, err);
	return rc;
}

static int welcome(const struct om_auth *a, const Om__AuthPayload *p,
		   struct om_buf *out, struct om_error *err)
{
	Om__Welcome w = OM__WELCOME__INIT;

	w.proof = p->proof;
	w.minor = OM_PROTO_MINOR;
	w.cluster = (char *)a->config.cluster;	/* packing only reads it */
	return om_frame_add(out, OM_MSG_WELCOME, 0, &w.base, err);
}

static void wipe_payload(Om__AuthPayload *p)
{
	if (!p)
		return;
	if (p->key.data)
		explicit_bzero(p->key.data, p->key.len);
	if (p->proof.data)
		explicit_bzero(p->proof.data, p->proof.len);
	om__auth_payload__free_unpacked(p, NULL);
}

static int admit(struct om_auth *a, const struct om_credential *c,
		 struct om_buf *out, struct om_peer *ret_peer,
		 struct om_error *err)
{
	Om__AuthPayload *p = NULL;
	int rc;

	if (c->len <= PAYLOAD_MAX)
		p = om__auth_payload__unpack(NULL, c->len, c->payload);
	if (!p)
		return om_fail(err, -EPROTO, "malformed credential payload");
	rc = judge(a, p, c, err);
	if (rc == 0)
		rc = welcome(a, p, out, err);
	if (rc == 0) {
		*ret_peer = (struct om_peer){
			.uid = c->uid, .gid = c->gid,
			.role = (enum om_role)p->role,
			.sealed = p->seal, .minor = p->minor,
		};
		memcpy(ret_peer->key, p->key.data, OM_AUTH_KEY);
		rc = 1;
	}
	wipe_payload(p);
	return rc;
}

static int take_auth(struct om_auth *a, const Om__Auth *auth,
		     struct om_buf *out, struct om_peer *ret_peer,
		     struct om_error *err)
{
	struct om_credential c = { .payload = NULL };
	int rc;

	if (a->config.none)
		rc = om_credential_none_decode(auth->credential,
					       a->config.none_uid,
					       a->config.none_gid, &c, err);
	else
		rc = om_credential_decode(a->config.munge_socket,
					  auth->credential, &c, err);
	if (rc == 0)
		rc = admit(a, &c, out, ret_peer, err);
	om_credential_fini(&c);
	return rc;
}

/* -------------------------------------------------------------------- steps */

static int dispatch(struct om_auth *a, uint32_t type, const ProtobufCMessage *m,
		    struct om_buf *out, struct om_peer *ret_peer,
		    struct om_error *err)
{
	switch (type) {
	case OM_MSG_HELLO:
		return take_hello(a, (const Om__Hello *)m, out, err);
	case OM_MSG_AUTH:
		return take_auth(a, (const Om__Auth *)m, out, ret_peer, err);
	case OM_MSG_WELCOME:
		return take_welcome(a, (const Om__Welcome *)m, ret_peer, err);
	default:
		return take_refusal((const Om__Reply *)m, err);
	}
}

int om_auth_step(struct om_auth *a, const struct om_frame *f,
		 struct om_buf *out, struct om_peer *ret_peer,
		 struct om_error *err)
{
	struct om_error own = OM_ERROR_INIT;
	ProtobufCMessage *m;
	int rc;

	if (!err)
		err = &own;
	if (!awaited(a, f->type))
		rc = om_fail(err, -EPROTO, "message type %u is out of place "
			     "in a handshake", f->type);
	else if (!(m = om_msg_unpack(f->type, f->body, f->length, err)))
		rc = -EPROTO;
	else {
		rc = dispatch(a, f->type, m, out, ret_peer, err);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	if (rc != 0)
		a->state = OVER;
	/* Without memory for a refusal the connection just ends. */
	if (rc < 0 && a->server)
		om_auth_refuse(out, rc, om_error_text(err));
	return rc;
}
