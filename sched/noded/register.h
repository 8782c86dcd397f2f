/* SPDX-License-Identifier: GPL-3.0-or-later */
/* register: what a node tells of itself when it comes: NodeRegister. */
#ifndef OM_NODED_REGISTER_H
#define OM_NODED_REGISTER_H

#include "sched/noded/noded.h"

struct registration;
/* Measures what does not change: topology, speed, boot. */
struct registration *registration_create(struct noded *n,
					 struct om_error *err);
void registration_destroy(struct registration *r);
/* Queues it on c, with the steps and ends that are held now. */
int registration_send(struct registration *r, struct noded *n,
		      struct om_conn *c, struct om_error *err);

#endif
