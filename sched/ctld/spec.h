/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spec: is what a user asks for well formed? Bounds on every field, before
 * anything else looks at it. Whether the cluster can serve it is the
 * scheduler's question (om_sched_check).
 */
#ifndef OM_SCHED_CTLD_SPEC_H
#define OM_SCHED_CTLD_SPEC_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/proto/openmosix.pb-c.h"

/* 0, or -EINVAL naming field, limit and what was asked. */
int spec_check(const Om__JobSpec *s, uint32_t max_array,
	       struct om_error *err);
/*
 * A packed Launch: unpacks, bounds, and a script that is one. *ret is the
 * decoded Launch, to be freed with om__launch__free_unpacked.
 */
int launch_check(const ProtobufCBinaryData *packed, Om__JobKind kind,
		 Om__Launch **ret, struct om_error *err);
/* As launch_check of a job, but for a step: argv must name a command. */
int launch_check_step(const ProtobufCBinaryData *packed, Om__Launch **ret,
		      struct om_error *err);

#endif
