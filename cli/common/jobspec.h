/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jobspec: what a job asks for, as options that omsub, omrun and omalloc
 * share and that #OM lines may hold too.
 */
#ifndef OM_CLI_COMMON_JOBSPEC_H
#define OM_CLI_COMMON_JOBSPEC_H

#include "cli/common/options.h"
#include "lib/proto/openmosix.pb-c.h"

#define JOBSPEC_DEPENDENCIES 1024

/* Strings in spec are borrowed from where the options stood. */
struct jobspec {
	Om__JobSpec spec;
	char *array;		/* owned: spec.array without its limit */
	const char *chdir;
	const char *std_in, *std_out, *std_err;	/* patterns, or NULL */
	const char *export;	/* ALL, NONE or names */
	bool append;
};

void jobspec_init(struct jobspec *j, Om__JobKind kind);
void jobspec_fini(struct jobspec *j);

/* Groups of options; their target is a struct jobspec. */
extern const struct cli_option jobspec_resources[];
extern const struct cli_option jobspec_naming[];
extern const struct cli_option jobspec_start[];
extern const struct cli_option jobspec_process[];	/* env, cwd, stdio */
extern const struct cli_option jobspec_moving[];
extern const struct cli_option jobspec_batch[];		/* omsub only */

/* What the options say together: fills in what follows from others, or
 * -EINVAL where they contradict each other. */
int jobspec_complete(struct jobspec *j, struct om_error *err);

/* ---- the words of single options; all return 0 or -EINVAL */

/* "afterok:1:2,singleton" replaces j's dependencies. */
int jobspec_parse_dependency(struct jobspec *j, const char *text,
			     struct om_error *err);
/* "[B:]USR1[@120]" */
int jobspec_parse_signal(struct jobspec *j, const char *text,
			 struct om_error *err);
/* "1-100000%50", "1,3,7-20:2" */
int jobspec_parse_array(struct jobspec *j, const char *text,
			struct om_error *err);
/* "4" or "2-8" */
int jobspec_parse_nodes(struct jobspec *j, const char *text,
			struct om_error *err);
/* "n[1-8],!n3,@bigmem" */
int jobspec_check_mask(const char *text, struct om_error *err);
/* "200" or "200ms", "1.5s", "1min" */
int jobspec_parse_freeze(const char *text, uint32_t *ret_ms);

#endif
