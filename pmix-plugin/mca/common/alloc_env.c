/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Parser for OM_NODELIST and OM_SLOTS_PER_NODE. A short text may stand for very
 * many nodes, so nothing is allocated by a number that was read: the tables grow
 * with the nodes found and stop at the limits of the header.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmix-plugin/mca/common/alloc_env.h"

/* A stretch of the text being parsed. */
struct span {
	const char *pos;
	const char *end;
};

struct parser {
	struct om_alloc_env alloc;
	unsigned size;			/* entries there is room for */
	struct om_alloc_error *err;
};

/* One end of a range; the digits count because n[01-10] keeps its zeros. */
struct number {
	unsigned value;
	int digits;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct om_alloc_error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return rc;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return rc;
}

/* Not <ctype.h>: that follows the locale of the process we are loaded into. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool name_is_legal(const char *name)
{
	if (!is_alnum(name[0]) && name[0] != '_')
		return false;
	for (const char *p = name; *p; p++)
		if (!is_alnum(*p) && !strchr("-_.", *p))
			return false;
	return true;
}

static int grow(struct parser *p)
{
	unsigned size = p->size ? 2 * p->size : 16;
	char **names;
	unsigned *slots;

	names = realloc(p->alloc.names, size * sizeof(*names));
	if (!names)
		return -ENOMEM;
	p->alloc.names = names;
	slots = realloc(p->alloc.slots, size * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	p->alloc.slots = slots;
	p->size = size;
	return 0;
}

static int add_name(struct parser *p, const char *name)
{
	char *copy;

	if (!name_is_legal(name))
		return fail(p->err, -EINVAL, "OM_NODELIST: '%.64s' is no node name", name);
	if (p->alloc.nnodes == OM_ALLOC_MAX_NODES)
		return fail(p->err, -E2BIG, "OM_NODELIST: more than %d nodes",
			    OM_ALLOC_MAX_NODES);
	if (p->alloc.nnodes == p->size && grow(p) < 0)
		return fail(p->err, -ENOMEM, "out of memory");
	copy = strdup(name);
	if (!copy)
		return fail(p->err, -ENOMEM, "out of memory");
	p->alloc.slots[p->alloc.nnodes] = 0;
	p->alloc.names[p->alloc.nnodes++] = copy;
	return 0;
}

/* Nine digits cannot overflow and are more than any limit needs. */
static int take_number(struct span *s, struct number *ret_number)
{
	struct number n = { 0, 0 };

	while (s->pos < s->end && is_digit(*s->pos)) {
		if (++n.digits > 9)
			return -EINVAL;
		n.value = n.value * 10 + (unsigned)(*s->pos++ - '0');
	}
	if (!n.digits)
		return -EINVAL;
	*ret_number = n;
	return 0;
}

static bool take_char(struct span *s, char c)
{
	if (s->pos == s->end || *s->pos != c)
		return false;
	s->pos++;
	return true;
}

/*
 * "7" or "01-10". ret_low->digits is the least width to print: it keeps the zeros
 * of 01, and without zeros no number of the range is shorter.
 */
static int take_range(struct span *s, struct number *ret_low, struct number *ret_high)
{
	struct number low, high;

	if (take_number(s, &low) < 0)
		return -EINVAL;
	high = low;
	if (take_char(s, '-') && (take_number(s, &high) < 0 || high.value < low.value))
		return -EINVAL;
	*ret_low = low;
	*ret_high = high;
	return 0;
}

static int bad_item(struct parser *p, struct span item)
{
	int len = item.end - item.pos > 64 ? 64 : (int)(item.end - item.pos);

	return fail(p->err, -EINVAL, "OM_NODELIST: cannot read '%.*s'", len, item.pos);
}

static const char *find_close(struct span s)
{
	return memchr(s.pos, ']', (size_t)(s.end - s.pos));
}

/*
 * Add every name that item stands for, with name[0..len) before it. Each call
 * adds at least one node or fails, so the limit on nodes bounds the work too.
 */
static int expand(struct parser *p, struct span item, char *name, size_t len, int groups)
{
	struct span whole = item;
	struct number low, high;
	struct span rest;
	const char *close;
	int rc;

	while (item.pos < item.end && *item.pos != '[') {
		if (len == OM_ALLOC_MAX_NAME)
			return fail(p->err, -E2BIG, "OM_NODELIST: a name is longer than %d",
				    OM_ALLOC_MAX_NAME);
		name[len++] = *item.pos++;
	}
	name[len] = '\0';
	if (!take_char(&item, '['))
		return add_name(p, name);
	close = find_close(item);
	if (!close || groups == OM_ALLOC_MAX_GROUPS)
		return bad_item(p, whole);
	rest = (struct span){ close + 1, item.end };
	item.end = close;
	do {
		if (take_range(&item, &low, &high) < 0)
			return bad_item(p, whole);
		for (unsigned v = low.value; v <= high.value; v++) {
			size_t room = OM_ALLOC_MAX_NAME + 1 - len;
			int n = snprintf(name + len, room, "%0*u", low.digits, v);

			if (n < 0 || (size_t)n >= room)
				return fail(p->err, -E2BIG, "OM_NODELIST: a name is too long");
			rc = expand(p, rest, name, len + (size_t)n, groups + 1);
			if (rc < 0)
				return rc;
		}
	} while (take_char(&item, ','));
	return item.pos == item.end ? 0 : bad_item(p, whole);
}

