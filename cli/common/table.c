/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/table.h"
#include "lib/base/str.h"

#define GAP 2			/* blanks between columns */
#define FLUSH_AT (64u << 10)

void table_init(struct table *t)
{
	*t = (struct table){ .columns = 0 };
}

void table_fini(struct table *t)
{
	om_buf_fini(&t->text);
	free(t->end);
}

/* How many characters UTF-8 text shows; makes control characters harmless. */
static unsigned tame(char *s, size_t len)
{
	unsigned width = 0;

	om_str_tame(s, len);
	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

void table_column(struct table *t, const char *header, bool right)
{
	if (t->columns == TABLE_COLUMNS)
		abort();	/* callers bound their lists by TABLE_COLUMNS */
	t->column[t->columns++] = (struct table_column){
		header, right, (unsigned)strlen(header)
	};
}

int table_cell_done(struct table *t)
{
	size_t start = t->cells ? t->end[t->cells - 1] : 0;
	size_t end = om_buf_len(&t->text);
	struct table_column *c = &t->column[t->cells % t->columns];
	unsigned width;

	if (t->cells == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 256;
		uint32_t *p = realloc(t->end, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		t->end = p;
		t->cap = cap;
	}
	if (end > UINT32_MAX)
		return -ENOMEM;
	width = end > start ? tame(t->text.data + t->text.head + start,
				   end - start) : 0;
	if (width > c->width)
		c->width = width;
	t->end[t->cells++] = (uint32_t)end;
	return 0;
}

int table_cell(struct table *t, const char *text)
{
	int rc = om_buf_adds(&t->text, text && *text ? text : "-");

	return rc < 0 ? rc : table_cell_done(t);
}

int table_cellf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return table_cell(t, text);
}

/* ---- printing */

static int add_blanks(struct om_buf *out, unsigned n)
{
	static const char blanks[] = "                                ";
	int rc = 0;

	for (; n && rc == 0; n -= n < 32 ? n : 32)
		rc = om_buf_add(out, blanks, n < 32 ? n : 32);
	return rc;
}

static unsigned shown(const char *s, size_t len)
{
	unsigned width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

static int print_cell(const struct table *t, unsigned column, const char *s,
		      size_t len, struct om_buf *out)
{
	const struct table_column *c = &t->column[column];
	unsigned width = shown(s, len);
	unsigned pad = c->width > width ? c->width - width : 0;
	bool last = column + 1 == t->columns;
	int rc = 0;

	if (c->right)
		rc = add_blanks(out, pad);
	if (rc == 0)
		rc = om_buf_add(out, s, len);
	if (rc == 0 && !last)
		rc = add_blanks(out, (c->right ? 0 : pad) + GAP);
	if (rc == 0 && last)
		rc = om_buf_addc(out, '\n');
	return rc;
}

static void flush(struct om_buf *out)
{
	fwrite(om_buf_str(out), 1, om_buf_len(out), stdout);
	om_buf_reset(out);
}

int table_print(struct table *t, bool header)
{
	struct om_buf out = OM_BUF_INIT;
	size_t start = 0;
	int rc = 0;

	for (unsigned i = 0; header && i < t->columns && rc == 0; i++)
		rc = print_cell(t, i, t->column[i].header,
				strlen(t->column[i].header), &out);
	for (size_t i = 0; i < t->cells && rc == 0; i++) {
		rc = print_cell(t, (unsigned)(i % t->columns),
				om_buf_str(&t->text) + start, t->end[i] - start,
				&out);
		start = t->end[i];
		if (om_buf_len(&out) > FLUSH_AT)
			flush(&out);
	}
	flush(&out);
	om_buf_fini(&out);
	return rc;
}
