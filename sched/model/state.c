/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state: the states of a job, their names and the moves allowed. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "sched/model/apply.h"

#define S(x) OM__JOB_STATE__##x
#define BIT(x) (1u << S(x))

#define OVER (BIT(COMPLETED) | BIT(FAILED) | BIT(CANCELLED) | BIT(TIMEOUT) | \
	      BIT(NODE_FAIL) | BIT(OUT_OF_MEMORY) | BIT(PREEMPTED) |         \
	      BIT(DEADLINE) | BIT(BOOT_FAIL))

/* may_go[from]: mask of states to go to. What is over stays over. */
static const unsigned may_go[] = {
	[S(PENDING)] = BIT(CONFIGURING) | BIT(RUNNING) | OVER,
	[S(CONFIGURING)] = BIT(RUNNING) | BIT(COMPLETING) | BIT(PENDING) | OVER,
	[S(RUNNING)] = BIT(SUSPENDED) | BIT(COMPLETING) | BIT(PENDING) | OVER,
	[S(SUSPENDED)] = BIT(RUNNING) | BIT(COMPLETING) | BIT(PENDING) | OVER,
	[S(COMPLETING)] = BIT(PENDING) | OVER,
	[S(BOOT_FAIL)] = 0,
};

static const struct {
	const char *name, *brief;
} names[] = {
	[S(PENDING)] = { "pending", "PD" },
	[S(CONFIGURING)] = { "configuring", "CF" },
	[S(RUNNING)] = { "running", "R" },
	[S(SUSPENDED)] = { "suspended", "S" },
	[S(COMPLETING)] = { "completing", "CG" },
	[S(COMPLETED)] = { "completed", "CD" },
	[S(FAILED)] = { "failed", "F" },
	[S(CANCELLED)] = { "cancelled", "CA" },
	[S(TIMEOUT)] = { "timeout", "TO" },
	[S(NODE_FAIL)] = { "node-fail", "NF" },
	[S(OUT_OF_MEMORY)] = { "out-of-memory", "OOM" },
	[S(PREEMPTED)] = { "preempted", "PR" },
	[S(DEADLINE)] = { "deadline", "DL" },
	[S(BOOT_FAIL)] = { "boot-fail", "BF" },
};

#define STATES (sizeof(names) / sizeof(names[0]))

bool om_state_may(Om__JobState from, Om__JobState to)
{
	if ((unsigned)from >= STATES || (unsigned)to >= STATES)
		return false;
	return may_go[from] & (1u << to);
}

const char *om_state_name(Om__JobState s)
{
	return (unsigned)s < STATES ? names[s].name : "unknown";
}

/* Equal but for case and '_' standing for '-'. */
static bool same_word(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		int ca = *a == '_' ? '-' : tolower((unsigned char)*a);

		if (ca != tolower((unsigned char)*b))
			return false;
	}
	return *a == *b;
}

int om_state_parse(const char *word, Om__JobState *ret)
{
	for (unsigned i = 0; i < STATES; i++) {
		if (same_word(word, names[i].name) ||
		    strcasecmp(word, names[i].brief) == 0) {
			*ret = (Om__JobState)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool om_job_is_over(const struct om_job *j)
{
	return OVER & (1u << j->state);
}
