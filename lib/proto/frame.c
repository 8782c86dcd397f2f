/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* frame: header and body on the wire; judged before the body is decoded. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/proto/types.h"

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

uint32_t om_frame_type(const uint8_t *in)
{
	return get32(in + 4);
}

int64_t om_frame_parse(const uint8_t *in, size_t len, unsigned senders,
		       struct om_frame *ret, struct om_error *err)
{
	const struct om_msg_type *t;
	uint32_t length;

	if (len < OM_FRAME_HEADER)
		return 0;
	length = get32(in);
	t = om_msg_lookup(get32(in + 4));
	if (!t)
		return om_fail(err, -EPROTO, "message type %u is unknown",
			       get32(in + 4));
	if (!(t->senders & senders))
		return om_fail(err, -EPROTO,
			       "a %s message may not come from this side",
			       t->name);
	if (length > t->max_bytes)
		return om_fail(err, -EMSGSIZE,
			       "%s message of %u bytes, at most %u are allowed",
			       t->name, length, t->max_bytes);
	if (len - OM_FRAME_HEADER < length)
		return 0;
	*ret = (struct om_frame){
		.length = length,
		.type = t->type,
		.id = get32(in + 8),
		.body = in + OM_FRAME_HEADER,
	};
	return (int64_t)OM_FRAME_HEADER + length;
}

int om_frame_add(struct om_buf *out, enum om_msg type, uint32_t id,
		 const ProtobufCMessage *msg, struct om_error *err)
{
	const struct om_msg_type *t = om_msg_lookup(type);
	size_t len = msg ? protobuf_c_message_get_packed_size(msg) : 0;
	uint8_t *p;
	size_t room;

	if (!t || (msg && msg->descriptor != t->body))
		return om_fail(err, -EINVAL, "message type %u has no such body",
			       type);
	if (len > t->max_bytes)
		return om_fail(err, -EMSGSIZE,
			       "%s message of %zu bytes, at most %u are allowed",
			       t->name, len, t->max_bytes);
	p = (uint8_t *)om_buf_space(out, OM_FRAME_HEADER + len, &room);
	if (!p)
		return om_fail_nomem(err);
	put32(p, (uint32_t)len);
	put32(p + 4, type);
	put32(p + 8, id);
	if (msg)
		protobuf_c_message_pack(msg, p + OM_FRAME_HEADER);
	om_buf_commit(out, OM_FRAME_HEADER + len);
	return 0;
}

ProtobufCMessage *om_msg_unpack(enum om_msg type, const uint8_t *body,
				size_t len, struct om_error *err)
{
	const struct om_msg_type *t = om_msg_lookup(type);

	if (!t) {
		om_fail(err, -EPROTO, "message type %u is unknown", type);
		return NULL;
	}
	return om_body_unpack(t->body, body, len,
			      t->senders & OM_ROLE_CTLD ? INT64_MAX :
			      OM_FIELDS_MAX, err);
}
