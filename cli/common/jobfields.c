/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobfields: one small function a field, one table of them at the end. */
#include <stdio.h>
#include <string.h>

#include "cli/common/jobfields.h"
#include "cli/common/jobid.h"
#include "cli/common/states.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

static void add_text(struct om_buf *out, const char *s)
{
	if (s)
		om_buf_adds(out, s);
}

static void add_duration(struct om_buf *out, int64_t seconds)
{
	char text[40];

	om_buf_adds(out, om_format_duration(seconds, text, sizeof(text)));
}

static void add_size(struct om_buf *out, uint64_t bytes)
{
	char text[24];

	om_buf_adds(out, om_format_size(bytes, text, sizeof(text)));
}

static void add_when(struct om_buf *out, int64_t ns)
{
	char text[32];

	if (ns > 0)
		om_buf_adds(out, om_format_when(ns / OM_NS_PER_S, text,
						sizeof(text)));
}

#define TEXT(fn)                                                             \
	static void fn(const Om__JobInfo *j, int64_t now_ns, struct om_buf *out)
#define NUMBER(fn) static int64_t fn(const Om__JobInfo *j, int64_t now_ns)

/* A string or number of JobInfo as it is. */
#define FIELD_TEXT(f)                                                        \
	TEXT(text_##f) { (void)now_ns; add_text(out, j->f); }
#define FIELD_NUMBER(f)                                                      \
	NUMBER(number_##f) { (void)now_ns; return (int64_t)j->f; }           \
	TEXT(text_##f)                                                       \
	{                                                                    \
		(void)now_ns;                                                \
		if (j->has_##f)                                              \
			jobid_add_u64(out, (uint64_t)j->f);                  \
	}
#define FIELD_WHEN(f)                                                        \
	NUMBER(number_##f) { (void)now_ns; return j->f; }                    \
	TEXT(text_##f) { (void)now_ns; add_when(out, j->f); }

FIELD_TEXT(user)
FIELD_TEXT(name)
FIELD_TEXT(partition)
FIELD_TEXT(account)
FIELD_TEXT(comment)
FIELD_TEXT(nodelist)
FIELD_TEXT(cwd)
FIELD_TEXT(std_out)
FIELD_TEXT(submit_host)
FIELD_TEXT(cluster_mask)
FIELD_TEXT(dependency)
FIELD_NUMBER(array_id)
FIELD_NUMBER(array_index)
FIELD_NUMBER(tasks)
FIELD_NUMBER(nodes)
FIELD_NUMBER(cpus)
FIELD_NUMBER(restarts)
FIELD_WHEN(submit_ns)
FIELD_WHEN(eligible_ns)
FIELD_WHEN(start_ns)
FIELD_WHEN(end_ns)

/* ---- the job's number */

TEXT(text_job_id) { (void)now_ns; jobid_add(j, out); }
NUMBER(number_job_id) { (void)now_ns; return (int64_t)j->job_id; }

/* ---- state and why */

TEXT(text_state) { (void)now_ns; add_text(out, state_name(j->state)); }
NUMBER(number_state) { (void)now_ns; return j->state; }
TEXT(text_kind) { (void)now_ns; add_text(out, kind_name(j->kind)); }
TEXT(text_migrate) { (void)now_ns; add_text(out, migrate_name(j->migrate)); }
TEXT(text_uid) { (void)now_ns; jobid_add_u64(out, j->uid); }
TEXT(text_gid) { (void)now_ns; jobid_add_u64(out, j->gid); }

/* What kept a job waiting says nothing any more once it has started. */
bool jobfield_waits_for(const Om__JobInfo *j)
{
	return j->reason && *j->reason && j->state == OM__JOB_STATE__PENDING;
}
/* It has a text, but nothing of what ended an earlier run counts now. */
bool jobfield_has_text(const Om__JobInfo *j)
{
	return j->reason_text && *j->reason_text &&
	       j->state != OM__JOB_STATE__RUNNING &&
	       j->state != OM__JOB_STATE__COMPLETED;
}
TEXT(text_reason)
{
	(void)now_ns;
	if (jobfield_waits_for(j))
		add_text(out, j->reason);
}
TEXT(text_reason_text)
{
	(void)now_ns;
	if (jobfield_has_text(j))
		add_text(out, j->reason_text);
}

/* Where it runs, or in brackets why it does not. */
TEXT(text_where)
{
	(void)now_ns;
	if (j->nodelist && *j->nodelist && j->state != OM__JOB_STATE__PENDING) {
		add_text(out, j->nodelist);
	} else if (jobfield_waits_for(j)) {
		om_buf_addc(out, '(');
		add_text(out, j->reason);
		om_buf_addc(out, ')');
	}
}

NUMBER(number_priority) { (void)now_ns; return j->priority; }
TEXT(text_priority)
{
	(void)now_ns;
	if (j->has_priority)
		om_buf_addf(out, "%lld", (long long)j->priority);
}

/* "rc:signal", as users of accounting know it. */
TEXT(text_exit)
{
	(void)now_ns;
	if (!state_is_over(j->state))
		return;
	jobid_add_u64(out, j->exit_code);
	om_buf_addc(out, ':');
	jobid_add_u64(out, j->exit_signal);
}
NUMBER(number_exit)
{
	(void)now_ns;
	return (int64_t)j->exit_code << 8 | j->exit_signal;
}

/* ---- resources */

NUMBER(number_mem) { (void)now_ns; return (int64_t)j->mem; }
TEXT(text_mem)
{
	(void)now_ns;
	if (j->mem)
		add_size(out, j->mem);
}

TEXT(text_load_limit)
{
	(void)now_ns;
	if (j->load_limit > 0)
		om_buf_addf(out, "%g", j->load_limit);
}

/* ---- times */

int64_t jobfield_elapsed(const Om__JobInfo *j, int64_t now_ns)
{
	int64_t end = state_is_over(j->state) ? j->end_ns : now_ns;

	if (j->start_ns <= 0 || j->state == OM__JOB_STATE__PENDING)
		return -1;
	return end > j->start_ns ? (end - j->start_ns) / OM_NS_PER_S : 0;
}

TEXT(text_time)
{
	int64_t s = jobfield_elapsed(j, now_ns);

	if (s >= 0)
		add_duration(out, s);
}

static int64_t waited(const Om__JobInfo *j, int64_t now_ns)
{
	int64_t until = j->start_ns > 0 ? j->start_ns :
			state_is_over(j->state) ? j->end_ns : now_ns;

	return until > j->submit_ns ? (until - j->submit_ns) / OM_NS_PER_S : 0;
}
TEXT(text_wait) { add_duration(out, waited(j, now_ns)); }

NUMBER(number_time_limit) { (void)now_ns; return j->time_limit_s; }
TEXT(text_time_limit)
{
	(void)now_ns;
	if (j->time_limit_s > 0)
		add_duration(out, j->time_limit_s);
}

NUMBER(number_time_left)
{
	int64_t used = jobfield_elapsed(j, now_ns);

	if (!j->time_limit_s || j->time_limit_s == OM_DURATION_UNLIMITED)
		return INT64_MAX;
	return j->time_limit_s - (used > 0 ? used : 0);
}
TEXT(text_time_left)
{
	int64_t left = number_time_left(j, now_ns);

	if (left != INT64_MAX)
		add_duration(out, left > 0 ? left : 0);
	else if (j->time_limit_s)
		om_buf_adds(out, "unlimited");
}

/* ---- what it used */

#define USAGE(f) (j->usage ? (int64_t)j->usage->f : 0)

static void add_cpu(struct om_buf *out, const Om__JobInfo *j, int64_t us)
{
	char text[40];

	if (!j->usage)
		return;
	if (us >= 60 * INT64_C(1000000))
		om_buf_adds(out, om_format_duration(us / 1000000, text,
						    sizeof(text)));
	else
		om_buf_addf(out, "%lld.%03llds", (long long)(us / 1000000),
			    (long long)(us / 1000 % 1000));
}

NUMBER(number_cpu) { (void)now_ns; return USAGE(user_us) + USAGE(system_us); }
TEXT(text_cpu) { add_cpu(out, j, number_cpu(j, now_ns)); }
NUMBER(number_user_cpu) { (void)now_ns; return USAGE(user_us); }
TEXT(text_user_cpu) { add_cpu(out, j, number_user_cpu(j, now_ns)); }
NUMBER(number_system_cpu) { (void)now_ns; return USAGE(system_us); }
TEXT(text_system_cpu) { add_cpu(out, j, number_system_cpu(j, now_ns)); }
NUMBER(number_freeze) { (void)now_ns; return USAGE(freeze_us); }
TEXT(text_freeze) { add_cpu(out, j, number_freeze(j, now_ns)); }
NUMBER(number_max_rss) { (void)now_ns; return USAGE(max_rss); }
TEXT(text_max_rss)
{
	(void)now_ns;
	if (j->usage && j->usage->has_max_rss)
		add_size(out, j->usage->max_rss);
}
NUMBER(number_moves) { (void)now_ns; return USAGE(moves); }
TEXT(text_moves)
{
	(void)now_ns;
	if (j->usage)
		jobid_add_u64(out, j->usage->moves);
}

const struct jobfield jobfields[] = {
	{ "job_id", "JOB", true, text_job_id, number_job_id },
	{ "array_id", "ARRAY", true, text_array_id, number_array_id },
	{ "array_index", "INDEX", true, text_array_index, number_array_index },
	{ "name", "NAME", false, text_name, NULL },
	{ "user", "USER", false, text_user, NULL },
	{ "uid", "UID", true, text_uid, NULL },
	{ "gid", "GID", true, text_gid, NULL },
	{ "account", "ACCOUNT", false, text_account, NULL },
	{ "comment", "COMMENT", false, text_comment, NULL },
	{ "partition", "PARTITION", false, text_partition, NULL },
	{ "kind", "KIND", false, text_kind, NULL },
	{ "state", "STATE", false, text_state, number_state },
	{ "reason", "REASON", false, text_reason, NULL },
	{ "reason_text", "REASON", false, text_reason_text, NULL },
	{ "where", "NODELIST(REASON)", false, text_where, NULL },
	{ "nodelist", "NODELIST", false, text_nodelist, NULL },
	{ "nodes", "NODES", true, text_nodes, number_nodes },
	{ "tasks", "TASKS", true, text_tasks, number_tasks },
	{ "cpus", "CPUS", true, text_cpus, number_cpus },
	{ "mem", "MEM", true, text_mem, number_mem },
	{ "priority", "PRIORITY", true, text_priority, number_priority },
	{ "dependency", "DEPENDENCY", false, text_dependency, NULL },
	{ "time", "TIME", true, text_time, jobfield_elapsed },
	{ "time_limit", "LIMIT", true, text_time_limit, number_time_limit },
	{ "time_left", "LEFT", true, text_time_left, number_time_left },
	{ "wait", "WAITED", true, text_wait, waited },
	{ "submit", "SUBMITTED", false, text_submit_ns, number_submit_ns },
	{ "eligible", "ELIGIBLE", false, text_eligible_ns, number_eligible_ns },
	{ "start", "STARTED", false, text_start_ns, number_start_ns },
	{ "end", "ENDED", false, text_end_ns, number_end_ns },
	{ "exit", "EXIT", true, text_exit, number_exit },
	{ "restarts", "RESTARTS", true, text_restarts, number_restarts },
	{ "cpu", "CPU", true, text_cpu, number_cpu },
	{ "user_cpu", "USERCPU", true, text_user_cpu, number_user_cpu },
	{ "system_cpu", "SYSCPU", true, text_system_cpu, number_system_cpu },
	{ "max_rss", "MAXRSS", true, text_max_rss, number_max_rss },
	{ "moves", "MOVES", true, text_moves, number_moves },
	{ "freeze", "FROZEN", true, text_freeze, number_freeze },
	{ "chdir", "FOLDER", false, text_cwd, NULL },
	{ "output", "OUTPUT", false, text_std_out, NULL },
	{ "submit_host", "FROM", false, text_submit_host, NULL },
	{ "cluster_mask", "MASK", false, text_cluster_mask, NULL },
	{ "load_limit", "LOADLIMIT", true, text_load_limit, NULL },
	{ "migrate", "MIGRATE", false, text_migrate, NULL },
	{ NULL },
};
