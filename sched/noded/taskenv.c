/* SPDX-License-Identifier: GPL-3.0-or-later */
/* taskenv: the environment of a task; see taskenv.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"
#include "lib/proto/types.h"
#include "pmix-plugin/mca/jobenv.h"
#include "sched/noded/taskenv.h"

struct taskenv {
	struct om_strvec common;
	char **mpi;		/* common and what MPI needs; NULL: not made */
	char **full;		/* pointers into them, and the task's own */
	size_t n;		/* of full, before the task's own */
	char procid[32], localid[32];
};

/*
 * A job submitted from within a job inherits the outer one's variables; what
 * this job does not set anew must not shine through.
 */
static const char *const ours[] = {
	"OM_JOB_ID", "OM_JOB_NAME", "OM_SUBMIT_HOST", "OM_NODELIST",
	"OM_NNODES", "OM_NTASKS", "OM_TASKS_PER_NODE", "OM_SLOTS_PER_NODE",
	"OM_CPUS_ON_NODE", "OM_CPUS_PER_TASK", "OM_MEM_PER_NODE",
	"OM_PARTITION", "OM_ACCOUNT", "OM_RESTART_COUNT", "OM_END_TIME",
	"OM_PROCID", "OM_LOCALID", "OM_NODEID", "OM_NODENAME", "OM_STEP_ID",
	"OM_ARRAY_ID", "OM_ARRAY_INDEX", "OM_ARRAY_MIN", "OM_ARRAY_MAX",
	"OM_ARRAY_COUNT", "OM_CONF", "OM_BINDIR",
};

static bool is_ours(const char *entry)
{
	if (!om_str_starts(entry, "OM_"))
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t n = strlen(ours[i]);

		if (!strncmp(entry, ours[i], n) && entry[n] == '=')
			return true;
	}
	return false;
}

static int copy_users(struct om_strvec *e, const Om__Launch *l)
{
	int rc = 0;

	for (size_t i = 0; i < l->n_env && rc == 0; i++)
		if (strchr(l->env[i], '=') && !is_ours(l->env[i]))
			rc = om_strvec_add(e, l->env[i]);
	return rc;
}

static int set_default(struct om_strvec *e, const char *key, const char *value)
{
	if (!value || om_strvec_getenv(e, key))
		return 0;
	return om_strvec_setenv(e, key, value);
}

static int add_user(struct om_strvec *e, const struct asuser *u,
		    const Om__Launch *l)
{
	int rc = set_default(e, "HOME", u->home);

	if (rc == 0 && l->pty && l->pty_term)
		rc = om_strvec_setenv(e, "TERM", l->pty_term);

	if (rc == 0)
		rc = set_default(e, "SHELL", u->shell);
	if (rc == 0)
		rc = set_default(e, "USER", u->name);
	if (rc == 0)
		rc = set_default(e, "LOGNAME", u->name);
	if (rc == 0)
		rc = set_default(e, "PATH", "/usr/local/bin:/usr/bin:/bin");
	return rc;
}

char *taskenv_counts(const uint32_t *v, size_t n)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = om_buf_adds(&b, "");

	for (size_t i = 0; i < n && rc == 0;) {
		size_t run = 1;

		while (i + run < n && v[i + run] == v[i])
			run++;
		rc = om_buf_addf(&b, "%s%u", i ? "," : "", v[i]);
		if (rc == 0 && run > 1)
			rc = om_buf_addf(&b, "(x%zu)", run);
		i += run;
	}
	if (rc < 0) {
		om_buf_fini(&b);
		return NULL;
	}
	return om_buf_steal(&b);
}

int taskenv_index(const Om__Allocation *a, const char *node)
{
	for (size_t i = 0; i < a->n_node; i++)
		if (!strcmp(a->node[i], node))
			return (int)i;
	return -ENOENT;
}

/* Adds without looking for an older one: copy_users left none. */
static int add(struct om_strvec *e, const char *key, const char *value)
{
	return om_strvec_addf(e, "%s=%s", key, value ? value : "");
}

static int add_u(struct om_strvec *e, const char *key, uint64_t value)
{
	return om_strvec_addf(e, "%s=%" PRIu64, key, value);
}

static int add_allocation(struct om_strvec *e, const Om__StepLaunch *r)
{
	const Om__Allocation *a = r->job_allocation;
	const Om__Allocation *s = r->step_allocation ? r->step_allocation : a;
	om_autofree char *nodes = om_hostlist_compress(
		(const char *const *)a->node, a->n_node);
	om_autofree char *tasks = taskenv_counts(s->slots, s->n_slots);
	om_autofree char *slots = taskenv_counts(a->slots, a->n_slots);
	int rc;

	if (!nodes || !tasks || !slots)
		return -ENOMEM;
	rc = add(e, "OM_NODELIST", nodes);
	if (rc == 0)
		rc = add_u(e, "OM_NNODES", a->n_node);
	if (rc == 0)
		rc = add(e, "OM_TASKS_PER_NODE", tasks);
	if (rc == 0)
		rc = add(e, "OM_SLOTS_PER_NODE", slots);
	return rc;
}

static int add_array(struct om_strvec *e, const Om__StepLaunch *r)
{
	int rc;

	if (!r->array_id)
		return 0;
	rc = add_u(e, "OM_ARRAY_ID", r->array_id);
	if (rc == 0)
		rc = add_u(e, "OM_ARRAY_INDEX", r->array_index);
	if (rc == 0)
		rc = add_u(e, "OM_ARRAY_MIN", r->array_first);
	if (rc == 0)
		rc = add_u(e, "OM_ARRAY_MAX", r->array_last);
	if (rc == 0)
		rc = add_u(e, "OM_ARRAY_COUNT", r->array_count);
	return rc;
}

