/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * log: one line an event, fixed words plus key=value.
 *
 * Only whoever handles an error logs it, once. Library code stays at debug.
 * Lines go to standard error with a time stamp and, under systemd, with the
 * "<N>" prefix that the journal turns into a priority instead.
 */
#ifndef OM_BASE_LOG_H
#define OM_BASE_LOG_H

enum om_log_level { OM_LOG_ERROR, OM_LOG_WARN, OM_LOG_INFO, OM_LOG_DEBUG };

/* name is borrowed for the life of the process ("omctld"). */
void om_log_init(const char *name, enum om_log_level level);
void om_log_set_level(enum om_log_level level);
/* "error" "warn" "info" "debug": the level, or -EINVAL. */
int om_log_level_parse(const char *word);

void om_log(enum om_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define om_log_error(...) om_log(OM_LOG_ERROR, __VA_ARGS__)
#define om_log_warn(...) om_log(OM_LOG_WARN, __VA_ARGS__)
#define om_log_info(...) om_log(OM_LOG_INFO, __VA_ARGS__)
#define om_log_debug(...) om_log(OM_LOG_DEBUG, __VA_ARGS__)

#endif
