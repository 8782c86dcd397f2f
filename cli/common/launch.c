/* SPDX-License-Identifier: GPL-3.0-or-later */
/* launch: this process's surroundings as a Launch message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/launch.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

extern char **environ;

/* Limits that go along. NPROC counts a user's processes over the whole
 * machine, so ours says nothing about another one and stays here. */
static const int limits[] = {
	RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE,
	RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_RSS, RLIMIT_STACK,
};
_Static_assert(sizeof(limits) / sizeof(limits[0]) <= LAUNCH_LIMITS,
	       "room for every limit");

/* ---- environment */

static const char *const job_variables[] = {
	"OM_JOB_ID", "OM_JOB_NAME", "OM_SUBMIT_DIR", "OM_SUBMIT_HOST",
	"OM_NODELIST", "OM_NNODES", "OM_NTASKS", "OM_TASKS_PER_NODE",
	"OM_SLOTS_PER_NODE", "OM_CPUS_ON_NODE", "OM_CPUS_PER_TASK",
	"OM_PARTITION", "OM_ACCOUNT", "OM_RESTART_COUNT", "OM_END_TIME",
	"OM_PROCID", "OM_LOCALID", "OM_NODEID", "OM_NODENAME", "OM_STEP_ID",
	NULL,
};
/* What a launcher left for its own rank would make MPI_Init of another job
 * look for a server that is not there. PMIX_MCA_ are a user's settings. */
static const char *const job_prefixes[] = {
	"OM_MEM_", "OM_ARRAY_", "PMI_", "PMIX_NAMESPACE", "PMIX_RANK",
	"PMIX_SERVER_", "PMIX_SECURITY_MODE", "PMIX_BFROP_BUFFER_TYPE",
	"PMIX_GDS_MODULE", "PMIX_HOSTNAME", "PMIX_VERSION", "PMIX_SYSTEM_TMPDIR",
	"PMIX_DSTORE_", "OMPI_COMM_WORLD_", "OMPI_UNIVERSE_SIZE", "HYDI_",
	NULL,
};

bool launch_is_job_variable(const char *entry)
{
	for (int i = 0; job_variables[i]; i++) {
		size_t n = strlen(job_variables[i]);

		if (!strncmp(entry, job_variables[i], n) && entry[n] == '=')
			return true;
	}
	for (int i = 0; job_prefixes[i]; i++)
		if (om_str_starts(entry, job_prefixes[i]))
			return true;
	return false;
}

static void env_add(struct launch *l, const char *entry)
{
	l->env[l->msg.n_env++] = (char *)entry;
}

/* The whole environment, but what is another job's. */
static void env_add_all(struct launch *l, bool inherit_job)
{
	for (char **e = environ; *e; e++)
		if (inherit_job || !launch_is_job_variable(*e))
			env_add(l, *e);
}

/* Who the user is, whatever --export says; a shell needs that much. */
static void env_add_basic(struct launch *l)
{
	static const char *const names[] = { "HOME=", "USER=", "LOGNAME=",
					     "SHELL=", "OM_CONF=", NULL };

	for (char **e = environ; *e; e++)
		for (int i = 0; names[i]; i++)
			if (om_str_starts(*e, names[i]))
				env_add(l, *e);
	env_add(l, "PATH=/usr/local/bin:/usr/bin:/bin");
}

static const char *find_variable(const char *name, size_t len)
{
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e;
	return NULL;
}

/* Sets one NAME=VALUE, over what is there already. */
static void env_set(struct launch *l, const char *entry)
{
	size_t len = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < l->msg.n_env; i++) {
		if (strncmp(l->env[i], entry, len))
			continue;
		l->env[i] = (char *)entry;
		return;
	}
	env_add(l, entry);
}

/* One word of --export: NAME or NAME=VALUE. */
static int env_export(struct launch *l, const char *word, struct om_error *err)
{
	size_t len = strcspn(word, "=");
	const char *entry;

	if (len == 0 || strchr("0123456789", word[0]))
		return om_fail(err, -EINVAL, "--export: '%.60s' is not the name "
			       "of a variable\nwrite ALL, NONE or NAME,NAME=VALUE",
			       word);
	entry = word[len] ? word : find_variable(word, len);
	if (!entry)
		return 0;	/* not set here, so not set there */
	if (om_strvec_add(&l->extra, entry) < 0)
		return om_fail_nomem(err);
	env_set(l, l->extra.v[l->extra.n - 1]);
	return 0;
}

