/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sql: SQLite with our errors. A connection belongs to one thread at a time. */
#ifndef OM_STORE_SQL_H
#define OM_STORE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

/* The file must exist. NULL and err set if it cannot be opened. */
sqlite3 *store_sql_open(const char *path, bool read_only,
			struct om_error *err);
/* NULL is fine. */
void store_sql_close(sqlite3 *db);

/* Says in words what db's last call met, and what to do; returns -Exxx. */
int store_sql_fail(sqlite3 *db, struct om_error *err, const char *doing);

int store_sql_exec(sqlite3 *db, const char *sql, struct om_error *err);
/* NULL and err set on failure. Kept: it will be used often. */
sqlite3_stmt *store_sql_prepare(sqlite3 *db, const char *sql,
				struct om_error *err);
/* Runs a statement that returns no row, then resets it. */
int store_sql_run(sqlite3 *db, sqlite3_stmt *st, struct om_error *err);
/* The first row's first column; ret stays as it is if that is NULL or there
 * is no row. */
int store_sql_int(sqlite3 *db, const char *sql, int64_t *ret,
		  struct om_error *err);

#endif
