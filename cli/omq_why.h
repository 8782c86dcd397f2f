/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef OM_CLI_OMQ_WHY_H
#define OM_CLI_OMQ_WHY_H

#include "cli/common/session.h"

/* Tells why the job ("12", "123_7") waits; the exit code. */
int omq_why(struct session *s, const char *job, bool json);

#endif
