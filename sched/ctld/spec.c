/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec: one check after the other; the first that fails is what is told. */
#include <math.h>
#include <string.h>

#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/base/str.h"
#include "sched/ctld/spec.h"

#define TASKS_MAX 1000000u
#define CPUS_MAX 65536u
#define NODES_MAX 65536u
#define DEPENDENCIES_MAX 256
#define INDEX_MAX 0x7fffffffu
#define RANGES_MAX 10000
#define SECONDS_MAX ((int64_t)100 * 366 * 86400)

struct text_rule {
	const char *option;
	size_t offset, max;
};

#define AT(f) offsetof(Om__JobSpec, f)
static const struct text_rule texts[] = {
	{ "--job-name", AT(name), 256 },
	{ "--partition", AT(partition), 64 },
	{ "--account", AT(account), 64 },
	{ "--comment", AT(comment), 1024 },
	{ "--nodelist", AT(nodelist), 65536 },
	{ "--exclude", AT(exclude), 65536 },
	{ "--constraint", AT(constraint), 1024 },
	{ "--array", AT(array), 65536 },
	{ "--cluster-mask", AT(cluster_mask), 65536 },
	{ "--home", AT(home), 63 },
	{ "--hint", AT(hint), 16 },
};

static int check_text(const char *option, const char *s, size_t max,
		      struct om_error *err)
{
	size_t len = strlen(s);

	if (len > max)
		return om_fail(err, -EINVAL,
			       "%s: %zu characters given, at most %zu fit",
			       option, len, max);
	if (!om_str_is_tame(s, len))
		return om_fail(err, -EINVAL,
			       "%s: control characters are not allowed",
			       option);
	return 0;
}

static int check_texts(const Om__JobSpec *s, struct om_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts) && rc == 0; i++) {
		const char *text = *(char *const *)(const void *)(
			(const char *)s + texts[i].offset);

		if (text)
			rc = check_text(texts[i].option, text, texts[i].max,
					err);
	}
	if (rc == 0 && s->hint && *s->hint && strcmp(s->hint, "cpu") &&
	    strcmp(s->hint, "io"))
		rc = om_fail(err, -EINVAL,
			     "--hint: '%s' given, cpu or io expected", s->hint);
	return rc;
}

static int check_count(const char *option, uint32_t given, uint32_t max,
		       struct om_error *err)
{
	if (given <= max)
		return 0;
	return om_fail(err, -EINVAL, "%s: %u asked, at most %u", option, given,
		       max);
}

static int check_counts(const Om__JobSpec *s, struct om_error *err)
{
	int rc = check_count("--ntasks", s->tasks, TASKS_MAX, err);

	if (rc == 0)
		rc = check_count("--cpus-per-task", s->cpus_per_task, CPUS_MAX,
				 err);
	if (rc == 0)
		rc = check_count("--nodes", s->nodes_min, NODES_MAX, err);
	if (rc == 0)
		rc = check_count("--nodes", s->nodes_max, NODES_MAX, err);
	if (rc == 0)
		rc = check_count("--ntasks-per-node", s->tasks_per_node,
				 TASKS_MAX, err);
	if (rc == 0 && s->has_tasks && s->tasks == 0)
		rc = om_fail(err, -EINVAL, "--ntasks: at least 1 is needed");
	if (rc == 0 && s->has_cpus_per_task && s->cpus_per_task == 0)
		rc = om_fail(err, -EINVAL,
			     "--cpus-per-task: at least 1 is needed");
	if (rc == 0 && s->nodes_max && s->nodes_max < s->nodes_min)
		rc = om_fail(err, -EINVAL,
			     "--nodes: the least (%u) is over the most (%u)",
			     s->nodes_min, s->nodes_max);
	if (rc == 0 && s->mem_per_node && s->mem_per_cpu)
		rc = om_fail(err, -EINVAL,
			     "--mem and --mem-per-cpu exclude each other");
	return rc;
}

