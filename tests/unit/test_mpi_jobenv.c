/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The environment that makes mpirun and mpiexec find their job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmix-plugin/mca/jobenv.h"

static const char *const nodes[] = { "n1", "n2", "n3" };
static const unsigned slots[] = { 2, 2, 1 };

static const struct om_mpi_alloc plain = {
	.job_id = 123,
	.nnodes = 3,
	.nodes = nodes,
	.slots = slots,
	.mca_dir = "/lib/om/openmpi",
	.bindir = "/usr/bin",
	.spool_dir = "/spool/123",
};

static char **build(const struct om_mpi_alloc *alloc, const char *const *env)
{
	char **result = NULL;

	assert_int_equal(om_mpi_jobenv(alloc, (char *const *)env, &result), 0);
	assert_non_null(result);
	return result;
}

/* The value of name; fails if it is there twice. */
static const char *get(char **env, const char *name)
{
	const char *value = NULL;
	size_t len = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, len) || (*env)[len] != '=')
			continue;
		if (value)
			fail_msg("%s is there twice", name);
		value = *env + len + 1;
	}
	return value;
}

static void assert_env(char **env, const char *name, const char *want)
{
	const char *value = get(env, name);

	if (!value)
		fail_msg("%s is not set", name);
	assert_string_equal(value, want);
}

static void assert_unset(char **env, const char *name)
{
	if (get(env, name))
		fail_msg("%s is set to '%s'", name, get(env, name));
}

static void job_finds_its_nodes_without_user_settings(void **state)
{
	char **env = build(&plain, NULL);

	(void)state;
	assert_env(env, "OM_BINDIR", "/usr/bin");
	assert_env(env, "OMPI_MCA_mca_base_component_path",
		   "SYS_DEFAULT:/lib/om/openmpi:USER_DEFAULT");
	assert_env(env, "OMPI_MCA_orte_default_hostfile", "/spool/123/hosts.openmpi");
	assert_env(env, "OMPI_MCA_plm_rsh_agent", "/usr/bin/omrsh");
	assert_env(env, "PRTE_MCA_prte_default_hostfile", "/spool/123/hosts.openmpi");
	assert_env(env, "PRTE_MCA_plm_ssh_agent", "/usr/bin/omrsh");
	assert_env(env, "HYDRA_HOST_FILE", "/spool/123/hosts.mpich");
	assert_env(env, "HYDRA_LAUNCHER", "rsh");
	assert_env(env, "HYDRA_LAUNCHER_EXEC", "/usr/bin/omrsh");
	om_mpi_jobenv_free(env);
}

static void variables_for_special_cases_stay_away(void **state)
{
	char **env = build(&plain, NULL);

	(void)state;
	assert_unset(env, "OMPI_MCA_btl_tcp_if_include");
	assert_unset(env, "OMPI_MCA_oob_tcp_if_include");
	assert_unset(env, "HYDRA_IFACE");
	assert_unset(env, "OMPI_ALLOW_RUN_AS_ROOT");
	assert_unset(env, "OMPI_MCA_mpi_yield_when_idle");
	assert_unset(env, "OMPI_MCA_hwloc_base_binding_policy");
	om_mpi_jobenv_free(env);
}

static void no_variable_of_another_scheduler_is_set(void **state)
{
	struct om_mpi_alloc all = plain;
	char **env;

	(void)state;
	all.is_root = all.oversubscribed = true;
	all.if_include = "eth0";
	env = build(&all, NULL);
	for (char **e = env; *e; e++) {
		assert_int_not_equal(strncmp(*e, "SLURM", 5), 0);
		assert_int_not_equal(strncmp(*e, "PBS_", 4), 0);
		assert_int_not_equal(strncmp(*e, "SGE_", 4), 0);
		assert_int_not_equal(strncmp(*e, "LSB_", 4), 0);
	}
	om_mpi_jobenv_free(env);
}

static void users_environment_is_kept(void **state)
{
	const char *const user[] = { "HOME=/home/u", "EMPTY=", "ODD=a=b", NULL };
	char **env = build(&plain, user);

	(void)state;
	assert_env(env, "HOME", "/home/u");
	assert_env(env, "EMPTY", "");
	assert_env(env, "ODD", "a=b");
	om_mpi_jobenv_free(env);
}

