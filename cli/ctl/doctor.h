/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * doctor: looks for the usual faults of a set-up. Each check adds findings;
 * each fault has its cure in a line. For doctor*.c and omctl.c.
 */
#ifndef OM_CLI_CTL_DOCTOR_H
#define OM_CLI_CTL_DOCTOR_H

#include <stdbool.h>

#include "cli/common/session.h"

enum finding_kind { FINDING_OK, FINDING_NOTE, FINDING_FAULT };

struct finding {
	enum finding_kind kind;
	const char *subject;	/* "munge" */
	char text[300];
	char cure[300];		/* empty where none is needed */
};

#define FINDINGS_MAX 256

struct doctor {
	const struct cli_common *common;
	struct session session;
	bool have_config, have_client, munge_works;
	struct finding finding[FINDINGS_MAX];
	int findings;
};

/* The exit code: CLI_FAILED if there is any fault. */
int doctor_run(const struct cli_common *c, bool json);

void doctor_ok(struct doctor *d, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* text and cure are one format each, "text\ncure". */
void doctor_note(struct doctor *d, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_fault(struct doctor *d, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* doctor_host.c: this machine */
void doctor_config(struct doctor *d);
void doctor_user(struct doctor *d);
void doctor_munge(struct doctor *d);
void doctor_folders(struct doctor *d);
void doctor_kernel(struct doctor *d);
void doctor_topology(struct doctor *d);
/* doctor_cluster.c: what the controller tells */
void doctor_controller(struct doctor *d);
void doctor_nodes(struct doctor *d);
/* doctor_mpi.c */
void doctor_mpi(struct doctor *d);

#endif
