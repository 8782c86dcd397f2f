/* SPDX-License-Identifier: GPL-3.0-or-later */
/* info: jobs and nodes as commands and the history see them. */
#ifndef OM_SCHED_MODEL_INFO_H
#define OM_SCHED_MODEL_INFO_H

#include "sched/model/model.h"

/*
 * Fills *ret (initialise nothing). Strings are borrowed from the job until it
 * changes, but nodelist and array_pending, which om_job_info_fini frees; steps
 * are left out. 0 or -ENOMEM.
 */
int om_job_info(const struct om_job *j, Om__JobInfo *ret, Om__Usage *usage);
void om_job_info_fini(Om__JobInfo *info);

/* A step likewise; nodelist is owned and freed by om_step_info_fini. */
int om_step_info(const struct om_step *s, Om__StepInfo *ret, Om__Usage *usage);
void om_step_info_fini(Om__StepInfo *info);

#endif
