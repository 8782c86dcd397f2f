/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * All functions here run in mpirun's main thread, from its event loop. A launch
 * is one omrun and the daemons it starts; the first covers the allocation, more
 * come only with MPI_Comm_spawn onto nodes that had no daemon. A launch stays in
 * the list until finalize, so that a late event finds it.
 */
#include "orte_config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "opal/mca/event/event.h"
#include "opal/mca/installdirs/installdirs.h"
#include "opal/util/argv.h"
#include "opal/util/basename.h"
#include "opal/util/opal_environ.h"
#include "opal/util/output.h"
#include "orte/constants.h"
#include "orte/mca/errmgr/errmgr.h"
#include "orte/mca/plm/base/plm_private.h"
#include "orte/mca/rmaps/rmaps_types.h"
#include "orte/mca/state/state.h"
#include "orte/runtime/orte_globals.h"
#include "orte/runtime/orte_wait.h"
#include "orte/util/attr.h"
#include "orte/util/name_fns.h"

#include "pmix-plugin/mca/plm/om/omrun_child.h"
#include "pmix-plugin/mca/plm/om/plm_om.h"

enum {
	FINISH_WAIT_MS = 3000,		/* for daemons that were told to end */
	TERMINATE_WAIT_MS = 2000,	/* for an omrun that got SIGTERM */
};

struct launch {
	struct launch *next;
	struct omrun_child omrun;
	bool running;
	bool failed;		/* said so already */
	orte_vpid_t first;	/* its daemons are first..first+count-1 */
	orte_vpid_t count;
	char *nodelist;
	opal_event_t *timer;	/* NULL without start_timeout */
};

static struct launch *launches;

#define say(...) opal_output(orte_clean_output, "openMosix: " __VA_ARGS__)

static orte_job_t *daemon_job(void)
{
	return orte_get_job_data_object(ORTE_PROC_MY_NAME->jobid);
}

static void launch_destroy(struct launch *l)
{
	if (!l)
		return;
	if (l->timer) {
		opal_event_evtimer_del(l->timer);
		opal_event_free(l->timer);
	}
	omrun_child_fini(&l->omrun);
	free(l->nodelist);
	free(l);
}

static bool end_was_ordered(void)
{
	return orte_orteds_term_ordered || orte_abnormal_term_ordered;
}

static bool any_running(void)
{
	for (struct launch *l = launches; l; l = l->next)
		if (l->running)
			return true;
	return false;
}

/* Names of the nodes whose daemon has not called back, a few of them. */
static char **missing_nodes(const struct launch *l, unsigned *ret_missing)
{
	opal_pointer_array_t *procs = daemon_job()->procs;
	char **names = NULL;

	*ret_missing = 0;
	for (orte_vpid_t v = l->first; v < l->first + l->count; v++) {
		orte_proc_t *proc = opal_pointer_array_get_item(procs, (int)v);

		if (!proc || proc->state >= ORTE_PROC_STATE_RUNNING)
			continue;
		if (++*ret_missing <= 8 && proc->node && proc->node->name)
			opal_argv_append_nosize(&names, proc->node->name);
	}
	if (*ret_missing > 8)
		opal_argv_append_nosize(&names, "...");
	return names;
}

/* Let mpirun end with an error; what happened has been said in our words. */
static void abort_silently(void)
{
	ORTE_ACTIVATE_JOB_STATE(daemon_job(), ORTE_JOB_STATE_SILENT_ABORT);
}

static void fail_launch(struct launch *l)
{
	l->failed = true;
	omrun_child_terminate(&l->omrun);
	abort_silently();
}

static const char *describe_status(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
	return text;
}

/*
 * Daemons end only when mpirun tells them to, so any other end of omrun is a
 * failure, whatever its exit code.
 */
static void report_lost_omrun(struct launch *l, int status)
{
	char how[64];
	unsigned missing;
	char **names = missing_nodes(l, &missing);
	char *list = opal_argv_join(names, ',');

	describe_status(status, how, sizeof(how));
	if (missing)
		say("omrun %s before Open MPI's daemon was up on %u of %u nodes (%s).",
		    how, missing, (unsigned)l->count, list ? list : "");
	else
		say("omrun %s, and Open MPI's daemons on %s with it.", how, l->nodelist);
	free(list);
	opal_argv_free(names);
	fail_launch(l);
}

