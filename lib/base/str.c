/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* str: text to numbers and back; nothing here allocates. */
#include <ctype.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/base/str.h"

int om_str_copy(char *dst, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size) {
		memcpy(dst, s, size - 1);
		dst[size - 1] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(dst, s, len + 1);
	return 0;
}

bool om_str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool om_str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

int om_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int om_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int rc = om_parse_u64(s, min, max, &v);

	if (rc == 0)
		*ret = (uint32_t)v;
	return rc;
}

/*
 * Digits with at most one point; *end is the first character after. strtod
 * sees the digits alone: left to itself it would read 1e5, 0x10 and nan.
 */
static int parse_decimal(const char *s, double *ret, const char **end)
{
	size_t len = strspn(s, "0123456789.");
	char digits[64], *stop;
	double v;

	if (len >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, s, len);
	digits[len] = '\0';
	v = strtod(digits, &stop);
	if (stop == digits || *stop)
		return -EINVAL;
	*ret = v;
	*end = s + len;
	return 0;
}

int om_parse_positive(const char *s, double *ret)
{
	const char *end;
	double v;

	int rc = parse_decimal(s, &v, &end);

	if (rc < 0 || *end)
		return rc < 0 ? rc : -EINVAL;
	*ret = v;
	return 0;
}

static int unit_shift(const char *u)
{
	static const char letters[] = "KMGTP";
	const char *at = *u ? strchr(letters, toupper((unsigned char)*u)) : NULL;

	if (!at)
		return -EINVAL;
	u++;
	if (strcmp(u, "") && strcasecmp(u, "b") && strcasecmp(u, "ib"))
		return -EINVAL;
	return 10 * (int)(at - letters + 1);
}

int om_parse_size(const char *s, uint64_t default_unit, uint64_t *ret_bytes)
{
	const char *end;
	double v;
	int shift, rc;

	rc = parse_decimal(s, &v, &end);
	if (rc < 0)
		return rc;
	if (!*end) {
		v *= (double)default_unit;
	} else if (strcasecmp(end, "b") != 0) {
		shift = unit_shift(end);
		if (shift < 0)
			return -EINVAL;
		v *= (double)(UINT64_C(1) << shift);
	}
	if (v >= 9.2e18)
		return -ERANGE;
	*ret_bytes = (uint64_t)v;
	return 0;
}

static const struct unit {
	const char *word;
	int64_t seconds;
} units[] = {
	{ "s", 1 }, { "sec", 1 }, { "second", 1 }, { "seconds", 1 },
	{ "m", 60 }, { "min", 60 }, { "minute", 60 }, { "minutes", 60 },
	{ "h", 3600 }, { "hour", 3600 }, { "hours", 3600 },
	{ "d", 86400 }, { "day", 86400 }, { "days", 86400 },
	{ "w", 604800 }, { "week", 604800 }, { "weeks", 604800 },
};

static int64_t unit_seconds(const char *word)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(units[i].word, word) == 0)
			return units[i].seconds;
	return -EINVAL;
}

#define DURATION_MAX INT64_C(31536000000)	/* a thousand years */

/* Reads up to max numbers with ':' between them; returns how many. */
static int parse_fields(const char *s, int max, int64_t *v)
{
	int n = 0;

	for (;;) {
		int64_t x = 0;

		if (!isdigit((unsigned char)*s) || n == max)
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++) {
			x = x * 10 + (*s - '0');
			if (x > DURATION_MAX)
				return -ERANGE;
		}
		v[n++] = x;
		if (!*s)
			return n;
		if (*s++ != ':')
			return -EINVAL;
	}
}

/* d-hh[:mm[:ss]] */
static int parse_days(const char *s, const char *dash, int64_t *ret)
{
	int64_t v[3] = { 0, 0, 0 };
	uint64_t days;
	char head[24];
	int n;

	if ((size_t)(dash - s) >= sizeof(head))
		return -ERANGE;
	memcpy(head, s, (size_t)(dash - s));
	head[dash - s] = '\0';
	n = om_parse_u64(head, 0, DURATION_MAX / 86400, &days);
	if (n < 0)
		return n;
	n = parse_fields(dash + 1, 3, v);
	if (n < 0)
		return n;
	*ret = (int64_t)days * 86400 + v[0] * 3600 + v[1] * 60 + v[2];
	return 0;
}

int om_parse_duration(const char *s, int64_t *ret_seconds)
{
	const char *dash = strchr(s, '-');
	const char *end;
	int64_t v[3];
	double d;
	int n;

	if (!strcasecmp(s, "unlimited") || !strcasecmp(s, "infinite")) {
		*ret_seconds = OM_DURATION_UNLIMITED;
		return 0;
	}
	if (dash)
		return parse_days(s, dash, ret_seconds);
	n = parse_fields(s, 3, v);
	if (n == -ERANGE)
		return n;
	if (n > 0) {
		*ret_seconds = n == 1 ? v[0] * 60 :
			       n == 2 ? v[0] * 60 + v[1] :
			       v[0] * 3600 + v[1] * 60 + v[2];
		return 0;
	}
	if (parse_decimal(s, &d, &end) < 0 || unit_seconds(end) < 0)
		return -EINVAL;
	if (d * (double)unit_seconds(end) > (double)DURATION_MAX)
		return -ERANGE;
	*ret_seconds = (int64_t)(d * (double)unit_seconds(end));
	return 0;
}

