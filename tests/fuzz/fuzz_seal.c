/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sealed input: as it comes; and a good stream of records that the input
 * changes, cuts, repeats or moves: only its untouched beginning may come out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/seal.h"

static const char text[] = "the quick brown fox jumps over the lazy dog";
#define RECORDS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[OM_SEAL_KEY] = { 42 };

static void open_all(struct om_buf *in, const char *good, size_t good_len)
{
	struct om_seal *s = om_seal_create(key, true, NULL);
	struct om_error err = OM_ERROR_INIT;
	struct om_buf plain = OM_BUF_INIT;
	int rc;

	assert(s);
	rc = om_seal_open(s, in, &plain, &err);
	assert(rc == 0 || (rc == -EBADMSG && err.text[0]));
	assert(om_buf_len(&plain) <= good_len);
	assert(memcmp(om_buf_str(&plain), good, om_buf_len(&plain)) == 0);
	assert(om_buf_str(&plain)[om_buf_len(&plain)] == '\0');
	om_buf_fini(&plain);
	om_seal_destroy(s);
}

/* Records of growing length out of one text. */
static void make(struct om_buf *wire, size_t *ret_cut)
{
	struct om_seal *s = om_seal_create(key, false, NULL);
	size_t at = 0;

	assert(s);
	for (size_t i = 0; i < RECORDS; i++) {
		ret_cut[i] = om_buf_len(wire);
		assert(om_seal_add(s, wire, text + at, i + 1, NULL) == 0);
		at += i + 1;
	}
	ret_cut[RECORDS] = om_buf_len(wire);
	om_seal_destroy(s);
}

/* Each pair of bytes is a record to send, and what to do to it. */
static void meddle(const uint8_t *p, size_t len)
{
	struct om_buf wire = OM_BUF_INIT, in = OM_BUF_INIT;
	size_t cut[RECORDS + 1], n, from;

	make(&wire, cut);
	for (; len >= 2; p += 2, len -= 2) {
		from = cut[p[0] % RECORDS];
		n = cut[p[0] % RECORDS + 1] - from;
		if (p[0] / RECORDS % 4 == 1)
			n = p[1] % (n + 1);
		om_buf_add(&in, om_buf_str(&wire) + from, n);
		if (p[0] / RECORDS % 4 == 2 && n)
			in.data[in.tail - 1 - p[1] % n] ^= (char)(p[1] | 1);
	}
	open_all(&in, text, strlen(text));
	om_buf_fini(&wire);
	om_buf_fini(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct om_buf in = OM_BUF_INIT;

	if (size < 1)
		return 0;
	if (data[0] & 1) {
		meddle(data + 1, size - 1);
		return 0;
	}
	om_buf_add(&in, data + 1, size - 1);
	open_all(&in, "", 0);
	om_buf_fini(&in);
	return 0;
}
