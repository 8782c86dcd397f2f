/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * buf: a growing run of bytes with a read end.
 *
 *      data        data+head          data+tail        data+cap
 *      | consumed  | readable bytes   | free           |
 *
 * A NUL always follows the readable bytes, so text in a buf is a C string.
 */
#ifndef OM_BASE_BUF_H
#define OM_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct om_buf {
	char *data;
	size_t head, tail, cap;
};

#define OM_BUF_INIT { .data = NULL, .head = 0, .tail = 0, .cap = 0 }

void om_buf_fini(struct om_buf *b);

/* Readable bytes and how many. The pointer holds until the next change. */
static inline size_t om_buf_len(const struct om_buf *b)
{
	return b->tail - b->head;
}
const char *om_buf_str(const struct om_buf *b);

/* All of these return 0 or -ENOMEM and change nothing on failure. */
int om_buf_reserve(struct om_buf *b, size_t more);
int om_buf_add(struct om_buf *b, const void *p, size_t len);
int om_buf_addc(struct om_buf *b, char c);
int om_buf_adds(struct om_buf *b, const char *s);
int om_buf_addf(struct om_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Room of at least "more" bytes to write into, then say how many came. */
char *om_buf_space(struct om_buf *b, size_t more, size_t *ret_room);
void om_buf_commit(struct om_buf *b, size_t len);

/* Drops len bytes from the read end; len must not exceed om_buf_len. */
void om_buf_consume(struct om_buf *b, size_t len);
void om_buf_reset(struct om_buf *b);

/* The readable bytes as an owned C string; the buf is empty afterwards. */
char *om_buf_steal(struct om_buf *b);

#endif
