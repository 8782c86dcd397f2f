/* SPDX-License-Identifier: GPL-3.0-or-later */
/* order: StepLaunch, StepKill, JobEnd and their like. */
#include <signal.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/order.h"
#include "sched/ctld/shell.h"
#include "sched/model/alloc.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define SET(m, f, v)                  \
	do {                          \
		(m).f = (v);          \
		(m).has_##f = 1;      \
	} while (0)

uint64_t order_job_key(const struct om_job *j)
{
	return j->array_id ? j->array_id : j->id;
}

/* Beside the keys of jobs, whose ids stay far below. */
uint64_t order_step_key(uint64_t job_id, uint32_t step_id)
{
	return UINT64_C(1) << 62 | (job_id & 0x3fffffffff) << 24 |
	       (step_id & 0xffffff);
}

/* ---------------------------------------------------------------- placings */

static void place(Om__Allocation *a, size_t i, const struct om_share *sh,
		  uint32_t slots)
{
	a->node[i] = TEXT(sh->node->name);
	a->address[i] = TEXT(sh->node->address && *sh->node->address ?
				     sh->node->address : sh->node->name);
	a->cpus[i] = sh->cpus;
	a->slots[i] = slots;
	a->mem[i] = sh->mem;
	a->cpu_list[i] = TEXT(sh->cpu_list ? sh->cpu_list : "");
}

int placing_init(struct placing *p, const struct om_job *j,
		 const struct om_step *s)
{
	const struct om_allocation *al = j->alloc;
	size_t n = s ? s->parts : al->shares;
	Om__Allocation *a = &p->msg;
	char *store = malloc(n * (3 * sizeof(char *) + 2 * sizeof(uint32_t) +
				  sizeof(uint64_t)));

	om__allocation__init(a);
	p->store = store;
	if (!store)
		return -ENOMEM;
	a->mem = (uint64_t *)(void *)store;
	a->node = (char **)(void *)(a->mem + n);
	a->address = a->node + n;
	a->cpu_list = a->address + n;
	a->cpus = (uint32_t *)(void *)(a->cpu_list + n);
	a->slots = a->cpus + n;
	a->n_node = a->n_address = a->n_cpus = a->n_slots = a->n_mem =
		a->n_cpu_list = n;
	for (size_t i = 0; i < n; i++) {
		const struct om_share *sh = s ?
			om_alloc_share(j, s->part[i].node->name) :
			al->share + i;

		place(a, i, sh, s ? s->part[i].tasks : sh->slots);
	}
	return 0;
}

void placing_fini(struct placing *p)
{
	free(p->store);
	p->store = NULL;
}

/* ------------------------------------------------------------------ launch */

static void fill_array(struct omctld *c, const struct om_job *j,
		       Om__StepLaunch *m)
{
	const struct om_job *parent;

	if (!j->array_id)
		return;
	SET(*m, array_id, j->array_id);
	SET(*m, array_index, j->array_index);
	parent = om_model_job(c->model, j->array_id);
	if (!parent || !parent->all.count)
		return;
	SET(*m, array_first, parent->all.range[0].first);
	SET(*m, array_last, parent->all.range[parent->all.count - 1].last);
	SET(*m, array_count, (uint32_t)om_idset_size(&parent->all));
}

static void fill_job(const struct om_job *j, Om__StepLaunch *m)
{
	const struct om_request *r = j->req;

	m->job_id = j->id;
	m->incarnation = j->incarnation;
	m->uid = j->uid;
	m->gid = j->gid;
	m->user = TEXT(j->user);
	m->name = TEXT(r->name);
	m->partition = TEXT(r->partition);
	m->account = TEXT(r->account);
	SET(*m, warn_signal, r->warn_signal);
	SET(*m, warn_before_s, r->warn_before_s);
	SET(*m, warn_batch_only, r->warn_batch_only);
	SET(*m, restarts, j->restarts);
	SET(*m, kind, r->kind);
	SET(*m, job_tasks, r->tasks);
	SET(*m, time_limit_s, r->time_limit_s);
}

/* Wall time at which the job's limit is reached, by what is left of it now;
 * 0: none. */
static int64_t end_of(struct omctld *c, const struct om_job *j)
{
	const struct job_shell *sh = shell_of(j);

	if (!sh || !sh->deadline_ns)
		return 0;
	return ctld_wall(c) + (sh->deadline_ns - ctld_mono(c));
}

static void fill_part(const struct om_job *j, const struct om_step *s,
		      uint32_t part, Om__StepLaunch *m)
{
	const struct step_shell *ss = shell_step(j, s->id);
	const struct om_share *sh = om_alloc_share(j, s->part[part].node->name);
	uint32_t first = 0;

	for (uint32_t i = 0; i < part; i++)
		first += s->part[i].tasks;
	m->step_id = s->id;
	m->node_index = part;
	SET(*m, first_rank, first);
	SET(*m, tasks, s->part[part].tasks);
	SET(*m, tasks_total, s->tasks);
	SET(*m, cpus_per_task, ss && ss->cpus_per_task ? ss->cpus_per_task :
							 j->req->cpus_per_task);
	SET(*m, mem, sh->mem);
	SET(*m, cpus, sh->cpus);
	SET(*m, last_of_job, s->id == OM_STEP_BATCH && j->alloc->shares == 1);
}

