/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_proto: the table of types, frames, and every message there and back. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"
#include "tests/unit/messages.h"

#define ROUNDS 50

static const uint8_t *bytes(const struct om_buf *b)
{
	return (const uint8_t *)om_buf_str(b);
}

static void table_is_consistent(void **state)
{
	const struct om_msg_type *t, *u;
	size_t n;

	(void)state;
	for (n = 0; (t = om_msg_at(n)) != NULL; n++) {
		assert_ptr_equal(om_msg_lookup(t->type), t);
		assert_true(t->senders && !(t->senders & ~OM_ROLE_ANY));
		assert_true(t->max_bytes > 0);
		assert_string_equal(t->body->package_name, "om");
		for (size_t i = 0; i < n; i++) {
			u = om_msg_at(i);
			assert_int_not_equal(u->type, t->type);
			assert_string_not_equal(u->name, t->name);
		}
	}
	assert_true(n > 30);
	assert_null(om_msg_lookup(0));
	assert_null(om_msg_lookup(UINT32_MAX));
}

/* There and back, and the same bytes again. */
static void assert_round_trip(const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *m = messages_random(desc), *n;
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *p = malloc(len + 1), *q = malloc(len + 1);

	protobuf_c_message_pack(m, p);
	n = om_body_unpack(desc, p, len, OM_FIELDS_MAX, NULL);
	assert_non_null(n);
	assert_int_equal(protobuf_c_message_get_packed_size(n), len);
	protobuf_c_message_pack(n, q);
	assert_memory_equal(p, q, len);
	protobuf_c_message_free_unpacked(m, NULL);
	protobuf_c_message_free_unpacked(n, NULL);
	free(p);
	free(q);
}

static void every_message_comes_back_as_it_was(void **state)
{
	const struct om_msg_type *t;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++)
			assert_round_trip(t->body);
		assert_round_trip(&om__event__descriptor);
		assert_round_trip(&om__snapshot__descriptor);
		assert_round_trip(&om__launch__descriptor);
		assert_round_trip(&om__auth_payload__descriptor);
	}
}

static void frame_of(struct om_buf *b, const struct om_msg_type *t)
{
	ProtobufCMessage *m;
	int rc;

	do {	/* a random one may be larger than the type allows */
		m = messages_random(t->body);
		rc = om_frame_add(b, t->type, 77, m, NULL);
		protobuf_c_message_free_unpacked(m, NULL);
		assert_true(rc == 0 || rc == -EMSGSIZE);
	} while (rc < 0);
}

static void frames_are_found_one_after_the_other(void **state)
{
	const struct om_msg_type *t;
	struct om_buf b = OM_BUF_INIT;
	ProtobufCMessage *m;
	struct om_frame f;
	int64_t size;

	(void)state;
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++)
		frame_of(&b, t);
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++) {
		size = om_frame_parse(bytes(&b), om_buf_len(&b), t->senders,
				      &f, NULL);
		assert_true(size >= OM_FRAME_HEADER);
		assert_int_equal(f.type, t->type);
		assert_int_equal(f.id, 77);
		assert_int_equal(size, f.length + OM_FRAME_HEADER);
		m = om_msg_unpack(f.type, f.body, f.length, NULL);
		assert_non_null(m);
		assert_ptr_equal(m->descriptor, t->body);
		protobuf_c_message_free_unpacked(m, NULL);
		om_buf_consume(&b, (size_t)size);
	}
	assert_int_equal(om_buf_len(&b), 0);
	om_buf_fini(&b);
}

static void part_of_a_frame_waits_for_the_rest(void **state)
{
	struct om_buf b = OM_BUF_INIT;
	struct om_frame f;

	(void)state;
	frame_of(&b, om_msg_lookup(OM_MSG_SUBMIT));
	for (size_t len = 0; len < om_buf_len(&b); len++)
		assert_int_equal(om_frame_parse(bytes(&b), len, OM_ROLE_ANY,
						&f, NULL), 0);
	om_buf_fini(&b);
}

