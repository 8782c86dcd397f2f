/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_auth: the handshake as a state machine, against a munged of its own. */
#include "config.h"

#include <munge.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/net/auth.h"
#include "lib/net/credential.h"
#include "lib/proto/openmosix.pb-c.h"
#include "tests/unit/munged.h"

#define STRANGER 54321		/* a uid that is nobody's here */

static struct munged munged;
static struct om_auth_config client_config, server_config;

/* Both ends and what they have said that the other has not read. */
struct pair {
	struct om_auth *client, *server;
	struct om_buf to_client, to_server;
	struct om_peer of_client, of_server;	/* as client, server see it */
	struct om_error client_err, server_err;
	int client_rc, server_rc;
};

static int start(void **state)
{
	(void)state;
	munged_start(&munged);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	munged_stop(&munged);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	client_config = (struct om_auth_config){
		.munge_socket = munged.socket,
		.server_uid = geteuid(),
		.role = OM_ROLE_CLIENT,
	};
	server_config = (struct om_auth_config){
		.munge_socket = munged.socket,
		.accept_roles = OM_ROLE_ANY,
		.cluster = "test",
	};
	return 0;
}

static void open_pair(struct pair *p)
{
	*p = (struct pair){ .client_rc = 0 };
	p->client = om_auth_client(&client_config, NULL);
	p->server = om_auth_server(&server_config, NULL);
	assert_non_null(p->client);
	assert_non_null(p->server);
	assert_int_equal(om_auth_begin(p->server, &p->to_client, NULL), 0);
	assert_int_equal(om_auth_begin(p->client, &p->to_server, NULL), 0);
}

static void close_pair(struct pair *p)
{
	om_auth_destroy(p->client);
	om_auth_destroy(p->server);
	om_buf_fini(&p->to_client);
	om_buf_fini(&p->to_server);
}

/* One frame out of in through a; what the step returned. */
static int step(struct om_auth *a, struct om_buf *in, struct om_buf *out,
		struct om_peer *peer, struct om_error *err)
{
	struct om_frame f;
	int64_t n = om_auth_parse(a, (const uint8_t *)om_buf_str(in),
				  om_buf_len(in), &f, err);
	int rc;

	if (n < 0)
		return (int)n;
	assert_true(n > 0);
	rc = om_auth_step(a, &f, out, peer, err);
	om_buf_consume(in, (size_t)n);
	return rc;
}

static void client_step(struct pair *p)
{
	p->client_rc = step(p->client, &p->to_client, &p->to_server,
			    &p->of_server, &p->client_err);
}

static void server_step(struct pair *p)
{
	p->server_rc = step(p->server, &p->to_server, &p->to_client,
			    &p->of_client, &p->server_err);
}

/* Until nobody has anything to say; the client may be another user. */
static void run_as(struct pair *p, uid_t client_uid)
{
	while (om_buf_len(&p->to_client) || om_buf_len(&p->to_server)) {
		if (om_buf_len(&p->to_server)) {
			server_step(p);
			continue;
		}
		assert_int_equal(seteuid(client_uid), 0);
		client_step(p);
		assert_int_equal(seteuid(getuid()), 0);
	}
}

static void run(struct pair *p)
{
	run_as(p, geteuid());
}

static void assert_refused(const struct pair *p, int code, const char *text)
{
	assert_int_equal(p->server_rc, code);
	assert_int_equal(p->client_rc, code);
	if (!strstr(p->client_err.text, text))
		fail_msg("'%s' does not say '%s'", p->client_err.text, text);
	assert_non_null(strstr(p->server_err.text, text));
}

static void both_sides_prove_who_they_are(void **state)
{
	struct pair p;

	(void)state;
	client_config.seal = true;
	client_config.role = OM_ROLE_CTLD;
	client_config.server_role = OM_ROLE_NODE;
	open_pair(&p);
	assert_true(om_auth_blocks(p.client));
	assert_true(om_auth_blocks(p.server));
	run(&p);
	assert_int_equal(p.client_rc, 1);
	assert_int_equal(p.server_rc, 1);
	assert_int_equal(p.of_client.uid, geteuid());
	assert_int_equal(p.of_client.gid, getegid());
	assert_int_equal(p.of_client.role, OM_ROLE_CTLD);
	assert_int_equal(p.of_server.uid, geteuid());
	assert_int_equal(p.of_server.role, OM_ROLE_NODE);
	assert_true(p.of_client.sealed && p.of_server.sealed);
	assert_memory_equal(p.of_client.key, p.of_server.key, OM_AUTH_KEY);
	close_pair(&p);
}

