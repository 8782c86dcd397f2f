/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_seal: sealed records, and whoever meddles with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/net/seal.h"

static const uint8_t key[OM_SEAL_KEY] = { 1, 2, 3 };
static struct om_seal *client, *server;
static struct om_buf wire, plain;

static int setup(void **state)
{
	(void)state;
	client = om_seal_create(key, false, NULL);
	server = om_seal_create(key, true, NULL);
	return client && server ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	om_seal_destroy(client);
	om_seal_destroy(server);
	om_buf_fini(&wire);
	om_buf_fini(&plain);
	return 0;
}

static void add(struct om_seal *s, const char *text)
{
	assert_int_equal(om_seal_add(s, &wire, text, strlen(text), NULL), 0);
}

/* The record's bytes; taken off the wire. */
static size_t take_record(char *to)
{
	size_t len = om_buf_len(&wire);

	memcpy(to, om_buf_str(&wire), len);
	om_buf_reset(&wire);
	return len;
}

static void both_directions_come_out_as_they_went_in(void **state)
{
	(void)state;
	add(client, "hello ");
	add(client, "world");
	assert_int_equal(om_buf_len(&wire), 11 + 2 * OM_SEAL_OVERHEAD);
	assert_null(memmem(om_buf_str(&wire), om_buf_len(&wire), "hello", 5));
	assert_int_equal(om_seal_open(server, &wire, &plain, NULL), 0);
	assert_string_equal(om_buf_str(&plain), "hello world");
	assert_int_equal(om_buf_len(&wire), 0);
	om_buf_reset(&plain);
	add(server, "answer");
	assert_int_equal(om_seal_open(client, &wire, &plain, NULL), 0);
	assert_string_equal(om_buf_str(&plain), "answer");
}

static void every_length_comes_out(void **state)
{
	static uint8_t data[3 * OM_SEAL_RECORD_MAX + 5];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	for (size_t len = 0; len <= sizeof(data); len = len * 3 / 2 + 1) {
		assert_int_equal(om_seal_add(client, &wire, data, len, NULL),
				 0);
		assert_int_equal(om_seal_open(server, &wire, &plain, NULL), 0);
		assert_int_equal(om_buf_len(&plain), len);
		assert_memory_equal(om_buf_str(&plain), data, len);
		om_buf_reset(&plain);
	}
}

static void records_may_come_byte_by_byte(void **state)
{
	struct om_buf in = OM_BUF_INIT;

	(void)state;
	add(client, "abc");
	for (size_t i = 0; i < om_buf_len(&wire); i++) {
		assert_int_equal(om_buf_len(&plain), 0);
		om_buf_add(&in, om_buf_str(&wire) + i, 1);
		assert_int_equal(om_seal_open(server, &in, &plain, NULL), 0);
	}
	assert_string_equal(om_buf_str(&plain), "abc");
	om_buf_fini(&in);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct om_buf in = OM_BUF_INIT;
	char record[128], more[256];
	struct om_seal *s;
	size_t len;

	(void)state;
	add(client, "pay 10");
	len = take_record(record);
	memset(more, 0, sizeof(more));
	for (size_t bit = 0; bit < len * 8; bit++) {
		s = om_seal_create(key, true, NULL);
		om_buf_add(&in, record, len);
		in.data[in.head + bit / 8] ^= (char)(1 << bit % 8);
		/* A longer length waits for its bytes; let them come. */
		while (om_seal_open(s, &in, &plain, NULL) == 0)
			om_buf_add(&in, more, sizeof(more));
		assert_int_equal(om_buf_len(&plain), 0);
		om_buf_reset(&in);
		om_seal_destroy(s);
	}
	om_buf_fini(&in);
}

static void assert_broken(const char *text)
{
	struct om_error err = OM_ERROR_INIT;

	assert_int_equal(om_seal_open(server, &wire, &plain, &err), -EBADMSG);
	assert_non_null(strstr(err.text, text));
	om_buf_reset(&wire);
}

static void repeated_record_is_noticed(void **state)
{
	char record[128];
	size_t len;

	(void)state;
	add(client, "once");
	len = take_record(record);
	om_buf_add(&wire, record, len);
	assert_int_equal(om_seal_open(server, &wire, &plain, NULL), 0);
	om_buf_add(&wire, record, len);
	assert_broken("repeated");
	assert_string_equal(om_buf_str(&plain), "once");
}

static void reordered_records_are_noticed(void **state)
{
	char first[128], second[128];
	size_t n, m;

	(void)state;
	add(client, "first");
	n = take_record(first);
	add(client, "second");
	m = take_record(second);
	om_buf_add(&wire, second, m);
	om_buf_add(&wire, first, n);
	assert_broken("changed, lost or repeated");
	assert_int_equal(om_buf_len(&plain), 0);
}

static void dropped_record_is_noticed(void **state)
{
	char first[128];

	(void)state;
	add(client, "first");
	take_record(first);
	add(client, "second");
	assert_broken("lost");
}

static void nothing_is_taken_after_a_break(void **state)
{
	char record[128];
	size_t len;

	(void)state;
	add(client, "good");
	len = take_record(record);
	om_buf_add(&wire, "\0\0\0\1xxxxxxxxxxxxxxxxxxxxxxx", 21);
	assert_broken("changed");
	om_buf_add(&wire, record, len);
	assert_broken("length");
	assert_int_equal(om_buf_len(&plain), 0);
}

static void record_sent_back_is_noticed(void **state)
{
	(void)state;
	add(server, "mirror");
	assert_broken("changed");
}

static void another_key_opens_nothing(void **state)
{
	static const uint8_t other[OM_SEAL_KEY] = { 1, 2, 4 };

	(void)state;
	om_seal_destroy(client);
	client = om_seal_create(other, false, NULL);
	add(client, "hello");
	assert_broken("changed");
}

static void lengths_out_of_bounds_are_refused_from_the_header(void **state)
{
	static const char *const head[] = {
		"\0\0\0\0", "\0\1\0\1", "\377\377\377\377", "\200\0\0\0",
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		om_buf_add(&wire, head[i], 4);
		assert_broken("length");
		om_seal_destroy(server);
		server = om_seal_create(key, true, NULL);
	}
	om_buf_add(&wire, "\0\1\0\0", 4);	/* the largest there is */
	assert_int_equal(om_seal_open(server, &wire, &plain, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_directions_come_out_as_they_went_in),
		TEST(every_length_comes_out),
		TEST(records_may_come_byte_by_byte),
		TEST(every_flipped_bit_is_noticed),
		TEST(repeated_record_is_noticed),
		TEST(reordered_records_are_noticed),
		TEST(dropped_record_is_noticed),
		TEST(nothing_is_taken_after_a_break),
		TEST(record_sent_back_is_noticed),
		TEST(another_key_opens_nothing),
		TEST(lengths_out_of_bounds_are_refused_from_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
