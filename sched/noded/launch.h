/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * launch: one task from fork to exec, as the user.
 *
 * The child runs in the parent's memory (CLONE_VM | CLONE_VFORK) and is born
 * in its cgroup, so a task costs no copy of page tables and no migration
 * between groups. Until its exec it may only make system calls.
 */
#ifndef OM_NODED_LAUNCH_H
#define OM_NODED_LAUNCH_H

#include <sched.h>

#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/asuser.h"
#include "sched/noded/cgroup.h"

struct launch_task {
	const char *path;	/* to execute; argv[0] may be another word */
	char *const *argv, *const *envp;
	int in, out, err;	/* become 0, 1, 2; above 2 */
	int tty;		/* becomes the controlling terminal; -1: none */
	const struct asuser *user;
	const Om__Launch *launch;	/* limits, umask */
	int into;		/* cgroup for clone3, or -1 */
	const int *join;	/* cgroup.procs to write into */
	int joins;
	const cpu_set_t *cpus;	/* NULL: as they are */
	bool oom_adjust;	/* the daemon is shielded, the task not */
};

/*
 * Returns the pid once the program runs. Otherwise -Exxx with a sentence, and
 * nothing of the child is left.
 */
pid_t launch_start(const struct launch_task *t, struct om_error *err);

/*
 * Where a command is, looked for as execvp does in the job's own PATH with the
 * user's rights; name with a slash stays. Owned, or NULL with err.
 */
char *launch_find(const char *name, const char *path_list,
		  const struct asuser *user, struct om_error *err);

/* "0-3,7" to a set; -EINVAL, -ERANGE. */
int launch_cpus(const char *list, cpu_set_t *ret, struct om_error *err);

#endif
