/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * ras/om tells Open MPI 4.1 which nodes and slots the job has. It is chosen in
 * every process that allocates (mpirun) while OM_JOB_ID is set.
 */
#ifndef OM_MCA_RAS_OM_H
#define OM_MCA_RAS_OM_H

#include "orte_config.h"

#include "orte/mca/ras/ras.h"

ORTE_MODULE_DECLSPEC extern orte_ras_base_component_t mca_ras_om_component;
extern orte_ras_base_module_t om_ras_module;

#endif
