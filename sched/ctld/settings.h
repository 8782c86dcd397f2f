/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * settings: the configuration at run time. What is set with "omctl set" is an
 * event, so it outlives restarts, and stands above the file until it is set
 * to nothing.
 */
#ifndef OM_SCHED_CTLD_SETTINGS_H
#define OM_SCHED_CTLD_SETTINGS_H

#include "sched/ctld/ctld.h"

/* Lays what was set at run time over a configuration just read. */
int settings_overlay(const struct om_model *m, struct om_config *config,
		     struct om_error *err);
/* Reads the file again; the old configuration stays on failure. */
int settings_reload(struct omctld *c, struct om_error *err);

#endif
