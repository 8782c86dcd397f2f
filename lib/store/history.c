/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * history: from a filter to rows, fast whatever the filter.
 *
 * First the ids, from the narrow table, by one of three ways:
 *   ids    the filter names jobs or arrays: look each up;
 *   index  a condition that few rows meet (they are counted up to FEW by its
 *          index, which takes no time): look at those;
 *   scan   else from the newest row down until the limit is reached.
 * A scan reads the narrow rows only, 100,000 of them in some 20 ms. Then the
 * bodies of the ids that are left. SQLite's planner, without statistics of a
 * table that always changes, would choose badly; so it is told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/buf.h"
#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/store/history.h"
#include "lib/store/sql.h"
#include "lib/store/store.h"

#define FEW 2000
#define MEMO_MAX 4096
#define TASKS_MAX 10000000u

/* Does a node list hold the node asked for? Few lists serve many rows. */
struct memo {
	UT_hash_handle hh;
	bool has;
	char list[];
};

struct store_history {
	sqlite3 *sql;
	sqlite3_stmt *body;
	struct memo *memo;
};

struct query {
	struct store_history *h;
	const Om__JobFilter *f;
	size_t limit;
	struct om_buf where;		/* " AND uid = :uid ..." */
	int64_t *id;			/* candidates */
	size_t ids, cap;
	struct om_error *err;
};

/* ---- om_on_node(nodelist, node) */
static void memo_clear(struct store_history *h)
{
	struct memo *m, *next;

	HASH_ITER(hh, h->memo, m, next) {
		HASH_DEL(h->memo, m);
		free(m);
	}
}

static bool list_has(const char *list, const char *node)
{
	struct om_strvec names = OM_STRVEC_INIT;
	bool has = false;

	if (om_hostlist_expand(list, &names, NULL) == 0)
		for (size_t i = 0; i < names.n && !has; i++)
			has = !strcmp(names.v[i], node);
	om_strvec_fini(&names);
	return has;
}

static bool memo_has(struct store_history *h, const char *list,
		     const char *node)
{
	size_t len = strlen(list);
	struct memo *m;

	HASH_FIND(hh, h->memo, list, len, m);
	if (m)
		return m->has;
	if (HASH_COUNT(h->memo) >= MEMO_MAX)
		memo_clear(h);
	m = malloc(sizeof(*m) + len + 1);
	if (!m)
		return list_has(list, node);
	memcpy(m->list, list, len + 1);
	m->has = list_has(list, node);
	HASH_ADD_KEYPTR(hh, h->memo, m->list, len, m);
	return m->has;
}

static void on_node(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const char *list = (const char *)sqlite3_value_text(argv[0]);
	const char *node = (const char *)sqlite3_value_text(argv[1]);

	(void)argc;
	sqlite3_result_int(ctx, list && node && *list &&
			   memo_has(sqlite3_user_data(ctx), list, node));
}

/* ---- opening */
struct store_history *store_history_open(const char *path,
					 struct om_error *err)
{
	struct store_history *h = calloc(1, sizeof(*h));

	if (!h) {
		om_fail_nomem(err);
		return NULL;
	}
	h->sql = store_sql_open(path, true, err);
	if (!h->sql)
		goto fail;
	if (sqlite3_create_function(h->sql, "om_on_node", 2,
				    SQLITE_UTF8 | SQLITE_DETERMINISTIC, h,
				    on_node, NULL, NULL) != SQLITE_OK) {
		store_sql_fail(h->sql, err, "opening the history");
		goto fail;
	}
	h->body = store_sql_prepare(h->sql, "SELECT body FROM history_body"
				    " WHERE job_id = ?1", err);
	if (!h->body)
		goto fail;
	return h;
fail:
	store_history_close(h);
	return NULL;
}

void store_history_close(struct store_history *h)
{
	if (!h)
		return;
	memo_clear(h);
	sqlite3_finalize(h->body);
	store_sql_close(h->sql);
	free(h);
}

