/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * omrun as a child process of mpirun. Needs only libc and knows nothing of
 * Open MPI.
 */
#ifndef OM_MCA_OMRUN_CHILD_H
#define OM_MCA_OMRUN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct omrun_child {
	pid_t pid;
	int pidfd;	/* -1 where the kernel has none (before 5.3) */
};

/*
 * Write the path of omrun to path: $OM_BINDIR/omrun if OM_BINDIR is set, else the
 * installed one, else the first in PATH. Returns 0, -ENOENT if there is none that
 * may be executed (path then holds the one looked for), or -ENAMETOOLONG.
 */
int omrun_child_find(char *path, size_t size);

/*
 * Start path with argv and env. The child has /dev/null as stdin (mpirun's own
 * belongs to rank 0) and, if silent, as stdout; stderr is ours. It has its own
 * process group, so ^C reaches mpirun alone, default signal actions, no other
 * descriptor, and gets SIGTERM when we die, however we die. Returns 0, or -errno
 * of fork or exec. The child may be reaped by anyone.
 */
int omrun_child_start(const char *path, char *const argv[], char *const env[], bool silent,
		      struct omrun_child *ret_child);

/* Wait until it has ended; false if it still lives after timeout_ms. */
bool omrun_child_wait(const struct omrun_child *child, int timeout_ms);

/* Ask it to kill the daemons and end. Harmless after it has ended. */
void omrun_child_terminate(const struct omrun_child *child);

/* Close what start opened; the process is left alone. */
void omrun_child_fini(struct omrun_child *child);

#endif
