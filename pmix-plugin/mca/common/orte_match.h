/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef OM_MCA_ORTE_MATCH_H
#define OM_MCA_ORTE_MATCH_H

#include <stdbool.h>

/*
 * Is the Open MPI that loaded us the one we were compiled for? Its component
 * loader does not ask: it takes a component of 4.1 into 4.0, or into a 4.1 built
 * with --enable-debug, where the structs are laid out differently. A component
 * of ours must decline unless this is true; mpirun then takes the way by
 * hostfile and rsh agent (jobenv.h).
 */
bool om_orte_matches(void);

#endif