static void users_own_setting_wins(void **state)
{
	const char *const user[] = {
		"OMPI_MCA_orte_default_hostfile=/home/u/hosts",
		"OMPI_MCA_plm_rsh_agent=ssh",
		"HYDRA_HOST_FILE=/home/u/hosts",
		"OMPI_MCA_mpi_yield_when_idle=0",
		NULL,
	};
	struct om_mpi_alloc crowded = plain;
	char **env;

	(void)state;
	crowded.oversubscribed = true;
	env = build(&crowded, user);
	assert_env(env, "OMPI_MCA_orte_default_hostfile", "/home/u/hosts");
	assert_env(env, "OMPI_MCA_plm_rsh_agent", "ssh");
	assert_env(env, "HYDRA_HOST_FILE", "/home/u/hosts");
	assert_env(env, "OMPI_MCA_mpi_yield_when_idle", "0");
	assert_env(env, "OMPI_MCA_hwloc_base_binding_policy", "none");
	om_mpi_jobenv_free(env);
}

static void users_launcher_is_not_mixed_with_ours(void **state)
{
	const char *const user[] = { "HYDRA_BOOTSTRAP=ssh", NULL };
	char **env = build(&plain, user);

	(void)state;
	assert_unset(env, "HYDRA_LAUNCHER");
	assert_unset(env, "HYDRA_LAUNCHER_EXEC");
	assert_env(env, "HYDRA_HOST_FILE", "/spool/123/hosts.mpich");
	om_mpi_jobenv_free(env);
}

static void users_component_path_is_extended(void **state)
{
	const char *const user[] = {
		"OMPI_MCA_mca_base_component_path=/opt/ompi/lib:/home/u/.openmpi/components", NULL
	};
	char **env = build(&plain, user);
	char **inner;

	(void)state;
	assert_env(env, "OMPI_MCA_mca_base_component_path",
		   "/lib/om/openmpi:/opt/ompi/lib:/home/u/.openmpi/components");
	inner = build(&plain, (const char *const *)env);
	assert_env(inner, "OMPI_MCA_mca_base_component_path",
		   "/lib/om/openmpi:/opt/ompi/lib:/home/u/.openmpi/components");
	om_mpi_jobenv_free(inner);
	om_mpi_jobenv_free(env);
}

static void without_components_the_path_is_left_alone(void **state)
{
	const char *const user[] = { "OMPI_MCA_mca_base_component_path=/opt/x", NULL };
	struct om_mpi_alloc bare = plain;
	char **env;

	(void)state;
	bare.mca_dir = NULL;
	env = build(&bare, user);
	assert_env(env, "OMPI_MCA_mca_base_component_path", "/opt/x");
	om_mpi_jobenv_free(env);
	env = build(&bare, NULL);
	assert_unset(env, "OMPI_MCA_mca_base_component_path");
	om_mpi_jobenv_free(env);
}

static void inner_job_replaces_what_the_outer_job_set(void **state)
{
	struct om_mpi_alloc outer = plain, inner = plain;
	char **first, **second;

	(void)state;
	outer.is_root = outer.oversubscribed = true;
	inner.spool_dir = "/spool/124";
	first = build(&outer, NULL);
	second = build(&inner, (const char *const *)first);
	assert_env(second, "OMPI_MCA_orte_default_hostfile", "/spool/124/hosts.openmpi");
	assert_env(second, "HYDRA_HOST_FILE", "/spool/124/hosts.mpich");
	assert_env(second, "OMPI_MCA_mca_base_component_path",
		   "SYS_DEFAULT:/lib/om/openmpi:USER_DEFAULT");
	assert_unset(second, "OMPI_MCA_mpi_yield_when_idle");
	assert_unset(second, "OMPI_ALLOW_RUN_AS_ROOT");
	assert_env(second, "OM_BINDIR", "/usr/bin");
	om_mpi_jobenv_free(second);
	om_mpi_jobenv_free(first);
}

