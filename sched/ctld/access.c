/* SPDX-License-Identifier: GPL-3.0-or-later */
/* access: the table of who may do what, and who is what. */
#include <pwd.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/access.h"

#define STAFF (ACCESS_OPERATOR | ACCESS_ADMIN)

static const struct {
	const char *name;
	unsigned classes;
} table[ACCESS_ACTIONS] = {
	[ACT_PING] = { "ping", ACCESS_ANY },
	[ACT_SUBMIT] = { "submit jobs", ACCESS_ANY },
	[ACT_SUBMIT_ROOT] = { "submit jobs as root", 0 },
	[ACT_JOB_VIEW] = { "list jobs", ACCESS_ANY },
	[ACT_JOB_WAIT] = { "wait for jobs", ACCESS_ANY },
	[ACT_JOB_WHY] = { "ask why a job waits", ACCESS_ANY },
	[ACT_HISTORY] = { "read the history", ACCESS_ANY },
	[ACT_JOB_CANCEL] = { "cancel this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_SIGNAL] = { "signal this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_HOLD] = { "hold this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_RELEASE] = { "release this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_RELEASE_ADMIN] = { "release what an operator held", STAFF },
	[ACT_JOB_REQUEUE] = { "requeue this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_UPDATE] = { "change this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_RAISE] = { "raise a priority or a running job's limit", STAFF },
	[ACT_JOB_FINISH] = { "finish this job", ACCESS_OWNER | STAFF },
	[ACT_JOB_ATTACH] = { "attach to this job", ACCESS_OWNER },
	[ACT_STEP_CREATE] = { "start steps in this job", ACCESS_OWNER },
	[ACT_STEP_SIGNAL] = { "signal this step", ACCESS_OWNER | STAFF },
	[ACT_NODE_VIEW] = { "list nodes", ACCESS_ANY },
	[ACT_NODE_DRAIN] = { "drain nodes", STAFF },
	[ACT_NODE_SET] = { "set limits of nodes", STAFF },
	[ACT_NODE_REMOVE] = { "remove nodes", ACCESS_ADMIN },
	[ACT_CONFIG_SHOW] = { "read the configuration", ACCESS_ANY },
	[ACT_CONFIG_SET] = { "change the configuration", ACCESS_ADMIN },
	[ACT_CONFIG_RELOAD] = { "reload the configuration", ACCESS_ADMIN },
	[ACT_NODE_SERVE] = { "speak as a node", ACCESS_NODE },
};

struct access {
	uint32_t *admin, *operator;
	size_t admins, operators;
};

static void resolve(const struct om_strvec *names, uint32_t *uid, size_t *n)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct passwd *pw = getpwnam(names->v[i]);

		if (pw)
			uid[(*n)++] = pw->pw_uid;
		else
			om_log_warn("unknown user in admins or operators user=%s",
				    names->v[i]);
	}
}

struct access *access_create(const struct om_config *config,
			     struct om_error *err)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		goto nomem;
	a->admin = calloc(config->admins.n + 2, sizeof(*a->admin));
	a->operator = calloc(config->operators.n + 1, sizeof(*a->operator));
	if (!a->admin || !a->operator)
		goto nomem;
	a->admin[a->admins++] = 0;
	a->admin[a->admins++] = config->controller_uid;
	resolve(&config->admins, a->admin, &a->admins);
	resolve(&config->operators, a->operator, &a->operators);
	return a;
nomem:
	access_destroy(a);
	om_fail_nomem(err);
	return NULL;
}

void access_destroy(struct access *a)
{
	if (!a)
		return;
	free(a->admin);
	free(a->operator);
	free(a);
}

static bool among(uint32_t uid, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == uid)
			return true;
	return false;
}

unsigned access_classes(const struct access *a, uint32_t uid, bool has_owner,
			uint32_t owner)
{
	unsigned classes = ACCESS_ANY;

	if (has_owner && uid == owner)
		classes |= ACCESS_OWNER;
	if (among(uid, a->operator, a->operators))
		classes |= ACCESS_OPERATOR;
	if (among(uid, a->admin, a->admins))
		classes |= ACCESS_ADMIN;
	return classes;
}

bool access_may(unsigned classes, enum access_action act)
{
	if ((unsigned)act >= ACCESS_ACTIONS)
		return false;
	return table[act].classes & classes;
}

const char *access_name(enum access_action act)
{
	return (unsigned)act < ACCESS_ACTIONS && table[act].name ?
		       table[act].name : "do that";
}

static int refuse(enum access_action act, struct om_error *err)
{
	unsigned classes = table[act].classes;

	return om_fail(err, -EPERM, "you may not %s%s", access_name(act),
		       classes & ACCESS_OPERATOR && classes & ACCESS_OWNER ?
			       ": only its owner, operators and admins may" :
		       classes & ACCESS_OPERATOR ?
			       ": only operators and admins may" :
		       classes & ACCESS_ADMIN ? ": only admins may" :
		       classes & ACCESS_OWNER ? ": only its owner may" : "");
}

int access_check(const struct access *a, uint32_t uid, enum access_action act,
		 struct om_error *err)
{
	return access_may(access_classes(a, uid, false, 0), act) ?
		       0 : refuse(act, err);
}

int access_check_owned(const struct access *a, uint32_t uid, uint32_t owner,
		       enum access_action act, struct om_error *err)
{
	return access_may(access_classes(a, uid, true, owner), act) ?
		       0 : refuse(act, err);
}
