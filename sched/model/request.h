/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request: what a job asks for, from a JobSpec and back. */
#ifndef OM_SCHED_MODEL_REQUEST_H
#define OM_SCHED_MODEL_REQUEST_H

#include "sched/model/model.h"

/* A request with one reference, or NULL without memory. Zero tasks or cpus
 * count as one. */
struct om_request *om_request_create(struct om_model *m,
				     const Om__JobSpec *spec);
struct om_request *om_request_get(struct om_request *r);
void om_request_put(struct om_model *m, struct om_request *r);
/* A copy with one reference, overlaid with the fields present in spec. */
struct om_request *om_request_update(struct om_model *m,
				     const struct om_request *r,
				     const Om__JobSpec *spec);
/* Fills spec with borrowed strings; array, hold and dependencies, which a
 * request does not hold, stay as they are in *ret. */
void om_request_to_spec(const struct om_request *r, Om__JobSpec *ret);

#endif
