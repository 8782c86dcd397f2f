/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* value: a key's value from text into its field and back. */
#include <config.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/conf/config.h"

/* A century: in nanoseconds, and added to now, it still fits 64 bits. */
#define DURATION_MAX (INT64_C(100) * 365 * 86400)

static int fail(const struct om_config_key *k, const char *text,
		const char *expected, struct om_error *err)
{
	return om_fail(err, -EINVAL, "%s = %.100s: expected %s", k->name,
		       *text ? text : "\"\"", expected);
}

static int set_string(const struct om_config_key *k, char **field,
		      const char *text, struct om_error *err)
{
	const char *expected = NULL;
	char *copy = NULL;

	/* Empty unsets what is unset without a file. */
	if (*text || k->def)
		expected = k->check(text);
	if (expected)
		return fail(k, text, expected, err);
	if (!field)
		return 0;
	if (*text) {
		copy = strdup(text);
		if (!copy)
			return om_fail_nomem(err);
	}
	free(*field);
	*field = copy;
	return 0;
}

/* Adds text's words to list. */
static int split_words(const struct om_config_key *k, struct om_strvec *list,
		       const char *text, struct om_error *err)
{
	om_autofree char *copy = strdup(text);
	const char *expected;
	char *save = NULL;

	if (!copy)
		return om_fail_nomem(err);
	for (char *w = strtok_r(copy, ", \t", &save); w;
	     w = strtok_r(NULL, ", \t", &save)) {
		expected = k->check(w);
		if (expected)
			return fail(k, w, expected, err);
		if (om_strvec_add(list, w) < 0)
			return om_fail_nomem(err);
	}
	return 0;
}

static int set_list(const struct om_config_key *k, struct om_strvec *field,
		    const char *text, struct om_error *err)
{
	struct om_strvec list = OM_STRVEC_INIT;
	int rc = split_words(k, &list, text, err);

	if (rc < 0 || !field) {
		om_strvec_fini(&list);
		return rc;
	}
	om_strvec_fini(field);
	*field = list;
	return 0;
}

static int set_bool(const struct om_config_key *k, bool *field,
		    const char *text, struct om_error *err)
{
	static const char *const word[] = { "no", "yes", "false", "true",
					    "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		if (strcasecmp(text, word[i]))
			continue;
		if (field)
			*field = i & 1;
		return 0;
	}
	return fail(k, text, "yes or no", err);
}

static int set_choice(const struct om_config_key *k, int *field,
		      const char *text, struct om_error *err)
{
	char expected[80] = "one of";
	const char *refused = k->check ? k->check(text) : NULL;
	size_t len = strlen(expected);

	if (refused)
		return fail(k, text, refused, err);
	for (int i = 0; k->choice[i]; i++) {
		if (!strcasecmp(text, k->choice[i])) {
			if (field)
				*field = i;
			return 0;
		}
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
					"%s %s", i ? "," : "", k->choice[i]);
	}
	return fail(k, text, expected, err);
}

/* A whole number of k's range, minus sign allowed where the range has it. */
static int parse_whole(const struct om_config_key *k, const char *text,
		       int64_t *ret, struct om_error *err)
{
	bool minus = *text == '-';
	char expected[80];
	uint64_t v;
	int64_t x;

	if (om_parse_u64(text + minus, 0, INT64_MAX, &v) == 0) {
		x = minus ? -(int64_t)v : (int64_t)v;
		if (x >= k->min && x <= k->max) {
			*ret = x;
			return 0;
		}
	}
	snprintf(expected, sizeof(expected),
		 "a whole number from %" PRId64 " to %" PRId64, k->min, k->max);
	return fail(k, text, expected, err);
}

static int set_whole(const struct om_config_key *k, void *field,
		     const char *text, struct om_error *err)
{
	struct om_config_key range = *k;
	int64_t v = 0;
	int rc;

	if (k->type == OM_KEY_PORT) {
		range.min = 1;
		range.max = 65535;
	}
	rc = parse_whole(&range, text, &v, err);
	if (rc < 0 || !field)
		return rc;
	if (k->type == OM_KEY_PORT)
		*(uint16_t *)field = (uint16_t)v;
	else if (k->type == OM_KEY_U32)
		*(uint32_t *)field = (uint32_t)v;
	else
		*(int32_t *)field = (int32_t)v;
	return 0;
}

static int set_size(const struct om_config_key *k, uint64_t *field,
		    const char *text, struct om_error *err)
{
	uint64_t v;

	if (om_parse_size(text, UINT64_C(1) << 20, &v) < 0)
		return fail(k, text, "a size like 512M or 64G", err);
	if (field)
		*field = v;
	return 0;
}

