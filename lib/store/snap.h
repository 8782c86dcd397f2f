/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * snap: a snapshot's records between the loop that packs them and the writer
 * that stores them, in chunks that are freed as they are written.
 */
#ifndef OM_STORE_SNAP_H
#define OM_STORE_SNAP_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct store_snap;

/* seq: the last event whose effect the snapshot holds. */
struct store_snap *store_snap_create(uint64_t seq);
void store_snap_destroy(struct store_snap *s);
/* 0, -EMSGSIZE, -ENOMEM. */
int store_snap_add(struct store_snap *s, const ProtobufCMessage *msg,
		   struct om_error *err);
uint64_t store_snap_seq(const struct store_snap *s);
uint64_t store_snap_count(const struct store_snap *s);
/* The next record, borrowed until the next call; false at the end. */
bool store_snap_next(struct store_snap *s, const uint8_t **ret,
		     size_t *ret_len);

#endif