static void two_handshakes_share_no_key(void **state)
{
	struct pair p, q;

	(void)state;
	open_pair(&p);
	open_pair(&q);
	run(&p);
	run(&q);
	assert_memory_not_equal(p.of_client.key, q.of_client.key, OM_AUTH_KEY);
	close_pair(&p);
	close_pair(&q);
}

/* The peer is whoever munge says, whatever the messages say. */
static void uid_comes_from_munge(void **state)
{
	struct pair p;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: one uid only\n");
		return;
	}
	open_pair(&p);
	run_as(&p, STRANGER);
	assert_int_equal(p.server_rc, 1);
	assert_int_equal(p.of_client.uid, STRANGER);
	close_pair(&p);
}

/* This server is not who the client wants, so munge opens nothing for it. */
static void server_of_the_wrong_uid_cannot_answer(void **state)
{
	struct pair p;

	(void)state;
	client_config.server_uid = STRANGER;
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EACCES, "meant for another user");
	close_pair(&p);
}

static void false_proof_is_refused_by_the_client(void **state)
{
	Om__Welcome w = OM__WELCOME__INIT;
	uint8_t proof[16] = { 0 };
	struct pair p;

	(void)state;
	open_pair(&p);
	client_step(&p);
	assert_int_equal(p.client_rc, 0);
	w.proof = (ProtobufCBinaryData){ sizeof(proof), proof };
	om_frame_add(&p.to_client, OM_MSG_WELCOME, 0, &w.base, NULL);
	client_step(&p);
	assert_int_equal(p.client_rc, -EACCES);
	assert_non_null(strstr(p.client_err.text, "could not prove"));
	close_pair(&p);
}

static void short_proof_is_refused_by_the_client(void **state)
{
	Om__Welcome w = OM__WELCOME__INIT;
	struct pair p;

	(void)state;
	open_pair(&p);
	client_step(&p);
	om_frame_add(&p.to_client, OM_MSG_WELCOME, 0, &w.base, NULL);
	client_step(&p);
	assert_int_equal(p.client_rc, -EACCES);
	close_pair(&p);
}

/*
 * The Auth of one connection on another: munge itself would let it pass where
 * the second server asks another munged, so the nonce must stop it. Here the
 * first server never decodes it.
 */
static void auth_of_another_connection_is_refused(void **state)
{
	struct pair p, q;

	(void)state;
	open_pair(&p);
	open_pair(&q);
	client_step(&p);
	om_buf_add(&q.to_server, om_buf_str(&p.to_server),
		   om_buf_len(&p.to_server));
	client_step(&q);	/* q's own Auth comes second, if at all */
	server_step(&q);
	assert_int_equal(q.server_rc, -EACCES);
	assert_non_null(strstr(q.server_err.text, "another connection"));
	close_pair(&p);
	close_pair(&q);
}

/* The same bytes to the same munged twice are refused by munge. */
static void auth_used_twice_is_refused(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_buf copy = OM_BUF_INIT, out = OM_BUF_INIT;
	struct om_auth *again;
	struct om_peer peer;
	struct pair p;

	(void)state;
	open_pair(&p);
	client_step(&p);
	om_buf_add(&copy, om_buf_str(&p.to_server), om_buf_len(&p.to_server));
	run(&p);
	assert_int_equal(p.server_rc, 1);
	again = om_auth_server(&server_config, NULL);
	om_auth_begin(again, &out, NULL);
	assert_int_equal(step(again, &copy, &out, &peer, &err), -EACCES);
	assert_non_null(strstr(err.text, "replayed"));
	om_auth_destroy(again);
	om_buf_fini(&copy);
	om_buf_fini(&out);
	close_pair(&p);
}

static void send_auth(struct pair *p, const char *text)
{
	Om__Auth auth = OM__AUTH__INIT;

	auth.credential = (char *)text;
	om_frame_add(&p->to_server, OM_MSG_AUTH, 0, &auth.base, NULL);
	server_step(p);
}

