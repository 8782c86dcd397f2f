/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster/folder.h"
#include "cli/cluster/keeper.h"
#include "cli/cluster/link.h"
#include "cli/cluster/mounts.h"
#include "cli/cluster/node.h"
#include "cli/cluster/place.h"
#include "cli/cluster/process.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define NODE_NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | \
			 CLONE_NEWUTS | CLONE_NEWIPC)

struct boot {
	const struct cluster *c;
	const struct cluster_node *n;
	const struct cgroups *cg;
	const char *omnoded;
	char group[64];			/* the node's cgroup */
	char system[80];		/* where its own processes live */
};

static char *pid_file(const struct cluster *c, const struct cluster_node *n,
		      char *buf)
{
	return cluster_path(c, buf, "pid/%s", n->name);
}

pid_t node_pid(const struct cluster *c, const struct cluster_node *n)
{
	char path[PATH_MAX];

	return process_read(pid_file(c, n, path));
}

static void name_groups(const struct cluster *c, const struct cluster_node *n,
			char *group, char *system)
{
	place_group(c, n->name, group, 64);
	snprintf(system, 80, "%s/system", group);
}

/* ---- process 1 */

static int run_keeper(const struct boot *b, struct om_error *err)
{
	char conf[PATH_MAX], log[PATH_MAX], conf_env[PATH_MAX + 8];
	char *argv[] = { (char *)b->omnoded, "-c", conf, "--name",
			 (char *)b->n->name, NULL };
	char *env[] = { PLACE_PATH_ENV, "LANG=C.UTF-8", conf_env, NULL };
	struct keeper_program omnoded = {
		.name = "omnoded", .argv = argv, .env = env, .log_path = log,
	};

	cluster_path(b->c, conf, "openmosix.conf");
	cluster_path(b->c, log, "log/%s.log", b->n->name);
	snprintf(conf_env, sizeof(conf_env), "OM_CONF=%s", conf);
	return keeper_run(&omnoded, 1, err);
}

static int become_node(const struct boot *b, struct om_error *err)
{
	int rc;

	if (unshare(CLONE_NEWCGROUP) < 0)
		return om_fail_errno(err, "cannot make a cgroup namespace");
	if (sethostname(b->n->name, strlen(b->n->name)) < 0)
		return om_fail_errno(err, "cannot set the host name");
	rc = cgroup_join(b->cg, b->system, 0, err);
	if (rc == 0)
		rc = mounts_make(b->c, b->n, b->cg, b->group, err);
	/* one address a node: MPI would try IPv6's link-local ones too */
	if (rc == 0 && access("/proc/sys/net/ipv6", F_OK) == 0)
		rc = folder_poke("/proc/sys/net/ipv6/conf/all/disable_ipv6",
				 "1", err);
	if (rc == 0)
		rc = link_node_up(b->c, b->n, err);
	return rc;
}

static void run_init(const struct boot *b, int go, int report)
{
	struct om_error err = OM_ERROR_INIT;
	char ready;
	int rc;

	prctl(PR_SET_NAME, "omcluster-init");
	/* a holder that fails closes the other end */
	if (read(go, &ready, 1) != 1)
		_exit(1);
	close(go);
	rc = become_node(b, &err);
	dprintf(report, "%s", rc < 0 ? om_error_text(&err) : "ok");
	if (rc < 0)
		_exit(1);
	close(report);
	om_log_init(b->n->name, OM_LOG_INFO);
	om_log_info("booted pid=%d", (int)getpid());
	rc = run_keeper(b, &err);
	if (rc < 0)
		om_log_error("%s", om_error_text(&err));
	_exit(rc < 0);
}

/* ---- holder */

static int connect_node(const struct boot *b, pid_t pid, struct om_error *err)
{
	char path[PATH_MAX];
	int rc;

	rc = process_write(pid_file(b->c, b->n, path), pid, err);
	if (rc == 0)
		rc = cgroup_join(b->cg, b->group, pid, err);
	if (rc == 0)
		rc = link_cable_remove(b->c, b->n, err);
	if (rc == 0)
		rc = link_cable_create(b->c, b->n, pid, err);
	return rc;
}

static void hold(const struct boot *b, pid_t pid)
{
	char path[PATH_MAX];
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	om_log_info("node %s ended %s=%d", b->n->name,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
					  WEXITSTATUS(status));
	/* a node that was booted again meanwhile has a file of its own */
	if (!process_read(pid_file(b->c, b->n, path)))
		unlink(path);
}

static int run_holder(void *arg, int report)
{
	const struct boot *b = arg;
	struct clone_args args = { .flags = NODE_NAMESPACES,
				   .exit_signal = SIGCHLD };
	struct om_error err = OM_ERROR_INIT;
	int go[2], rc;
	pid_t pid;

	om_log_init("omcluster", OM_LOG_INFO);
	prctl(PR_SET_NAME, "omcluster-hold");
	rc = place_join_host(b->c, b->cg, &err);
	if (rc == 0 && pipe2(go, O_CLOEXEC) < 0)
		rc = om_fail_errno(&err, "cannot make a pipe");
	if (rc < 0) {
		dprintf(report, "%s", om_error_text(&err));
		return rc;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		close(go[1]);
		run_init(b, go[0], report);
	}
	close(go[0]);
	rc = pid < 0 ? om_fail_errno(&err, "cannot make namespaces") :
		       connect_node(b, pid, &err);
	if (rc < 0) {
		dprintf(report, "%s", om_error_text(&err));
		return rc;
	}
	if (write(go[1], "!", 1) != 1)
		om_log_error("node %s ended before it began", b->n->name);
	close(go[1]);
	close(report);
	hold(b, pid);
	return 0;
}