/* ---- conditions */
static int add_states(struct query *q)
{
	const Om__JobFilter *f = q->f;
	int rc = om_buf_adds(&q->where, " AND state IN (");

	for (size_t i = 0; i < f->n_state && rc == 0; i++)
		rc = om_buf_addf(&q->where, "%s%d", i ? "," : "",
				 (int)f->state[i]);
	return rc < 0 ? rc : om_buf_adds(&q->where, ")");
}

static int build_where(struct query *q)
{
	const Om__JobFilter *f = q->f;
	const struct {
		bool given;
		const char *text;
	} part[] = {
		{ f->has_uid, " AND uid = :uid" },
		{ f->name, " AND name = :name" },
		{ f->partition, " AND partition = :partition" },
		{ f->account, " AND account = :account" },
		{ f->has_since_ns, " AND end_ns >= :since" },
		{ f->has_until_ns, " AND submit_ns <= :until" },
		{ f->has_after_id && f->after_id, " AND job_id < :after" },
		{ f->node, " AND om_on_node(nodelist, :node)" },
	};
	int rc = f->n_state ? add_states(q) : om_buf_adds(&q->where, "");

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]) && rc == 0; i++)
		if (part[i].given)
			rc = om_buf_adds(&q->where, part[i].text);
	return rc < 0 ? om_fail_nomem(q->err) : 0;
}

/* ids in the file are signed; none over INT64_MAX was ever given out. */
static int64_t id_of(uint64_t id)
{
	return id > INT64_MAX ? INT64_MAX : (int64_t)id;
}

static void bind_int(sqlite3_stmt *st, const char *name, int64_t v)
{
	int n = sqlite3_bind_parameter_index(st, name);

	if (n)
		sqlite3_bind_int64(st, n, v);
}

static void bind_text(sqlite3_stmt *st, const char *name, const char *v)
{
	int n = sqlite3_bind_parameter_index(st, name);

	if (n)
		sqlite3_bind_text(st, n, v, -1, SQLITE_STATIC);
}

/* A statement with the filter's values bound. */
static sqlite3_stmt *prepare(struct query *q, const char *before,
			     const char *after)
{
	const Om__JobFilter *f = q->f;
	struct om_buf b = OM_BUF_INIT;
	sqlite3_stmt *st = NULL;

	if (om_buf_addf(&b, "%s%s%s", before, om_buf_str(&q->where), after) < 0)
		om_fail_nomem(q->err);
	else
		st = store_sql_prepare(q->h->sql, om_buf_str(&b), q->err);
	om_buf_fini(&b);
	if (!st)
		return NULL;
	bind_int(st, ":uid", f->uid);
	bind_text(st, ":name", f->name);
	bind_text(st, ":partition", f->partition);
	bind_text(st, ":account", f->account);
	bind_int(st, ":since", f->since_ns);
	bind_int(st, ":until", f->until_ns);
	bind_int(st, ":after", id_of(f->after_id));
	bind_text(st, ":node", f->node);
	bind_int(st, ":limit", (int64_t)q->limit);
	return st;
}

/* ---- candidates */
static int add_id(struct query *q, int64_t id)
{
	if (q->ids == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 256;
		int64_t *v = realloc(q->id, cap * sizeof(*v));

		if (!v)
			return om_fail_nomem(q->err);
		q->id = v;
		q->cap = cap;
	}
	q->id[q->ids++] = id;
	return 0;
}

/* Takes st's rows: job_id and, with tasks given, array_index. */
static int take_rows(struct query *q, sqlite3_stmt *st,
		     const struct om_idset *tasks)
{
	int rc = 0, step = SQLITE_DONE;

	while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		if (!tasks || om_idset_has(tasks, (uint32_t)
					   sqlite3_column_int64(st, 1)))
			rc = add_id(q, sqlite3_column_int64(st, 0));
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = store_sql_fail(q->h->sql, q->err, "reading the history");
	sqlite3_reset(st);
	return rc;
}

static int by_falling_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

