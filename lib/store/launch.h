/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * launch: jobs' packed Launches in memory.
 *
 *   waiting: put or dropped in a batch that is not durable; never evicted,
 *            in the order of the batches
 *   recent:  on disk too; bounded by bytes, the least recently used goes
 */
#ifndef OM_STORE_LAUNCH_H
#define OM_STORE_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

struct store_launches;

/* limit: bytes of recent ones. NULL without memory. */
struct store_launches *store_launches_create(size_t limit);
void store_launches_destroy(struct store_launches *c);

/* Part of batch no; data is copied. 0 or -ENOMEM. */
int store_launches_put(struct store_launches *c, uint64_t job_id,
		       const void *data, size_t len, uint64_t no);
/* Dropped in batch no: not to be looked for on disk until that is durable. */
int store_launches_drop(struct store_launches *c, uint64_t job_id,
			uint64_t no);
/* Takes a put back that did not get into its batch. */
void store_launches_forget(struct store_launches *c, uint64_t job_id);
/* Batch no is on disk. */
void store_launches_durable(struct store_launches *c, uint64_t no);

/* Just read from disk. Without memory it is simply not kept. */
void store_launches_learn(struct store_launches *c, uint64_t job_id,
			  const void *data, size_t len);

/* 1: *ret is the launch (borrowed until the next call); 0: not known here;
 * -ENOENT: dropped. */
int store_launches_get(struct store_launches *c, uint64_t job_id,
		       const uint8_t **ret, size_t *ret_len);
/* Bytes of recent ones, for tests. */
size_t store_launches_bytes(const struct store_launches *c);

#endif