static int load_launch(struct omctld *c, const struct om_job *j,
		       const struct om_step *s, Om__StepLaunch *m,
		       struct om_error *err)
{
	uint64_t key = s->id == OM_STEP_BATCH ? order_job_key(j) :
						order_step_key(j->id, s->id);

	return om_store_get_launch(c->store, key, &m->launch.data,
				   &m->launch.len, err);
}

int order_launch(struct omctld *c, struct om_job *j, const struct om_step *s,
		 uint32_t part, struct om_error *err)
{
	struct peer *p = nodes_peer(s->part[part].node);
	Om__StepLaunch m = OM__STEP_LAUNCH__INIT;
	struct placing whole, own = { .store = NULL };
	int rc;

	if (!p)
		return 0;
	rc = load_launch(c, j, s, &m, err);
	if (rc < 0)
		return rc;
	rc = placing_init(&whole, j, NULL);
	if (rc == 0 && s->id != OM_STEP_BATCH)
		rc = placing_init(&own, j, s);
	if (rc < 0) {
		placing_fini(&whole);
		free(m.launch.data);
		return om_fail_nomem(err);
	}
	fill_job(j, &m);
	fill_array(c, j, &m);
	fill_part(j, s, part, &m);
	SET(m, end_ns, end_of(c, j));
	m.job_allocation = &whole.msg;
	m.step_allocation = own.store ? &own.msg : NULL;
	peer_send(p, OM_MSG_STEP_LAUNCH, 0, &m.base);
	placing_fini(&whole);
	placing_fini(&own);
	free(m.launch.data);
	return 0;
}

/* ------------------------------------------------------- kill, end, limits */

static void fill_kill(struct omctld *c, const struct om_job *j,
		      const struct order_kill *k, Om__StepKill *m)
{
	m->job_id = j->id;
	m->signal = k->signal;
	SET(*m, incarnation, j->incarnation);
	if (k->why != OM__JOB_STATE__PENDING)
		SET(*m, why, k->why);
	if (k->batch_only)
		SET(*m, batch_only, 1);
	if (k->then_kill)
		SET(*m, kill_after_ms,
		    (uint32_t)(c->config->kill_wait_s * 1000));
	/* No wait at all is none less than no second signal. */
	if (k->then_kill && m->kill_after_ms == 0)
		m->kill_after_ms = 1;
}

void order_kill(struct omctld *c, const struct om_job *j,
		const struct om_step *s, const struct order_kill *k)
{
	Om__StepKill m = OM__STEP_KILL__INIT;
	uint32_t n;

	if (!j->alloc)
		return;
	fill_kill(c, j, k, &m);
	if (s)
		SET(m, step_id, s->id);
	n = s ? s->parts : j->alloc->shares;
	for (uint32_t i = 0; i < n; i++) {
		bool over = s ? s->part[i].over : j->alloc->share[i].clean;
		struct peer *p = nodes_peer(s ? s->part[i].node :
						j->alloc->share[i].node);

		if (p && !over)
			peer_send(p, OM_MSG_STEP_KILL, 0, &m.base);
	}
}

void order_end(struct omctld *c, const struct om_job *j)
{
	(void)c;
	for (uint32_t i = 0; j->alloc && i < j->alloc->shares; i++) {
		const struct om_share *sh = j->alloc->share + i;
		struct peer *p = nodes_peer(sh->node);

		if (p && !sh->clean)
			order_end_stale(p, j->id, j->incarnation);
	}
}

void order_limit(struct omctld *c, const struct om_job *j, int64_t end_ns)
{
	Om__JobLimit m = OM__JOB_LIMIT__INIT;

	(void)c;
	m.job_id = j->id;
	m.end_ns = end_ns;
	for (uint32_t i = 0; j->alloc && i < j->alloc->shares; i++) {
		struct peer *p = nodes_peer(j->alloc->share[i].node);

		if (p && !j->alloc->share[i].clean)
			peer_send(p, OM_MSG_JOB_LIMIT, 0, &m.base);
	}
}

void order_kill_stale(struct peer *p, uint64_t job_id, uint32_t step_id,
		      uint32_t incarnation)
{
	Om__StepKill m = OM__STEP_KILL__INIT;

	m.job_id = job_id;
	m.signal = SIGKILL;
	SET(m, step_id, step_id);
	SET(m, incarnation, incarnation);
	SET(m, why, OM__JOB_STATE__CANCELLED);
	peer_send(p, OM_MSG_STEP_KILL, 0, &m.base);
}

void order_end_stale(struct peer *p, uint64_t job_id, uint32_t incarnation)
{
	Om__JobEnd m = OM__JOB_END__INIT;

	m.job_id = job_id;
	if (incarnation)
		SET(m, incarnation, incarnation);
	peer_send(p, OM_MSG_JOB_END, 0, &m.base);
}

void order_ack(struct peer *p, const Om__StepExit *x)
{
	Om__StepAck m = OM__STEP_ACK__INIT;

	m.job_id = x->job_id;
	m.step_id = x->step_id;
	m.incarnation = x->incarnation;
	peer_send(p, OM_MSG_STEP_ACK, 0, &m.base);
}