/* A time limit: as users write it, a bare number is minutes. */
static int set_duration(const struct om_config_key *k, int64_t *field,
			const char *text, struct om_error *err)
{
	int64_t v;

	if (om_parse_duration(text, &v) < 0 || v < k->min ||
	    (v > DURATION_MAX && v != OM_DURATION_UNLIMITED))
		return fail(k, text, "a time like 90 (minutes), 1:30:00, "
			    "7-00:00:00 or unlimited", err);
	if (field)
		*field = v;
	return 0;
}

/* A time-out: without its unit nobody could say what "30" means. */
static int set_timeout(const struct om_config_key *k, int64_t *field,
		       const char *text, struct om_error *err)
{
	char expected[100];
	int64_t v;

	if (text[strspn(text, "0123456789")] &&
	    om_parse_duration(text, &v) == 0 && v >= k->min && v <= k->max) {
		if (field)
			*field = v;
		return 0;
	}
	snprintf(expected, sizeof(expected),
		 "a time with its unit like 30s or 5min, from %" PRId64
		 "s to %" PRId64 "d", k->min, k->max / 86400);
	return fail(k, text, expected, err);
}

static int set_number(const struct om_config_key *k, double *field,
		      const char *text, struct om_error *err)
{
	char expected[80];
	double v;

	if (om_parse_positive(text, &v) < 0 || v > (double)k->max) {
		snprintf(expected, sizeof(expected),
			 "a number from 0 to %" PRId64 ", like 1.5", k->max);
		return fail(k, text, expected, err);
	}
	if (field)
		*field = v;
	return 0;
}

int om_config_key_set(const struct om_config_key *k, void *base,
		      const char *text, struct om_error *err)
{
	void *field = base ? (char *)base + k->offset : NULL;

	switch (k->type) {
	case OM_KEY_STRING:
		return set_string(k, field, text, err);
	case OM_KEY_LIST:
		return set_list(k, field, text, err);
	case OM_KEY_BOOL:
		return set_bool(k, field, text, err);
	case OM_KEY_CHOICE:
		return set_choice(k, field, text, err);
	case OM_KEY_PORT:
	case OM_KEY_U32:
	case OM_KEY_I32:
		return set_whole(k, field, text, err);
	case OM_KEY_SIZE:
		return set_size(k, field, text, err);
	case OM_KEY_DURATION:
		return set_duration(k, field, text, err);
	case OM_KEY_TIMEOUT:
		return set_timeout(k, field, text, err);
	case OM_KEY_NUMBER:
		return set_number(k, field, text, err);
	}
	return om_fail(err, -EINVAL, "%s has no type", k->name);
}

static char *format_list(const struct om_strvec *list)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = om_buf_adds(&b, "");

	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = om_buf_addf(&b, "%s%s", i ? "," : "", list->v[i]);
	if (rc < 0) {
		om_buf_fini(&b);
		return NULL;
	}
	return om_buf_steal(&b);
}

static char *format(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static char *format(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return len < 0 ? NULL : text;
}

/* A size that reads back as the same number of bytes. */
static char *format_size(uint64_t v)
{
	static const char unit[] = "BKMGT";
	int i = 0;

	while (v && v % 1024 == 0 && unit[i + 1]) {
		v /= 1024;
		i++;
	}
	return v ? format("%" PRIu64 "%c", v, unit[i]) : strdup("0");
}

char *om_config_key_format(const struct om_config_key *k, const void *base)
{
	const void *f = (const char *)base + k->offset;
	char buf[32];

	switch (k->type) {
	case OM_KEY_STRING:
		return strdup(*(char *const *)f ? *(char *const *)f : "");
	case OM_KEY_LIST:
		return format_list(f);
	case OM_KEY_BOOL:
		return strdup(*(const bool *)f ? "yes" : "no");
	case OM_KEY_CHOICE:
		return strdup(k->choice[*(const int *)f]);
	case OM_KEY_PORT:
		return format("%u", *(const uint16_t *)f);
	case OM_KEY_U32:
		return format("%" PRIu32, *(const uint32_t *)f);
	case OM_KEY_I32:
		return format("%" PRId32, *(const int32_t *)f);
	case OM_KEY_SIZE:
		return format_size(*(const uint64_t *)f);
	case OM_KEY_TIMEOUT:
		return format("%" PRId64 "s", *(const int64_t *)f);
	case OM_KEY_DURATION:
		return strdup(om_format_duration(*(const int64_t *)f, buf,
						 sizeof(buf)));
	case OM_KEY_NUMBER:
		return format("%.10g", *(const double *)f);
	}
	return NULL;
}
