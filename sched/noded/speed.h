/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speed: how fast one processor of this node is.
 *
 * 1.0 is what OM_SPEED_REFERENCE says. The figure is the geometric mean of
 * three small kernels (integer, floating point, memory), each in processor
 * time, so that a busy machine does not look slow. It is kept in RUN/node/speed
 * for this boot and processor model.
 */
#ifndef OM_NODED_SPEED_H
#define OM_NODED_SPEED_H

#include "lib/base/error.h"

/* One thread of an Intel Xeon of 2.8 GHz (Cascade Lake), Debian 12, gcc 12. */
#define OM_SPEED_REFERENCE "Xeon Cascade Lake 2.8 GHz"

/* Takes up to 0.3 s the first time. dir: RUN/node. */
int speed_measure(const char *dir, const char *model, double *ret,
		  struct om_error *err);

#endif
