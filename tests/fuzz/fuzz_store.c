/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a row of the store: an error with a reason, or a message that
 * packs and decodes again to the same bytes. (Not with unknown fields in it:
 * protobuf-c keeps those of field number 0, which it cannot write.)
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef ProtobufCMessage *decode_fn(const void *data, size_t len,
				    struct om_error *err);

static ProtobufCMessage *decode_event(const void *data, size_t len,
				      struct om_error *err)
{
	Om__Event *ev = store_decode_event(1, data, len, err);

	return ev ? &ev->base : NULL;
}

static ProtobufCMessage *decode_snapshot(const void *data, size_t len,
					 struct om_error *err)
{
	Om__Snapshot *rec = store_decode_snapshot(1, data, len, err);

	return rec ? &rec->base : NULL;
}

static bool has_unknown(const ProtobufCMessage *m);

static bool field_has_unknown(const ProtobufCMessage *m,
			      const ProtobufCFieldDescriptor *fd)
{
	const uint8_t *base = (const uint8_t *)m;
	ProtobufCMessage *const *sub = (ProtobufCMessage *const *)
				       (const void *)(base + fd->offset);
	size_t n = 1;

	if (fd->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	if (fd->label == PROTOBUF_C_LABEL_REPEATED) {
		n = *(const size_t *)(const void *)(base +
						    fd->quantifier_offset);
		sub = *(ProtobufCMessage *const *const *)(const void *)sub;
	} else if (fd->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		   *(const uint32_t *)(const void *)(base +
						     fd->quantifier_offset) !=
		   fd->id) {
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (sub[i] && has_unknown(sub[i]))
			return true;
	return false;
}

static bool has_unknown(const ProtobufCMessage *m)
{
	if (m->n_unknown_fields)
		return true;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		if (field_has_unknown(m, &m->descriptor->fields[i]))
			return true;
	return false;
}

static uint8_t *pack(const ProtobufCMessage *m, size_t *ret_len)
{
	uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(m) + 1);

	if (!bytes)
		abort();
	*ret_len = protobuf_c_message_pack(m, bytes);
	return bytes;
}

static void round_trip(decode_fn *decode, const uint8_t *data, size_t size)
{
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *m = decode(data, size, &err), *again;
	uint8_t *first, *second;
	size_t len, len2;

	if (!m) {
		if (err.code >= 0 || !err.text[0])
			abort();
		return;
	}
	if (has_unknown(m)) {
		protobuf_c_message_free_unpacked(m, NULL);
		return;
	}
	first = pack(m, &len);
	again = decode(first, len, &err);
	if (!again)
		abort();
	second = pack(again, &len2);
	if (len != len2 || memcmp(first, second, len))
		abort();
	free(first);
	free(second);
	protobuf_c_message_free_unpacked(m, NULL);
	protobuf_c_message_free_unpacked(again, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(decode_event, data, size);
	round_trip(decode_snapshot, data, size);
	return 0;
}