static void on_omrun_end(int fd, short args, void *cbdata)
{
	orte_wait_tracker_t *tracker = cbdata;
	orte_proc_t *proc = tracker->child;
	struct launch *l = tracker->cbdata;
	orte_job_t *daemons = daemon_job();

	(void)fd;
	(void)args;
	l->running = false;
	if (!end_was_ordered() && !l->failed) {
		report_lost_omrun(l, proc->exit_code);
	} else if (!any_running()) {
		/* All count as ended, else mpirun complains of lost daemons. */
		daemons->num_terminated = daemons->num_procs;
		ORTE_ACTIVATE_JOB_STATE(daemons, ORTE_JOB_STATE_DAEMONS_TERMINATED);
	}
	OBJ_RELEASE(tracker);
}

static void on_start_timeout(int fd, short args, void *cbdata)
{
	struct launch *l = cbdata;
	unsigned missing;
	char **names;
	char *list;

	(void)fd;
	(void)args;
	if (l->failed || !l->running || end_was_ordered())
		return;
	names = missing_nodes(l, &missing);
	list = opal_argv_join(names, ',');
	if (missing) {
		say("after %d s Open MPI's daemon has not called back from %u of %u nodes (%s).\n"
		    "Usual causes: orted is missing there, or a firewall stops TCP to this node.\n"
		    "OMPI_MCA_plm_om_start_timeout sets the seconds to wait.",
		    om_plm_params.start_timeout_s, missing, (unsigned)l->count, list);
		fail_launch(l);
	}
	free(list);
	opal_argv_free(names);
}

static void start_timer(struct launch *l)
{
	struct timeval tv = { .tv_sec = om_plm_params.start_timeout_s };

	if (tv.tv_sec <= 0)
		return;
	l->timer = opal_event_evtimer_new(orte_event_base, on_start_timeout, l);
	if (l->timer)
		opal_event_evtimer_add(l->timer, &tv);
}

/*
 * The new daemons' nodes in the order of their ranks: the daemon with OM_PROCID i
 * calls itself first + i, and mpirun has already bound each rank to its node.
 */
static int collect_nodes(orte_job_map_t *map, struct launch *l)
{
	char **names = NULL;
	int rc = ORTE_SUCCESS;

	l->first = map->daemon_vpid_start;
	for (int i = 0; i < map->nodes->size; i++) {
		orte_node_t *node = opal_pointer_array_get_item(map->nodes, i);

		if (!node || ORTE_FLAG_TEST(node, ORTE_NODE_FLAG_DAEMON_LAUNCHED))
			continue;
		if (!node->daemon || node->daemon->name.vpid != l->first + l->count) {
			say("the daemons of Open MPI are not numbered as their nodes are.");
			rc = ORTE_ERR_SILENT;
			break;
		}
		opal_argv_append_nosize(&names, node->name);
		l->count++;
	}
	l->nodelist = opal_argv_join(names, ',');
	opal_argv_free(names);
	if (rc == ORTE_SUCCESS && !l->nodelist)
		rc = ORTE_ERR_OUT_OF_RESOURCE;
	return rc;
}

static char **make_argv(const char *path, const struct launch *l)
{
	char **argv = NULL;
	char *option = NULL;
	char *first = NULL;
	int vpid_index;
	int argc = 0;

	if (asprintf(&option, "--nodelist=%s", l->nodelist) < 0)
		return NULL;
	opal_argv_append(&argc, &argv, path);
	opal_argv_append(&argc, &argv, "--daemons");
	opal_argv_append(&argc, &argv, option);
	opal_argv_append(&argc, &argv, "--");
	free(option);
	orte_plm_base_setup_orted_cmd(&argc, &argv);
	orte_plm_base_orted_append_basic_args(&argc, &argv, "om", &vpid_index);
	if (orte_util_convert_vpid_to_string(&first, l->first) != ORTE_SUCCESS) {
		opal_argv_free(argv);
		return NULL;
	}
	free(argv[vpid_index]);
	argv[vpid_index] = first;
	return argv;
}

