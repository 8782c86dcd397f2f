/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* idset: sorted disjoint ranges in one array; see idset.h. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/idset.h"

void om_idset_fini(struct om_idset *s)
{
	free(s->range);
	*s = (struct om_idset)OM_IDSET_INIT;
}

/* Index of the first range whose end is >= id. */
static size_t find(const struct om_idset *s, uint32_t id)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->range[mid].last < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int make_room(struct om_idset *s, size_t at)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;
		struct om_idrange *r = realloc(s->range, cap * sizeof(*r));

		if (!r)
			return -ENOMEM;
		s->range = r;
		s->cap = cap;
	}
	memmove(s->range + at + 1, s->range + at,
		(s->count - at) * sizeof(*s->range));
	s->count++;
	return 0;
}

static void drop(struct om_idset *s, size_t at, size_t n)
{
	memmove(s->range + at, s->range + at + n,
		(s->count - at - n) * sizeof(*s->range));
	s->count -= n;
}

int om_idset_add_range(struct om_idset *s, uint32_t first, uint32_t last)
{
	/* Neighbours merge, so look from the number before the range on. */
	size_t at = find(s, first ? first - 1 : 0);
	size_t end = at;

	while (end < s->count &&
	       (last == UINT32_MAX || s->range[end].first <= last + 1))
		end++;
	if (end == at) {
		if (make_room(s, at) < 0)
			return -ENOMEM;
	} else {
		if (s->range[at].first < first)
			first = s->range[at].first;
		if (s->range[end - 1].last > last)
			last = s->range[end - 1].last;
		drop(s, at + 1, end - at - 1);
	}
	s->range[at] = (struct om_idrange){ first, last };
	return 0;
}

int om_idset_remove(struct om_idset *s, uint32_t id)
{
	size_t at = find(s, id);
	struct om_idrange *r = s->range + at;

	if (at == s->count || r->first > id)
		return 0;
	if (r->first == r->last) {
		drop(s, at, 1);
	} else if (r->first == id) {
		r->first++;
	} else if (r->last == id) {
		r->last--;
	} else {
		if (make_room(s, at) < 0)
			return -ENOMEM;
		s->range[at].last = id - 1;
		s->range[at + 1].first = id + 1;
	}
	return 0;
}

bool om_idset_has(const struct om_idset *s, uint32_t id)
{
	size_t at = find(s, id);

	return at < s->count && s->range[at].first <= id;
}

uint64_t om_idset_size(const struct om_idset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += (uint64_t)s->range[i].last - s->range[i].first + 1;
	return n;
}

int om_idset_copy(struct om_idset *dst, const struct om_idset *src)
{
	struct om_idrange *r = NULL;

	if (src->count) {
		r = malloc(src->count * sizeof(*r));
		if (!r)
			return -ENOMEM;
		memcpy(r, src->range, src->count * sizeof(*r));
	}
	free(dst->range);
	*dst = (struct om_idset){ r, src->count, src->count };
	return 0;
}

bool om_idset_next(const struct om_idset *s, uint32_t from, uint32_t *ret)
{
	size_t at = find(s, from);

	if (at == s->count)
		return false;
	*ret = s->range[at].first > from ? s->range[at].first : from;
	return true;
}

uint64_t om_idset_rank(const struct om_idset *s, uint32_t id)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->count && s->range[i].first < id; i++) {
		uint32_t last = s->range[i].last < id ? s->range[i].last : id - 1;

		n += (uint64_t)last - s->range[i].first + 1;
	}
	return n;
}

bool om_idset_select(const struct om_idset *s, uint64_t k, uint32_t *ret)
{
	for (size_t i = 0; i < s->count; i++) {
		uint64_t n = (uint64_t)s->range[i].last - s->range[i].first + 1;

		if (k < n) {
			*ret = s->range[i].first + (uint32_t)k;
			return true;
		}
		k -= n;
	}
	return false;
}

/* Digits at *s; moves *s behind them. */
static int parse_number(const char **s, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	const char *p = *s;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return -ERANGE;
	}
	*ret = (uint32_t)v;
	*s = p;
	return 0;
}

struct item {
	uint32_t first, last, step;
};

static int parse_item(const char **s, uint32_t max, struct item *it)
{
	int rc = parse_number(s, max, &it->first);

	it->last = it->first;
	it->step = 1;
	if (rc == 0 && **s == '-') {
		++*s;
		rc = parse_number(s, max, &it->last);
		if (rc == 0 && **s == ':') {
			++*s;
			rc = parse_number(s, UINT32_MAX, &it->step);
		}
	}
	if (rc < 0)
		return rc;
	return it->first > it->last || it->step == 0 ? -EINVAL : 0;
}

static int add_item(struct om_idset *s, const struct item *it, size_t limit)
{
	if (it->step == 1)
		return om_idset_add_range(s, it->first, it->last);
	for (uint64_t v = it->first; v <= it->last; v += it->step) {
		if (om_idset_add_range(s, (uint32_t)v, (uint32_t)v) < 0)
			return -ENOMEM;
		if (s->count > limit)
			return -ERANGE;
	}
	return 0;
}

int om_idset_parse(struct om_idset *s, const char *text, uint32_t max,
		   size_t limit, struct om_error *err)
{
	const char *p = text;
	struct item it;
	int rc;

	for (;;) {
		rc = parse_item(&p, max, &it);
		if (rc == 0)
			rc = add_item(s, &it, limit);
		if (rc == 0 && s->count > limit)
			rc = -ERANGE;
		if (rc == 0 && *p && *p != ',')
			rc = -EINVAL;
		if (rc < 0)
			break;
		if (!*p)
			return 0;
		p++;
	}
	if (rc == -ERANGE)
		return om_fail(err, rc, "'%.80s' goes beyond %u or has too many parts",
			       text, max);
	return om_fail(err, rc, "'%.80s' is not a list like 1-5,7,10-20:2", text);
}

char *om_idset_format(const struct om_idset *s)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < s->count && rc == 0; i++) {
		const struct om_idrange *r = s->range + i;

		if (r->first == r->last)
			rc = om_buf_addf(&b, "%s%u", i ? "," : "", r->first);
		else
			rc = om_buf_addf(&b, "%s%u-%u", i ? "," : "", r->first,
					 r->last);
	}
	if (rc < 0) {
		om_buf_fini(&b);
		return NULL;
	}
	return om_buf_steal(&b);
}
