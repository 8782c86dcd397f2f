/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Every setting passes set(): it knows what the user owns and keeps the record of
 * what is ours, OM_MPI_ENV="NAME=hash NAME=hash ...", hash being that of the value
 * we gave. A variable that no longer has that hash is the user's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmix-plugin/mca/jobenv.h"

#define RECORD "OM_MPI_ENV"
#define COMPONENT_PATH "OMPI_MCA_mca_base_component_path"

struct builder {
	char *const *old;	/* the user's, borrowed */
	const char *old_record;	/* borrowed from old, "" if none */
	char **env;		/* taken by the caller at the end */
	size_t count;
	size_t size;
	FILE *record;		/* what is ours in env */
	int rc;			/* first error; later calls do nothing */
};

static const char *find(char *const *env, const char *name, size_t len)
{
	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;	/* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

/* Did we give the variable this value, in an outer job? */
static bool is_recorded(const char *record, const char *name, size_t len, const char *value)
{
	char entry[24];

	if (!*record)
		return false;	/* no outer job: spare every hash */

	snprintf(entry, sizeof(entry), "%016" PRIx64, hash(value));
	for (const char *p = record; *p; p += strcspn(p, " "), p += *p == ' ')
		if (!strncmp(p, name, len) && p[len] == '=' &&
		    !strncmp(p + len + 1, entry, strlen(entry)))
			return true;
	return false;
}

/* The value if the user set it, NULL if it is unset or ours. */
static const char *users_value(const struct builder *b, const char *name)
{
	const char *value = find(b->old, name, strlen(name));

	if (!value || is_recorded(b->old_record, name, strlen(name), value))
		return NULL;
	return value;
}

/* Takes entry, also on failure. */
static void append(struct builder *b, char *entry)
{
	if (b->count + 1 >= b->size) {
		size_t size = b->size ? 2 * b->size : 64;
		char **env = realloc(b->env, size * sizeof(*env));

		if (!env) {
			free(entry);
			b->rc = -ENOMEM;
			return;
		}
		b->env = env;
		b->size = size;
	}
	b->env[b->count++] = entry;
	b->env[b->count] = NULL;
}

__attribute__((format(printf, 2, 3)))
static void append_format(struct builder *b, const char *fmt, ...)
{
	char *entry = NULL;
	va_list ap;
	int n;

	if (b->rc < 0)
		return;
	va_start(ap, fmt);
	n = vasprintf(&entry, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->rc = -ENOMEM;
	else
		append(b, entry);
}

static void set(struct builder *b, const char *name, const char *value)
{
	if (users_value(b, name))
		return;
	append_format(b, "%s=%s", name, value);
	if (b->rc == 0 && fprintf(b->record, "%s%s=%016" PRIx64,
				  ftell(b->record) > 0 ? " " : "", name, hash(value)) < 0)
		b->rc = -ENOMEM;
}

/* value is DIR/FILE */
static void set_path(struct builder *b, const char *name, const char *dir, const char *file)
{
	char *value = NULL;

	if (b->rc == 0 && asprintf(&value, "%s/%s", dir, file) < 0) {
		b->rc = -ENOMEM;
		return;
	}
	if (b->rc == 0)
		set(b, name, value);
	free(value);
}

/* Replaced in any case, hence not copied. */
static bool is_internal(const char *entry, size_t len)
{
	return (len == strlen(RECORD) && !strncmp(entry, RECORD, len)) ||
	       (len == strlen("OM_BINDIR") && !strncmp(entry, "OM_BINDIR", len));
}

/*
 * Everything but what is ours: that is set anew or, if this job does not need
 * it, forgotten. The component path is always written by set_component_path().
 */
static void copy_users(struct builder *b, const struct om_mpi_alloc *alloc)
{
	for (char *const *e = b->old; e && *e; e++) {
		size_t len = strcspn(*e, "=");

		if (!(*e)[len])
			continue;
		if (is_internal(*e, len) || is_recorded(b->old_record, *e, len, *e + len + 1))
			continue;
		if (alloc->mca_dir && len == strlen(COMPONENT_PATH) &&
		    !strncmp(*e, COMPONENT_PATH, len))
			continue;
		append_format(b, "%s", *e);
	}
}

static bool path_contains(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	for (const char *p = path; *p; p += strcspn(p, ":"), p += *p == ':')
		if (strcspn(p, ":") == len && !strncmp(p, dir, len))
			return true;
	return false;
}

/*
 * Open MPI stops reading the path at the first folder that does not exist, and
 * ~/.openmpi/components seldom does: ours must come before it.
 */
static void set_component_path(struct builder *b, const char *dir)
{
	const char *users = users_value(b, COMPONENT_PATH);
	char *value = NULL;

	if (users && path_contains(users, dir)) {
		append_format(b, COMPONENT_PATH "=%s", users);
	} else if (users) {
		append_format(b, COMPONENT_PATH "=%s:%s", dir, users);
	} else if (asprintf(&value, "SYS_DEFAULT:%s:USER_DEFAULT", dir) < 0) {
		b->rc = -ENOMEM;
	} else {
		set(b, COMPONENT_PATH, value);
		free(value);
	}
}

/* For Open MPI versions our components do not fit, and for 5 (PRTE_MCA_*). */
static void set_fallback(struct builder *b, const struct om_mpi_alloc *alloc)
{
	const char *hosts = om_mpi_hostfile_name(OM_MPI_HOSTFILE_OPENMPI);

	set_path(b, "OMPI_MCA_orte_default_hostfile", alloc->spool_dir, hosts);
	set_path(b, "OMPI_MCA_plm_rsh_agent", alloc->bindir, "omrsh");
	set(b, "OMPI_MCA_plm_rsh_no_tree_spawn", "1");
	set(b, "OMPI_MCA_orte_leave_session_attached", "1");
	set_path(b, "PRTE_MCA_prte_default_hostfile", alloc->spool_dir, hosts);
	set_path(b, "PRTE_MCA_plm_ssh_agent", alloc->bindir, "omrsh");
	set(b, "PRTE_MCA_plm_ssh_no_tree_spawn", "1");
	set(b, "PRTE_MCA_prte_leave_session_attached", "1");
}

static void set_hydra(struct builder *b, const struct om_mpi_alloc *alloc)
{
	static const char *const launcher[] = {
		"HYDRA_LAUNCHER", "HYDRA_BOOTSTRAP",
		"HYDRA_LAUNCHER_EXEC", "HYDRA_BOOTSTRAP_EXEC",
	};
	bool users = false;

	if (!users_value(b, "HYDRA_RMK"))
		set_path(b, "HYDRA_HOST_FILE", alloc->spool_dir,
			 om_mpi_hostfile_name(OM_MPI_HOSTFILE_MPICH));
	for (size_t i = 0; i < sizeof(launcher) / sizeof(launcher[0]); i++)
		users = users || users_value(b, launcher[i]);
	if (users)
		return;
	set(b, "HYDRA_LAUNCHER", "rsh");
	set_path(b, "HYDRA_LAUNCHER_EXEC", alloc->bindir, "omrsh");
}

/* Open MPI refuses an include beside the user's exclude. */
static void set_interfaces(struct builder *b, const char *include)
{
	if (!users_value(b, "OMPI_MCA_btl_tcp_if_exclude"))
		set(b, "OMPI_MCA_btl_tcp_if_include", include);
	if (!users_value(b, "OMPI_MCA_oob_tcp_if_exclude"))
		set(b, "OMPI_MCA_oob_tcp_if_include", include);
	if (!users_value(b, "PRTE_MCA_prte_if_exclude"))
		set(b, "PRTE_MCA_prte_if_include", include);
	if (!strpbrk(include, "/,"))
		set(b, "HYDRA_IFACE", include);	/* one interface's name only */
}

/* On crowded cores a rank that spins or is bound slows collectives tenfold. */
static void set_oversubscribed(struct builder *b)
{
	set(b, "OMPI_MCA_mpi_yield_when_idle", "1");
	set(b, "OMPI_MCA_hwloc_base_binding_policy", "none");
	set(b, "PRTE_MCA_hwloc_default_binding_policy", "none");
}

static void set_root(struct builder *b)
{
	set(b, "OMPI_ALLOW_RUN_AS_ROOT", "1");
	set(b, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
	set(b, "PRTE_ALLOW_RUN_AS_ROOT", "1");
	set(b, "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
}

static void set_all(struct builder *b, const struct om_mpi_alloc *alloc)
{
	append_format(b, "OM_BINDIR=%s", alloc->bindir);
	if (alloc->mca_dir)
		set_component_path(b, alloc->mca_dir);
	set_fallback(b, alloc);
	set_hydra(b, alloc);
	if (alloc->if_include)
		set_interfaces(b, alloc->if_include);
	if (alloc->oversubscribed)
		set_oversubscribed(b);
	if (alloc->is_root)
		set_root(b);
}

int om_mpi_jobenv(const struct om_mpi_alloc *alloc, char *const *env, char ***ret_env)
{
	const char *record = find(env, RECORD, strlen(RECORD));
	struct builder b = { .old = env, .old_record = record ? record : "" };
	char *text = NULL;
	size_t size;

	b.record = open_memstream(&text, &size);
	if (!b.record)
		return -ENOMEM;
	copy_users(&b, alloc);
	set_all(&b, alloc);
	if (fclose(b.record) != 0)
		b.rc = -ENOMEM;
	append_format(&b, RECORD "=%s", text ? text : "");
	free(text);
	if (b.rc < 0) {
		om_mpi_jobenv_free(b.env);
		return b.rc;
	}
	*ret_env = b.env;
	return 0;
}

void om_mpi_jobenv_free(char **env)
{
	for (char **e = env; e && *e; e++)
		free(*e);
	free(env);
}

const char *om_mpi_hostfile_name(enum om_mpi_hostfile_kind kind)
{
	return kind == OM_MPI_HOSTFILE_OPENMPI ? "hosts.openmpi" : "hosts.mpich";
}

int om_mpi_hostfile_text(const struct om_mpi_alloc *alloc, enum om_mpi_hostfile_kind kind,
			 char **ret_text)
{
	const char *sign = kind == OM_MPI_HOSTFILE_OPENMPI ? " slots=" : ":";
	char *text = NULL;
	bool failed;
	size_t size;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	fprintf(f, "# nodes of openMosix job %" PRIu64 "\n", alloc->job_id);
	for (unsigned i = 0; i < alloc->nnodes; i++)
		fprintf(f, "%s%s%u\n", alloc->nodes[i], sign, alloc->slots[i]);
	failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}
