/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdlib.h>
#include <string.h>

#include "opal/mca/base/base.h"
#include "orte/constants.h"
#include "orte/util/proc_info.h"

#include "../../common/orte_match.h"
#include "pmix-plugin/mca/ess/om/ess_om.h"

/*
 * Every MPI process asks; only a daemon that plm/om started (it passes
 * "-mca ess om") is ours. An orted of the rsh way may run within a job too.
 */
static int ess_om_query(mca_base_module_t **ret_module, int *ret_priority)
{
	const char *wanted = getenv("OMPI_MCA_ess");

	*ret_module = NULL;
	*ret_priority = 0;
	if (!wanted || strcmp(wanted, "om") || !ORTE_PROC_IS_DAEMON || !om_orte_matches())
		return ORTE_ERROR;
	*ret_module = (mca_base_module_t *)&om_ess_module;
	*ret_priority = 60;
	return ORTE_SUCCESS;
}

orte_ess_base_component_t mca_ess_om_component = {
	.base_version = {
		ORTE_ESS_BASE_VERSION_3_0_0,
		.mca_component_name = "om",
		MCA_BASE_MAKE_VERSION(component, ORTE_MAJOR_VERSION, ORTE_MINOR_VERSION,
				      ORTE_RELEASE_VERSION),
		.mca_query_component = ess_om_query,
	},
	.base_data = { MCA_BASE_METADATA_PARAM_CHECKPOINT },
};
