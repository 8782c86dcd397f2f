/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* launch: jobs' packed Launches in memory; see launch.h for the two lists. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "lib/store/launch.h"

struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next;	/* in waiting or recent */
	uint64_t job_id;
	uint64_t no;			/* batch it waits for, 0: recent */
	bool dropped;
	size_t len;
	uint8_t data[];
};

struct store_launches {
	struct entry *table;
	struct entry *waiting, *recent;	/* newest last */
	size_t bytes, limit;
};

struct store_launches *store_launches_create(size_t limit)
{
	struct store_launches *c = calloc(1, sizeof(*c));

	if (c)
		c->limit = limit;
	return c;
}

static size_t cost(const struct entry *e)
{
	return sizeof(*e) + e->len;
}

static void forget(struct store_launches *c, struct entry *e)
{
	HASH_DEL(c->table, e);
	if (e->no) {
		DL_DELETE(c->waiting, e);
	} else {
		DL_DELETE(c->recent, e);
		c->bytes -= cost(e);
	}
	free(e);
}

void store_launches_destroy(struct store_launches *c)
{
	struct entry *e, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->table, e, next)
		forget(c, e);
	free(c);
}

static struct entry *find(struct store_launches *c, uint64_t job_id)
{
	struct entry *e;

	HASH_FIND(hh, c->table, &job_id, sizeof(job_id), e);
	return e;
}

static struct entry *add(struct store_launches *c, uint64_t job_id,
			 const void *data, size_t len)
{
	struct entry *old = find(c, job_id), *e = malloc(sizeof(*e) + len);

	if (!e)
		return NULL;
	if (old)
		forget(c, old);
	*e = (struct entry){ .job_id = job_id, .len = len };
	if (len)
		memcpy(e->data, data, len);
	HASH_ADD(hh, c->table, job_id, sizeof(e->job_id), e);
	return e;
}

static void add_recent(struct store_launches *c, struct entry *e)
{
	DL_APPEND(c->recent, e);
	c->bytes += cost(e);
	while (c->bytes > c->limit)
		forget(c, c->recent);
}

int store_launches_put(struct store_launches *c, uint64_t job_id,
		       const void *data, size_t len, uint64_t no)
{
	struct entry *e = add(c, job_id, data, len);

	if (!e)
		return -ENOMEM;
	e->no = no;
	DL_APPEND(c->waiting, e);
	return 0;
}

int store_launches_drop(struct store_launches *c, uint64_t job_id, uint64_t no)
{
	struct entry *e = add(c, job_id, NULL, 0);

	if (!e)
		return -ENOMEM;
	e->no = no;
	e->dropped = true;
	DL_APPEND(c->waiting, e);
	return 0;
}

void store_launches_forget(struct store_launches *c, uint64_t job_id)
{
	struct entry *e = find(c, job_id);

	if (e)
		forget(c, e);
}

void store_launches_durable(struct store_launches *c, uint64_t no)
{
	struct entry *e;

	while ((e = c->waiting) && e->no <= no) {
		if (e->dropped) {
			forget(c, e);
			continue;
		}
		DL_DELETE(c->waiting, e);
		e->no = 0;
		add_recent(c, e);
	}
}

void store_launches_learn(struct store_launches *c, uint64_t job_id,
			  const void *data, size_t len)
{
	struct entry *e;

	if (find(c, job_id) || sizeof(*e) + len > c->limit)
		return;
	e = add(c, job_id, data, len);
	if (e)
		add_recent(c, e);
}

int store_launches_get(struct store_launches *c, uint64_t job_id,
		       const uint8_t **ret, size_t *ret_len)
{
	struct entry *e = find(c, job_id);

	if (!e)
		return 0;
	if (e->dropped)
		return -ENOENT;
	if (!e->no) {
		DL_DELETE(c->recent, e);
		DL_APPEND(c->recent, e);
	}
	*ret = e->data;
	*ret_len = e->len;
	return 1;
}

size_t store_launches_bytes(const struct store_launches *c)
{
	return c->bytes;
}
