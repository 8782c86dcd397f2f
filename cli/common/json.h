/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * json: what --json prints: one object, whose members are documented in the
 * manual pages and only ever added to. Keys are snake_case; times are seconds
 * since 1970, durations seconds (suffix _s), sizes bytes (_bytes); what is not
 * known or not set is null.
 */
#ifndef OM_CLI_COMMON_JSON_H
#define OM_CLI_COMMON_JSON_H

#include <jansson.h>

#include "lib/proto/openmosix.pb-c.h"

/* New references, NULL without memory. */
json_t *json_job(const Om__JobInfo *j, int64_t now_ns);
json_t *json_node(const Om__NodeInfo *n);
json_t *json_text(const char *s);		/* null for NULL and "" */
json_t *json_when(int64_t ns);			/* null for 0 */

/* Prints {"KEY": [...]} one item at a time, so that memory stays small. */
void json_list_begin(const char *key);
void json_list_item(json_t *item);		/* taken */
void json_list_end(void);
/* Prints one object and a line end; taken. */
void json_print(json_t *object);

#endif
