/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sql: SQLite with our errors. */
#include <stdio.h>
#include <string.h>

#include "lib/store/sql.h"

/* What the number behind an I/O error was, if the system said. */
static const char *system_reason(sqlite3 *db)
{
	int e = sqlite3_system_errno(db);

	return e ? strerror(e) : "I/O error";
}

int store_sql_fail(sqlite3 *db, struct om_error *err, const char *doing)
{
	const char *path = sqlite3_db_filename(db, "main");
	int rc = sqlite3_extended_errcode(db);

	if (!path || !*path)
		path = "the store";
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return om_fail(err, -ENOSPC,
			       "%s: no space left on the disk of %.150s",
			       doing, path);
	case SQLITE_IOERR:
		return om_fail(err, sqlite3_system_errno(db) == ENOSPC ?
			       -ENOSPC : -EIO, "%s: %s on %.150s (SQLite %d)",
			       doing, system_reason(db), path, rc);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return om_fail(err, -EBADMSG,
			       "%s: %.150s is damaged (%s); stop omctld, keep a copy, and try: sqlite3 DAMAGED .recover | sqlite3 NEW",
			       doing, path, sqlite3_errmsg(db));
	case SQLITE_NOMEM:
		return om_fail(err, -ENOMEM, "%s: out of memory", doing);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return om_fail(err, -EBUSY,
			       "%s: %.150s is locked by another program",
			       doing, path);
	case SQLITE_READONLY:
		return om_fail(err, -EROFS, "%s: %.150s cannot be written",
			       doing, path);
	default:
		return om_fail(err, -EIO, "%s: %s (SQLite %d, %.150s)", doing,
			       sqlite3_errmsg(db), rc, path);
	}
}

sqlite3 *store_sql_open(const char *path, bool read_only, struct om_error *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY :
						       SQLITE_OPEN_READWRITE);
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		if (db)
			store_sql_fail(db, err, "opening");
		else
			om_fail_nomem(err);
		store_sql_close(db);
		return NULL;
	}
	sqlite3_extended_result_codes(db, 1);
	/* Only a reader that came late, or sqlite3(1), can be in the way. */
	sqlite3_busy_timeout(db, 5000);
	return db;
}

void store_sql_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}

int store_sql_exec(sqlite3 *db, const char *sql, struct om_error *err)
{
	char doing[64];

	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	snprintf(doing, sizeof(doing), "%.40s", sql);
	return store_sql_fail(db, err, doing);
}

sqlite3_stmt *store_sql_prepare(sqlite3 *db, const char *sql,
				struct om_error *err)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st,
			       NULL) != SQLITE_OK) {
		store_sql_fail(db, err, "preparing");
		return NULL;
	}
	return st;
}

int store_sql_run(sqlite3 *db, sqlite3_stmt *st, struct om_error *err)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		rc = store_sql_fail(db, err, "writing");
		sqlite3_reset(st);
		return rc;
	}
	/* reset repeats an error of step; there was none. */
	sqlite3_reset(st);
	return 0;
}

int store_sql_int(sqlite3 *db, const char *sql, int64_t *ret,
		  struct om_error *err)
{
	sqlite3_stmt *st = store_sql_prepare(db, sql, err);
	int rc;

	if (!st)
		return err ? err->code : -EIO;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
		*ret = sqlite3_column_int64(st, 0);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		rc = 0;
	else
		rc = store_sql_fail(db, err, "reading");
	sqlite3_finalize(st);
	return rc;
}