static void part_of_a_body_never_crashes_the_decoder(void **state)
{
	const struct om_msg_type *t;
	struct om_buf b = OM_BUF_INIT;
	ProtobufCMessage *m;

	(void)state;
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++) {
		om_buf_reset(&b);
		frame_of(&b, t);
		for (size_t len = OM_FRAME_HEADER; len < om_buf_len(&b); len++) {
			/* Its own block, so that a sanitizer sees an overrun. */
			uint8_t *p = malloc(len - OM_FRAME_HEADER + 1);

			memcpy(p, bytes(&b) + OM_FRAME_HEADER,
			       len - OM_FRAME_HEADER);
			m = om_msg_unpack(t->type, p, len - OM_FRAME_HEADER,
					  NULL);
			protobuf_c_message_free_unpacked(m, NULL);
			free(p);
		}
	}
	om_buf_fini(&b);
}

static void header(uint8_t *p, uint32_t length, uint32_t type)
{
	const uint32_t word[3] = { htonl(length), htonl(type), 0 };

	memcpy(p, word, sizeof(word));
}

static void frame_is_judged_from_its_header(void **state)
{
	const struct om_msg_type *t;
	uint8_t p[OM_FRAME_HEADER];
	struct om_error err;
	struct om_frame f;

	(void)state;
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++) {
		header(p, t->max_bytes, t->type);
		assert_int_equal(om_frame_parse(p, sizeof(p), t->senders, &f,
						&err), 0);
		header(p, t->max_bytes + 1, t->type);
		assert_int_equal(om_frame_parse(p, sizeof(p), t->senders, &f,
						&err), -EMSGSIZE);
		header(p, UINT32_MAX, t->type);
		assert_int_equal(om_frame_parse(p, sizeof(p), t->senders, &f,
						&err), -EMSGSIZE);
		header(p, 0, t->type);
		assert_int_equal(om_frame_parse(p, sizeof(p),
						OM_ROLE_ANY & ~t->senders, &f,
						&err), -EPROTO);
	}
	header(p, 0, 12345);
	assert_int_equal(om_frame_parse(p, sizeof(p), OM_ROLE_ANY, &f, &err),
			 -EPROTO);
}

static void sender_keeps_the_rules_too(void **state)
{
	Om__ConfigShow show = OM__CONFIG_SHOW__INIT;
	struct om_buf b = OM_BUF_INIT;
	char key[2000];

	(void)state;
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	show.key = key;
	assert_int_equal(om_frame_add(&b, OM_MSG_CONFIG_SHOW, 1, &show.base,
				      NULL), -EMSGSIZE);
	assert_int_equal(om_frame_add(&b, OM_MSG_SUBMIT, 1, &show.base, NULL),
			 -EINVAL);
	assert_int_equal(om_frame_add(&b, (enum om_msg)999, 1, NULL, NULL),
			 -EINVAL);
	assert_int_equal(om_buf_len(&b), 0);
	om_buf_fini(&b);
}

/* A newer minor version may send fields that this one does not know. */
static void unknown_fields_are_skipped(void **state)
{
	static const uint8_t body[] = {
		0x08, 0x05,			/* 1: job_id = 5 */
		0xc2, 0x3e, 0x03, 'n', 'e', 'w',	/* 1000: bytes */
		0xc8, 0x3e, 0x01,		/* 1001: number */
	};
	Om__JobWait *w;

	(void)state;
	w = (Om__JobWait *)om_msg_unpack(OM_MSG_JOB_WAIT, body, sizeof(body),
					 NULL);
	assert_non_null(w);
	assert_int_equal(w->job_id, 5);
	om__job_wait__free_unpacked(w, NULL);
}

static void required_fields_are_required(void **state)
{
	struct om_error err;

	(void)state;
	assert_null(om_msg_unpack(OM_MSG_JOB_WAIT, (const uint8_t *)"", 0,
				  &err));
	assert_int_equal(err.code, -EPROTO);
	assert_null(om_msg_unpack((enum om_msg)999, (const uint8_t *)"", 0,
				  &err));
}

