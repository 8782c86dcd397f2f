/* SPDX-License-Identifier: GPL-3.0-or-later */
/* messages: see messages.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/messages.h"

static uint64_t any(void)
{
	uint64_t v = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^
		     (uint64_t)random();

	return v >> random() % 64;	/* all sizes alike */
}

static char *any_text(void)
{
	size_t len = (size_t)random() % 12;
	char *s = calloc(1, len + 1);

	for (size_t i = 0; i < len; i++)
		s[i] = (char)('!' + random() % 90);
	return s;
}

static size_t value_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

static void put(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
}

static void fill_value(const ProtobufCFieldDescriptor *f, void *to)
{
	const ProtobufCEnumDescriptor *e = f->descriptor;
	ProtobufCBinaryData bytes;
	ProtobufCMessage *m;
	uint64_t v = any();
	double d;
	char *s;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		s = any_text();
		put(to, &s, sizeof(s));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		bytes.data = (uint8_t *)any_text();
		bytes.len = strlen((char *)bytes.data);
		put(to, &bytes, sizeof(bytes));
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		m = messages_random(f->descriptor);
		put(to, &m, sizeof(m));
		break;
	case PROTOBUF_C_TYPE_ENUM:
		put(to, &e->values[v % e->n_values].value, sizeof(int));
		break;
	case PROTOBUF_C_TYPE_BOOL:
		put(to, &(protobuf_c_boolean){ v & 1 },
		    sizeof(protobuf_c_boolean));
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		d = (double)v / 7;
		put(to, &d, sizeof(d));
		break;
	default:
		put(to, &v, value_size(f));
	}
}

static void fill_repeated(const ProtobufCFieldDescriptor *f, uint8_t *msg)
{
	size_t n = (size_t)random() % 4;
	uint8_t *list = n ? calloc(n, value_size(f)) : NULL;

	for (size_t i = 0; i < n; i++)
		fill_value(f, list + i * value_size(f));
	put(msg + f->quantifier_offset, &n, sizeof(n));
	put(msg + f->offset, &list, sizeof(list));
}

static void fill_field(const ProtobufCFieldDescriptor *f, uint8_t *msg)
{
	const protobuf_c_boolean has = 1;
	uint32_t which;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		fill_repeated(f, msg);
		return;
	}
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && random() % 3 == 0)
		return;
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		put(&which, msg + f->quantifier_offset, sizeof(which));
		if (which)
			return;		/* one of them is set */
		put(msg + f->quantifier_offset, &f->id, sizeof(f->id));
	} else if (f->label == PROTOBUF_C_LABEL_OPTIONAL &&
		   f->type != PROTOBUF_C_TYPE_STRING &&
		   f->type != PROTOBUF_C_TYPE_MESSAGE) {
		put(msg + f->quantifier_offset, &has, sizeof(has));
	}
	fill_value(f, msg + f->offset);
}

ProtobufCMessage *messages_random(const ProtobufCMessageDescriptor *desc)
{
	uint8_t *msg = malloc(desc->sizeof_message);

	desc->message_init((ProtobufCMessage *)msg);
	for (unsigned i = 0; i < desc->n_fields; i++)
		fill_field(desc->fields + i, msg);
	return (ProtobufCMessage *)msg;
}
