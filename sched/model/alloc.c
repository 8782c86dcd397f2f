/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alloc: shares on nodes and steps in them. */
#include <stdlib.h>
#include <string.h>

#include "sched/model/alloc.h"
#include "sched/model/intern.h"

static int check_lists(const Om__EvAllocated *ev, struct om_error *err)
{
	size_t n = ev->n_node;

	if (n == 0 || ev->n_cpus != n || ev->n_slots != n || ev->n_mem != n ||
	    (ev->n_cpu_list && ev->n_cpu_list != n))
		return om_fail(err, -EPROTO,
			       "allocation of job %llu has lists of unequal length",
			       (unsigned long long)ev->job_id);
	return 0;
}

/* All cpu lists in one string, NUL between them. */
static int keep_cpu_lists(struct om_allocation *a, const Om__EvAllocated *ev)
{
	size_t len = 0;
	char *p;

	if (!ev->n_cpu_list)
		return 0;
	for (size_t i = 0; i < ev->n_cpu_list; i++)
		len += strlen(ev->cpu_list[i]) + 1;
	p = a->cpu_lists = malloc(len);
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < ev->n_cpu_list; i++) {
		size_t n = strlen(ev->cpu_list[i]) + 1;

		memcpy(p, ev->cpu_list[i], n);
		a->share[i].cpu_list = n > 1 ? p : NULL;
		p += n;
	}
	return 0;
}

static void free_allocation(struct om_allocation *a)
{
	free(a->cpu_lists);
	free(a->share);
	free(a);
}

static int fill_shares(struct om_model *m, struct om_allocation *a,
		       const Om__EvAllocated *ev, struct om_error *err)
{
	a->shares = (uint32_t)ev->n_node;
	for (size_t i = 0; i < ev->n_node; i++) {
		struct om_node *node = om_model_node(m, ev->node[i]);

		if (!node)
			return om_fail(err, -ENOENT, "node %s is unknown",
				       ev->node[i]);
		a->share[i] = (struct om_share){
			.node = node,
			.cpus = ev->cpus[i],
			.slots = ev->slots[i],
			.mem = ev->mem[i],
		};
	}
	if (keep_cpu_lists(a, ev) < 0)
		return om_fail_nomem(err);
	return 0;
}

int om_alloc_add(struct om_model *m, struct om_job *j,
		 const Om__EvAllocated *ev, struct om_error *err)
{
	struct om_allocation *a;
	int rc = check_lists(ev, err);

	if (rc < 0)
		return rc;
	a = calloc(1, sizeof(*a));
	if (!a)
		return om_fail_nomem(err);
	a->share = calloc(ev->n_node, sizeof(*a->share));
	rc = a->share ? fill_shares(m, a, ev, err) : om_fail_nomem(err);
	if (rc < 0) {
		free_allocation(a);
		return rc;
	}
	for (uint32_t i = 0; i < a->shares; i++) {
		struct om_share *s = a->share + i;

		s->node->cpus_alloc += s->cpus;
		s->node->tasks_alloc += s->slots;
		s->node->mem_alloc += s->mem;
		s->node->jobs++;
		if (j->req->exclusive)
			s->node->exclusive = true;
	}
	j->alloc = a;
	return 0;
}

void om_alloc_release_share(struct om_job *j, struct om_share *s)
{
	struct om_node *n = s->node;

	if (s->clean)
		return;
	s->clean = true;
	n->cpus_alloc -= s->cpus;
	n->tasks_alloc -= s->slots;
	n->mem_alloc -= s->mem;
	n->jobs--;
	if (j->req->exclusive)
		n->exclusive = false;
}

void om_alloc_remove(struct om_model *m, struct om_job *j)
{
	struct om_allocation *a = j->alloc;

	if (!a)
		return;
	for (uint32_t i = 0; i < a->shares; i++)
		om_alloc_release_share(j, a->share + i);
	while (a->step) {
		struct om_step *s = a->step;

		a->step = s->next;
		om_intern_put(m->intern, s->name);
		free(s->part);
		free(s);
	}
	free_allocation(a);
	j->alloc = NULL;
}

struct om_share *om_alloc_share(const struct om_job *j, const char *node)
{
	if (!j->alloc)
		return NULL;
	for (uint32_t i = 0; i < j->alloc->shares; i++)
		if (strcmp(j->alloc->share[i].node->name, node) == 0)
			return j->alloc->share + i;
	return NULL;
}

struct om_step *om_alloc_step(const struct om_job *j, uint32_t step_id)
{
	if (!j->alloc)
		return NULL;
	for (struct om_step *s = j->alloc->step; s; s = s->next)
		if (s->id == step_id)
			return s;
	return NULL;
}
