/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* batch: records in one run of bytes. */
#include <string.h>

#include "lib/store/batch.h"

#define KEEP_BYTES (4u << 20)

struct head {
	uint64_t key;
	int64_t at_ns;
	uint32_t len;
	uint32_t kind;
};

void store_batch_fini(struct store_batch *b)
{
	om_buf_fini(&b->bytes);
	*b = (struct store_batch){ .no = b->no };
}

void store_batch_reset(struct store_batch *b)
{
	if (b->bytes.cap > KEEP_BYTES)
		om_buf_fini(&b->bytes);
	else
		om_buf_reset(&b->bytes);
	b->records = 0;
	b->last_seq = 0;
}

/* Room for a record of len bytes: where they go, or NULL. */
static char *open_record(struct store_batch *b, const struct store_record *r,
			 size_t len, struct om_error *err)
{
	struct head h = { .key = r->key, .at_ns = r->at_ns, .kind = r->kind,
			  .len = (uint32_t)len };
	size_t room;
	char *at;

	if (len > STORE_RECORD_MAX) {
		om_fail(err, -EMSGSIZE, "a record of %zu bytes: at most %u",
			len, STORE_RECORD_MAX);
		return NULL;
	}
	at = om_buf_space(&b->bytes, sizeof(h) + len, &room);
	if (!at) {
		om_fail_nomem(err);
		return NULL;
	}
	memcpy(at, &h, sizeof(h));
	return at + sizeof(h);
}

static void close_record(struct store_batch *b, const struct store_record *r,
			 size_t len)
{
	om_buf_commit(&b->bytes, sizeof(struct head) + len);
	b->records++;
	if (r->kind == STORE_EVENT)
		b->last_seq = r->key;
}

int store_batch_add(struct store_batch *b, const struct store_record *r,
		    struct om_error *err)
{
	char *at = open_record(b, r, r->len, err);

	if (!at)
		return r->len > STORE_RECORD_MAX ? -EMSGSIZE : -ENOMEM;
	if (r->len)
		memcpy(at, r->data, r->len);
	close_record(b, r, r->len);
	return 0;
}

int store_batch_pack(struct store_batch *b, const struct store_record *r,
		     const ProtobufCMessage *msg, struct om_error *err)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	char *at = open_record(b, r, len, err);

	if (!at)
		return len > STORE_RECORD_MAX ? -EMSGSIZE : -ENOMEM;
	protobuf_c_message_pack(msg, (uint8_t *)at);
	close_record(b, r, len);
	return 0;
}

bool store_batch_next(const struct store_batch *b, size_t *at,
		      struct store_record *ret)
{
	const char *p = om_buf_str(&b->bytes) + *at;
	struct head h;

	if (*at >= om_buf_len(&b->bytes))
		return false;
	memcpy(&h, p, sizeof(h));
	*ret = (struct store_record){
		.kind = (enum store_kind)h.kind, .key = h.key,
		.at_ns = h.at_ns, .len = h.len,
		.data = (const uint8_t *)p + sizeof(h),
	};
	*at += sizeof(h) + h.len;
	return true;
}
