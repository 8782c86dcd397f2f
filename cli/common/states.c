/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <strings.h>

#include "cli/common/states.h"
#include "lib/base/str.h"

static const char *const names[STATES + 1] = {
	[OM__JOB_STATE__PENDING] = "pending",
	[OM__JOB_STATE__CONFIGURING] = "configuring",
	[OM__JOB_STATE__RUNNING] = "running",
	[OM__JOB_STATE__SUSPENDED] = "suspended",
	[OM__JOB_STATE__COMPLETING] = "completing",
	[OM__JOB_STATE__COMPLETED] = "completed",
	[OM__JOB_STATE__FAILED] = "failed",
	[OM__JOB_STATE__CANCELLED] = "cancelled",
	[OM__JOB_STATE__TIMEOUT] = "timeout",
	[OM__JOB_STATE__NODE_FAIL] = "node-fail",
	[OM__JOB_STATE__OUT_OF_MEMORY] = "out-of-memory",
	[OM__JOB_STATE__PREEMPTED] = "preempted",
	[OM__JOB_STATE__DEADLINE] = "deadline",
	[OM__JOB_STATE__BOOT_FAIL] = "boot-fail",
};

static const char *const letters[STATES] = {
	"PD", "CF", "R", "S", "CG", "CD", "F", "CA", "TO", "NF", "OOM", "PR",
	"DL", "BF",
};

const char *state_name(Om__JobState s)
{
	return (unsigned)s < STATES ? names[s] : "unknown";
}

/* "NODE_FAIL" is the same as "node-fail". */
static bool same_word(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (strncasecmp(*a == '_' ? "-" : a, b, 1))
			return false;
	return !*a && !*b;
}

int state_parse(const char *word, struct om_error *err)
{
	const char *near;

	for (int i = 0; i < STATES; i++)
		if (same_word(word, names[i]) || !strcasecmp(word, letters[i]))
			return i;
	near = om_str_nearest(word, names);
	if (near)
		return om_fail(err, -EINVAL, "unknown state '%.40s'\n"
			       "did you mean %s?", word, near);
	return om_fail(err, -EINVAL, "unknown state '%.40s'\nstates are pending, "
		       "running, completed, failed, cancelled, timeout ...",
		       word);
}

bool state_is_over(Om__JobState s)
{
	return s >= OM__JOB_STATE__COMPLETED;
}

const char *migrate_name(Om__MigrateMode m)
{
	return m == OM__MIGRATE_MODE__NEVER ? "never" :
	       m == OM__MIGRATE_MODE__DRAIN ? "drain" : "auto";
}

const char *kind_name(Om__JobKind k)
{
	return k == OM__JOB_KIND__COMMAND ? "command" :
	       k == OM__JOB_KIND__ALLOCATION ? "allocation" : "batch";
}
