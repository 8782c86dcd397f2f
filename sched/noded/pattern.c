/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pattern: names of output files; see pattern.h. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/proto/types.h"
#include "sched/noded/pattern.h"

#define WIDTH_MAX 10

static int add_number(struct om_buf *b, unsigned width, uint64_t n)
{
	return om_buf_addf(b, "%0*" PRIu64, (int)width, n);
}

static int add_name(struct om_buf *b, const char *name)
{
	int rc = 0;

	for (; name && *name && rc == 0; name++)
		rc = om_buf_addc(b, *name == '/' ? '_' : *name);
	return rc;
}

static int add_step(struct om_buf *b, unsigned width, uint32_t step)
{
	if (step == OM_STEP_BATCH)
		return om_buf_adds(b, "batch");
	return add_number(b, width, step);
}

/* 1: not a pattern; 0 or -ENOMEM. */
static int add_value(struct om_buf *b, char letter, unsigned width,
		     const struct pattern_values *v)
{
	int rc;

	switch (letter) {
	case '%': return om_buf_addc(b, '%');
	case 'j': return add_number(b, width, v->job);
	case 'A': return add_number(b, width, v->array ? v->array : v->job);
	case 'a': return add_number(b, width, v->index);
	case 'n': return add_number(b, width, v->node_index);
	case 't': return add_number(b, width, v->rank);
	case 's': return add_step(b, width, v->step);
	case 'x': return add_name(b, v->name);
	case 'u': return add_name(b, v->user);
	case 'N': return add_name(b, v->node);
	case 'J':
		rc = add_number(b, width, v->job);
		if (rc == 0)
			rc = om_buf_addc(b, '.');
		return rc < 0 ? rc : add_step(b, width, v->step);
	default: return 1;
	}
}

/* The letter of the pattern at p ('%'), its width; NULL if there is none. */
static const char *parse(const char *p, unsigned *width)
{
	*width = 0;
	for (p++; *p >= '0' && *p <= '9'; p++) {
		*width = *width * 10 + (unsigned)(*p - '0');
		if (*width > WIDTH_MAX)
			return NULL;
	}
	return *p ? p : NULL;
}

char *pattern_expand(const char *pattern, const struct pattern_values *v,
		     struct om_error *err)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = 0;

	while (*pattern && rc >= 0) {
		unsigned width;
		const char *letter;

		if (*pattern != '%') {
			rc = om_buf_addc(&b, *pattern++);
			continue;
		}
		letter = parse(pattern, &width);
		rc = letter ? add_value(&b, *letter, width, v) : 1;
		if (rc == 1)
			rc = om_buf_addc(&b, *pattern++);
		else if (rc == 0)
			pattern = letter + 1;
	}
	if (rc == 0 && om_buf_len(&b) >= PATH_MAX)
		rc = om_fail(err, -ENAMETOOLONG, "file name '%.60s...' is too long",
			     om_buf_str(&b));
	else if (rc < 0)
		om_fail_nomem(err);
	if (rc < 0) {
		om_buf_fini(&b);
		return NULL;
	}
	return om_buf_steal(&b);
}

static bool has_letter(const char *pattern, const char *letters)
{
	const char *p = pattern;

	while ((p = strchr(p, '%'))) {
		unsigned width;
		const char *letter = parse(p, &width);

		if (letter && strchr(letters, *letter))
			return true;
		p = letter ? letter + 1 : p + 1;
	}
	return false;
}

bool pattern_per_task(const char *pattern)
{
	return has_letter(pattern, "t");
}

bool pattern_per_node(const char *pattern)
{
	return has_letter(pattern, "tnN");
}
