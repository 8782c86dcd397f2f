/* SPDX-License-Identifier: GPL-3.0-or-later */
/* joblist: fields put into tables, and jobs into order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/jobfields.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#define FIELDS (TABLE_COLUMNS + 1)
#define SORT_KEYS 8

const struct jobfield *jobfield_find(const char *name, struct om_error *err)
{
	const char *names[FIELDS + 8] = { NULL };
	const char *near;
	int n = 0;

	for (const struct jobfield *f = jobfields; f->name; f++) {
		if (!strcmp(f->name, name))
			return f;
		if (n < FIELDS)
			names[n++] = f->name;
	}
	near = om_str_nearest(name, names);
	om_fail(err, -EINVAL, near ? "unknown field '%.40s'\ndid you mean %s?" :
		"unknown field '%.40s'\nthe manual page lists them%s", name,
		near ? near : "");
	return NULL;
}

int jobfield_parse_list(const char *text, const struct jobfield **list,
			int max, struct om_error *err)
{
	om_autofree char *copy = strdup(text);
	char *rest = copy, *word;
	int n = 0;

	if (!copy)
		return om_fail_nomem(err);
	while ((word = strsep(&rest, ","))) {
		if (n == max)
			return om_fail(err, -EINVAL, "more than %d fields", max);
		list[n] = jobfield_find(word, err);
		if (!list[n++])
			return -EINVAL;
	}
	return n;
}

void jobfield_columns(struct table *t, const struct jobfield *const *list,
		      int n)
{
	for (int i = 0; i < n; i++)
		table_column(t, list[i]->header, list[i]->right);
}

int jobfield_rows(struct table *t, const struct jobfield *const *list, int n,
		  Om__JobInfo *const *job, size_t jobs, int64_t now_ns)
{
	int rc = 0;

	for (size_t k = 0; k < jobs && rc == 0; k++) {
		for (int i = 0; i < n && rc == 0; i++) {
			size_t before = om_buf_len(&t->text);

			list[i]->text(job[k], now_ns, &t->text);
			if (om_buf_len(&t->text) == before)
				om_buf_addc(&t->text, '-');
			rc = table_cell_done(t);
		}
	}
	return rc;
}

/* ---- sorting */

struct sort_key {
	const struct jobfield *field;
	bool descending;
};

struct sort_order {
	struct sort_key key[SORT_KEYS];
	int keys;
	int64_t now_ns;
};

static int compare_text(const struct jobfield *f, const Om__JobInfo *a,
			const Om__JobInfo *b, int64_t now_ns)
{
	struct om_buf x = OM_BUF_INIT, y = OM_BUF_INIT;
	int diff;

	f->text(a, now_ns, &x);
	f->text(b, now_ns, &y);
	diff = strcmp(om_buf_str(&x), om_buf_str(&y));
	om_buf_fini(&x);
	om_buf_fini(&y);
	return diff;
}

static int compare(const void *x, const void *y, void *arg)
{
	const Om__JobInfo *a = *(Om__JobInfo *const *)x;
	const Om__JobInfo *b = *(Om__JobInfo *const *)y;
	const struct sort_order *o = arg;

	for (int i = 0; i < o->keys; i++) {
		const struct jobfield *f = o->key[i].field;
		int diff;

		if (f->number) {
			int64_t m = f->number(a, o->now_ns);
			int64_t n = f->number(b, o->now_ns);

			diff = (m > n) - (m < n);
		} else {
			diff = compare_text(f, a, b, o->now_ns);
		}
		if (diff)
			return o->key[i].descending ? -diff : diff;
	}
	return (a->job_id > b->job_id) - (a->job_id < b->job_id);
}

int jobfield_sort(const char *keys, Om__JobInfo **job, size_t jobs,
		  int64_t now_ns, struct om_error *err)
{
	om_autofree char *copy = strdup(keys);
	struct sort_order o = { .now_ns = now_ns };
	char *rest = copy, *word;

	if (!copy)
		return om_fail_nomem(err);
	while ((word = strsep(&rest, ","))) {
		struct sort_key *k = &o.key[o.keys];

		if (o.keys++ == SORT_KEYS)
			return om_fail(err, -EINVAL, "more than %d keys to sort by",
				       SORT_KEYS);
		k->descending = *word == '-';
		k->field = jobfield_find(word + k->descending, err);
		if (!k->field)
			return -EINVAL;
	}
	qsort_r(job, jobs, sizeof(*job), compare, &o);
	return 0;
}
