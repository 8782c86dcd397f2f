/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobspec_private: what the files of jobspec share. */
#ifndef OM_CLI_COMMON_JOBSPEC_PRIVATE_H
#define OM_CLI_COMMON_JOBSPEC_PRIVATE_H

#include "lib/proto/openmosix.pb-c.h"

void jobspec_free_dependencies(Om__JobSpec *spec);

#endif
