/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * taskenv: the environment of a task (doc/design/overview.md has the list).
 *
 * What is the same for all tasks of a step is made once; a task's own three
 * variables are put into slots at its end.
 */
#ifndef OM_NODED_TASKENV_H
#define OM_NODED_TASKENV_H

#include "lib/base/strvec.h"
#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/asuser.h"
#include "sched/noded/place.h"

struct taskenv;

/* hosts_dir: folder of the hostfiles. All arguments are borrowed. */
struct taskenv_spec {
	const struct place *place;
	const Om__StepLaunch *req;
	const Om__Launch *launch;
	const struct asuser *user;
	const char *hosts_dir;
};
struct taskenv *taskenv_create(const struct taskenv_spec *spec,
			       struct om_error *err);
void taskenv_destroy(struct taskenv *e);
/* For one task; the vector is valid until the next call. */
char **taskenv_of(struct taskenv *e, uint32_t rank, uint32_t local);
const char *taskenv_get(const struct taskenv *e, const char *key);

/* "2(x3),1"; owned, NULL without memory. */
char *taskenv_counts(const uint32_t *v, size_t n);
/* This node's place among names, or -ENOENT. */
int taskenv_index(const Om__Allocation *a, const char *node);

#endif