/* "mpirun --prefix DIR", or /path/to/mpirun, wants its own orted everywhere. */
static char *find_prefix(orte_job_t *jdata)
{
	char *prefix = NULL;

	for (int i = 0; i < jdata->apps->size && !prefix; i++) {
		orte_app_context_t *app = opal_pointer_array_get_item(jdata->apps, i);

		if (app)
			orte_get_attribute(&app->attributes, ORTE_APP_PREFIX_DIR,
					   (void **)&prefix, OPAL_STRING);
	}
	return prefix;
}

static void prepend_path(const char *name, const char *prefix, const char *install_dir,
			 char ***env)
{
	const char *old = getenv(name);
	char *base = opal_basename(install_dir);
	char *value = NULL;

	if (base && asprintf(&value, "%s/%s%s%s", prefix, base, old ? ":" : "",
			     old ? old : "") >= 0) {
		opal_setenv(name, value, true, env);
		free(value);
	}
	free(base);
}

static char **make_env(orte_job_t *jdata)
{
	char **env = opal_argv_copy(orte_launch_environ);
	char *prefix = find_prefix(jdata);

	if (prefix) {
		prepend_path("PATH", prefix, opal_install_dirs.bindir, &env);
		prepend_path("LD_LIBRARY_PATH", prefix, opal_install_dirs.libdir, &env);
		free(prefix);
	}
	return env;
}

static void watch(struct launch *l)
{
	orte_proc_t *proc = OBJ_NEW(orte_proc_t);

	proc->pid = l->omrun.pid;
	ORTE_FLAG_SET(proc, ORTE_PROC_FLAG_ALIVE);
	orte_wait_cb(proc, on_omrun_end, orte_event_base, l);
}

/* The daemons' stdout says nothing unless someone asked for it. */
static bool daemons_are_silent(void)
{
	return !orte_debug_daemons_flag && !orte_leave_session_attached &&
	       opal_output_get_verbosity(orte_plm_base_framework.framework_output) <= 0;
}

static int run_omrun(const char *path, struct launch *l, orte_job_t *jdata)
{
	char **argv = make_argv(path, l);
	char **env = make_env(jdata);
	int rc = -ENOMEM;

	if (argv && env)
		rc = omrun_child_start(path, argv, env, daemons_are_silent(), &l->omrun);
	opal_argv_free(argv);
	opal_argv_free(env);
	if (rc == -E2BIG)
		say("the names of %u nodes do not fit one command line.", (unsigned)l->count);
	else if (rc < 0)
		say("mpirun cannot start %s: %s.", path, strerror(-rc));
	return rc < 0 ? ORTE_ERR_SILENT : ORTE_SUCCESS;
}

static int start_daemons(orte_job_t *jdata, orte_job_map_t *map)
{
	struct launch *l = calloc(1, sizeof(*l));
	char path[PATH_MAX];
	int rc;

	if (!l)
		return ORTE_ERR_OUT_OF_RESOURCE;
	l->omrun.pidfd = -1;
	rc = collect_nodes(map, l);
	if (rc == ORTE_SUCCESS && omrun_child_find(path, sizeof(path)) < 0) {
		say("mpirun needs omrun to start Open MPI's daemons on %s, and cannot\n"
		    "execute '%s'. OM_BINDIR names the folder of our commands.",
		    l->nodelist, path);
		rc = ORTE_ERR_SILENT;
	}
	if (rc == ORTE_SUCCESS)
		rc = run_omrun(path, l, jdata);
	if (rc != ORTE_SUCCESS) {
		launch_destroy(l);
		return rc;
	}
	l->running = true;
	l->next = launches;
	launches = l;
	watch(l);
	start_timer(l);
	return ORTE_SUCCESS;
}

