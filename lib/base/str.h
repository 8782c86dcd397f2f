/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * str: numbers, sizes, durations and points in time as people write them.
 *
 * Parsers accept the whole string or nothing: a trailing character is
 * -EINVAL, a value outside the range is -ERANGE, and results stay untouched.
 */
#ifndef OM_BASE_STR_H
#define OM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

/* Copies with a NUL always; returns -ENAMETOOLONG if s did not fit. */
int om_str_copy(char *dst, size_t size, const char *s);
bool om_str_starts(const char *s, const char *prefix);
/* NULL equals NULL only. */
bool om_str_eq(const char *a, const char *b);

/* Decimal digits only: no sign, no space. */
int om_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int om_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);
/* A finite decimal number >= 0 ("1.5"). */
int om_parse_positive(const char *s, double *ret);

/* "4096" "512K" "4G" "1.5T"; no unit means default_unit bytes. */
int om_parse_size(const char *s, uint64_t default_unit, uint64_t *ret_bytes);

#define OM_DURATION_UNLIMITED INT64_MAX

/*
 * min, mm:ss, hh:mm:ss, d-hh, d-hh:mm, d-hh:mm:ss, odd ones like 0:5:0,
 * "90s" "5min" "2h" "1d", "unlimited" "infinite".
 */
int om_parse_duration(const char *s, int64_t *ret_seconds);
/* "1-02:03:04", "00:05:00", "unlimited". buf of 32 is always enough. */
const char *om_format_duration(int64_t seconds, char *buf, size_t size);
/* "512M" "1.5G": at most 8 characters. */
const char *om_format_size(uint64_t bytes, char *buf, size_t size);

/*
 * "now", "now+2hours", "16:00", "2026-11-22", "2026-11-22T16:00[:00]",
 * "midnight", "noon", "tomorrow": local time, in seconds since 1970. A bare
 * time of day that has passed means tomorrow.
 */
int om_parse_when(const char *s, int64_t now, int64_t *ret_seconds);
/* "2026-11-22T16:00:00" in local time. */
const char *om_format_when(int64_t seconds, char *buf, size_t size);

/*
 * Levenshtein distance, for "did you mean"; strings over 63 characters
 * count as far away.
 */
unsigned om_str_distance(const char *a, const char *b);
/* The nearest of words (NULL-ended) within 3 edits, or NULL. */
const char *om_str_nearest(const char *s, const char *const *words);

/*
 * Makes text harmless that is shown to people and may be somebody else's: each
 * byte of a control character, those of C1 in UTF-8 too, becomes '?'.
 */
void om_str_tame(char *s, size_t len);
/* Is there any? */
bool om_str_is_tame(const char *s, size_t len);

/* "9" or "SIGUSR1" or "usr1": the signal's number or -EINVAL. */
int om_parse_signal(const char *s);

#endif
