/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobspec_words: the small languages inside single options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/common/jobspec.h"
#include "cli/common/jobspec_private.h"
#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/base/str.h"

#define ARRAY_RANGES 100000	/* holes in one array */
#define ARRAY_INDEX_MAX (UINT32_MAX - 1)
#define WARN_BEFORE_S 60
#define WARN_BEFORE_MAX 65535

/* ---- dependencies */

static const char *const dependency_words[] = {
	[OM__DEPENDENCY_KIND__AFTER] = "after",
	[OM__DEPENDENCY_KIND__AFTER_OK] = "afterok",
	[OM__DEPENDENCY_KIND__AFTER_ANY] = "afterany",
	[OM__DEPENDENCY_KIND__AFTER_NOT_OK] = "afternotok",
	[OM__DEPENDENCY_KIND__SINGLETON] = "singleton",
	NULL,
};

static int dependency_kind(const char *word, struct om_error *err)
{
	const char *near;

	for (int i = 0; dependency_words[i]; i++)
		if (!strcasecmp(dependency_words[i], word))
			return i;
	near = om_str_nearest(word, dependency_words);
	if (near)
		return om_fail(err, -EINVAL,
			       "unknown kind of dependency '%.40s'\n"
			       "did you mean %s?", word, near);
	return om_fail(err, -EINVAL, "unknown kind of dependency '%.40s'\n"
		       "write after:ID, afterok:ID, afterany:ID, afternotok:ID "
		       "or singleton", word);
}

static int dependency_add(Om__JobSpec *spec, int kind, uint64_t id,
			  struct om_error *err)
{
	size_t n = spec->n_dependency;
	Om__Dependency **list;

	if (n == JOBSPEC_DEPENDENCIES)
		return om_fail(err, -EINVAL, "more than %d dependencies",
			       JOBSPEC_DEPENDENCIES);
	list = realloc(spec->dependency, (n + 1) * sizeof(*list));
	if (!list)
		return om_fail_nomem(err);
	spec->dependency = list;
	list[n] = malloc(sizeof(**list));
	if (!list[n])
		return om_fail_nomem(err);
	om__dependency__init(list[n]);
	list[n]->kind = (Om__DependencyKind)kind;
	list[n]->has_job_id = kind != OM__DEPENDENCY_KIND__SINGLETON;
	list[n]->job_id = id;
	spec->n_dependency = n + 1;
	return 0;
}

static int dependency_id(const char *text, uint64_t *ret, struct om_error *err)
{
	if (om_parse_u64(text, 1, INT64_MAX, ret) == 0)
		return 0;
	if (strchr(text, '_'))
		return om_fail(err, -EINVAL,
			       "'%.40s' is one task of an array\n"
			       "depend on the whole array by its number", text);
	return om_fail(err, -EINVAL, "'%.40s' is not a job's number", text);
}

/* "afterok:1:2"; the text is cut up. */
static int parse_one_dependency(Om__JobSpec *spec, char *text,
				struct om_error *err)
{
	char *word = strsep(&text, ":");
	int kind = dependency_kind(word, err), rc;
	uint64_t id;