static int add_job(struct om_strvec *e, const Om__StepLaunch *r,
		   const Om__Launch *l)
{
	bool batch = r->step_id == OM_STEP_BATCH;
	int rc = add_u(e, "OM_JOB_ID", r->job_id);

	if (rc == 0)
		rc = add(e, "OM_JOB_NAME", r->name);
	if (rc == 0)
		rc = add(e, "OM_SUBMIT_HOST", l->submit_host);
	if (rc == 0 && l->cwd)
		rc = set_default(e, "OM_SUBMIT_DIR", l->cwd);
	if (rc == 0)
		rc = add_u(e, "OM_NTASKS", batch ? r->job_tasks :
			   r->tasks_total);
	if (rc == 0)
		rc = add_u(e, "OM_CPUS_ON_NODE", r->cpus);
	if (rc == 0)
		rc = add_u(e, "OM_CPUS_PER_TASK",
			   r->cpus_per_task ? r->cpus_per_task : 1);
	/* MiB, as the tools that read such a variable expect */
	if (rc == 0 && r->mem)
		rc = add_u(e, "OM_MEM_PER_NODE", r->mem >> 20);
	if (rc == 0)
		rc = add(e, "OM_PARTITION", r->partition);
	if (rc == 0 && r->account)
		rc = add(e, "OM_ACCOUNT", r->account);
	if (rc == 0)
		rc = add_u(e, "OM_RESTART_COUNT", r->restarts);
	if (rc == 0 && r->end_ns > 0)
		rc = add_u(e, "OM_END_TIME",
			   (uint64_t)(r->end_ns / OM_NS_PER_S));
	if (rc == 0)
		rc = batch ? add(e, "OM_STEP_ID", "batch") :
			     add_u(e, "OM_STEP_ID", r->step_id);
	return rc;
}

static int add_place(struct om_strvec *e, const struct place *p,
		     const Om__StepLaunch *r)
{
	int rc = add_u(e, "OM_NODEID", r->node_index);

	if (rc == 0)
		rc = add(e, "OM_NODENAME", p->name);
	if (rc == 0 && p->conf->path)
		rc = add(e, "OM_CONF", p->conf->path);
	return rc;
}

/* More slots than processors somewhere: ranks must not spin there. */
static bool oversubscribed(const Om__Allocation *a)
{
	for (size_t i = 0; i < a->n_slots && i < a->n_cpus; i++)
		if (a->slots[i] > a->cpus[i])
			return true;
	return false;
}

/* Only a node's uint32_t is known to be an unsigned here. */
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "slots are passed as they are");

static int add_mpi(struct taskenv *e, const struct taskenv_spec *s)
{
	const Om__Allocation *a = s->req->job_allocation;
	struct om_mpi_alloc m = {
		.job_id = s->req->job_id,
		.nnodes = (unsigned)a->n_node,
		.nodes = (const char *const *)a->node,
		.slots = a->slots,
		.mca_dir = s->place->mca_dir,
		.bindir = s->place->bindir,
		.spool_dir = s->hosts_dir,
		.if_include = s->place->conf->mpi_interface,
		.is_root = s->user->uid == 0,
		.oversubscribed = oversubscribed(a),
	};

	return om_mpi_jobenv(&m, e->common.v, &e->mpi);
}

static int make_full(struct taskenv *e)
{
	size_t n = 0;

	while (e->mpi[n])
		n++;
	e->full = calloc(n + 3, sizeof(*e->full));
	if (!e->full)
		return -ENOMEM;
	memcpy(e->full, e->mpi, n * sizeof(*e->full));
	e->n = n;
	e->full[n] = e->procid;
	e->full[n + 1] = e->localid;
	return 0;
}

struct taskenv *taskenv_create(const struct taskenv_spec *s,
			       struct om_error *err)
{
	struct taskenv *e = calloc(1, sizeof(*e));
	int rc = e ? copy_users(&e->common, s->launch) : -ENOMEM;

	if (rc == 0)
		rc = add_user(&e->common, s->user, s->launch);
	if (rc == 0)
		rc = add_job(&e->common, s->req, s->launch);
	if (rc == 0)
		rc = add_allocation(&e->common, s->req);
	if (rc == 0)
		rc = add_array(&e->common, s->req);
	if (rc == 0)
		rc = add_place(&e->common, s->place, s->req);
	if (rc == 0)
		rc = add_mpi(e, s);
	if (rc == 0)
		rc = make_full(e);
	if (rc < 0) {
		taskenv_destroy(e);
		om_fail(err, rc, "cannot make the environment: %s",
			strerror(-rc));
		return NULL;
	}
	return e;
}

void taskenv_destroy(struct taskenv *e)
{
	if (!e)
		return;
	om_strvec_fini(&e->common);
	if (e->mpi)
		om_mpi_jobenv_free(e->mpi);
	free(e->full);
	free(e);
}

char **taskenv_of(struct taskenv *e, uint32_t rank, uint32_t local)
{
	snprintf(e->procid, sizeof(e->procid), "OM_PROCID=%" PRIu32, rank);
	snprintf(e->localid, sizeof(e->localid), "OM_LOCALID=%" PRIu32, local);
	return e->full;
}

const char *taskenv_get(const struct taskenv *e, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < e->n; i++)
		if (!strncmp(e->full[i], key, n) && e->full[i][n] == '=')
			return e->full[i] + n + 1;
	return NULL;
}
