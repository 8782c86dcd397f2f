/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * body: how many fields a packed message has, before memory is spent on them.
 *
 * A field can be two bytes on the wire and a hundred in memory (protobuf-c
 * keeps 40 for its scan, more for a string, a message or an unknown field),
 * so the type's limit in bytes alone does not bound what decoding costs: 8 MB
 * would become several hundred.
 */
#include "lib/proto/types.h"

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct cursor {
	const uint8_t *at, *end;
};

static int get_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 70 && c->at < c->end; shift += 7) {
		v |= shift < 64 ? (uint64_t)(*c->at & 0x7f) << shift : 0;
		if (!(*c->at++ & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EPROTO;
}

static int skip(struct cursor *c, uint64_t len)
{
	if (len > (uint64_t)(c->end - c->at))
		return -EPROTO;
	c->at += len;
	return 0;
}

static int count(const ProtobufCMessageDescriptor *desc, struct cursor c,
		 int64_t *budget);

static bool is_number(const ProtobufCFieldDescriptor *f)
{
	return f->type != PROTOBUF_C_TYPE_MESSAGE &&
	       f->type != PROTOBUF_C_TYPE_STRING &&
	       f->type != PROTOBUF_C_TYPE_BYTES;
}

static int count_bytes(const ProtobufCFieldDescriptor *f, struct cursor *c,
		       int64_t *budget)
{
	struct cursor inner;
	uint64_t len;

	if (get_varint(c, &len) < 0)
		return -EPROTO;
	inner.at = c->at;
	if (skip(c, len) < 0)
		return -EPROTO;
	inner.end = c->at;
	if (f && f->type == PROTOBUF_C_TYPE_MESSAGE)
		return count(f->descriptor, inner, budget);
	if (f && is_number(f))		/* packed: up to a number a byte */
		*budget -= (int64_t)len;
	return 0;
}

/* Recursion ends: no message of ours contains itself. */
static int count(const ProtobufCMessageDescriptor *desc, struct cursor c,
		 int64_t *budget)
{
	const ProtobufCFieldDescriptor *f;
	uint64_t tag, ignored;
	int rc = 0;

	while (rc == 0 && c.at < c.end) {
		if (--*budget < 0)
			return -EMSGSIZE;
		if (get_varint(&c, &tag) < 0 || tag > UINT32_MAX || tag < 8)
			return -EPROTO;
		f = protobuf_c_message_descriptor_get_field(desc,
							    (unsigned)(tag >> 3));
		switch (tag & 7) {
		case VARINT: rc = get_varint(&c, &ignored); break;
		case FIXED64: rc = skip(&c, 8); break;
		case FIXED32: rc = skip(&c, 4); break;
		case BYTES: rc = count_bytes(f, &c, budget); break;
		default: return -EPROTO;
		}
	}
	return rc == 0 && *budget < 0 ? -EMSGSIZE : rc;
}

ProtobufCMessage *om_body_unpack(const ProtobufCMessageDescriptor *desc,
				 const uint8_t *p, size_t len,
				 int64_t max_fields, struct om_error *err)
{
	struct cursor c = { .at = p, .end = p + len };
	ProtobufCMessage *msg;
	int rc = 0;

	if (max_fields != INT64_MAX)
		rc = count(desc, c, &max_fields);
	if (rc == -EMSGSIZE) {
		om_fail(err, rc, "%s message has too many fields",
			desc->short_name);
		return NULL;
	}
	msg = rc == 0 ? protobuf_c_message_unpack(desc, NULL, len, p) : NULL;
	if (!msg)
		om_fail(err, -EPROTO, "malformed %s message",
			desc->short_name);
	return msg;
}
