/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hooks: the site's prolog and epilog, run by root around a job.
 *
 * The program must belong to root and be writable by nobody else, and so must
 * every folder above it. It gets a fresh environment (OM_JOB_ID OM_JOB_UID
 * OM_JOB_USER OM_NODENAME PATH), /dev/null as input, omnoded's standard error
 * as output, and a process group of its own, which is killed when the time is
 * out.
 */
#ifndef OM_NODED_HOOKS_H
#define OM_NODED_HOOKS_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

struct hook_spec {
	const char *path, *what;	/* what: "prolog", "epilog" */
	uint64_t job;
	uid_t uid;
	const char *user, *node;
	int64_t timeout_ns;
};

struct hook;
/* code 0: it ended with 0; else -Exxx and text says how it failed. */
typedef void hook_fn(void *arg, int code, const char *text);

/* 0 and fn is called later, or -Exxx and it is not. spec is copied. */
int hook_start(struct om_loop *loop, const struct hook_spec *spec, hook_fn *fn,
	       void *arg, struct hook **ret, struct om_error *err);
/* Kills it; fn is not called. */
void hook_cancel(struct hook *h);
/*
 * May root run this file? Gives the path without links, which is what was
 * judged and what is to run: a link may lie where others can turn it.
 */
int hook_check(const char *path, char real[PATH_MAX], struct om_error *err);

#endif