static void garbled_credentials_are_refused(void **state)
{
	static const char *const text[] = {
		"", "MUNGE:", "MUNGE:AAAA:", "none:00", "garbage",
		"MUNGE:AwQDAACk9VGhYYLmnM0PxkBBBBBBBBBBBBBBBBBBBBB:",
	};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		open_pair(&p);
		client_step(&p);
		om_buf_reset(&p.to_server);
		send_auth(&p, text[i]);
		client_step(&p);
		assert_refused(&p, -EACCES, "refused");
		close_pair(&p);
	}
}

/* A valid credential in which one character was changed. */
static void forged_credential_is_refused(void **state)
{
	struct pair p;
	char *s;

	(void)state;
	for (size_t at = 20; at < 200; at += 45) {
		open_pair(&p);
		client_step(&p);
		s = p.to_server.data + p.to_server.head;
		s = memmem(s, om_buf_len(&p.to_server), "MUNGE:", 6);
		assert_non_null(s);
		s[at] = s[at] == 'A' ? 'B' : 'A';
		server_step(&p);
		assert_int_equal(p.server_rc, -EACCES);
		close_pair(&p);
	}
}

/* Made with another cluster's key. */
static void credential_of_another_key_is_refused(void **state)
{
	struct munged other;
	struct pair p;

	(void)state;
	munged_start(&other);
	client_config.munge_socket = other.socket;
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EACCES, "same munge key");
	close_pair(&p);
	munged_stop(&other);
}

static char *enclose(const void *payload, size_t len)
{
	char *text = om_credential_encode(munged.socket, geteuid(), payload,
					  len, NULL);

	assert_non_null(text);
	return text;
}

static void send_payload(struct pair *p, Om__AuthPayload *payload)
{
	uint8_t packed[1024];
	char *text;

	client_step(p);
	om_buf_reset(&p->to_server);
	text = enclose(packed, om__auth_payload__pack(payload, packed));
	send_auth(p, text);
	free(text);
}

/* The server's nonce as the client saw it. */
static void read_nonce(struct pair *p, uint8_t *nonce)
{
	Om__Hello *h = (Om__Hello *)om_msg_unpack(OM_MSG_HELLO,
		(const uint8_t *)om_buf_str(&p->to_client) + OM_FRAME_HEADER,
		om_buf_len(&p->to_client) - OM_FRAME_HEADER, NULL);

	assert_non_null(h);
	memcpy(nonce, h->nonce.data, 16);
	om__hello__free_unpacked(h, NULL);
}

static uint8_t secret[64];

static Om__AuthPayload good_payload(struct pair *p, uint8_t *nonce)
{
	Om__AuthPayload a = OM__AUTH_PAYLOAD__INIT;

	read_nonce(p, nonce);
	a.major = OM_PROTO_MAJOR;
	a.server_nonce = (ProtobufCBinaryData){ 16, nonce };
	a.proof = (ProtobufCBinaryData){ 16, secret };
	a.key = (ProtobufCBinaryData){ OM_AUTH_KEY, secret };
	a.role = OM_ROLE_CLIENT;
	return a;
}

enum spoil {
	NOTHING, MAJOR, NONCE, NONCE_SHORT, PROOF, KEY, NO_ROLE, TWO_ROLES,
	FAR_ROLE, SPOILS,
};

static void spoil(Om__AuthPayload *a, enum spoil how)
{
	switch (how) {
	case MAJOR: a->major++; break;
	case NONCE: a->server_nonce.data[15] ^= 1; break;
	case NONCE_SHORT: a->server_nonce.len = 0; break;
	case PROOF: a->proof.len = 17; break;
	case KEY: a->key.len = 31; break;
	case NO_ROLE: a->role = 0; break;
	case TWO_ROLES: a->role = OM_ROLE_CLIENT | OM_ROLE_NODE; break;
	case FAR_ROLE: a->role = 1u << 31; break;
	default: break;
	}
}

