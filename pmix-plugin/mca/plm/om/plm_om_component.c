/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdlib.h>

#include "opal/mca/base/base.h"
#include "orte/constants.h"
#include "orte/util/proc_info.h"

#include "../../common/orte_match.h"
#include "pmix-plugin/mca/plm/om/plm_om.h"

/* Above plm/slurm (75). Two minutes are ample for a thousand busy nodes. */
struct om_plm_params om_plm_params = { .priority = 90, .start_timeout_s = 120 };

static void register_int(const char *name, const char *help, int *storage)
{
	mca_base_component_var_register(&mca_plm_om_component.base_version, name, help,
					MCA_BASE_VAR_TYPE_INT, NULL, 0, 0, OPAL_INFO_LVL_9,
					MCA_BASE_VAR_SCOPE_READONLY, storage);
}

static int plm_om_register(void)
{
	register_int("priority", "Priority of the om plm component", &om_plm_params.priority);
	register_int("start_timeout",
		     "Seconds until all daemons must have called back (0: no limit)",
		     &om_plm_params.start_timeout_s);
	return ORTE_SUCCESS;
}

static int plm_om_query(mca_base_module_t **ret_module, int *ret_priority)
{
	*ret_module = NULL;
	*ret_priority = 0;
	if (!getenv("OM_JOB_ID") || !ORTE_PROC_IS_HNP || !om_orte_matches())
		return ORTE_ERROR;
	*ret_module = (mca_base_module_t *)&om_plm_module;
	*ret_priority = om_plm_params.priority;
	return ORTE_SUCCESS;
}

orte_plm_base_component_t mca_plm_om_component = {
	.base_version = {
		ORTE_PLM_BASE_VERSION_2_0_0,
		.mca_component_name = "om",
		MCA_BASE_MAKE_VERSION(component, ORTE_MAJOR_VERSION, ORTE_MINOR_VERSION,
				      ORTE_RELEASE_VERSION),
		.mca_query_component = plm_om_query,
		.mca_register_component_params = plm_om_register,
	},
	.base_data = { MCA_BASE_METADATA_PARAM_CHECKPOINT },
};
