/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * access: who may do what. One table, default deny.
 *
 * Identity is the uid that munge gave; nothing in a message counts. root and
 * controller_user are admins beside those of the configuration; an admin is
 * not by that an owner.
 */
#ifndef OM_SCHED_CTLD_ACCESS_H
#define OM_SCHED_CTLD_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/conf/config.h"

/* A bit for each thing that somebody can be. */
enum access_class {
	ACCESS_ANY = 1,		/* everybody whom munge vouches for */
	ACCESS_OWNER = 2,	/* of the job in question */
	ACCESS_OPERATOR = 4,
	ACCESS_ADMIN = 8,
	ACCESS_NODE = 16,	/* a node daemon: role node and uid 0 */
};

enum access_action {
	ACT_PING,
	ACT_SUBMIT,
	ACT_SUBMIT_ROOT,	/* by uid 0 while allow_root_jobs is off */
	ACT_JOB_VIEW, ACT_JOB_WAIT, ACT_JOB_WHY, ACT_HISTORY,
	ACT_JOB_CANCEL, ACT_JOB_SIGNAL, ACT_JOB_HOLD, ACT_JOB_RELEASE,
	ACT_JOB_RELEASE_ADMIN,	/* what an operator or admin held */
	ACT_JOB_REQUEUE, ACT_JOB_UPDATE,
	ACT_JOB_RAISE,		/* priority up, time limit of a running job up */
	ACT_JOB_FINISH, ACT_JOB_ATTACH,
	ACT_STEP_CREATE, ACT_STEP_SIGNAL,
	ACT_NODE_VIEW, ACT_NODE_DRAIN, ACT_NODE_SET, ACT_NODE_REMOVE,
	ACT_CONFIG_SHOW, ACT_CONFIG_SET, ACT_CONFIG_RELOAD,
	ACT_NODE_SERVE,		/* register, report, tell of steps */
	ACCESS_ACTIONS
};

struct access;
/* Resolves the user names of config; unknown ones are logged and left out. */
struct access *access_create(const struct om_config *config,
			     struct om_error *err);
void access_destroy(struct access *a);

/* What uid is, towards something of owner (OWNER only if has_owner). */
unsigned access_classes(const struct access *a, uint32_t uid, bool has_owner,
			uint32_t owner);
/* The table: may somebody of these classes do this? */
bool access_may(unsigned classes, enum access_action act);
/* 0, or -EPERM saying who may. */
int access_check(const struct access *a, uint32_t uid, enum access_action act,
		 struct om_error *err);
int access_check_owned(const struct access *a, uint32_t uid, uint32_t owner,
		       enum access_action act, struct om_error *err);
const char *access_name(enum access_action act);

#endif
