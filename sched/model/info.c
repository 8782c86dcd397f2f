/* SPDX-License-Identifier: GPL-3.0-or-later */
/* info: the model's structs as messages, without copying their strings. */
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "sched/model/info.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define SET(field, value)                 \
	do {                              \
		ret->field = (value);     \
		ret->has_##field = 1;     \
	} while (0)

static void fill_usage(Om__Usage *u, uint64_t user_us, uint64_t system_us,
		       uint64_t max_rss)
{
	om__usage__init(u);
	u->has_user_us = u->has_system_us = u->has_max_rss = 1;
	u->user_us = user_us;
	u->system_us = system_us;
	u->max_rss = max_rss;
}

static int share_names(const struct om_allocation *a, char **ret)
{
	om_autofree const char **name = calloc(a->shares + 1, sizeof(*name));

	if (!name)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->shares; i++)
		name[i] = a->share[i].node->name;
	*ret = om_hostlist_compress(name, a->shares);
	return *ret ? 0 : -ENOMEM;
}

static void fill_request(const struct om_request *r, Om__JobInfo *ret)
{
	ret->name = TEXT(r->name);
	ret->partition = TEXT(r->partition);
	ret->account = TEXT(r->account);
	ret->comment = TEXT(r->comment);
	ret->cluster_mask = TEXT(r->cluster_mask);
	SET(tasks, r->tasks);
	SET(cpus, (uint32_t)om_request_cpus(r));
	SET(nodes, r->nodes_min);
	SET(mem, r->mem_per_node);
	SET(time_limit_s, r->time_limit_s);
	SET(load_limit, r->load_limit);
	SET(migrate, r->migrate);
	SET(kind, r->kind);
}

static int fill_place(const struct om_job *j, Om__JobInfo *ret)
{
	if (j->alloc) {
		SET(nodes, j->alloc->shares);
		if (share_names(j->alloc, &ret->nodelist) < 0)
			return -ENOMEM;
	}
	if (!j->array_id)
		return 0;
	SET(array_id, j->array_id);
	if (!om_job_is_array(j)) {
		SET(array_index, j->array_index);
		return 0;
	}
	ret->array_pending = om_idset_format(&j->pending);
	return ret->array_pending ? 0 : -ENOMEM;
}

int om_job_info(const struct om_job *j, Om__JobInfo *ret, Om__Usage *usage)
{
	om__job_info__init(ret);
	ret->job_id = j->id;
	ret->state = j->state;
	ret->uid = j->uid;
	ret->gid = j->gid;
	ret->user = TEXT(j->user);
	ret->cwd = TEXT(j->cwd);
	ret->std_out = TEXT(j->std_out);
	ret->submit_host = TEXT(j->submit_host);
	ret->reason = TEXT(j->reason);
	ret->reason_text = TEXT(j->ending_text);
	SET(submit_ns, j->submit_ns);
	SET(eligible_ns, j->eligible_ns);
	SET(start_ns, j->start_ns);
	SET(end_ns, j->end_ns);
	SET(priority, j->priority);
	SET(exit_code, j->exit_code);
	SET(exit_signal, j->exit_signal);
	SET(restarts, j->restarts);
	fill_request(j->req, ret);
	fill_usage(usage, j->user_us, j->system_us, j->max_rss);
	usage->has_moves = usage->has_freeze_us = 1;
	usage->moves = j->moves;
	usage->freeze_us = j->freeze_us;
	ret->usage = usage;
	if (fill_place(j, ret) < 0) {
		om_job_info_fini(ret);
		return -ENOMEM;
	}
	return 0;
}

void om_job_info_fini(Om__JobInfo *info)
{
	free(info->nodelist);
	free(info->array_pending);
	info->nodelist = info->array_pending = NULL;
}

int om_step_info(const struct om_step *s, Om__StepInfo *ret, Om__Usage *usage)
{
	om_autofree const char **name = calloc(s->parts + 1, sizeof(*name));

	om__step_info__init(ret);
	if (!name)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->parts; i++)
		name[i] = s->part[i].node->name;
	ret->nodelist = om_hostlist_compress(name, s->parts);
	if (!ret->nodelist)
		return -ENOMEM;
	ret->step_id = s->id;
	ret->name = TEXT(s->name);
	ret->state = s->state;
	SET(tasks, s->tasks);
	SET(start_ns, s->start_ns);
	SET(end_ns, s->end_ns);
	SET(exit_code, s->exit_code);
	SET(exit_signal, s->exit_signal);
	fill_usage(usage, s->user_us, s->system_us, s->max_rss);
	ret->usage = usage;
	return 0;
}

void om_step_info_fini(Om__StepInfo *info)
{
	free(info->nodelist);
	info->nodelist = NULL;
}
