/* SPDX-License-Identifier: GPL-3.0-or-later */
/* where: filters of a request, compiled once and kept as bits. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "sched/policy/where.h"

int om_where_key(struct om_buf *buf, const struct om_part *part,
		 const struct om_request *r)
{
	const char *text[] = { r->nodelist, r->exclude, r->constraint,
			       r->cluster_mask };

	om_buf_reset(buf);
	if (om_buf_add(buf, &part, sizeof(part)) < 0)
		return -ENOMEM;
	/* Each with its NUL, so that no two lists run into one. */
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++) {
		const char *s = text[i] ? text[i] : "";

		if (om_buf_add(buf, s, strlen(s) + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool given(const char *s)
{
	return s && *s;
}

static int parse_all(struct om_where *w, const struct om_request *r,
		     struct om_error *err)
{
	int rc = 0;

	if (given(r->nodelist)) {
		w->has_nodelist = true;
		rc = om_names_add(&w->nodelist, r->nodelist, err);
		if (rc < 0)
			return om_wrap(err, rc, "node list");
	}
	if (given(r->exclude)) {
		w->has_exclude = true;
		rc = om_names_add(&w->exclude, r->exclude, err);
		if (rc < 0)
			return om_wrap(err, rc, "excluded nodes");
	}
	if (given(r->constraint)) {
		struct om_error why = OM_ERROR_INIT;

		w->has_constraint = true;
		w->constraint = om_feature_parse(r->constraint, &why);
		if (!w->constraint)
			return om_fail(err, why.code, "%s", why.text);
	}
	if (given(r->cluster_mask)) {
		w->has_mask = true;
		rc = om_mask_parse(&w->mask, r->cluster_mask, err);
	}
	return rc;
}

int om_where_create(struct om_part *part, const struct om_request *r,
		    struct om_where **ret, struct om_error *err)
{
	struct om_buf key = OM_BUF_INIT;
	struct om_where *w = NULL;
	int rc;

	if (om_where_key(&key, part, r) == 0)
		w = calloc(1, sizeof(*w) + om_buf_len(&key));
	if (!w) {
		om_buf_fini(&key);
		return om_fail_nomem(err);
	}
	w->key_len = om_buf_len(&key);
	memcpy(w->key, om_buf_str(&key), w->key_len);
	om_buf_fini(&key);
	w->part = part;
	w->refs = 1;
	rc = parse_all(w, r, err);
	if (rc < 0) {
		om_where_destroy(w);
		return rc;
	}
	*ret = w;
	return 0;
}

void om_where_destroy(struct om_where *w)
{
	if (!w)
		return;
	om_names_fini(&w->nodelist);
	om_names_fini(&w->exclude);
	om_feature_destroy(w->constraint);
	om_mask_fini(&w->mask);
	free(w->bit);
	free(w->required);
	free(w);
}

enum om_where_bar om_where_bar(const struct om_where *w,
			       const struct om_node *n)
{
	if (!om_part_has(w->part, n->name))
		return OM_WHERE_PARTITION;
	if (w->has_exclude && om_names_has(&w->exclude, n->name))
		return OM_WHERE_EXCLUDE;
	if (w->has_constraint && !om_feature_match(w->constraint, n))
		return OM_WHERE_CONSTRAINT;
	if (w->has_mask && !om_mask_allows(&w->mask, n))
		return OM_WHERE_MASK;
	return OM_WHERE_OK;
}

static int grow(struct om_where *w, uint32_t nodes)
{
	uint32_t words = nodes / 64 + 1;
	uint64_t *bit;

	if (words <= w->words)
		return 0;
	bit = realloc(w->bit, words * sizeof(*bit));
	if (!bit)
		return -ENOMEM;
	memset(bit + w->words, 0, (words - w->words) * sizeof(*bit));
	w->bit = bit;
	w->words = words;
	return 0;
}

/* Where the nodes of the list are; all of them have to be in. */
static int find_required(struct om_where *w, const struct om_model *m)
{
	const struct om_strvec *list = &w->nodelist.list;

	w->required_count = w->missing = 0;
	if (list->n == 0)
		return 0;
	if (!w->required)
		w->required = calloc(list->n, sizeof(*w->required));
	if (!w->required)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		struct om_node *n = om_model_node(m, list->v[i]);

		if (n && om_where_has(w, n->index))
			w->required[w->required_count++] = n->index;
		else
			w->missing++;
	}
	return 0;
}

static void set_bit(struct om_where *w, const struct om_model *m, uint32_t at)
{
	const struct om_node *n = at < m->nodes ? m->node[at] : NULL;
	uint64_t mask = (uint64_t)1 << (at % 64);

	if (n && om_where_bar(w, n) == OM_WHERE_OK)
		w->bit[at / 64] |= mask;
	else
		w->bit[at / 64] &= ~mask;
}

int om_where_read(struct om_where *w, const struct om_model *m)
{
	if (grow(w, m->nodes) < 0)
		return -ENOMEM;
	for (uint32_t at = 0; at < w->words * 64; at++)
		set_bit(w, m, at);
	return find_required(w, m);
}

int om_where_read_at(struct om_where *w, const struct om_model *m, uint32_t at)
{
	if (grow(w, at + 1) < 0)
		return -ENOMEM;
	set_bit(w, m, at);
	return find_required(w, m);
}
