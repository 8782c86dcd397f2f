/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdlib.h>

#include "opal/mca/base/base.h"
#include "orte/constants.h"

#include "../../common/orte_match.h"
#include "pmix-plugin/mca/ras/om/ras_om.h"

/* Above ras/slurm (50) and ras/gridengine (100). */
static int priority = 110;

static int ras_om_register(void)
{
	mca_base_component_var_register(&mca_ras_om_component.base_version, "priority",
					"Priority of the om ras component",
					MCA_BASE_VAR_TYPE_INT, NULL, 0, 0, OPAL_INFO_LVL_9,
					MCA_BASE_VAR_SCOPE_READONLY, &priority);
	return ORTE_SUCCESS;
}

/*
 * Within a job we accept even if the lists turn out to be broken: allocate can
 * then stop mpirun with the reason, where declining would run all ranks here.
 */
static int ras_om_query(mca_base_module_t **ret_module, int *ret_priority)
{
	*ret_module = NULL;
	*ret_priority = 0;
	if (!getenv("OM_JOB_ID") || !om_orte_matches())
		return ORTE_ERROR;
	*ret_module = (mca_base_module_t *)&om_ras_module;
	*ret_priority = priority;
	return ORTE_SUCCESS;
}

orte_ras_base_component_t mca_ras_om_component = {
	.base_version = {
		ORTE_RAS_BASE_VERSION_2_0_0,
		.mca_component_name = "om",
		MCA_BASE_MAKE_VERSION(component, ORTE_MAJOR_VERSION, ORTE_MINOR_VERSION,
				      ORTE_RELEASE_VERSION),
		.mca_query_component = ras_om_query,
		.mca_register_component_params = ras_om_register,
	},
	.base_data = { MCA_BASE_METADATA_PARAM_CHECKPOINT },
};
