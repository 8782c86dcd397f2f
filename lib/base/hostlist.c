/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* hostlist: expands and compresses bracketed names. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/hostlist.h"

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

int om_hostname_check(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (!name_char(s[n]) || n >= OM_HOSTNAME_MAX - 1)
			return -EINVAL;
	return n ? 0 : -EINVAL;
}

/* One entry of the text: prefix, bracket's inside (or none), suffix. */
struct entry {
	const char *prefix, *inside, *suffix;
	int prefix_len, inside_len, suffix_len;
};

/* Reads one entry; returns the first character behind it or NULL. */
static const char *scan_entry(const char *p, struct entry *e)
{
	*e = (struct entry){ .prefix = p };
	while (name_char(*p))
		p++;
	e->prefix_len = (int)(p - e->prefix);
	if (*p == '[') {
		e->inside = ++p;
		while (*p && *p != ']')
			p++;
		if (*p != ']')
			return NULL;
		e->inside_len = (int)(p++ - e->inside);
	}
	e->suffix = p;
	while (name_char(*p))
		p++;
	e->suffix_len = (int)(p - e->suffix);
	if (*p && *p != ',')
		return NULL;
	if (!e->inside && !e->prefix_len)
		return NULL;
	return p;
}

static int add_name(struct om_strvec *names, const struct entry *e,
		    unsigned long number, int width)
{
	char digits[32] = "";
	char name[OM_HOSTNAME_MAX];
	int len;

	if (e->inside)
		snprintf(digits, sizeof(digits), "%0*lu", width, number);
	len = snprintf(name, sizeof(name), "%.*s%s%.*s", e->prefix_len,
		       e->prefix, digits, e->suffix_len, e->suffix);
	if (len < 0 || (size_t)len >= sizeof(name))
		return -ERANGE;
	if (names->n >= OM_HOSTLIST_LIMIT)
		return -ERANGE;
	return om_strvec_add(names, name);
}

static int scan_number(const char **p, const char *end, unsigned long *v)
{
	const char *start = *p;

	*v = 0;
	while (*p < end && isdigit((unsigned char)**p)) {
		if (*p - start >= 9)
			return -ERANGE;
		*v = *v * 10 + (unsigned long)(*(*p)++ - '0');
	}
	return *p == start ? -EINVAL : (int)(*p - start);
}

static int expand_inside(const struct entry *e, struct om_strvec *names)
{
	const char *p = e->inside, *end = p + e->inside_len;

	for (;;) {
		unsigned long first, last;
		int width = scan_number(&p, end, &first), rc;

		if (width < 0)
			return width;
		last = first;
		if (p < end && *p == '-') {
			p++;
			rc = scan_number(&p, end, &last);
			if (rc < 0)
				return rc;
		}
		if (last < first)
			return -EINVAL;
		for (; first <= last; first++) {
			rc = add_name(names, e, first, width);
			if (rc < 0)
				return rc;
		}
		if (p == end)
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}

int om_hostlist_expand(const char *text, struct om_strvec *names,
		       struct om_error *err)
{
	const char *p = text;
	int rc;

	do {
		struct entry e;

		p = scan_entry(p, &e);
		if (!p)
			return om_fail(err, -EINVAL,
				       "'%.80s' is not a list of nodes like n[1-4],login",
				       text);
		rc = e.inside ? expand_inside(&e, names) :
				add_name(names, &e, 0, 0);
		if (rc < 0)
			return om_fail(err, rc,
				       "'%.80s' is not a list of nodes, or too long a one",
				       text);
	} while (*p++ == ',');
	return 0;
}

/* A name split into a head and the number at its end. */
struct split {
	const char *name;
	int head;		/* length */
	int width;		/* digits, 0 if the name ends in none */
	unsigned long number;
};

static struct split split_name(const char *name)
{
	struct split s = { .name = name, .head = (int)strlen(name) };

	while (s.head > 0 && s.width < 9 &&
	       isdigit((unsigned char)name[s.head - 1])) {
		s.head--;
		s.width++;
	}
	if (s.width)
		s.number = strtoul(name + s.head, NULL, 10);
	return s;
}

static bool same_head(const struct split *a, const struct split *b)
{
	return a->width && b->width && a->head == b->head &&
	       !strncmp(a->name, b->name, (size_t)a->head);
}

/* Can b's number stand in the same bracket, without losing its zeros? */
static bool same_width(const struct split *a, const struct split *b)
{
	bool padded = a->name[a->head] == '0' || b->name[b->head] == '0';

	return a->width == b->width || !padded;
}

static bool follows(const struct split *a, const struct split *b)
{
	return same_head(a, b) && same_width(a, b) && b->number == a->number + 1;
}

/* Writes the runs of one head from names[i]; returns where it stopped. */
static size_t add_group(struct om_buf *b, const char *const *names, size_t i,
			size_t n, int *rc)
{
	struct split first = split_name(names[i]), prev, next;
	size_t group_end = i + 1;
	bool bracket;

	while (group_end < n) {
		next = split_name(names[group_end]);
		if (!same_head(&first, &next) || !same_width(&first, &next))
			break;
		group_end++;
	}
	bracket = group_end > i + 1;
	*rc |= om_buf_addf(b, "%.*s%s", first.head, first.name,
			   bracket ? "[" : "");
	while (i < group_end) {
		first = prev = split_name(names[i++]);
		while (i < group_end) {
			next = split_name(names[i]);
			if (!follows(&prev, &next))
				break;
			prev = next;
			i++;
		}
		*rc |= om_buf_adds(b, first.name + first.head);
		if (prev.number != first.number)
			*rc |= om_buf_addf(b, "-%s", prev.name + prev.head);
		if (i < group_end)
			*rc |= om_buf_addc(b, ',');
	}
	if (bracket)
		*rc |= om_buf_addc(b, ']');
	return group_end;
}

char *om_hostlist_compress(const char *const *names, size_t n)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0;) {
		if (i)
			rc |= om_buf_addc(&b, ',');
		i = add_group(&b, names, i, n, &rc);
	}
	if (rc) {
		om_buf_fini(&b);
		return NULL;
	}
	return om_buf_steal(&b);
}