/* Go on without new daemons: there is none to wait for. */
static void skip_launch(orte_job_t *jdata)
{
	jdata->state = ORTE_JOB_STATE_DAEMONS_LAUNCHED;
	ORTE_ACTIVATE_JOB_STATE(jdata, ORTE_JOB_STATE_DAEMONS_REPORTED);
}

static int launch_for(orte_job_t *jdata)
{
	orte_job_t *daemons = daemon_job();
	int rc;

	if (ORTE_FLAG_TEST(jdata, ORTE_JOB_FLAG_DEBUGGER_DAEMON)) {
		skip_launch(jdata);
		return ORTE_SUCCESS;
	}
	rc = orte_plm_base_setup_virtual_machine(jdata);
	if (rc != ORTE_SUCCESS)
		return rc;
	if (!daemons->map)
		return ORTE_ERR_NOT_FOUND;
	if (orte_do_not_launch || daemons->map->num_new_daemons == 0) {
		skip_launch(jdata);
		return ORTE_SUCCESS;
	}
	rc = start_daemons(jdata, daemons->map);
	if (rc != ORTE_SUCCESS)
		return rc;
	jdata->state = ORTE_JOB_STATE_DAEMONS_LAUNCHED;
	daemons->state = ORTE_JOB_STATE_DAEMONS_LAUNCHED;
	return ORTE_SUCCESS;
}

static void on_launch_daemons(int fd, short args, void *cbdata)
{
	orte_state_caddy_t *caddy = cbdata;

	(void)fd;
	(void)args;
	ORTE_ACQUIRE_OBJECT(caddy);
	if (launch_for(caddy->jdata) != ORTE_SUCCESS)
		abort_silently();
	OBJ_RELEASE(caddy);
}

static int plm_om_init(void)
{
	int rc = orte_plm_base_comm_start();

	if (rc != ORTE_SUCCESS)
		return rc;
	/* omrun starts them in the order we name, so ranks are known at once. */
	orte_plm_globals.daemon_nodes_assigned_at_launch = true;
	return orte_state.add_job_state(ORTE_JOB_STATE_LAUNCH_DAEMONS, on_launch_daemons,
					ORTE_SYS_PRI);
}

static int plm_om_spawn(orte_job_t *jdata)
{
	if (ORTE_FLAG_TEST(jdata, ORTE_JOB_FLAG_RESTART)) {
		ORTE_ACTIVATE_JOB_STATE(jdata, ORTE_JOB_STATE_MAP);
	} else {
		ORTE_ACTIVATE_JOB_STATE(jdata, ORTE_JOB_STATE_INIT);
	}
	return ORTE_SUCCESS;
}

/* The end of the last omrun then reports that all daemons have ended. */
static int plm_om_terminate_orteds(void)
{
	orte_job_t *daemons = daemon_job();

	if (any_running())
		return orte_plm_base_orted_exit(ORTE_DAEMON_EXIT_CMD);
	daemons->num_terminated = daemons->num_procs;
	ORTE_ACTIVATE_JOB_STATE(daemons, ORTE_JOB_STATE_DAEMONS_TERMINATED);
	return ORTE_SUCCESS;
}

/*
 * Our death would send SIGTERM to omrun, so give the daemons the time to remove
 * their session folders, and those that hang an end.
 */
static int plm_om_finalize(void)
{
	while (launches) {
		struct launch *l = launches;

		launches = l->next;
		if (!omrun_child_wait(&l->omrun, l->failed ? 0 : FINISH_WAIT_MS)) {
			omrun_child_terminate(&l->omrun);
			omrun_child_wait(&l->omrun, TERMINATE_WAIT_MS);
		}
		launch_destroy(l);
	}
	return orte_plm_base_comm_stop();
}

orte_plm_base_module_t om_plm_module = {
	.init = plm_om_init,
	.set_hnp_name = orte_plm_base_set_hnp_name,
	.spawn = plm_om_spawn,
	.terminate_job = orte_plm_base_orted_terminate_job,
	.terminate_orteds = plm_om_terminate_orteds,
	.terminate_procs = orte_plm_base_orted_kill_local_procs,
	.signal_job = orte_plm_base_orted_signal_local_procs,
	.finalize = plm_om_finalize,
};
