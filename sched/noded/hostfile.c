/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hostfile: nodes and slots for MPI launchers; see hostfile.h. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "pmix-plugin/mca/jobenv.h"
#include "sched/noded/hostfile.h"
#include "sched/noded/script.h"

static const enum om_mpi_hostfile_kind kinds[] = {
	OM_MPI_HOSTFILE_OPENMPI, OM_MPI_HOSTFILE_MPICH,
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct om_mpi_alloc alloc_of(const Om__StepLaunch *req)
{
	const Om__Allocation *a = req->job_allocation;

	return (struct om_mpi_alloc){
		.job_id = req->job_id,
		.nnodes = (unsigned)a->n_node,
		.nodes = (const char *const *)a->node,
		.slots = a->slots,
	};
}

/* Written beside and renamed: another step daemon may do the same now. */
static int write_shared(int dirfd, const char *name, const char *text)
{
	char tmp[64];
	om_autofd int fd = -1;
	ssize_t n = (ssize_t)strlen(text);

	snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid());
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n || fchmod(fd, 0644) < 0 ||
	    renameat(dirfd, tmp, dirfd, name) < 0) {
		int rc = errno ? -errno : -EIO;

		unlinkat(dirfd, tmp, 0);
		return rc;
	}
	return 0;
}

static int make_shared(const char *dir, const Om__StepLaunch *req)
{
	struct om_mpi_alloc a = alloc_of(req);
	om_autofd int fd = -1;
	int rc = 0;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0755) < 0)	/* whatever the job's umask is */
		return -errno;
	for (size_t i = 0; i < KINDS && rc == 0; i++) {
		om_autofree char *text = NULL;

		rc = om_mpi_hostfile_text(&a, kinds[i], &text);
		if (rc == 0)
			rc = write_shared(fd, om_mpi_hostfile_name(kinds[i]),
					  text);
	}
	return rc;
}

/* The last of the two files there means that both are. */
static char *shared(const struct place *p, const Om__StepLaunch *req,
		    struct om_error *err)
{
	om_autofree char *dir = NULL, *last = NULL;
	uint32_t slots = req->job_allocation->slots[0];
	int rc;

	if (asprintf(&dir, "%s/hosts/%s.%u", p->conf->spool_dir, p->name,
		     slots) < 0 ||
	    asprintf(&last, "%s/%s", dir,
		     om_mpi_hostfile_name(kinds[KINDS - 1])) < 0) {
		om_fail_nomem(err);
		return NULL;
	}
	rc = access(last, F_OK) == 0 ? 0 : make_shared(dir, req);
	if (rc < 0) {
		om_fail(err, rc, "cannot write the hostfiles in '%s': %s", dir,
			strerror(-rc));
		return NULL;
	}
	return om_take(dir);
}

static char *own(const struct place *p, const Om__StepLaunch *req,
		 const struct asuser *user, struct om_error *err)
{
	struct om_mpi_alloc a = alloc_of(req);
	struct script_owner to = { user->uid, user->gid, 0400 };
	om_autofd int fd = script_folder(p->spool_fd, req->job_id, err);
	char *dir;

	if (fd < 0)
		return NULL;
	for (size_t i = 0; i < KINDS; i++) {
		const char *name = om_mpi_hostfile_name(kinds[i]);
		om_autofree char *text = NULL;

		if (faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;	/* an earlier step's */
		if (om_mpi_hostfile_text(&a, kinds[i], &text) < 0) {
			om_fail_nomem(err);
			return NULL;
		}
		if (script_write(fd, name, text, strlen(text), &to, err) < 0)
			return NULL;
	}
	if (asprintf(&dir, "%s/job/%" PRIu64, p->conf->spool_dir,
		     req->job_id) < 0) {
		om_fail_nomem(err);
		return NULL;
	}
	return dir;
}

char *hostfile_make(const struct place *p, const Om__StepLaunch *req,
		    const struct asuser *user, struct om_error *err)
{
	const Om__Allocation *a = req->job_allocation;

	if (!a->n_node || a->n_slots != a->n_node) {
		om_fail(err, -EPROTO, "the job's allocation is malformed");
		return NULL;
	}
	if (a->n_node == 1)
		return shared(p, req, err);
	return own(p, req, user, err);
}
