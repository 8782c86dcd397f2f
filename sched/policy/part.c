/* SPDX-License-Identifier: GPL-3.0-or-later */
/* part: own copies of the partitions of a configuration. */
#include <stdlib.h>
#include <string.h>

#include "sched/policy/part.h"

static int copy_list(struct om_strvec *to, const struct om_strvec *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (om_strvec_add(to, from->v[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int64_t time_of(int64_t s)
{
	return s > 0 ? s : INT64_MAX;
}

int om_part_init(struct om_part *p, const struct om_conf_partition *conf,
		 uint32_t index, struct om_error *err)
{
	*p = (struct om_part){
		.is_default = conf->is_default,
		.shared = conf->mode == OM_PART_SHARED,
		.priority = conf->priority,
		.max_time_s = time_of(conf->max_time_s),
		.default_mem_per_cpu = conf->default_mem_per_cpu,
		.index = index,
	};
	p->default_time_s = conf->default_time_s > 0 ? conf->default_time_s :
						       p->max_time_s;
	if (p->shared)
		p->oversubscribe = conf->oversubscribe ? conf->oversubscribe : 1;
	p->name = strdup(conf->name);
	p->hosts = strdup(conf->nodes ? conf->nodes : "all");
	if (!p->name || !p->hosts ||
	    copy_list(&p->allow_users, &conf->allow_users) < 0 ||
	    copy_list(&p->allow_groups, &conf->allow_groups) < 0)
		return om_fail_nomem(err);
	p->all_nodes = strcasecmp(p->hosts, "all") == 0;
	if (!p->all_nodes) {
		int rc = om_names_add(&p->nodes, p->hosts, err);

		if (rc < 0)
			return om_wrap(err, rc, "partition %s", p->name);
	}
	return 0;
}

void om_part_fini(struct om_part *p)
{
	free(p->name);
	free(p->hosts);
	om_strvec_fini(&p->allow_users);
	om_strvec_fini(&p->allow_groups);
	om_names_fini(&p->nodes);
	om_reservation_fini(&p->resv);
	free(p->bit);
}

bool om_part_has(const struct om_part *p, const char *node)
{
	return p->all_nodes || om_names_has(&p->nodes, node);
}

int om_part_set_at(struct om_part *p, uint32_t at, bool in)
{
	uint64_t mask = (uint64_t)1 << (at % 64);

	if (at / 64 >= p->words) {
		uint32_t words = at / 64 + 1;
		uint64_t *bit = realloc(p->bit, words * sizeof(*bit));

		if (!bit)
			return -ENOMEM;
		memset(bit + p->words, 0, (words - p->words) * sizeof(*bit));
		p->bit = bit;
		p->words = words;
	}
	if (in)
		p->bit[at / 64] |= mask;
	else
		p->bit[at / 64] &= ~mask;
	return 0;
}

int64_t om_part_limit_s(const struct om_part *p, int64_t asked_s)
{
	int64_t s = asked_s > 0 ? asked_s : p->default_time_s;

	return s < p->max_time_s ? s : p->max_time_s;
}
