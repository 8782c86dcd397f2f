/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * seal: a byte stream as AES-256-GCM records, a key for each direction.
 *
 *   0        4                4 + length         4 + length + 16
 *   | length | ciphertext     | tag              |
 *
 * length is big-endian, 1 to OM_SEAL_RECORD_MAX, and authenticated with the
 * record. The nonce is 4 zero bytes and the record's number in its direction
 * (8 bytes, big-endian, from 0), which is not sent: a record that was
 * changed, dropped, repeated or moved is -EBADMSG, and so is everything after.
 * Records do not respect what they carry; a frame may span several.
 *
 * The end of the stream is not sealed: who must know that all has come says
 * so in a message.
 */
#ifndef OM_NET_SEAL_H
#define OM_NET_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define OM_SEAL_KEY 32
#define OM_SEAL_RECORD_MAX 65536
#define OM_SEAL_OVERHEAD 20	/* bytes a record */

struct om_seal;
/*
 * key is that of the handshake (copied); server says which end this is. Loads
 * libcrypto at the first call: -ELIBACC if it is not installed.
 */
struct om_seal *om_seal_create(const uint8_t key[OM_SEAL_KEY], bool server,
			       struct om_error *err);
void om_seal_destroy(struct om_seal *s);

/* Appends len bytes of p to out as records. 0 or -Exxx (then s is of no more
 * use). */
int om_seal_add(struct om_seal *s, struct om_buf *out, const void *p,
		size_t len, struct om_error *err);
/* Moves every whole record from in, opened, to plain. 0, -EBADMSG, -ENOMEM. */
int om_seal_open(struct om_seal *s, struct om_buf *in, struct om_buf *plain,
		 struct om_error *err);

#endif
