/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* decode: bytes from the file into messages; NULL and err if malformed. */
#ifndef OM_STORE_DECODE_H
#define OM_STORE_DECODE_H

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"

Om__Event *store_decode_event(uint64_t seq, const void *data, size_t len,
			      struct om_error *err);
Om__Snapshot *store_decode_snapshot(uint64_t idx, const void *data, size_t len,
				    struct om_error *err);

#endif