/* Cut the next item off s; a comma within brackets belongs to the item. */
static struct span take_item(struct span *s)
{
	struct span item = { s->pos, s->pos };
	bool inside = false;

	while (item.end < s->end && (inside || *item.end != ',')) {
		if (*item.end == '[')
			inside = true;
		else if (*item.end == ']')
			inside = false;
		item.end++;
	}
	s->pos = item.end;
	return item;
}

static int parse_names(struct parser *p, struct span s)
{
	char name[OM_ALLOC_MAX_NAME + 1];
	int rc;

	do {
		rc = expand(p, take_item(&s), name, 0, 0);
		if (rc < 0)
			return rc;
	} while (take_char(&s, ','));
	return 0;
}

/* "2" or "2(x3)" */
static int take_slots(struct span *s, struct number *ret_slots, struct number *ret_times)
{
	*ret_times = (struct number){ 1, 1 };
	if (take_number(s, ret_slots) < 0 || ret_slots->value > OM_ALLOC_MAX_SLOTS)
		return -EINVAL;
	if (!take_char(s, '('))
		return 0;
	if (!take_char(s, 'x') || take_number(s, ret_times) < 0 || !take_char(s, ')'))
		return -EINVAL;
	return 0;
}

static int parse_slots(struct parser *p, struct span s)
{
	struct number slots, times;
	unsigned filled = 0;

	do {
		if (take_slots(&s, &slots, &times) < 0)
			return fail(p->err, -EINVAL, "OM_SLOTS_PER_NODE: bad entry for node %u",
				    filled + 1);
		if (times.value > p->alloc.nnodes - filled)
			return fail(p->err, -EINVAL,
				    "OM_SLOTS_PER_NODE names more than the %u nodes of OM_NODELIST",
				    p->alloc.nnodes);
		for (unsigned i = 0; i < times.value; i++)
			p->alloc.slots[filled++] = slots.value;
	} while (take_char(&s, ','));
	if (s.pos != s.end)
		return fail(p->err, -EINVAL, "OM_SLOTS_PER_NODE: rubbish after node %u", filled);
	if (filled != p->alloc.nnodes)
		return fail(p->err, -EINVAL, "OM_SLOTS_PER_NODE names %u of %u nodes",
			    filled, p->alloc.nnodes);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_distinct(struct parser *p)
{
	unsigned n = p->alloc.nnodes;
	const char *twice = NULL;
	char **sorted;
	int rc = 0;

	sorted = malloc(n * sizeof(*sorted));
	if (!sorted)
		return fail(p->err, -ENOMEM, "out of memory");
	memcpy(sorted, p->alloc.names, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (unsigned i = 1; i < n && !twice; i++)
		if (!strcmp(sorted[i - 1], sorted[i]))
			twice = sorted[i];
	if (twice)
		rc = fail(p->err, -EINVAL, "OM_NODELIST names '%.64s' twice", twice);
	free(sorted);
	return rc;
}

/* The text as a span, or an error if it is longer than a variable can be. */
static int open_text(const char *text, struct span *ret_span, struct om_alloc_error *err)
{
	size_t len = strnlen(text, OM_ALLOC_MAX_TEXT + 1);

	if (len > OM_ALLOC_MAX_TEXT)
		return fail(err, -E2BIG, "a list of the allocation is longer than %d bytes",
			    OM_ALLOC_MAX_TEXT);
	*ret_span = (struct span){ text, text + len };
	return 0;
}

int om_alloc_env_parse(const char *nodelist, const char *slots,
		       struct om_alloc_env *ret_alloc, struct om_alloc_error *err)
{
	struct parser p = { .err = err };
	struct span names_text = { 0 };
	struct span slots_text = { 0 };
	int rc;

	rc = open_text(nodelist, &names_text, err);
	if (rc >= 0)
		rc = open_text(slots, &slots_text, err);
	if (rc >= 0)
		rc = parse_names(&p, names_text);
	if (rc >= 0)
		rc = parse_slots(&p, slots_text);
	if (rc >= 0)
		rc = check_distinct(&p);
	if (rc < 0) {
		om_alloc_env_fini(&p.alloc);
		return rc;
	}
	*ret_alloc = p.alloc;
	return 0;
}

int om_alloc_env_load(struct om_alloc_env *ret_alloc, struct om_alloc_error *err)
{
	const char *nodelist = getenv("OM_NODELIST");
	const char *slots = getenv("OM_SLOTS_PER_NODE");

	if (!nodelist)
		return fail(err, -ENOENT, "OM_NODELIST is not set");
	if (!slots)
		return fail(err, -ENOENT, "OM_SLOTS_PER_NODE is not set");
	return om_alloc_env_parse(nodelist, slots, ret_alloc, err);
}

int om_alloc_env_find(const struct om_alloc_env *alloc, const char *name)
{
	for (unsigned i = 0; i < alloc->nnodes; i++)
		if (!strcmp(alloc->names[i], name))
			return (int)i;
	return -ENOENT;
}

void om_alloc_env_fini(struct om_alloc_env *alloc)
{
	for (unsigned i = 0; i < alloc->nnodes; i++)
		free(alloc->names[i]);
	free(alloc->names);
	free(alloc->slots);
	*alloc = (struct om_alloc_env){ 0 };
}

int om_alloc_env_number(const char *text, unsigned max, unsigned *ret_value)
{
	struct span s = { text, text + strnlen(text, 16) };
	struct number n;

	if (take_number(&s, &n) < 0 || s.pos != s.end || n.value > max)
		return -EINVAL;
	*ret_value = n.value;
	return 0;
}
