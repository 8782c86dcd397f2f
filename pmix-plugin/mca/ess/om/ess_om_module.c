/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdlib.h>
#include <string.h>

#include "opal/util/opal_environ.h"
#include "opal/util/output.h"
#include "orte/constants.h"
#include "orte/mca/ess/base/base.h"
#include "orte/runtime/orte_globals.h"
#include "orte/util/name_fns.h"
#include "orte/util/proc_info.h"

#include "../../common/alloc_env.h"
#include "pmix-plugin/mca/ess/om/ess_om.h"

static int refuse(const char *what)
{
	opal_output(orte_clean_output, "openMosix: orted on %s: %s is missing or no number.",
		    orte_process_info.nodename, what);
	return ORTE_ERR_SILENT;
}

/*
 * OM_PROCID and OM_NODEID count the daemons of one omrun. The ranks are to see
 * neither: a rank's number is OMPI_COMM_WORLD_RANK.
 */
static void hide_daemon_numbers(void)
{
	opal_unsetenv("OM_PROCID", &orte_launch_environ);
	opal_unsetenv("OM_NODEID", &orte_launch_environ);
}

static int set_name(void)
{
	const char *procid = getenv("OM_PROCID");
	orte_jobid_t jobid;
	orte_vpid_t first;
	unsigned index;

	if (!orte_ess_base_jobid ||
	    orte_util_convert_string_to_jobid(&jobid, orte_ess_base_jobid) != ORTE_SUCCESS)
		return refuse("ess_base_jobid");
	if (!orte_ess_base_vpid ||
	    orte_util_convert_string_to_vpid(&first, orte_ess_base_vpid) != ORTE_SUCCESS)
		return refuse("ess_base_vpid");
	if (!procid || om_alloc_env_number(procid, OM_ALLOC_MAX_NODES, &index) < 0)
		return refuse("OM_PROCID");
	ORTE_PROC_MY_NAME->jobid = jobid;
	ORTE_PROC_MY_NAME->vpid = first + index;
	return ORTE_SUCCESS;
}

/* Report the name that mpirun knows from the allocation. */
static int set_node_name(void)
{
	const char *name = getenv("OM_NODENAME");
	char *copy;

	if (!name || !*name)
		return ORTE_SUCCESS;
	copy = strdup(name);
	if (!copy)
		return ORTE_ERR_OUT_OF_RESOURCE;
	free(orte_process_info.nodename);
	orte_process_info.nodename = copy;
	return ORTE_SUCCESS;
}

static int ess_om_init(void)
{
	int rc;

	rc = orte_ess_base_std_prolog();
	if (rc == ORTE_SUCCESS)
		rc = set_name();
	if (rc == ORTE_SUCCESS)
		rc = set_node_name();
	if (rc == ORTE_SUCCESS)
		rc = orte_ess_env_get();
	if (rc != ORTE_SUCCESS)
		return rc;
	hide_daemon_numbers();
	return orte_ess_base_orted_setup();
}

static int ess_om_finalize(void)
{
	return orte_ess_base_orted_finalize();
}

/* A daemon has no state to save: it ends, and mpirun sees its connection close. */
static void ess_om_abort(int status, bool report)
{
	(void)report;
	exit(status);
}

orte_ess_base_module_t om_ess_module = {
	.init = ess_om_init,
	.finalize = ess_om_finalize,
	.abort = ess_om_abort,
};