static void users_change_within_the_outer_job_wins(void **state)
{
	struct om_mpi_alloc inner = plain;
	char **first, **second;

	(void)state;
	inner.spool_dir = "/spool/124";
	first = build(&plain, NULL);
	for (char **e = first; *e; e++) {
		if (strncmp(*e, "HYDRA_HOST_FILE=", 16))
			continue;
		free(*e);
		*e = strdup("HYDRA_HOST_FILE=mine");
	}
	second = build(&inner, (const char *const *)first);
	assert_env(second, "HYDRA_HOST_FILE", "mine");
	assert_env(second, "OMPI_MCA_orte_default_hostfile", "/spool/124/hosts.openmpi");
	om_mpi_jobenv_free(second);
	om_mpi_jobenv_free(first);
}

static void interface_hint_goes_to_all_layers(void **state)
{
	struct om_mpi_alloc hinted = plain;
	char **env;

	(void)state;
	hinted.if_include = "eth0";
	env = build(&hinted, NULL);
	assert_env(env, "OMPI_MCA_btl_tcp_if_include", "eth0");
	assert_env(env, "OMPI_MCA_oob_tcp_if_include", "eth0");
	assert_env(env, "PRTE_MCA_prte_if_include", "eth0");
	assert_env(env, "HYDRA_IFACE", "eth0");
	om_mpi_jobenv_free(env);
	hinted.if_include = "10.1.0.0/16";
	env = build(&hinted, NULL);
	assert_env(env, "OMPI_MCA_btl_tcp_if_include", "10.1.0.0/16");
	assert_unset(env, "HYDRA_IFACE");
	om_mpi_jobenv_free(env);
}

static void interface_hint_yields_to_users_exclude(void **state)
{
	const char *const user[] = { "OMPI_MCA_btl_tcp_if_exclude=docker0", NULL };
	struct om_mpi_alloc hinted = plain;
	char **env;

	(void)state;
	hinted.if_include = "eth0";
	env = build(&hinted, user);
	assert_unset(env, "OMPI_MCA_btl_tcp_if_include");
	assert_env(env, "OMPI_MCA_oob_tcp_if_include", "eth0");
	om_mpi_jobenv_free(env);
}

static void root_may_run_mpirun(void **state)
{
	struct om_mpi_alloc root = plain;
	char **env;

	(void)state;
	root.is_root = true;
	env = build(&root, NULL);
	assert_env(env, "OMPI_ALLOW_RUN_AS_ROOT", "1");
	assert_env(env, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
	om_mpi_jobenv_free(env);
}

static void hostfiles_name_nodes_and_slots(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(om_mpi_hostfile_text(&plain, OM_MPI_HOSTFILE_OPENMPI, &text), 0);
	assert_string_equal(text, "# nodes of openMosix job 123\n"
			    "n1 slots=2\nn2 slots=2\nn3 slots=1\n");
	free(text);
	assert_int_equal(om_mpi_hostfile_text(&plain, OM_MPI_HOSTFILE_MPICH, &text), 0);
	assert_string_equal(text, "# nodes of openMosix job 123\nn1:2\nn2:2\nn3:1\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(job_finds_its_nodes_without_user_settings),
		cmocka_unit_test(variables_for_special_cases_stay_away),
		cmocka_unit_test(no_variable_of_another_scheduler_is_set),
		cmocka_unit_test(users_environment_is_kept),
		cmocka_unit_test(users_own_setting_wins),
		cmocka_unit_test(users_launcher_is_not_mixed_with_ours),
		cmocka_unit_test(users_component_path_is_extended),
		cmocka_unit_test(without_components_the_path_is_left_alone),
		cmocka_unit_test(inner_job_replaces_what_the_outer_job_set),
		cmocka_unit_test(users_change_within_the_outer_job_wins),
		cmocka_unit_test(interface_hint_goes_to_all_layers),
		cmocka_unit_test(interface_hint_yields_to_users_exclude),
		cmocka_unit_test(root_may_run_mpirun),
		cmocka_unit_test(hostfiles_name_nodes_and_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