static void every_field_of_the_payload_is_judged(void **state)
{
	static const int want[SPOILS] = {
		[NOTHING] = 1, [MAJOR] = -EPROTO, [NONCE] = -EACCES,
		[NONCE_SHORT] = -EPROTO, [PROOF] = -EPROTO, [KEY] = -EPROTO,
		[NO_ROLE] = -EACCES, [TWO_ROLES] = -EACCES,
		[FAR_ROLE] = -EACCES,
	};
	Om__AuthPayload a;
	uint8_t nonce[16];
	struct pair p;

	(void)state;
	for (int how = NOTHING; how < SPOILS; how++) {
		open_pair(&p);
		a = good_payload(&p, nonce);
		spoil(&a, (enum spoil)how);
		send_payload(&p, &a);
		assert_int_equal(p.server_rc, want[how]);
		close_pair(&p);
	}
}

static void payload_that_is_none_is_refused(void **state)
{
	uint8_t big[4096];
	struct pair p;
	char *text;

	(void)state;
	memset(big, 0xff, sizeof(big));
	for (size_t len = 0; len <= sizeof(big); len += 1365) {
		open_pair(&p);
		client_step(&p);
		om_buf_reset(&p.to_server);
		text = enclose(big, len);
		send_auth(&p, text);
		assert_int_equal(p.server_rc, -EPROTO);
		free(text);
		close_pair(&p);
	}
}

static void role_that_is_not_served_is_refused(void **state)
{
	struct pair p;

	(void)state;
	server_config.accept_roles = OM_ROLE_NODE;
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EACCES, "not served");
	close_pair(&p);
}

static void daemons_roles_are_for_root(void **state)
{
	static const enum om_role role[] = {
		OM_ROLE_NODE, OM_ROLE_STEP, OM_ROLE_CTLD,
	};
	uid_t uid = geteuid() ? geteuid() : STRANGER;
	struct pair p;

	(void)state;
	/* Not root: CTLD with the server's own uid is right; see below. */
	for (size_t i = 0; i < (geteuid() ? 2 : 3); i++) {
		client_config.role = role[i];
		open_pair(&p);
		run_as(&p, uid);
		assert_int_equal(p.server_rc, -EACCES);
		assert_non_null(strstr(p.server_err.text, "not for uid"));
		close_pair(&p);
	}
}

static void unsealed_stream_is_refused_where_sealing_is_a_must(void **state)
{
	struct pair p;

	(void)state;
	server_config.seal = true;
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EACCES, "sealed connections only");
	close_pair(&p);
}

static void other_major_version_is_told(void **state)
{
	Om__Hello h = OM__HELLO__INIT;
	struct pair p;

	(void)state;
	open_pair(&p);
	om_buf_reset(&p.to_client);
	h.major = OM_PROTO_MAJOR + 1;
	h.nonce = (ProtobufCBinaryData){ 16, secret };
	om_frame_add(&p.to_client, OM_MSG_HELLO, 0, &h.base, NULL);
	client_step(&p);
	assert_int_equal(p.client_rc, -EPROTO);
	assert_non_null(strstr(p.client_err.text, "same version"));
	close_pair(&p);
}

/* Whatever a stranger announces, only the awaited type gets an ear. */
static void other_types_are_refused_from_their_header(void **state)
{
	uint8_t header[OM_FRAME_HEADER] = { 0 };
	const struct om_msg_type *t;
	struct om_error err;
	struct om_frame f;
	struct pair p;
	int64_t rc;

	(void)state;
	open_pair(&p);
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++) {
		header[7] = (uint8_t)t->type;
		rc = om_auth_parse(p.server, header, sizeof(header), &f, &err);
		assert_int_equal(rc, t->type == OM_MSG_AUTH ?
				 OM_FRAME_HEADER : -EPROTO);
		rc = om_auth_parse(p.client, header, sizeof(header), &f, &err);
		assert_int_equal(rc, t->type == OM_MSG_HELLO ||
				 t->type == OM_MSG_REPLY ?
				 OM_FRAME_HEADER : -EPROTO);
	}
	header[7] = OM_MSG_AUTH;
	header[2] = 0x20;	/* 8 KiB are allowed, not one byte more */
	header[3] = 1;
	assert_int_equal(om_auth_parse(p.server, header, sizeof(header), &f,
				       &err), -EMSGSIZE);
	close_pair(&p);
}

static void refusal_is_shown_without_control_characters(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p);
	om_buf_reset(&p.to_client);
	om_auth_refuse(&p.to_client, 12345, "go\033[31m away\n");
	client_step(&p);
	assert_int_equal(p.client_rc, -EACCES);
	assert_string_equal(p.client_err.text, "refused: go?[31m away?");
	close_pair(&p);
}