const char *om_format_duration(int64_t s, char *buf, size_t size)
{
	long long d = s / 86400;
	int h = (int)(s / 3600 % 24), m = (int)(s / 60 % 60);

	if (s == OM_DURATION_UNLIMITED)
		snprintf(buf, size, "unlimited");
	else if (d > 0)
		snprintf(buf, size, "%lld-%02d:%02d:%02d", d, h, m, (int)(s % 60));
	else
		snprintf(buf, size, "%02d:%02d:%02d", h, m, (int)(s % 60));
	return buf;
}

const char *om_format_size(uint64_t bytes, char *buf, size_t size)
{
	static const char unit[] = "BKMGTPE";
	double v = (double)bytes;
	int i = 0;

	while (v >= 1024 && unit[i + 1]) {
		v /= 1024;
		i++;
	}
	if (i == 0)
		snprintf(buf, size, "%d", (int)bytes);
	else if (v < 10 && v != floor(v))
		snprintf(buf, size, "%.1f%c", v, unit[i]);
	else
		snprintf(buf, size, "%.0f%c", v, unit[i]);
	return buf;
}

/* "hh:mm[:ss]" as seconds of the day. */
static int parse_time_of_day(const char *s, struct tm *tm)
{
	int64_t v[3] = { 0, 0, 0 };
	int n = parse_fields(s, 3, v);

	if (n < 2 || v[0] > 23 || v[1] > 59 || v[2] > 59)
		return -EINVAL;
	tm->tm_hour = (int)v[0];
	tm->tm_min = (int)v[1];
	tm->tm_sec = (int)v[2];
	return 0;
}

/* "yyyy-mm-dd[Thh:mm[:ss]]" */
static int parse_date(const char *s, struct tm *tm)
{
	int y, m, d, used = 0;

	if (sscanf(s, "%4d-%2d-%2d%n", &y, &m, &d, &used) != 3 ||
	    y < 1970 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31)
		return -EINVAL;
	*tm = (struct tm){ .tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d };
	if (!s[used])
		return 0;
	return s[used] == 'T' ? parse_time_of_day(s + used + 1, tm) : -EINVAL;
}

static int parse_now_plus(const char *s, int64_t now, int64_t *ret)
{
	const char *end;
	double d;
	int64_t unit;

	if (!*s) {
		*ret = now;
		return 0;
	}
	if (*s != '+' || parse_decimal(s + 1, &d, &end) < 0)
		return -EINVAL;
	unit = *end ? unit_seconds(end) : 1;
	if (unit < 0 || d * (double)unit > (double)DURATION_MAX)
		return -EINVAL;
	*ret = now + (int64_t)(d * (double)unit);
	return 0;
}

int om_parse_when(const char *s, int64_t now, int64_t *ret_seconds)
{
	time_t t = (time_t)now;
	bool next_if_passed = true;
	struct tm tm;

	if (om_str_starts(s, "now"))
		return parse_now_plus(s + 3, now, ret_seconds);
	localtime_r(&t, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (!strcmp(s, "midnight") || !strcmp(s, "tomorrow")) {
		tm.tm_mday++;
	} else if (!strcmp(s, "noon")) {
		tm.tm_hour = 12;
	} else if (strchr(s, '-')) {
		next_if_passed = false;
		if (parse_date(s, &tm) < 0)
			return -EINVAL;
	} else if (parse_time_of_day(s, &tm) < 0) {
		return -EINVAL;
	}
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if (next_if_passed && t <= (time_t)now) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		t = mktime(&tm);
	}
	if (t == (time_t)-1)
		return -EINVAL;
	*ret_seconds = t;
	return 0;
}

const char *om_format_when(int64_t seconds, char *buf, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    !strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm))
		om_str_copy(buf, size, "-");
	return buf;
}

#define DISTANCE_MAX 63

unsigned om_str_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[DISTANCE_MAX + 1];

	if (la > DISTANCE_MAX || lb > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *om_str_nearest(const char *s, const char *const *words)
{
	const char *best = NULL;
	unsigned least = 4;

	for (; *words; words++) {
		unsigned d = om_str_distance(s, *words);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}

int om_parse_signal(const char *s)
{
	uint32_t number;

	if (om_parse_u32(s, 1, (uint32_t)SIGRTMAX, &number) == 0)
		return (int)number;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(name, s) == 0)
			return sig;
	}
	return -EINVAL;
}

/* Bytes of the control character at s, 0 if there is another one. U+0080 to
 * U+009F are as good as ESC to a terminal. */
static size_t control_at(const char *s, size_t len)
{
	unsigned char c = (unsigned char)s[0];
	unsigned char next = len > 1 ? (unsigned char)s[1] : 0;

	if (c < 0x20 || c == 0x7f)
		return 1;
	return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

void om_str_tame(char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = control_at(s + i, len - i);
		memset(s + i, '?', n);
	}
}

bool om_str_is_tame(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (control_at(s + i, len - i))
			return false;
	return true;
}
