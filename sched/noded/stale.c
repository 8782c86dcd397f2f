/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stale: folders in the spool whose jobs are gone.
 *
 * The spool outlives a crash of the node; the journal, and whoever would have
 * removed a job's folder, do not. A step daemon makes its job's group before
 * the folder and removes it before the folder: a folder without a group is
 * nobody's, unless the journal knows the job, whose end is then still to come.
 */
#include <fcntl.h>
#include <inttypes.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/noded.h"
#include "sched/noded/script.h"

static bool has_group(const struct noded *n, uint64_t job)
{
	struct cgroup_group g;

	if (cgroup_group_open(n->place.tree, job, CGROUP_WHOLE_JOB, &g,
			      NULL) < 0)
		return false;
	cgroup_group_close(&g);
	return true;
}

static void look_at(struct noded *n, const char *name)
{
	struct om_error err = OM_ERROR_INIT;
	uint64_t job;

	if (om_parse_u64(name, 1, UINT64_MAX, &job) < 0 || jobs_find(n, job) ||
	    has_group(n, job))
		return;
	om_log_info("removing what a lost job left job=%" PRIu64, job);
	/* The user's own files may hinder it; that is no reason to stop. */
	if (script_remove(n->place.spool_fd, job, &err) < 0)
		om_log_warn("spool not removed job=%" PRIu64 ": %s", job,
			    om_error_text(&err));
}

int stale_remove(struct noded *n, struct om_error *err)
{
	int fd = openat(n->place.spool_fd, ".", O_RDONLY | O_DIRECTORY |
			O_CLOEXEC);
	om_autodir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		int rc = om_fail_errno(err, "cannot read the spool");

		om_cleanup_fd(&fd);
		return rc;
	}
	while ((e = readdir(dir)))
		look_at(n, e->d_name);
	return 0;
}
