/* SPDX-License-Identifier: GPL-3.0-or-later */
/* intern: a hash of counted strings. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "sched/model/intern.h"

struct entry {
	UT_hash_handle hh;
	uint32_t refs;
	char text[];
};

struct om_intern {
	struct entry *entry;
};

struct om_intern *om_intern_create(void)
{
	return calloc(1, sizeof(struct om_intern));
}

void om_intern_destroy(struct om_intern *in)
{
	struct entry *e, *next;

	if (!in)
		return;
	HASH_ITER(hh, in->entry, e, next) {
		HASH_DEL(in->entry, e);
		free(e);
	}
	free(in);
}

static struct entry *entry_of(const char *s)
{
	return (struct entry *)(void *)((char *)(uintptr_t)s -
					offsetof(struct entry, text));
}

const char *om_intern_get(struct om_intern *in, const char *s)
{
	struct entry *e;
	size_t len;

	if (!s || !*s)
		return NULL;
	len = strlen(s);
	HASH_FIND(hh, in->entry, s, len, e);
	if (!e) {
		e = malloc(sizeof(*e) + len + 1);
		if (!e)
			return NULL;
		memcpy(e->text, s, len + 1);
		e->refs = 0;
		HASH_ADD_KEYPTR(hh, in->entry, e->text, len, e);
	}
	e->refs++;
	return e->text;
}

const char *om_intern_ref(const char *s)
{
	if (s)
		entry_of(s)->refs++;
	return s;
}

void om_intern_put(struct om_intern *in, const char *s)
{
	struct entry *e;

	if (!s)
		return;
	e = entry_of(s);
	if (--e->refs > 0)
		return;
	HASH_DEL(in->entry, e);
	free(e);
}
