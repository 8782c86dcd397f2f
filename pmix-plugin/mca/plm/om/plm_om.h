/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * plm/om starts the daemons (orted) of Open MPI 4.1 on all nodes that need one
 * by one call of our launcher:
 *
 *	omrun --daemons --nodelist=n2,n3 -- orted ... -mca ess om ...
 *
 * omrun lives as long as the daemons do, so its end tells us of theirs.
 */
#ifndef OM_MCA_PLM_OM_H
#define OM_MCA_PLM_OM_H

#include "orte_config.h"

#include "orte/mca/plm/plm.h"

struct om_plm_params {
	int priority;
	int start_timeout_s;	/* 0: wait for the daemons without limit */
};

ORTE_MODULE_DECLSPEC extern orte_plm_base_component_t mca_plm_om_component;
extern orte_plm_base_module_t om_plm_module;
extern struct om_plm_params om_plm_params;

#endif
