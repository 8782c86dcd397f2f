/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* snap: packed records in chunks: | length | bytes | length | bytes ... */
#include <stdlib.h>
#include <string.h>

#include "lib/store/batch.h"
#include "lib/store/snap.h"

#define CHUNK (1u << 20)

struct chunk {
	struct chunk *next;
	size_t used, size;
	uint8_t bytes[];
};

struct store_snap {
	struct chunk *first, *last;
	size_t at;			/* read so far of first */
	uint64_t seq, count;
};

struct store_snap *store_snap_create(uint64_t seq)
{
	struct store_snap *s = calloc(1, sizeof(*s));

	if (s)
		s->seq = seq;
	return s;
}

static void drop_first(struct store_snap *s)
{
	struct chunk *c = s->first;

	s->first = c->next;
	if (!s->first)
		s->last = NULL;
	s->at = 0;
	free(c);
}

void store_snap_destroy(struct store_snap *s)
{
	if (!s)
		return;
	while (s->first)
		drop_first(s);
	free(s);
}

static struct chunk *room_for(struct store_snap *s, size_t len)
{
	struct chunk *c = s->last;
	size_t size = len > CHUNK ? len : CHUNK;

	if (c && c->size - c->used >= len)
		return c;
	c = malloc(sizeof(*c) + size);
	if (!c)
		return NULL;
	*c = (struct chunk){ .size = size };
	if (s->last)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	return c;
}

int store_snap_add(struct store_snap *s, const ProtobufCMessage *msg,
		   struct om_error *err)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint32_t head = (uint32_t)len;
	struct chunk *c;

	if (len > STORE_RECORD_MAX)
		return om_fail(err, -EMSGSIZE,
			       "a snapshot's record of %zu bytes", len);
	c = room_for(s, sizeof(head) + len);
	if (!c)
		return om_fail_nomem(err);
	memcpy(c->bytes + c->used, &head, sizeof(head));
	protobuf_c_message_pack(msg, c->bytes + c->used + sizeof(head));
	c->used += sizeof(head) + len;
	s->count++;
	return 0;
}

uint64_t store_snap_seq(const struct store_snap *s)
{
	return s->seq;
}

uint64_t store_snap_count(const struct store_snap *s)
{
	return s->count;
}

bool store_snap_next(struct store_snap *s, const uint8_t **ret,
		     size_t *ret_len)
{
	uint32_t len;

	while (s->first && s->at == s->first->used)
		drop_first(s);
	if (!s->first)
		return false;
	memcpy(&len, s->first->bytes + s->at, sizeof(len));
	*ret = s->first->bytes + s->at + sizeof(len);
	*ret_len = len;
	s->at += sizeof(len) + len;
	return true;
}
