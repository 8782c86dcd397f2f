/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* log: lines on standard error; a line is one write, so lines never mix. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/str.h"

static const char *log_name = "openmosix";
static enum om_log_level log_level = OM_LOG_INFO;
static int log_journal;

static const char *const level_word[] = { "error", "warn", "info", "debug" };
/* syslog(3) priorities, as sd-daemon(3) prefixes expect them */
static const int level_priority[] = { 3, 4, 6, 7 };

void om_log_init(const char *name, enum om_log_level level)
{
	log_name = name;
	log_level = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void om_log_set_level(enum om_log_level level)
{
	log_level = level;
}

int om_log_level_parse(const char *word)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(word, level_word[i]) == 0)
			return i;
	return -EINVAL;
}

static int prefix(char *line, size_t size, enum om_log_level level)
{
	struct timespec now;
	struct tm tm;
	char stamp[32];

	if (log_journal)
		return snprintf(line, size, "<%d>", level_priority[level]);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(line, size, "%s.%03ld %s[%d] %s: ", stamp,
			now.tv_nsec / 1000000, log_name, (int)getpid(),
			level_word[level]);
}

void om_log(enum om_log_level level, const char *fmt, ...)
{
	char line[2048];
	int saved = errno;
	int len, start;
	va_list ap;

	if (level > log_level)
		return;
	start = len = prefix(line, sizeof(line), level);
	errno = saved;
	va_start(ap, fmt);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, ap);
	va_end(ap);
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* What a user or a peer wrote must not look like another line. */
	om_str_tame(line + start, (size_t)(len - start));
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		len = 0;	/* nowhere left to complain to */
	errno = saved;
}
