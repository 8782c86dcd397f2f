/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology: processors and memory of this node; see topology.h. */
#include <fcntl.h>
#include <hwloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/topology.h"

static uint32_t count(hwloc_topology_t h, hwloc_obj_type_t type)
{
	int n = hwloc_get_nbobjs_by_type(h, type);

	return n > 0 ? (uint32_t)n : 1;
}

static int read_hwloc(struct topology *t, struct om_error *err)
{
	hwloc_topology_t h;
	hwloc_obj_t machine;
	const char *model;

	if (hwloc_topology_init(&h) < 0)
		return om_fail_errno(err, "hwloc cannot start");
	hwloc_topology_set_all_types_filter(h, HWLOC_TYPE_FILTER_KEEP_NONE);
	hwloc_topology_set_type_filter(h, HWLOC_OBJ_PACKAGE,
				       HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_type_filter(h, HWLOC_OBJ_CORE,
				       HWLOC_TYPE_FILTER_KEEP_ALL);
	if (hwloc_topology_load(h) < 0) {
		hwloc_topology_destroy(h);
		return om_fail_errno(err, "hwloc cannot read the topology");
	}
	machine = hwloc_get_root_obj(h);
	t->cpus = count(h, HWLOC_OBJ_PU);
	t->cores = count(h, HWLOC_OBJ_CORE);
	t->sockets = count(h, HWLOC_OBJ_PACKAGE);
	t->numa_nodes = count(h, HWLOC_OBJ_NUMANODE);
	t->memory = machine->total_memory;
	model = hwloc_obj_get_info_by_name(
		hwloc_get_obj_by_type(h, HWLOC_OBJ_PACKAGE, 0) ?
		hwloc_get_obj_by_type(h, HWLOC_OBJ_PACKAGE, 0) : machine,
		"CPUModel");
	t->cpu_model = strdup(model ? model : "unknown");
	hwloc_topology_destroy(h);
	return t->cpu_model ? 0 : om_fail_nomem(err);
}

/* The first processor's flags (x86) or features (Arm); empty if none. */
static char *read_flags(void)
{
	om_autofile FILE *f = fopen("/proc/cpuinfo", "re");
	om_autofree char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char *colon = strchr(line, ':');

		if (!om_str_starts(line, "flags") &&
		    !om_str_starts(line, "Features"))
			continue;
		if (!colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		return strdup(colon[1] ? colon + 2 : "");
	}
	return strdup("");
}

static int read_kernel(struct topology *t, struct om_error *err)
{
	struct utsname u;

	if (uname(&u) < 0)
		return om_fail_errno(err, "cannot read the kernel's name");
	t->kernel = strdup(u.release);
	t->architecture = strdup(u.machine);
	t->cpu_flags = read_flags();
	if (!t->kernel || !t->architecture || !t->cpu_flags)
		return om_fail_nomem(err);
	return 0;
}

/* A quota of one and a half processors is room for two tasks. */
static void apply_own(struct topology *t, const struct cgroup_tree *tree)
{
	struct cgroup_own own;

	cgroup_own_read(tree, &own);
	if (own.mem_limit && own.mem_limit < t->memory)
		t->memory = own.mem_limit;
	t->quota = own.cpu_quota;
	if (t->quota > 0 && ceil(t->quota) < t->cpus)
		t->cpus = (uint32_t)ceil(t->quota);
}

static int apply_told(struct topology *t, const struct om_conf_node *conf,
		      struct om_error *err)
{
	const char *env = getenv("OM_NODE_CPUS");

	if (env && om_parse_u32(env, 1, 65536, &t->cpus) < 0)
		return om_fail(err, -EINVAL, "OM_NODE_CPUS is '%s', not a number of processors", env);
	if (conf && conf->cpus)
		t->cpus = conf->cpus;
	if (conf && conf->memory)
		t->memory = conf->memory;
	return 0;
}

int topology_read(struct topology *t, const struct cgroup_tree *tree,
		  const struct om_conf_node *conf, struct om_error *err)
{
	int rc;

	*t = (struct topology){ 0 };
	rc = read_hwloc(t, err);
	if (rc == 0)
		rc = read_kernel(t, err);
	if (rc < 0)
		return rc;
	apply_own(t, tree);
	return apply_told(t, conf, err);
}

void topology_fini(struct topology *t)
{
	free(t->cpu_model);
	free(t->cpu_flags);
	free(t->kernel);
	free(t->architecture);
}

void topology_fill(const struct topology *t, Om__Topology *m)
{
	om__topology__init(m);
	m->has_cpus = m->has_cores = m->has_sockets = true;
	m->has_numa_nodes = m->has_memory = true;
	m->cpus = t->cpus;
	m->cores = t->cores;
	m->sockets = t->sockets;
	m->numa_nodes = t->numa_nodes;
	m->memory = t->memory;
	m->cpu_model = t->cpu_model;
	m->cpu_flags = t->cpu_flags;
	m->kernel = t->kernel;
	m->architecture = t->architecture;
}