	if (kind < 0)
		return kind;
	if (kind == OM__DEPENDENCY_KIND__SINGLETON) {
		if (text)
			return om_fail(err, -EINVAL,
				       "singleton takes no job number");
		return dependency_add(spec, kind, 0, err);
	}
	if (!text)
		return om_fail(err, -EINVAL, "'%s' needs a job's number\n"
			       "write %s:123", word, word);
	while ((word = strsep(&text, ":"))) {
		rc = dependency_id(word, &id, err);
		if (rc == 0)
			rc = dependency_add(spec, kind, id, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void jobspec_free_dependencies(Om__JobSpec *spec)
{
	for (size_t i = 0; i < spec->n_dependency; i++)
		free(spec->dependency[i]);
	free(spec->dependency);
	spec->dependency = NULL;
	spec->n_dependency = 0;
}

int jobspec_parse_dependency(struct jobspec *j, const char *text,
			     struct om_error *err)
{
	om_autofree char *copy = strdup(text);
	char *rest = copy, *one;
	int rc = 0;

	if (!copy)
		return om_fail_nomem(err);
	if (strchr(text, '?'))
		return om_fail(err, -EINVAL, "alternatives with '?' are not known\n"
			       "all dependencies joined by ',' must be met");
	jobspec_free_dependencies(&j->spec);
	while (rc == 0 && (one = strsep(&rest, ",")))
		rc = parse_one_dependency(&j->spec, one, err);
	return rc;
}

/* ---- signal */

int jobspec_parse_signal(struct jobspec *j, const char *text,
			 struct om_error *err)
{
	bool batch = !strncasecmp(text, "B:", 2);
	const char *word = batch ? text + 2 : text;
	uint32_t before = WARN_BEFORE_S;
	char name[32];
	size_t len = strcspn(word, "@");
	int sig;

	if (word[len] && om_parse_u32(word + len + 1, 0, WARN_BEFORE_MAX,
				      &before) < 0)
		return om_fail(err, -EINVAL,
			       "'%.20s' is not a number of seconds up to %d",
			       word + len + 1, WARN_BEFORE_MAX);
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	sig = om_parse_signal(name);
	if (sig < 0)
		return om_fail(err, -EINVAL, "'%s' is not a signal\n"
			       "write [B:]USR1[@SECONDS]", name);
	j->spec.has_warn_signal = j->spec.has_warn_before_s = true;
	j->spec.has_warn_batch_only = true;
	j->spec.warn_signal = (uint32_t)sig;
	j->spec.warn_before_s = before;
	j->spec.warn_batch_only = batch;
	return 0;
}

/* ---- array */

int jobspec_parse_array(struct jobspec *j, const char *text,
			struct om_error *err)
{
	size_t len = strcspn(text, "%");
	om_autofree char *tasks = strndup(text, len);
	struct om_idset set = OM_IDSET_INIT;
	uint32_t limit = 0;
	int rc;

	if (!tasks)
		return om_fail_nomem(err);
	if (text[len] && om_parse_u32(text + len + 1, 1, UINT32_MAX, &limit) < 0)
		return om_fail(err, -EINVAL, "'%.20s' is not a number of tasks\n"
			       "write as in 1-100%%5", text + len);
	rc = om_idset_parse(&set, tasks, ARRAY_INDEX_MAX, ARRAY_RANGES, err);
	om_idset_fini(&set);
	if (rc < 0)
		return -EINVAL;
	free(j->array);
	j->spec.array = j->array = om_take(tasks);
	j->spec.has_array_limit = limit != 0;
	j->spec.array_limit = limit;
	return 0;
}

/* ---- nodes */

int jobspec_parse_nodes(struct jobspec *j, const char *text,
			struct om_error *err)
{
	const char *dash = strchr(text, '-');
	uint32_t min, max;
	char first[16];

	snprintf(first, sizeof(first), "%.*s",
		 dash ? (int)(dash - text) : (int)strlen(text), text);
	if (om_parse_u32(first, 1, OM_HOSTLIST_LIMIT, &min) < 0)
		goto bad;
	max = min;
	if (dash && om_parse_u32(dash + 1, min, OM_HOSTLIST_LIMIT, &max) < 0)
		goto bad;
	j->spec.has_nodes_min = j->spec.has_nodes_max = true;
	j->spec.nodes_min = min;
	j->spec.nodes_max = max;
	return 0;
bad:
	return om_fail(err, -EINVAL,
		       "not a number of nodes such as 4 or 2-8 (at most %d)",
		       OM_HOSTLIST_LIMIT);
}

/* ---- cluster mask */

/* Reads one "[!](@feature|hosts)" up to a comma outside brackets. */
static size_t mask_item_length(const char *s)
{
	bool inside = false;
	size_t n = 0;

	for (; s[n] && (inside || s[n] != ','); n++) {
		if (s[n] == '[')
			inside = true;
		else if (s[n] == ']')
			inside = false;
	}
	return n;
}

static int check_mask_item(const char *item, struct om_error *err)
{
	struct om_strvec names = OM_STRVEC_INIT;
	int rc;

	if (*item == '!')
		item++;
	if (*item == '@')
		return om_hostname_check(item + 1) == 0 ? 0 :
			om_fail(err, -EINVAL, "'%.40s' is not a feature", item);
	rc = om_hostlist_expand(item, &names, err);
	om_strvec_fini(&names);
	return rc < 0 ? -EINVAL : 0;
}

int jobspec_check_mask(const char *text, struct om_error *err)
{
	for (;;) {
		size_t len = mask_item_length(text);
		om_autofree char *item = strndup(text, len);
		int rc;

		if (!item)
			return om_fail_nomem(err);
		rc = check_mask_item(item, err);
		if (rc < 0)
			return om_wrap(err, rc, "write nodes, !nodes or "
				       "@feature, joined by ','");
		if (!text[len])
			return 0;
		text += len + 1;
	}
}

/* ---- longest freeze */

int jobspec_parse_freeze(const char *text, uint32_t *ret_ms)
{
	static const struct { const char *unit; double ms; } units[] = {
		{ "", 1 }, { "ms", 1 }, { "s", 1e3 }, { "sec", 1e3 },
		{ "min", 6e4 },
	};
	size_t len = strspn(text, "0123456789.");
	char number[24];
	double v;

	snprintf(number, sizeof(number), "%.*s", (int)len, text);
	if (len >= sizeof(number) || om_parse_positive(number, &v) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(units[i].unit, text + len))
			continue;
		v *= units[i].ms;
		if (v < 1 || v > 86400e3)
			return -EINVAL;
		*ret_ms = (uint32_t)(v + 0.5);
		return 0;
	}
	return -EINVAL;
}
