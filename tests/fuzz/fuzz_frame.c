/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream of frames from any sender, and one body for each type there is:
 * what decodes must pack again, to something that decodes.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* protobuf-c alone takes a field number of 0 that it does not read again. */
static void there_and_back(ProtobufCMessage *m, bool counted)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *p = malloc(len + 1);
	ProtobufCMessage *n;

	assert(p);
	assert(protobuf_c_message_pack(m, p) == len);
	n = om_body_unpack(m->descriptor, p, len, INT64_MAX, NULL);
	assert(n || !counted);
	assert(!n || protobuf_c_message_get_packed_size(n) == len);
	protobuf_c_message_free_unpacked(n, NULL);
	free(p);
}

static void body(const ProtobufCMessageDescriptor *desc, const uint8_t *p,
		 size_t len)
{
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *m = om_body_unpack(desc, p, len, 1000, &err);

	if (m)
		there_and_back(m, true);
	else
		assert(err.code < 0 && err.text[0]);
	protobuf_c_message_free_unpacked(m, NULL);
}

static void stream(unsigned senders, const uint8_t *p, size_t len)
{
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *m;
	struct om_frame f;
	int64_t n;

	while ((n = om_frame_parse(p, len, senders, &f, &err)) > 0) {
		assert((size_t)n <= len && f.length + OM_FRAME_HEADER == n);
		assert(om_msg_lookup(f.type)->senders & senders);
		m = om_msg_unpack(f.type, f.body, f.length, &err);
		if (m)
			there_and_back(m, !(om_msg_lookup(f.type)->senders &
					    OM_ROLE_CTLD));
		protobuf_c_message_free_unpacked(m, NULL);
		p += n;
		len -= (size_t)n;
	}
	assert(n == 0 || err.code == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct om_msg_type *t;
	size_t types = 0;

	if (size < 1)
		return 0;
	while (om_msg_at(types))
		types++;
	t = om_msg_at(data[0] % (types + 4));
	if (t)
		body(t->body, data + 1, size - 1);
	else if (data[0] % (types + 4) == types)
		body(&om__launch__descriptor, data + 1, size - 1);
	else if (data[0] % (types + 4) == types + 1)
		body(&om__event__descriptor, data + 1, size - 1);
	else if (data[0] % (types + 4) == types + 2)
		body(&om__snapshot__descriptor, data + 1, size - 1);
	else
		stream(data[0] / (types + 4) + 1, data + 1, size - 1);
	return 0;
}