static void munge_away_is_told_as_such(void **state)
{
	struct pair p;

	(void)state;
	client_config.munge_socket = "/nowhere/munge.socket";
	open_pair(&p);
	client_step(&p);
	assert_int_equal(p.client_rc, -EAGAIN);
	assert_non_null(strstr(p.client_err.text, "is munged running?"));
	close_pair(&p);
	setup(NULL);
	server_config.munge_socket = "/nowhere/munge.socket";
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EAGAIN, "munge does not answer at /nowhere");
	close_pair(&p);
}

/* As if made by a host whose clock is off: munge takes the time from ctx. */
static void expired_credential_speaks_of_clocks(void **state)
{
	munge_ctx_t ctx = munge_ctx_create();
	struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
	time_t made = time(NULL);
	struct pair p;
	char *text;

	(void)state;
	munge_ctx_set(ctx, MUNGE_OPT_SOCKET, munged.socket);
	munge_ctx_set(ctx, MUNGE_OPT_TTL, 1);
	assert_int_equal(munge_encode(&text, ctx, "x", 1), EMUNGE_SUCCESS);
	munge_ctx_destroy(ctx);
	while (time(NULL) < made + 3)
		nanosleep(&tick, NULL);
	open_pair(&p);
	client_step(&p);
	om_buf_reset(&p.to_server);
	send_auth(&p, text);
	client_step(&p);
	assert_refused(&p, -EACCES, "clocks differ");
	free(text);
	close_pair(&p);
}

static void a_handshake_that_is_over_takes_nothing_more(void **state)
{
	struct om_frame f = { .type = OM_MSG_AUTH };
	struct pair p;

	(void)state;
	open_pair(&p);
	run(&p);
	assert_int_equal(om_auth_step(p.server, &f, &p.to_client, &p.of_client,
				      NULL), -EPROTO);
	assert_int_equal(om_auth_begin(p.server, &p.to_client, NULL), -EPROTO);
	close_pair(&p);
}

#ifndef OM_AUTH_NONE
static void auth_none_is_refused_unless_built_in(void **state)
{
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	client_config.none = server_config.none = true;
	assert_null(om_auth_client(&client_config, &err));
	assert_int_equal(err.code, -EPERM);
	assert_null(om_auth_server(&server_config, &err));
}
#else
static void auth_none_takes_the_sockets_uid(void **state)
{
	struct pair p;

	(void)state;
	client_config.none = server_config.none = true;
	server_config.none_uid = STRANGER;
	open_pair(&p);
	run(&p);
	assert_int_equal(p.server_rc, 1);
	assert_int_equal(p.of_client.uid, STRANGER);
	close_pair(&p);
	server_config.none_uid = (uid_t)-1;
	open_pair(&p);
	run(&p);
	assert_refused(&p, -EACCES, "refused");
	close_pair(&p);
}
#endif

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_sides_prove_who_they_are),
		TEST(two_handshakes_share_no_key),
		TEST(uid_comes_from_munge),
		TEST(server_of_the_wrong_uid_cannot_answer),
		TEST(false_proof_is_refused_by_the_client),
		TEST(short_proof_is_refused_by_the_client),
		TEST(auth_of_another_connection_is_refused),
		TEST(auth_used_twice_is_refused),
		TEST(garbled_credentials_are_refused),
		TEST(forged_credential_is_refused),
		TEST(credential_of_another_key_is_refused),
		TEST(every_field_of_the_payload_is_judged),
		TEST(payload_that_is_none_is_refused),
		TEST(role_that_is_not_served_is_refused),
		TEST(daemons_roles_are_for_root),
		TEST(unsealed_stream_is_refused_where_sealing_is_a_must),
		TEST(other_major_version_is_told),
		TEST(other_types_are_refused_from_their_header),
		TEST(refusal_is_shown_without_control_characters),
		TEST(munge_away_is_told_as_such),
		TEST(expired_credential_speaks_of_clocks),
		TEST(a_handshake_that_is_over_takes_nothing_more),
#ifndef OM_AUTH_NONE
		TEST(auth_none_is_refused_unless_built_in),
#else
		TEST(auth_none_takes_the_sockets_uid),
#endif
	};

	return cmocka_run_group_tests(tests, start, stop);
}
