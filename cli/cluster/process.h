/* SPDX-License-Identifier: GPL-3.0-or-later */
/* process: daemons made by a command, and the files that name them. */
#ifndef OM_CLI_CLUSTER_PROCESS_H
#define OM_CLI_CLUSTER_PROCESS_H

#include <sys/types.h>

#include "lib/base/error.h"

/* "PID STARTTIME": a process id that was used again does not match. */
int process_write(const char *path, pid_t pid, struct om_error *err);
/* The process that the file names, or 0 if there is none any more. */
pid_t process_read(const char *path);

/* Signals, then waits until it has ended; SIGKILL after grace_ns. */
int process_stop(pid_t pid, int signo, int64_t grace_ns, struct om_error *err);

/*
 * Leaves a child behind that goes on in body, detached from the terminal,
 * standard error to the log. body gets the end of a pipe to report into:
 * "ok" or an error's text. Returns when the pipe's last end is closed.
 */
typedef int process_body_fn(void *arg, int report);
int process_detach(const char *log_path, process_body_fn *body, void *arg,
		   struct om_error *err);

#endif