static int check_times(const Om__JobSpec *s, struct om_error *err)
{
	if (s->time_limit_s < 0 ||
	    (s->time_limit_s > SECONDS_MAX && s->time_limit_s != INT64_MAX))
		return om_fail(err, -EINVAL,
			       "--time: between one second and 100 years, or unlimited");
	if (s->begin_ns < 0)
		return om_fail(err, -EINVAL, "--begin: before 1970");
	if (s->warn_signal > 64)
		return om_fail(err, -EINVAL, "--signal: %u is no signal",
			       s->warn_signal);
	if (s->warn_before_s > 65535)
		return om_fail(err, -EINVAL,
			       "--signal: %u s before the end asked, at most 65535",
			       s->warn_before_s);
	if (s->checkpoint_s < 0 || s->checkpoint_s > SECONDS_MAX)
		return om_fail(err, -EINVAL, "--checkpoint: no such interval");
	if (!isfinite(s->load_limit) || s->load_limit < 0)
		return om_fail(err, -EINVAL,
			       "--load-limit: a number of 0 or more is needed");
	return 0;
}

static int check_enums(const Om__JobSpec *s, struct om_error *err)
{
	if ((unsigned)s->kind > OM__JOB_KIND__COMMAND)
		return om_fail(err, -EINVAL, "job kind %d is unknown", s->kind);
	if ((unsigned)s->migrate > OM__MIGRATE_MODE__NEVER)
		return om_fail(err, -EINVAL, "--migrate: auto, drain or never");
	if (s->n_dependency > DEPENDENCIES_MAX)
		return om_fail(err, -EINVAL,
			       "--dependency: %zu given, at most %d",
			       s->n_dependency, DEPENDENCIES_MAX);
	for (size_t i = 0; i < s->n_dependency; i++) {
		const Om__Dependency *d = s->dependency[i];

		if ((unsigned)d->kind > OM__DEPENDENCY_KIND__SINGLETON)
			return om_fail(err, -EINVAL,
				       "--dependency: unknown kind %d",
				       d->kind);
		if (d->kind != OM__DEPENDENCY_KIND__SINGLETON && !d->job_id)
			return om_fail(err, -EINVAL,
				       "--dependency: a job id is missing");
	}
	return 0;
}

static int check_hosts(const char *option, const char *list,
		       struct om_error *err)
{
	struct om_strvec names = OM_STRVEC_INIT;
	int rc = 0;

	if (list && *list)
		rc = om_hostlist_expand(list, &names, err);
	om_strvec_fini(&names);
	return rc < 0 ? om_wrap(err, rc, "%s", option) : 0;
}

static int check_array(const Om__JobSpec *s, uint32_t max_array,
		       struct om_error *err)
{
	struct om_idset set = OM_IDSET_INIT;
	uint64_t n;
	int rc;

	if (!s->array || !*s->array)
		return 0;
	if (s->kind != OM__JOB_KIND__BATCH)
		return om_fail(err, -EINVAL,
			       "--array: only batch jobs can be arrays");
	rc = om_idset_parse(&set, s->array, INDEX_MAX, RANGES_MAX, err);
	n = om_idset_size(&set);
	om_idset_fini(&set);
	if (rc < 0)
		return om_wrap(err, rc, "--array");
	if (n == 0)
		return om_fail(err, -EINVAL, "--array: no tasks given");
	if (n > max_array)
		return om_fail(err, -EINVAL,
			       "--array: %llu tasks asked, max_array allows %u\n"
			       "split it, or: omctl set max_array=%llu",
			       (unsigned long long)n, max_array,
			       (unsigned long long)n);
	return 0;
}

int spec_check(const Om__JobSpec *s, uint32_t max_array, struct om_error *err)
{
	int rc = check_texts(s, err);

	if (rc == 0)
		rc = check_counts(s, err);
	if (rc == 0)
		rc = check_times(s, err);
	if (rc == 0)
		rc = check_enums(s, err);
	if (rc == 0)
		rc = check_hosts("--nodelist", s->nodelist, err);
	if (rc == 0)
		rc = check_hosts("--exclude", s->exclude, err);
	if (rc == 0)
		rc = check_hosts("--home", s->home, err);
	if (rc == 0)
		rc = check_array(s, max_array, err);
	return rc;
}