/* Newest first, each once, no more than asked for. */
static void trim(struct query *q)
{
	size_t n = 0;

	if (q->ids)
		qsort(q->id, q->ids, sizeof(*q->id), by_falling_id);
	for (size_t i = 0; i < q->ids && n < q->limit; i++)
		if (n == 0 || q->id[n - 1] != q->id[i])
			q->id[n++] = q->id[i];
	q->ids = n;
}

static int look_up_jobs(struct query *q)
{
	static const char one[] = "SELECT job_id FROM history NOT INDEXED"
				  " WHERE job_id = :id";
	static const char array[] = "SELECT job_id FROM history INDEXED BY"
		" history_array WHERE array_id = :id AND array_id > 0";
	sqlite3_stmt *st[2] = { prepare(q, one, ""), prepare(q, array, "") };
	int rc = st[0] && st[1] ? 0 : -EIO;

	for (size_t i = 0; i < q->f->n_job_id && rc == 0; i++) {
		for (int k = 0; k < 2 && rc == 0; k++) {
			bind_int(st[k], ":id", id_of(q->f->job_id[i]));
			rc = take_rows(q, st[k], NULL);
		}
	}
	sqlite3_finalize(st[0]);
	sqlite3_finalize(st[1]);
	return rc;
}

static int look_up_tasks(struct query *q)
{
	static const char array[] = "SELECT job_id, array_index FROM history"
		" INDEXED BY history_array WHERE array_id = :id"
		" AND array_id > 0";
	sqlite3_stmt *st = prepare(q, array, "");
	int rc = st ? 0 : -EIO;

	for (size_t i = 0; i < q->f->n_array_task && rc == 0; i++) {
		const Om__ArrayTask *t = q->f->array_task[i];
		struct om_idset tasks = OM_IDSET_INIT;

		rc = om_idset_parse(&tasks, t->tasks, TASKS_MAX, 100000,
				    q->err);
		if (rc == 0) {
			bind_int(st, ":id", id_of(t->array_id));
			rc = take_rows(q, st, &tasks);
		}
		om_idset_fini(&tasks);
	}
	sqlite3_finalize(st);
	return rc;
}

static int look_up(struct query *q)
{
	int rc = q->f->n_job_id ? look_up_jobs(q) : 0;

	if (rc == 0 && q->f->n_array_task)
		rc = look_up_tasks(q);
	return rc;
}

static bool wants_completed(const Om__JobFilter *f)
{
	for (size_t i = 0; i < f->n_state; i++)
		if (f->state[i] == OM__JOB_STATE__COMPLETED)
			return true;
	return false;
}

/* How many rows an index has for its condition, FEW at most; or -Exxx. */
static int count_few(struct query *q, const char *index, const char *cond)
{
	char text[200];
	sqlite3_stmt *st;
	int n;

	snprintf(text, sizeof(text), "SELECT count(*) FROM (SELECT 1 FROM"
		 " history INDEXED BY %s WHERE %s LIMIT %d)", index, cond,
		 FEW);
	st = store_sql_prepare(q->h->sql, text, q->err);
	if (!st)
		return -EIO;
	bind_int(st, ":uid", q->f->uid);
	bind_text(st, ":name", q->f->name);
	bind_int(st, ":since", q->f->since_ns);
	n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int(st, 0) :
	    store_sql_fail(q->h->sql, q->err, "reading the history");
	sqlite3_finalize(st);
	return n;
}

static int take_by_index(struct query *q, const char *index)
{
	char text[100];
	sqlite3_stmt *st;
	int rc;

	snprintf(text, sizeof(text), "SELECT job_id FROM history INDEXED BY %s"
		 " WHERE 1", index);
	/* A partial index serves only who repeats its condition. */
	st = prepare(q, text, strcmp(index, "history_state") ? "" :
		     " AND state <> 5");
	if (!st)
		return -EIO;
	rc = take_rows(q, st, NULL);
	sqlite3_finalize(st);
	return rc;
}

