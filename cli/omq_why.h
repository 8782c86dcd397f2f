/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef OM_CLI_OMQ_WHY_H
#define OM_CLI_OMQ_WHY_H

#include "cli/common/session.h"

/* Tells why the job ("12", "123_7") waits; the exit code. */
int omq_why(struct session *s, const char *job, bool json);

/* Fills in why each waiting job waits, in words, and when it may start; of
 * the first OMQ_WHY_MAX of them. 0 or an exit code. */
#define OMQ_WHY_MAX 500
int omq_fill_starts(struct session *s, Om__JobListReply *r);

#endif