static int make_folders(const struct cluster *c, const struct cluster_node *n,
			struct om_error *err)
{
	char path[PATH_MAX];
	int rc;

	rc = folder_make(cluster_path(c, path, "pid"), 0755, err);
	if (rc == 0)
		rc = folder_make(cluster_path(c, path, "nodes"), 0700, err);
	if (rc == 0)
		rc = folder_make(cluster_path(c, path, "nodes/%s/spool",
					      n->name), 0755, err);
	if (rc == 0)
		rc = folder_make(cluster_path(c, path, "nodes/%s/state",
					      n->name), 0700, err);
	return rc;
}

int node_boot(const struct cluster *c, const struct cluster_node *n,
	      const struct cgroups *cg, const char *omnoded,
	      struct om_error *err)
{
	struct boot b = { .c = c, .n = n, .cg = cg, .omnoded = omnoded };
	char log[PATH_MAX];
	int rc;

	name_groups(c, n, b.group, b.system);
	rc = cgroup_remove(cg, b.group, err);	/* of a crashed one */
	if (rc == 0)
		rc = cgroup_create(cg, b.system, err);
	if (rc == 0)
		rc = cgroup_limit(cg, b.group, n->cpu_share, n->mem_bytes, err);
	if (rc == 0)
		rc = make_folders(c, n, err);
	if (rc == 0)
		rc = process_detach(cluster_path(c, log, "log/%s.log", n->name),
				    run_holder, &b, err);
	return rc < 0 ? om_wrap(err, rc, "node %s", n->name) : 0;
}

int node_crash(const struct cluster *c, const struct cluster_node *n,
	       const struct cgroups *cg, struct om_error *err)
{
	pid_t pid = node_pid(c, n);
	char group[64], system[80];
	int rc;

	/* first the cable: a kernel that closes connections for the dead
	 * would tell the others, which a machine without power cannot */
	rc = link_cable_remove(c, n, err);
	if (rc == 0 && pid)
		rc = process_stop(pid, SIGKILL, 10 * OM_NS_PER_S, err);
	name_groups(c, n, group, system);
	if (rc == 0)
		rc = cgroup_remove(cg, group, err);
	return rc < 0 ? om_wrap(err, rc, "node %s", n->name) : 0;
}

/* ---- a command in the node */

static int enter(const struct boot *b, pid_t pid, struct om_error *err)
{
	om_autofd int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return om_fail_errno(err, "node %s is gone", b->n->name);
	if (setns(fd, NODE_NAMESPACES | CLONE_NEWCGROUP) < 0)
		return om_fail_errno(err, "cannot enter node %s", b->n->name);
	return 0;
}

static int become_user(const char *user, struct om_error *err)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		return om_fail(err, -ENOENT, "no user '%s'", user);
	if (initgroups(user, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return om_fail_errno(err, "cannot become user '%s'", user);
	setenv("USER", user, 1);
	setenv("LOGNAME", user, 1);
	setenv("HOME", pw->pw_dir, 1);
	return 0;
}

static void run_command(const char *user, const char *cwd, char *const *argv)
{
	struct om_error err = OM_ERROR_INIT;

	if (user && become_user(user, &err) < 0) {
		fprintf(stderr, "omcluster: %s\n", om_error_text(&err));
		_exit(1);
	}
	if (chdir(cwd) < 0 && chdir("/") < 0)
		_exit(126);
	execvp(argv[0], argv);
	fprintf(stderr, "omcluster: cannot run '%s': %s\n", argv[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static volatile pid_t command_pid;

static void forward(int signo)
{
	if (command_pid > 0)
		kill(command_pid, signo);
}

/* The terminal sends ^C to both; what is sent to us alone goes on to it. */
static int wait_command(pid_t pid)
{
	int status = 0;

	command_pid = pid;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, forward);
	signal(SIGHUP, forward);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	command_pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

int node_exec(const struct cluster *c, const struct cluster_node *n,
	      const struct cgroups *cg, const char *user, char *const *argv,
	      struct om_error *err)
{
	struct boot b = { .c = c, .n = n, .cg = cg };
	char cwd[PATH_MAX] = "/";
	pid_t pid = node_pid(c, n), child;
	int rc;

	if (!pid)
		return om_fail(err, -ENXIO, "node %s is not up\nomcluster "
			       "restart %s", n->name, n->name);
	name_groups(c, n, b.group, b.system);
	if (!getcwd(cwd, sizeof(cwd)))
		strcpy(cwd, "/");
	fflush(NULL);
	/* a child enters, so that the next node can be entered from here */
	child = fork();
	if (child < 0)
		return om_fail_errno(err, "cannot fork");
	if (child > 0)
		return wait_command(child);
	rc = cgroup_join(cg, b.system, 0, err);
	if (rc == 0)
		rc = enter(&b, pid, err);
	if (rc < 0) {
		fprintf(stderr, "omcluster: %s\n", om_error_text(err));
		_exit(1);
	}
	child = fork();		/* only a child is in the PID namespace */
	if (child == 0)
		run_command(user, cwd, argv);
	_exit(child < 0 ? 1 : wait_command(child));
}
