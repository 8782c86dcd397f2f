/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "orte_config.h"

#include <stdio.h>
#include <string.h>

#include "opal/class/opal_list.h"
#include "orte/mca/rmaps/rmaps_types.h"
#include "orte/runtime/orte_globals.h"
#include "orte/runtime/runtime.h"

#include "pmix-plugin/mca/common/orte_match.h"

/* orte_version_string is "4.1.4" or "v4.1.4": releases of one series agree. */
static bool series_matches(void)
{
	const char *running = orte_version_string;
	char ours[32];

	if (*running == 'v')
		running++;
	snprintf(ours, sizeof(ours), "%d.%d.", ORTE_MAJOR_VERSION, ORTE_MINOR_VERSION);
	return !strncmp(running, ours, strlen(ours));
}

/* Each class tells the size its objects have in the running library. */
static bool layouts_match(void)
{
	return opal_list_item_t_class.cls_sizeof == sizeof(opal_list_item_t) &&
	       orte_node_t_class.cls_sizeof == sizeof(orte_node_t) &&
	       orte_proc_t_class.cls_sizeof == sizeof(orte_proc_t) &&
	       orte_job_t_class.cls_sizeof == sizeof(orte_job_t) &&
	       orte_job_map_t_class.cls_sizeof == sizeof(orte_job_map_t) &&
	       orte_app_context_t_class.cls_sizeof == sizeof(orte_app_context_t);
}

bool om_orte_matches(void)
{
	return series_matches() && layouts_match();
}
