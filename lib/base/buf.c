/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* buf: a growing run of bytes; see buf.h for the picture. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

#define BUF_MIN 256

void om_buf_fini(struct om_buf *b)
{
	free(b->data);
	*b = (struct om_buf)OM_BUF_INIT;
}

const char *om_buf_str(const struct om_buf *b)
{
	return b->data ? b->data + b->head : "";
}

static void compact(struct om_buf *b)
{
	if (b->head == 0)
		return;
	memmove(b->data, b->data + b->head, om_buf_len(b) + 1);
	b->tail -= b->head;
	b->head = 0;
}

int om_buf_reserve(struct om_buf *b, size_t more)
{
	size_t need, cap;
	char *data;

	if (more >= SIZE_MAX / 2 - b->tail)
		return -ENOMEM;
	if (b->data && b->tail + more + 1 <= b->cap)
		return 0;
	if (b->data && om_buf_len(b) + more + 1 <= b->cap / 2) {
		compact(b);
		return 0;
	}
	need = om_buf_len(b) + more + 1;
	for (cap = BUF_MIN; cap < need; cap *= 2)
		;
	if (b->data)
		compact(b);
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	if (!b->data)
		data[0] = '\0';
	b->data = data;
	b->cap = cap;
	return 0;
}

int om_buf_add(struct om_buf *b, const void *p, size_t len)
{
	if (om_buf_reserve(b, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(b->data + b->tail, p, len);
	om_buf_commit(b, len);
	return 0;
}

int om_buf_addc(struct om_buf *b, char c)
{
	return om_buf_add(b, &c, 1);
}

int om_buf_adds(struct om_buf *b, const char *s)
{
	return om_buf_add(b, s, strlen(s));
}

int om_buf_addf(struct om_buf *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || om_buf_reserve(b, (size_t)len) < 0)
		return -ENOMEM;
	va_start(ap, fmt);
	vsnprintf(b->data + b->tail, (size_t)len + 1, fmt, ap);
	va_end(ap);
	b->tail += (size_t)len;
	return 0;
}

char *om_buf_space(struct om_buf *b, size_t more, size_t *ret_room)
{
	if (om_buf_reserve(b, more) < 0)
		return NULL;
	*ret_room = b->cap - b->tail - 1;
	return b->data + b->tail;
}

void om_buf_commit(struct om_buf *b, size_t len)
{
	assert(b->tail + len < b->cap);
	b->tail += len;
	b->data[b->tail] = '\0';
}

void om_buf_consume(struct om_buf *b, size_t len)
{
	assert(len <= om_buf_len(b));
	b->head += len;
	if (b->head == b->tail)
		om_buf_reset(b);
}

void om_buf_reset(struct om_buf *b)
{
	b->head = b->tail = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *om_buf_steal(struct om_buf *b)
{
	char *s;

	if (!b->data && om_buf_reserve(b, 0) < 0)
		return NULL;
	compact(b);
	s = b->data;
	*b = (struct om_buf)OM_BUF_INIT;
	return s;
}
