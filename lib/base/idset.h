/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * idset: a set of 32-bit numbers kept as sorted, disjoint ranges.
 *
 * 100,000 array tasks are one range; memory grows with the holes only.
 * Text form: "1-5,7,10-20:5" (start-end:step), as in --array.
 */
#ifndef OM_BASE_IDSET_H
#define OM_BASE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct om_idset {
	struct om_idrange {
		uint32_t first, last;	/* inclusive */
	} *range;
	size_t count, cap;		/* ranges */
};

#define OM_IDSET_INIT { .range = NULL, .count = 0, .cap = 0 }

void om_idset_fini(struct om_idset *s);

/*
 * Adds what text names to s. -EINVAL on bad text, -ERANGE for a number over
 * max or when more than limit ranges would be needed, -ENOMEM.
 */
int om_idset_parse(struct om_idset *s, const char *text, uint32_t max,
		   size_t limit, struct om_error *err);
/* An owned string ("" for the empty set), NULL without memory. */
char *om_idset_format(const struct om_idset *s);

int om_idset_add_range(struct om_idset *s, uint32_t first, uint32_t last);
int om_idset_remove(struct om_idset *s, uint32_t id);
bool om_idset_has(const struct om_idset *s, uint32_t id);
uint64_t om_idset_size(const struct om_idset *s);
int om_idset_copy(struct om_idset *dst, const struct om_idset *src);

/* The least member >= from; false if there is none. */
bool om_idset_next(const struct om_idset *s, uint32_t from, uint32_t *ret);

/* How many members are less than id. */
uint64_t om_idset_rank(const struct om_idset *s, uint32_t id);
/* The member that has k members below it; false if k >= size. */
bool om_idset_select(const struct om_idset *s, uint64_t k, uint32_t *ret);

#endif
