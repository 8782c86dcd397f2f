/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * batch: what one transaction will write, as one run of bytes.
 *
 *   | kind | key, at_ns, length | bytes |  kind | ...
 *
 * In memory only: the loop's thread fills one while the writer empties the
 * other.
 */
#ifndef OM_STORE_BATCH_H
#define OM_STORE_BATCH_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define STORE_RECORD_MAX (64u << 20)	/* bytes of one record */

enum store_kind { STORE_EVENT, STORE_LAUNCH, STORE_DROP, STORE_HISTORY };

struct store_record {
	enum store_kind kind;
	uint64_t key;			/* sequence number or job id */
	int64_t at_ns;			/* EVENT */
	const uint8_t *data;		/* borrowed from the batch */
	size_t len;
};

struct store_batch {
	struct om_buf bytes;
	size_t records;
	uint64_t no;			/* 1, 2 ... in order of commit */
	uint64_t last_seq;		/* of its last event, 0: has none */
};

void store_batch_fini(struct store_batch *b);
/* Empties it; gives memory back that a burst had needed. */
void store_batch_reset(struct store_batch *b);

/* r->data is copied. 0, -EMSGSIZE, -ENOMEM. */
int store_batch_add(struct store_batch *b, const struct store_record *r,
		    struct om_error *err);
/* The same with msg packed for data. */
int store_batch_pack(struct store_batch *b, const struct store_record *r,
		     const ProtobufCMessage *msg, struct om_error *err);

/* The record at *at, which is moved behind it; false at the end. */
bool store_batch_next(const struct store_batch *b, size_t *at,
		      struct store_record *ret);

#endif
