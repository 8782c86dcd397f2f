/* SPDX-License-Identifier: GPL-3.0-or-later */
/* life: a cluster comes up, changes, goes down; one caller at a time. */
#ifndef OM_CLI_CLUSTER_LIFE_H
#define OM_CLI_CLUSTER_LIFE_H

#include "cli/cluster/spec.h"

int life_parse_count(const char *text, struct spec *s, struct om_error *err);

/*
 * Brings up what s asks for and c (initialised) lacks. Returns 1 if something
 * was done, 0 if all was there. What failed half-way is taken down again,
 * unless the cluster was there before.
 */
int life_up(const struct spec *s, struct cluster *c, struct om_error *err);
/* 1: it was up; 0: there was nothing. */
int life_down(struct cluster *c, struct om_error *err);

/* A descriptor that holds the lock until it is closed. */
int life_lock(const struct cluster *c, struct om_error *err);

int life_crash(struct cluster *c, const struct cluster_node *n,
	       struct om_error *err);
int life_restart(struct cluster *c, const struct cluster_node *n,
		 struct om_error *err);

const char *life_version(void);

#endif
