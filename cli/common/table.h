/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * table: text in columns, each as wide as its widest cell.
 *
 * libsmartcols would do, but takes 350 ms for 50,000 rows of eight columns,
 * where omq has 200 ms in all; this takes a tenth. Control characters (a job's
 * name is its owner's choice) are printed as '?'.
 */
#ifndef OM_CLI_COMMON_TABLE_H
#define OM_CLI_COMMON_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define TABLE_COLUMNS 48

struct table {
	struct om_buf text;		/* all cells, one after the other */
	uint32_t *end;			/* of each cell in text */
	size_t cells, cap;
	unsigned columns;
	struct table_column {
		const char *header;
		bool right;
		unsigned width;
	} column[TABLE_COLUMNS];
};

void table_init(struct table *t);
void table_fini(struct table *t);
void table_column(struct table *t, const char *header, bool right);
/* Cells come row by row: what was put into t->text since the last call is
 * one. 0 or -ENOMEM. */
int table_cell_done(struct table *t);
int table_cell(struct table *t, const char *text);	/* NULL: "-" */
int table_cellf(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* To standard output. 0 or -ENOMEM. */
int table_print(struct table *t, bool header);

#endif
