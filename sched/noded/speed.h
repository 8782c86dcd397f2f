/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * speed: how fast one processor of this node is.
 *
 * 1.0 is what OM_SPEED_REFERENCE says. The figure is a weighted geometric
 * mean of three small kernels (integer, floating point, memory) in processor
 * time, so that a busy machine does not look slow. It is kept in RUN/node/speed
 * for this boot and processor model.
 */
#ifndef OM_NODED_SPEED_H
#define OM_NODED_SPEED_H

#include "lib/base/error.h"

/* A processor of a virtual machine on a Xeon of 2023, built by gcc 12 -O2. */
#define OM_SPEED_REFERENCE "Xeon Emerald Rapids, virtual, gcc 12 -O2"

/* Takes some 0.15 s the first time. dir: RUN/node. */
int speed_measure(const char *dir, const char *model, double *ret,
		  struct om_error *err);

#endif
