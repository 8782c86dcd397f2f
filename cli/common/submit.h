/* SPDX-License-Identifier: GPL-3.0-or-later */
/* submit: a job's way to the controller, and what is said about it. */
#ifndef OM_CLI_COMMON_SUBMIT_H
#define OM_CLI_COMMON_SUBMIT_H

#include "cli/common/jobspec.h"
#include "cli/common/launch.h"

struct submit {
	Om__Submit msg;
	uint8_t uuid[16];
};

/* Fills s from both; they must outlive it. */
int submit_init(struct submit *s, struct jobspec *j, const struct launch *l,
		struct om_error *err);
void submit_fini(struct submit *s);
/* The controller's remarks, on standard error. */
void submit_say_notes(const Om__Submitted *answer);
/* "would start now on n[1-2]"; standard output. */
void submit_print_estimate(const Om__Submitted *answer);
/* What $? shows for a job or step: its code, 128 + signal, or 1 where its
 * state says it failed and nothing else does. */
int submit_exit_code(Om__JobState state, unsigned code, unsigned signal);

#endif
