/* SPDX-License-Identifier: GPL-3.0-or-later */
/* states: job states as words: "pending" "running" ... "node-fail". */
#ifndef OM_CLI_COMMON_STATES_H
#define OM_CLI_COMMON_STATES_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"

#define STATES 14

const char *state_name(Om__JobState s);	/* "unknown" for what is none */
/* A name, in any case, or a usual short form (PD R CG CD F CA TO NF OOM);
 * the state or -EINVAL with a near name. */
int state_parse(const char *word, struct om_error *err);
/* Over: it will never change. */
bool state_is_over(Om__JobState s);
const char *migrate_name(Om__MigrateMode m);
const char *kind_name(Om__JobKind k);

#endif