static int env_export_list(struct launch *l, const char *list,
			   struct om_error *err)
{
	om_autofree char *copy = strdup(list);
	char *rest = copy, *word;
	int rc = 0;

	if (!copy)
		return om_fail_nomem(err);
	while (rc == 0 && (word = strsep(&rest, ",")))
		if (strcmp(word, "ALL") && strcmp(word, "NONE"))
			rc = env_export(l, word, err);
	return rc;
}

static bool wants_all(const char *list)
{
	size_t len = list ? strcspn(list, ",") : 0;

	return !list || (len == 3 && om_str_starts(list, "ALL"));
}

static int count_commas(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += *s == ',';
	return n;
}

static int env_init(struct launch *l, const char *export, bool inherit_job,
		    struct om_error *err)
{
	size_t n = 8;	/* env_add_basic's, and a NULL */

	for (char **e = environ; *e; e++)
		n++;
	if (export)
		n += (size_t)count_commas(export) + 1;
	l->env = calloc(n, sizeof(*l->env));
	if (!l->env)
		return om_fail_nomem(err);
	if (wants_all(export))
		env_add_all(l, inherit_job);
	else
		env_add_basic(l);
	l->msg.env = l->env;
	return export ? env_export_list(l, export, err) : 0;
}

/* ---- folder, limits */

/* $PWD if it means the current folder: it keeps links as the user named
 * them, which other nodes may resolve in another way. */
static char *current_folder(struct om_error *err)
{
	const char *pwd = getenv("PWD");
	struct stat a, b;
	char *cwd;

	if (pwd && *pwd == '/' && stat(pwd, &a) == 0 && stat(".", &b) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		cwd = strdup(pwd);
	else
		cwd = getcwd(NULL, 0);
	if (!cwd)
		om_fail_errno(err, "cannot tell the current folder");
	return cwd;
}

static int set_folder(struct launch *l, const char *chdir, struct om_error *err)
{
	om_autofree char *here = NULL;

	if (chdir && *chdir == '/') {
		l->cwd = strdup(chdir);
		return l->cwd ? 0 : om_fail_nomem(err);
	}
	here = current_folder(err);
	if (!here)
		return err && err->code ? err->code : -EIO;
	if (!chdir)
		l->cwd = om_take(here);
	else if (asprintf(&l->cwd, "%s/%s", here, chdir) < 0)
		return om_fail_nomem(err);
	return 0;
}

static void set_limits(struct launch *l)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		Om__ResourceLimit *m = &l->limit[n];
		struct rlimit r;

		if (getrlimit(limits[i], &r) < 0)
			continue;
		om__resource_limit__init(m);
		m->resource = (uint32_t)limits[i];
		m->soft = r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
		m->hard = r.rlim_max == RLIM_INFINITY ? UINT64_MAX : r.rlim_max;
		l->limits[n++] = m;
	}
	l->msg.limit = l->limits;
	l->msg.n_limit = n;
}

int launch_init(struct launch *l, const struct jobspec *j, bool inherit_job,
		struct om_error *err)
{
	mode_t mask = umask(0);
	int rc;

	umask(mask);
	*l = (struct launch){ .cwd = NULL };
	om__launch__init(&l->msg);
	rc = env_init(l, j->export, inherit_job, err);
	if (rc == 0)
		rc = set_folder(l, j->chdir, err);
	if (rc < 0)
		return rc;
	set_limits(l);
	gethostname(l->host, sizeof(l->host) - 1);
	l->msg.cwd = l->cwd;
	l->msg.has_umask = true;
	l->msg.umask = mask;
	l->msg.submit_host = l->host;
	l->msg.std_in = (char *)j->std_in;
	l->msg.std_out = (char *)j->std_out;
	l->msg.std_err = (char *)j->std_err;
	l->msg.has_append = true;
	l->msg.append = j->append;
	return 0;
}

void launch_fini(struct launch *l)
{
	om_strvec_fini(&l->extra);
	free(l->env);
	free(l->cwd);
}

int launch_pack(const struct launch *l, ProtobufCBinaryData *ret,
		struct om_error *err)
{
	ret->len = om__launch__get_packed_size(&l->msg);
	ret->data = malloc(ret->len ? ret->len : 1);
	if (!ret->data)
		return om_fail_nomem(err);
	om__launch__pack(&l->msg, ret->data);
	return 0;
}