/* n fields of one kind: number, text, message, unknown, packed numbers. */
static int decode_many(const char *kind, size_t n)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_buf b = OM_BUF_INIT, filter = OM_BUF_INIT;
	ProtobufCMessage *m;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(kind, "number") == 0)
			om_buf_add(&filter, "\x08\x01", 2);
		else if (strcmp(kind, "unknown") == 0)
			om_buf_add(&filter, "\xc8\x3e\x01", 3);
		else if (strcmp(kind, "message") == 0)
			om_buf_add(&filter, "\x42\x04\x08\x01\x12\x00", 6);
	}
	if (strcmp(kind, "packed") == 0) {
		om_buf_add(&b, "\x0a\xff\xff\xff\x07", 5);
		b.data[1] = (char)(n & 0x7f) | (char)0x80;
		b.data[2] = (char)(n >> 7 & 0x7f) | (char)0x80;
		b.data[3] = (char)(n >> 14 & 0x7f) | (char)0x80;
		b.data[4] = (char)(n >> 21);
		for (size_t i = 0; i < n; i++)
			om_buf_addc(&b, 1);
		om_buf_add(&filter, om_buf_str(&b), om_buf_len(&b));
		om_buf_reset(&b);
	}
	m = om_body_unpack(&om__job_filter__descriptor, bytes(&filter),
			   om_buf_len(&filter), OM_FIELDS_MAX, &err);
	protobuf_c_message_free_unpacked(m, NULL);
	om_buf_fini(&b);
	om_buf_fini(&filter);
	return m ? 0 : err.code;
}

static void small_body_cannot_become_a_large_message(void **state)
{
	static const char *const kind[] = { "number", "unknown", "packed" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(decode_many(kind[i], OM_FIELDS_MAX - 1), 0);
		assert_int_equal(decode_many(kind[i], OM_FIELDS_MAX + 1),
				 -EMSGSIZE);
	}
	assert_int_equal(decode_many("message", OM_FIELDS_MAX / 3), 0);
	assert_int_equal(decode_many("message", OM_FIELDS_MAX / 3 + 1),
			 -EMSGSIZE);
}

/* Random damage: an error or a message, never a crash. */
static void damaged_bodies_never_crash_the_decoder(void **state)
{
	const struct om_msg_type *t;
	struct om_buf b = OM_BUF_INIT;
	ProtobufCMessage *m;

	(void)state;
	for (size_t i = 0; (t = om_msg_at(i)) != NULL; i++) {
		for (int round = 0; round < ROUNDS; round++) {
			om_buf_reset(&b);
			frame_of(&b, t);
			for (int k = 0; k < 3; k++)
				b.data[(size_t)random() % om_buf_len(&b)] ^=
					(char)(1 << random() % 8);
			m = om_msg_unpack(t->type, bytes(&b) + OM_FRAME_HEADER,
					  om_buf_len(&b) - OM_FRAME_HEADER,
					  NULL);
			protobuf_c_message_free_unpacked(m, NULL);
		}
	}
	om_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_consistent),
		cmocka_unit_test(every_message_comes_back_as_it_was),
		cmocka_unit_test(frames_are_found_one_after_the_other),
		cmocka_unit_test(part_of_a_frame_waits_for_the_rest),
		cmocka_unit_test(part_of_a_body_never_crashes_the_decoder),
		cmocka_unit_test(frame_is_judged_from_its_header),
		cmocka_unit_test(sender_keeps_the_rules_too),
		cmocka_unit_test(unknown_fields_are_skipped),
		cmocka_unit_test(required_fields_are_required),
		cmocka_unit_test(small_body_cannot_become_a_large_message),
		cmocka_unit_test(damaged_bodies_never_crash_the_decoder),
	};
	const char *seed = getenv("OM_TEST_SEED");
	unsigned s = seed ? (unsigned)strtoul(seed, NULL, 10) :
			    (unsigned)time(NULL);

	print_message("OM_TEST_SEED=%u\n", s);
	srandom(s);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
