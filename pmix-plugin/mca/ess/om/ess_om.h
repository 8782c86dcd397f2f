/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * ess/om lets an orted started by plm/om find out which one it is. One call of
 * omrun starts them all with the same arguments, so what differs comes from the
 * environment: its rank is the first rank of the launch (ess_base_vpid) plus
 * OM_PROCID, its node's name is OM_NODENAME.
 */
#ifndef OM_MCA_ESS_OM_H
#define OM_MCA_ESS_OM_H

#include "orte_config.h"

#include "orte/mca/ess/ess.h"

ORTE_MODULE_DECLSPEC extern orte_ess_base_component_t mca_ess_om_component;
extern orte_ess_base_module_t om_ess_module;

#endif
