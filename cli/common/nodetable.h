/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodetable: nodes as a table and in detail, on standard output. */
#ifndef OM_CLI_COMMON_NODETABLE_H
#define OM_CLI_COMMON_NODETABLE_H

#include <stdbool.h>

#include "lib/proto/openmosix.pb-c.h"

void nodetable_print(const Om__NodeListReply *r, bool header);
void nodetable_print_detail(const Om__NodeListReply *r);

#endif
