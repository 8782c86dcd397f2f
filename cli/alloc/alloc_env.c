/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * alloc_env: the variables that a batch script would find, here where no node
 * daemon sets them; and the hostfiles that mpirun and mpiexec may read.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/alloc/alloc.h"
#include "cli/common/launch.h"
#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"
#include "pmix-plugin/mca/jobenv.h"

extern char **environ;

/* "2(x3),1" */
static char *counts(const uint32_t *v, size_t n)
{
	struct om_buf b = OM_BUF_INIT;

	for (size_t i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && v[i + run] == v[i]; run++)
			;
		om_buf_addf(&b, "%s%u", i ? "," : "", v[i]);
		if (run > 1)
			om_buf_addf(&b, "(x%zu)", run);
	}
	return om_buf_steal(&b);
}

/* Where our commands are: told, or beside this one. */
static char *own_folder(void)
{
	const char *told = getenv("OM_BINDIR");
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (told && *told)
		return strdup(told);
	if (n <= 0)
		return strdup(OM_BINDIR);
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return strdup(path);
}

static int copy_ours(struct om_strvec *v)
{
	int rc = 0;

	for (char **e = environ; *e && rc == 0; e++)
		if (!launch_is_job_variable(*e))
			rc = om_strvec_add(v, *e);
	return rc;
}

static int set_text(struct om_strvec *v, const char *key, const char *value)
{
	return value && *value ? om_strvec_setenv(v, key, value) : 0;
}

static int set_number(struct om_strvec *v, const char *key, uint64_t value)
{
	return om_strvec_setenvf(v, key, "%llu", (unsigned long long)value);
}

static int set_job(struct om_strvec *v, const struct alloc_options *o,
		   const Om__JobInfo *job)
{
	const Om__JobSpec *s = &o->job.spec;
	char host[256] = "";
	char cwd[PATH_MAX];
	int rc = set_number(v, "OM_JOB_ID", job->job_id);

	gethostname(host, sizeof(host) - 1);
	rc |= set_text(v, "OM_JOB_NAME", s->name);
	rc |= set_text(v, "OM_SUBMIT_HOST", host);
	rc |= set_text(v, "OM_SUBMIT_DIR", getcwd(cwd, sizeof(cwd)));
	rc |= set_number(v, "OM_NTASKS", s->tasks);
	rc |= set_number(v, "OM_CPUS_PER_TASK", s->cpus_per_task);
	rc |= set_text(v, "OM_PARTITION", job->partition);
	rc |= set_text(v, "OM_ACCOUNT", job->account);
	rc |= set_text(v, "OM_CONF", o->common.config);
	if (job->mem)
		rc |= set_number(v, "OM_MEM_PER_NODE", job->mem >> 20);
	if (job->start_ns > 0 && job->time_limit_s > 0 &&
	    job->time_limit_s != OM_DURATION_UNLIMITED)
		rc |= set_number(v, "OM_END_TIME", (uint64_t)
			(job->start_ns / OM_NS_PER_S + job->time_limit_s));
	return rc;
}

static int set_nodes(struct om_strvec *v, const Om__Allocation *a)
{
	om_autofree char *slots = counts(a->slots, a->n_slots);
	om_autofree char *list = om_hostlist_compress(
		(const char *const *)a->node, a->n_node);
	int rc;

	if (!slots || !list)
		return -ENOMEM;
	rc = set_text(v, "OM_NODELIST", list);
	rc |= set_number(v, "OM_NNODES", a->n_node);
	rc |= set_text(v, "OM_SLOTS_PER_NODE", slots);
	rc |= set_text(v, "OM_TASKS_PER_NODE", slots);
	return rc;
}

/* ---- hostfiles */

static int write_hostfile(const char *folder, const struct om_mpi_alloc *m,
			  enum om_mpi_hostfile_kind kind, struct om_error *err)
{
	om_autofree char *text = NULL, *path = NULL;
	om_autofd int fd = -1;
	size_t len;

	if (om_mpi_hostfile_text(m, kind, &text) < 0 ||
	    asprintf(&path, "%s/%s", folder, om_mpi_hostfile_name(kind)) < 0)
		return om_fail_nomem(err);
	len = strlen(text);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		return om_fail_errno(err, "cannot write '%.300s'", path);
	return 0;
}

static char *make_folder(struct om_error *err)
{
	const char *base = getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/omalloc.XXXXXX",
		     base && *base ? base : "/tmp") < 0) {
		om_fail_nomem(err);
		return NULL;
	}
	if (!mkdtemp(path)) {
		om_fail_errno(err, "cannot make a folder for the hostfiles");
		free(path);
		return NULL;
	}
	return path;
}

static void remove_folder(const char *folder)
{
	for (int kind = OM_MPI_HOSTFILE_OPENMPI; kind <= OM_MPI_HOSTFILE_MPICH;
	     kind++) {
		om_autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", folder,
			     om_mpi_hostfile_name(kind)) >= 0)
			unlink(path);
	}
	rmdir(folder);
}

static bool oversubscribed(const Om__Allocation *a)
{
	for (size_t i = 0; i < a->n_slots && i < a->n_cpus; i++)
		if (a->slots[i] > a->cpus[i])
			return true;
	return false;
}

static int set_mpi(struct alloc_env *e, const struct om_config *config,
		   const Om__JobInfo *job, const Om__Allocation *a,
		   struct om_error *err)
{
	om_autofree char *bindir = own_folder();
	const char *told = getenv("OM_MCA_DIR");
	const char *mca_dir = told && *told ? told : OM_PKGLIBDIR "/openmpi";
	struct om_mpi_alloc m = {
		.job_id = job->job_id,
		.nnodes = (unsigned)a->n_node,
		.nodes = (const char *const *)a->node,
		.slots = a->slots,
		.mca_dir = access(mca_dir, R_OK | X_OK) == 0 ? mca_dir : NULL,
		.bindir = bindir,
		.if_include = config->mpi_interface,
		.is_root = getuid() == 0,
		.oversubscribed = oversubscribed(a),
	};
	int rc;

	e->folder = make_folder(err);
	if (!bindir || !e->folder)
		return err->code ? err->code : om_fail_nomem(err);
	m.spool_dir = e->folder;
	rc = write_hostfile(e->folder, &m, OM_MPI_HOSTFILE_OPENMPI, err);
	if (rc == 0)
		rc = write_hostfile(e->folder, &m, OM_MPI_HOSTFILE_MPICH, err);
	if (rc == 0 && om_mpi_jobenv(&m, e->vars.v, &e->env) < 0)
		rc = om_fail_nomem(err);
	return rc;
}

int alloc_env_init(struct alloc_env *e, const struct alloc_options *o,
		   const struct om_config *config, const Om__JobInfo *job,
		   const Om__Allocation *a, struct om_error *err)
{
	*e = (struct alloc_env){ .vars = OM_STRVEC_INIT };
	if (a->n_slots != a->n_node || !a->n_node)
		return om_fail(err, -EPROTO, "the allocation is malformed");
	if (copy_ours(&e->vars) || set_job(&e->vars, o, job) ||
	    set_nodes(&e->vars, a))
		return om_fail_nomem(err);
	return set_mpi(e, config, job, a, err);
}

void alloc_env_fini(struct alloc_env *e)
{
	if (e->env)
		om_mpi_jobenv_free(e->env);
	om_strvec_fini(&e->vars);
	if (e->folder)
		remove_folder(e->folder);
	free(e->folder);
}
