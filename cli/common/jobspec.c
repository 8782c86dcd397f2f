/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobspec: the tables of the options that jobs are asked for with. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/common/jobspec.h"
#include "cli/common/jobspec_private.h"
#include "lib/base/clock.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"

#define SETTER(name)                                                         \
	static int name(void *target, const struct cli_option *o,            \
			const char *value, struct om_error *err)

/* The spec that a setter is to change. */
static Om__JobSpec *spec_of(void *target)
{
	return &((struct jobspec *)target)->spec;
}

/* ---- setters of one kind of field; at is the offset in Om__JobSpec of the
 * "has" flag, which protobuf-c puts right before the value */

#define HAS(f) offsetof(Om__JobSpec, has_##f)
#define TEXT(f) offsetof(Om__JobSpec, f)

struct has_u32 { protobuf_c_boolean has; uint32_t value; };
struct has_bool { protobuf_c_boolean has, value; };
#define CHECK_PAIR(f, type)                                                  \
	_Static_assert(offsetof(Om__JobSpec, f) -                            \
		       offsetof(Om__JobSpec, has_##f) ==                     \
		       offsetof(type, value), "layout of protobuf-c")
CHECK_PAIR(tasks, struct has_u32);
CHECK_PAIR(exclusive, struct has_bool);

SETTER(set_count)
{
	struct has_u32 *f = (void *)((char *)spec_of(target) + o->at);

	if (om_parse_u32(value, 1, INT32_MAX, &f->value) < 0)
		return om_fail(err, -EINVAL, "not a number from 1 to %d",
			       INT32_MAX);
	f->has = true;
	return 0;
}

SETTER(set_flag)
{
	struct has_bool *f = (void *)((char *)spec_of(target) + o->at);

	(void)value;
	(void)err;
	f->has = f->value = true;
	return 0;
}

SETTER(set_text)
{
	if (!*value)
		return om_fail(err, -EINVAL, "the value is empty");
	*(const char **)((char *)spec_of(target) + o->at) = value;
	return 0;
}

SETTER(set_hosts)
{
	struct om_strvec names = OM_STRVEC_INIT;
	int rc = om_hostlist_expand(value, &names, err);

	om_strvec_fini(&names);
	return rc < 0 ? -EINVAL : set_text(target, o, value, err);
}

/* ---- resources */

SETTER(set_nodes)
{
	(void)o;
	return jobspec_parse_nodes(target, value, err);
}

static int parse_memory(const char *value, uint64_t *ret, struct om_error *err)
{
	if (om_parse_size(value, UINT64_C(1) << 20, ret) < 0)
		return om_fail(err, -EINVAL, "not a size such as 512M or 4G "
			       "(a plain number is megabytes)");
	return 0;
}

/* One of the two ways to ask for memory; the later one counts. */
SETTER(set_mem)
{
	Om__JobSpec *s = spec_of(target);
	uint64_t bytes;

	(void)o;
	if (parse_memory(value, &bytes, err) < 0)
		return -EINVAL;
	s->has_mem_per_cpu = false;
	s->has_mem_per_node = true;
	s->mem_per_node = bytes;
	return 0;
}

SETTER(set_mem_per_cpu)
{
	Om__JobSpec *s = spec_of(target);
	uint64_t bytes;

	(void)o;
	if (parse_memory(value, &bytes, err) < 0)
		return -EINVAL;
	s->has_mem_per_node = false;
	s->has_mem_per_cpu = true;
	s->mem_per_cpu = bytes;
	return 0;
}

/* 0 means none, as users of other schedulers know it. */
SETTER(set_time)
{
	Om__JobSpec *s = spec_of(target);
	int64_t seconds;

	(void)o;
	if (om_parse_duration(value, &seconds) < 0)
		return om_fail(err, -EINVAL,
			       "not a time such as 90 (minutes), 1:30:00, 2-12, "
			       "90s or unlimited");
	s->has_time_limit_s = true;
	s->time_limit_s = seconds ? seconds : OM_DURATION_UNLIMITED;
	return 0;
}

const struct cli_option jobspec_resources[] = {
	{ "ntasks", 'n', "N", "tasks (processes) to run", set_count,
	  HAS(tasks), NULL },
	{ "nodes", 'N', "MIN[-MAX]", "nodes to run on; default: as many as it "
	  "takes", set_nodes, 0, NULL },
	{ "cpus-per-task", 'c', "N", "processors for each task", set_count,
	  HAS(cpus_per_task), NULL },
	{ "ntasks-per-node", 0, "N", "tasks on each node", set_count,
	  HAS(tasks_per_node), NULL },
	{ "tasks-per-node", 0, "N", NULL, set_count, HAS(tasks_per_node), NULL },
	{ "mem", 0, "SIZE", "memory on each node: 512M, 4G; a plain number is "
	  "megabytes", set_mem, 0, NULL },
	{ "mem-per-cpu", 0, "SIZE", "memory for each processor", set_mem_per_cpu,
	  0, NULL },
	{ "time", 't', "TIME", "time limit: minutes, h:mm:ss, d-hh, 90s, "
	  "unlimited", set_time, 0, NULL },
	{ "partition", 'p', "NAME", "partition; default: the default one",
	  set_text, TEXT(partition), "partition" },
	{ "nodelist", 'w', "NODES", "nodes that must be among those given",
	  set_hosts, TEXT(nodelist), "node" },
	{ "on", 0, "NODES", NULL, set_hosts, TEXT(nodelist), "node" },
	{ "exclude", 'x', "NODES", "nodes not to use", set_hosts,
	  TEXT(exclude), "node" },
	{ "constraint", 'C', "FEATURES", "features the nodes must have: "
	  "\"a&b|c\"", set_text, TEXT(constraint), NULL },
	{ "exclusive", 0, NULL, "share the nodes with no other job", set_flag,
	  HAS(exclusive), NULL },
	{ 0 },
};

/* ---- naming */

const struct cli_option jobspec_naming[] = {
	{ "job-name", 'J', "NAME", "name of the job", set_text, TEXT(name),
	  NULL },
	{ "account", 'A', "NAME", "account to be charged", set_text,
	  TEXT(account), NULL },
	{ "comment", 0, "TEXT", "a comment, readable with omq and omhist",
	  set_text, TEXT(comment), NULL },
	{ 0 },
};

/* ---- when it starts and ends */

SETTER(set_dependency)
{
	(void)o;
	return jobspec_parse_dependency(target, value, err);
}

SETTER(set_begin)
{
	struct cli_option at = *o;

	at.at = offsetof(Om__JobSpec, begin_ns);
	spec_of(target)->has_begin_ns = true;
	return cli_set_when_ns(spec_of(target), &at, value, err);
}

SETTER(set_priority)
{
	bool negative = *value == '-';
	uint32_t v;

	(void)o;
	if (om_parse_u32(value + (negative || *value == '+'), 0, INT32_MAX,
			 &v) < 0)
		return om_fail(err, -EINVAL, "not a whole number");
	spec_of(target)->has_priority = true;
	spec_of(target)->priority = negative ? -(int32_t)v : (int32_t)v;
	return 0;
}

SETTER(set_signal)
{
	(void)o;
	return jobspec_parse_signal(target, value, err);
}

const struct cli_option jobspec_start[] = {
	{ "dependency", 'd', "LIST", "start after other jobs: afterok:ID[:ID]..., "
	  "afterany:ID, afternotok:ID, after:ID, singleton; all joined by ',' "
	  "must be met", set_dependency, 0, "afterok:|afterany:|afternotok:|"
	  "after:|singleton" },
	{ "hold", 'H', NULL, "keep it waiting until omrelease", set_flag,
	  HAS(hold), NULL },
	{ "begin", 'b', "WHEN", "not before: now+2hours, 16:00, "
	  "2026-11-22T16:00", set_begin, 0, NULL },
	{ "priority", 0, "N", "added to the computed priority", set_priority,
	  0, NULL },
	{ "signal", 0, "SIG[@SECONDS]", "send a signal so long before the "
	  "time limit (default 60); B:SIG: to the script's shell only", set_signal,
	  0, "signal" },
	{ 0 },
};

/* ---- batch only */

SETTER(set_array)
{
	(void)o;
	return jobspec_parse_array(target, value, err);
}

SETTER(set_requeue)
{
	(void)value;
	(void)err;
	spec_of(target)->has_requeue = true;
	spec_of(target)->requeue = o->name[0] == 'r';
	return 0;
}

const struct cli_option jobspec_batch[] = {
	{ "array", 'a', "TASKS[%N]", "one job for each index: 1-1000, "
	  "1,3,7-20:2; %N: at most N at a time", set_array, 0, NULL },
	{ "requeue", 0, NULL, "start it again if its node fails", set_requeue,
	  0, NULL },
	{ "no-requeue", 0, NULL, "never start it twice", set_requeue, 0, NULL },
	{ 0 },
};

/* ---- processes */

SETTER(set_open_mode)
{
	struct jobspec *j = target;

	(void)o;
	if (strcmp(value, "append") && strcmp(value, "truncate"))
		return om_fail(err, -EINVAL, "neither append nor truncate");
	j->append = value[0] == 'a';
	return 0;
}

#define JOB(f) offsetof(struct jobspec, f)

const struct cli_option jobspec_process[] = {
	{ "chdir", 'D', "DIR", "run there; default: the current folder",
	  cli_set_string, JOB(chdir), "dir" },
	{ "output", 'o', "FILE", "standard output; %j job, %A array, %a index, "
	  "%u user, %x name, %N node, %% percent", cli_set_string, JOB(std_out),
	  "file" },
	{ "error", 'e', "FILE", "standard error; default: with the output",
	  cli_set_string, JOB(std_err), "file" },
	{ "input", 'i', "FILE", "standard input", cli_set_string, JOB(std_in),
	  "file" },
	{ "open-mode", 0, "MODE", "append to output files or truncate them",
	  set_open_mode, 0, "append|truncate" },
	{ "export", 0, "LIST", "environment to take along: ALL (default), NONE, "
	  "or NAME,NAME=VALUE,...", cli_set_string, JOB(export), "ALL|NONE" },
	{ 0 },
};

/* ---- ours: where it may move */

SETTER(set_mask)
{
	if (jobspec_check_mask(value, err) < 0)
		return -EINVAL;
	return set_text(target, o, value, err);
}

SETTER(set_load_limit)
{
	(void)o;
	if (om_parse_positive(value, &spec_of(target)->load_limit) < 0)
		return om_fail(err, -EINVAL, "not a number such as 1.5");
	spec_of(target)->has_load_limit = true;
	return 0;
}

SETTER(set_migrate)
{
	static const char *const words[] = {
		[OM__MIGRATE_MODE__AUTO] = "auto",
		[OM__MIGRATE_MODE__DRAIN] = "drain",
		[OM__MIGRATE_MODE__NEVER] = "never",
	};

	(void)o;
	for (int i = 0; i < 3; i++) {
		if (strcasecmp(value, words[i]))
			continue;
		spec_of(target)->has_migrate = true;
		spec_of(target)->migrate = (Om__MigrateMode)i;
		return 0;
	}
	return om_fail(err, -EINVAL, "none of auto, drain, never");
}

SETTER(set_home)
{
	if (om_hostname_check(value) < 0)
		return om_fail(err, -EINVAL, "not a node's name");
	return set_text(target, o, value, err);
}

SETTER(set_max_freeze)
{
	(void)o;
	if (jobspec_parse_freeze(value, &spec_of(target)->max_freeze_ms) < 0)
		return om_fail(err, -EINVAL, "not a time such as 200ms or 2s");
	spec_of(target)->has_max_freeze_ms = true;
	return 0;
}

SETTER(set_checkpoint)
{
	int64_t seconds;

	(void)o;
	if (om_parse_duration(value, &seconds) < 0 || seconds <= 0 ||
	    seconds == OM_DURATION_UNLIMITED)
		return om_fail(err, -EINVAL,
			       "not a time such as 30 (minutes) or 1:00:00");
	spec_of(target)->has_checkpoint_s = true;
	spec_of(target)->checkpoint_s = seconds;
	return 0;
}

SETTER(set_hint)
{
	if (strcmp(value, "cpu") && strcmp(value, "io"))
		return om_fail(err, -EINVAL, "neither cpu nor io");
	return set_text(target, o, value, err);
}

const struct cli_option jobspec_moving[] = {
	{ "cluster-mask", 0, "MASK", "nodes it may ever be on: n[1-8],!n3,"
	  "@feature", set_mask, TEXT(cluster_mask), "node" },
	{ "load-limit", 0, "LOAD", "only nodes with a load below this",
	  set_load_limit, 0, NULL },
	{ "migrate", 0, "WHEN", "may it move while it runs: auto, drain (only "
	  "off a node being drained), never", set_migrate, 0,
	  "auto|drain|never" },
	{ "home", 0, "NODE", "home node", set_home, TEXT(home), "node" },
	{ "max-freeze", 0, "TIME", "longest freeze by a move: 200ms, 2s",
	  set_max_freeze, 0, NULL },
	{ "checkpoint", 0, "TIME", "write a checkpoint so often",
	  set_checkpoint, 0, NULL },
	{ "hint", 0, "KIND", "what it mostly needs: cpu or io", set_hint,
	  TEXT(hint), "cpu|io" },
	{ 0 },
};

/* ---- as a whole */

void jobspec_init(struct jobspec *j, Om__JobKind kind)
{
	*j = (struct jobspec){ .std_in = NULL };
	om__job_spec__init(&j->spec);
	j->spec.has_kind = true;
	j->spec.kind = kind;
}

void jobspec_fini(struct jobspec *j)
{
	jobspec_free_dependencies(&j->spec);
	free(j->array);
}

int jobspec_complete(struct jobspec *j, struct om_error *err)
{
	Om__JobSpec *s = &j->spec;
	uint64_t tasks = s->tasks;

	if (!s->has_tasks && (s->nodes_min || s->tasks_per_node)) {
		tasks = (uint64_t)(s->nodes_min ? s->nodes_min : 1) *
			(s->tasks_per_node ? s->tasks_per_node : 1);
		if (tasks > INT32_MAX)
			return om_fail(err, -EINVAL, "that would be %llu tasks, "
				       "the most is %d",
				       (unsigned long long)tasks, INT32_MAX);
		s->has_tasks = true;
		s->tasks = (uint32_t)tasks;
	}
	if (s->nodes_min > s->tasks)
		return om_fail(err, -EINVAL,
			       "--ntasks=%u is less than --nodes=%u: a node would "
			       "have nothing to do\nask for --nodes=%u or --ntasks=%u",
			       s->tasks, s->nodes_min, s->tasks, s->nodes_min);
	if (s->nodes_max && s->tasks_per_node &&
	    tasks > (uint64_t)s->nodes_max * s->tasks_per_node)
		return om_fail(err, -EINVAL,
			       "--ntasks=%u does not fit on --nodes=%u with "
			       "--ntasks-per-node=%u", s->tasks, s->nodes_max,
			       s->tasks_per_node);
	return 0;
}
