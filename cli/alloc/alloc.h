/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alloc: what omalloc does, from the request to the command's end. */
#ifndef OM_CLI_ALLOC_ALLOC_H
#define OM_CLI_ALLOC_ALLOC_H

#include "cli/common/jobspec.h"
#include "lib/base/strvec.h"
#include "lib/conf/config.h"

struct alloc_options {
	struct cli_common common;
	struct jobspec job;
	bool no_shell, quiet;
	char **command;		/* NULL-ended; empty: a shell */
};

/* The exit code. */
int alloc_main(const struct alloc_options *o);

/* The environment of a command that runs with an allocation. */
struct alloc_env {
	char **env;		/* as for execve */
	struct om_strvec vars;
	char *folder;		/* of the hostfiles, removed by fini; or NULL */
};
int alloc_env_init(struct alloc_env *e, const struct alloc_options *o,
		   const struct om_config *config, const Om__JobInfo *job,
		   const Om__Allocation *a, struct om_error *err);
void alloc_env_fini(struct alloc_env *e);

#endif