static int scan(struct query *q)
{
	sqlite3_stmt *st = prepare(q, "SELECT job_id FROM history NOT INDEXED"
				   " WHERE 1", " ORDER BY job_id DESC"
				   " LIMIT :limit");
	int rc;

	if (!st)
		return -EIO;
	rc = take_rows(q, st, NULL);
	sqlite3_finalize(st);
	return rc;
}

/* "state IN (...) AND state <> 5"; in is what build_where wrote. */
static void state_condition(const Om__JobFilter *f, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "state IN (-1");

	for (size_t i = 0; i < f->n_state && len + 40 < size; i++)
		len += (size_t)snprintf(text + len, size - len, ",%d",
					(int)f->state[i]);
	snprintf(text + len, size - len, ") AND state <> 5");
}

static int search(struct query *q)
{
	const Om__JobFilter *f = q->f;
	char states[120];
	const struct {
		bool given;
		const char *index, *cond;
	} way[] = {
		{ f->name, "history_name", "name = :name" },
		{ f->has_uid, "history_uid", "uid = :uid" },
		{ f->n_state && f->n_state < 15 && !wants_completed(f),
		  "history_state", states },
		{ f->has_since_ns, "history_end", "end_ns >= :since" },
	};
	const char *best = NULL;
	int least = FEW;

	state_condition(f, states, sizeof(states));
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		int n = way[i].given ? count_few(q, way[i].index, way[i].cond) :
				       FEW;

		if (n < 0)
			return n;
		if (n < least) {
			least = n;
			best = way[i].index;
		}
	}
	return best ? take_by_index(q, best) : scan(q);
}

/* ---- rows */
static Om__JobInfo *fetch(struct query *q, int64_t id)
{
	sqlite3_stmt *st = q->h->body;
	Om__JobInfo *row = NULL;
	int rc;

	sqlite3_bind_int64(st, 1, id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		row = om__job_info__unpack(NULL,
					   (size_t)sqlite3_column_bytes(st, 0),
					   sqlite3_column_blob(st, 0));
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		store_sql_fail(q->h->sql, q->err, "reading the history");
	else if (!row)
		om_fail(q->err, -EBADMSG,
			"the history's row of job %" PRId64 " is damaged", id);
	sqlite3_reset(st);
	return row;
}

void store_history_free(Om__JobInfo **row, int n)
{
	for (int i = 0; i < n; i++)
		om__job_info__free_unpacked(row[i], NULL);
	free(row);
}

static int fetch_all(struct query *q, Om__JobInfo ***ret)
{
	Om__JobInfo **row = calloc(q->ids + 1, sizeof(*row));

	if (!row)
		return om_fail_nomem(q->err);
	for (size_t i = 0; i < q->ids; i++) {
		row[i] = fetch(q, q->id[i]);
		if (!row[i]) {
			store_history_free(row, (int)i);
			return q->err->code;
		}
	}
	*ret = row;
	return (int)q->ids;
}

static int run(struct query *q, Om__JobInfo ***ret)
{
	int rc = build_where(q);

	if (rc == 0)
		rc = q->f->n_job_id || q->f->n_array_task ? look_up(q) :
							    search(q);
	if (rc < 0)
		return rc;
	trim(q);
	return fetch_all(q, ret);
}

int store_history_query(struct store_history *h, const Om__JobFilter *f,
			Om__JobInfo ***ret, struct om_error *err)
{
	struct om_error local = OM_ERROR_INIT;
	struct query q = { .h = h, .f = f, .err = err ? err : &local };
	int rc;

	q.limit = f->has_limit && f->limit && f->limit < OM_STORE_HISTORY_MAX ?
		  f->limit : OM_STORE_HISTORY_MAX;
	/* One state of the table for ids and bodies. */
	rc = store_sql_exec(h->sql, "BEGIN", q.err);
	if (rc < 0)
		return rc;
	rc = run(&q, ret);
	store_sql_exec(h->sql, "COMMIT", NULL);
	memo_clear(h);
	om_buf_fini(&q.where);
	free(q.id);
	return rc;
}
