/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdlib.h>
#include <string.h>

#include "opal/class/opal_list.h"
#include "opal/util/output.h"
#include "orte/constants.h"
#include "orte/mca/state/state.h"
#include "orte/runtime/orte_globals.h"
#include "orte/util/proc_info.h"

#include "../../common/alloc_env.h"
#include "pmix-plugin/mca/ras/om/ras_om.h"

static int ras_om_init(void)
{
	return ORTE_SUCCESS;
}

/*
 * mpirun calls its own node by gethostname(), which may differ from the
 * cluster's name for it; Open MPI would then start a daemon beside mpirun.
 */
static const char *name_for_orte(const char *name)
{
	const char *here = getenv("OM_NODENAME");

	if (here && !strcmp(here, name) && orte_process_info.nodename)
		return orte_process_info.nodename;
	return name;
}

static orte_node_t *make_node(const char *name, unsigned slots)
{
	orte_node_t *node = OBJ_NEW(orte_node_t);

	if (!node)
		return NULL;
	node->name = strdup(name);
	if (!node->name) {
		OBJ_RELEASE(node);
		return NULL;
	}
	node->state = ORTE_NODE_STATE_UP;
	node->slots = (orte_std_cntr_t)slots;
	/* Without this flag Open MPI puts the number of cores in place of slots. */
	ORTE_FLAG_SET(node, ORTE_NODE_FLAG_SLOTS_GIVEN);
	return node;
}

static int add_nodes(const struct om_alloc_env *alloc, opal_list_t *nodes)
{
	for (unsigned i = 0; i < alloc->nnodes; i++) {
		orte_node_t *node = make_node(name_for_orte(alloc->names[i]), alloc->slots[i]);

		if (!node)
			return ORTE_ERR_OUT_OF_RESOURCE;
		opal_list_append(nodes, &node->super);
	}
	orte_num_allocated_nodes = (orte_std_cntr_t)alloc->nnodes;
	return ORTE_SUCCESS;
}

static int ras_om_allocate(orte_job_t *jdata, opal_list_t *nodes)
{
	struct om_alloc_error err = { "" };
	struct om_alloc_env alloc;
	int rc;

	if (om_alloc_env_load(&alloc, &err) < 0) {
		opal_output(orte_clean_output,
			    "openMosix: mpirun cannot use the allocation of job %s: %s.",
			    getenv("OM_JOB_ID"), err.text);
		ORTE_ACTIVATE_JOB_STATE(jdata, ORTE_JOB_STATE_SILENT_ABORT);
		return ORTE_ERR_ALLOCATION_PENDING;
	}
	rc = add_nodes(&alloc, nodes);
	om_alloc_env_fini(&alloc);
	return rc;
}

static int ras_om_finalize(void)
{
	return ORTE_SUCCESS;
}

orte_ras_base_module_t om_ras_module = {
	.init = ras_om_init,
	.allocate = ras_om_allocate,
	.finalize = ras_om_finalize,
};
