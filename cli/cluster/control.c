/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster/control.h"
#include "cli/cluster/folder.h"
#include "cli/cluster/keeper.h"
#include "cli/cluster/place.h"
#include "cli/cluster/process.h"
#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define PORTS_TRIED 200
#define NODE_PORT 7462	/* node_port's default: omctld's must differ */
#define STOP_NS (15 * OM_NS_PER_S)	/* the keeper gives each program 5 s */

/* ---- the user */

static int run_useradd(struct om_error *err)
{
	char path[PATH_MAX];
	char *argv[] = { path, "--system", "--user-group", "--no-create-home",
			 "--home-dir", "/nonexistent", "--shell",
			 "/usr/sbin/nologin", CONTROL_USER, NULL };
	int status = 0, rc = place_program("useradd", "passwd", path, err);
	pid_t pid;

	if (rc < 0)
		return rc;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return om_fail_errno(err, "cannot fork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		return om_fail(err, -EIO, "useradd could not make the user "
			       "'%s'", CONTROL_USER);
	return 0;
}

int control_user(struct om_error *err)
{
	int rc;

	errno = 0;
	if (getpwnam(CONTROL_USER))
		return 0;
	rc = run_useradd(err);
	if (rc < 0)
		return rc;
	if (!getpwnam(CONTROL_USER))
		return om_fail(err, -ENOENT, "useradd made the user '%s', but "
			       "it cannot be found", CONTROL_USER);
	return 1;
}

/* ---- files */

int control_port(struct cluster *c, struct om_error *err)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int one = 1;

	for (int i = 0; i < PORTS_TRIED; i++) {
		om_autofd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
					  0);

		if (fd < 0)
			return om_fail_errno(err, "cannot make a socket");
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		in.sin_port = htons(c->port);
		if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0 &&
		    listen(fd, 1) == 0)
			return 0;
		if (++c->port == NODE_PORT)
			c->port++;
	}
	return om_fail(err, -EADDRINUSE, "no free port for omctld below %u",
		       c->port);
}

static int write_key(const struct cluster *c, struct om_error *err)
{
	char path[PATH_MAX];
	unsigned char key[128];
	om_autofd int fd = -1;

	cluster_path(c, path, "munge/munge.key");
	if (access(path, F_OK) == 0)
		return 0;
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return om_fail_errno(err, "no random bytes");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, key, sizeof(key)) != sizeof(key))
		return om_fail_errno(err, "cannot write '%s'", path);
	explicit_bzero(key, sizeof(key));
	return 0;
}

static int write_hosts(const struct cluster *c, struct om_error *err)
{
	struct om_buf b = OM_BUF_INIT;
	char addr[INET_ADDRSTRLEN], path[PATH_MAX], host[HOST_NAME_MAX + 1];
	int rc;

	if (gethostname(host, sizeof(host)) < 0)
		return om_fail_errno(err, "cannot read the host name");
	rc = om_buf_addf(&b, "127.0.0.1 localhost\n%s controller%s%s\n",
			 cluster_address(c, CLUSTER_HOST_BYTE, addr),
			 strcmp(host, "localhost") ? " " : "",
			 strcmp(host, "localhost") ? host : "");
	for (size_t i = 0; rc == 0 && i < c->nodes; i++)
		rc = om_buf_addf(&b, "%s %s\n",
				 cluster_address(c, c->node[i].number, addr),
				 c->node[i].name);
	if (rc < 0)
		rc = om_fail_nomem(err);
	else
		rc = folder_rewrite(cluster_path(c, path, "hosts"),
				    om_buf_str(&b), 0644, err);
	om_buf_fini(&b);
	return rc;
}

static int add_nodes(const struct cluster *c, struct om_buf *b)
{
	char addr[INET_ADDRSTRLEN];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->nodes; i++) {
		const struct cluster_node *n = c->node + i;

		rc = om_buf_addf(b, "node \"%s\" { address = \"%s\" cpus = %u "
				 "memory = \"%lluM\" }\n", n->name,
				 cluster_address(c, n->number, addr), n->cpus,
				 (unsigned long long)(n->mem_bytes >> 20));
	}
	return rc;
}

static int write_conf(const struct cluster *c, struct om_error *err)
{
	struct om_buf b = OM_BUF_INIT;
	char addr[INET_ADDRSTRLEN], net[INET_ADDRSTRLEN], path[PATH_MAX];
	int rc;

	cluster_address(c, CLUSTER_HOST_BYTE, addr);
	cluster_address(c, 0, net);
	rc = om_buf_addf(&b,
		"# Written by omcluster; yours go into conf.d/NAME.conf.\n"
		"cluster_name = \"%s\"\n"
		"controller = \"%s:%u\"\n"
		"controller_port = %u\n"
		"controller_user = \"%s\"\n"
		"munge_socket = \"%s/munge/munge.socket\"\n"
		"run_dir = \"%s/run\"\n"
		"state_dir = \"%s\"\n"
		"mpi_interface = \"%s/24\"\n",
		c->label, addr, c->port, c->port, CONTROL_USER, c->folder,
		c->folder, c->state_dir, net);
	if (rc == 0)
		rc = add_nodes(c, &b);
	if (rc < 0)
		rc = om_fail_nomem(err);
	else
		rc = folder_write(cluster_path(c, path, "openmosix.conf"),
				  om_buf_str(&b), 0644, err);
	om_buf_fini(&b);
	return rc;
}

/*
 * All nodes are on the same processors: ranks that wait must give way, and
 * bound to "the first core" would all be on one. What is in the machine's own
 * file stays. Without Open MPI there is nothing to do.
 */
static int write_openmpi(const struct cluster *c, struct om_error *err)
{
	om_autofree char *text = NULL, *all = NULL;
	char path[PATH_MAX];

	if (access(CONTROL_OPENMPI, R_OK) < 0)
		return 0;
	if (folder_read(CONTROL_OPENMPI, &text, err) < 0)
		return -EIO;
	if (asprintf(&all, "%s\nmpi_yield_when_idle = 1\n"
		     "hwloc_base_binding_policy = none\n", text) < 0)
		return om_fail_nomem(err);
	return folder_rewrite(cluster_path(c, path, "openmpi.conf"), all, 0644,
			      err);
}

static int make_folders(const struct cluster *c, struct om_error *err)
{
	static const char *const folders[] = { "conf.d", "munge", "log" };
	const struct passwd *pw = getpwnam(CONTROL_USER);
	char path[PATH_MAX];
	int rc = 0;

	if (!pw)
		return om_fail(err, -ENOENT, "no user '%s'", CONTROL_USER);
	for (size_t i = 0; rc == 0 && i < 3; i++)
		rc = folder_make(cluster_path(c, path, "%s", folders[i]), 0755,
				 err);
	if (rc == 0)
		rc = folder_make_owned(cluster_path(c, path, "run"), 0755,
				       pw->pw_uid, pw->pw_gid, err);
	if (rc == 0)
		rc = folder_make_owned(c->state_dir, 0700, pw->pw_uid,
				       pw->pw_gid, err);
	return rc;
}

int control_write(const struct cluster *c, struct om_error *err)
{
	int rc = make_folders(c, err);

	if (rc == 0)
		rc = write_key(c, err);
	if (rc == 0)
		rc = write_hosts(c, err);
	if (rc == 0)
		rc = write_openmpi(c, err);
	if (rc == 0)
		rc = write_conf(c, err);
	return rc;
}

/* ---- the supervisor */

struct supervisor {
	const struct cluster *c;
	const struct cgroups *cg;
	const char *omctld, *munged;
};

static char *pid_file(const struct cluster *c, char *buf)
{
	return cluster_path(c, buf, "controller.pid");
}

pid_t control_pid(const struct cluster *c)
{
	char path[PATH_MAX];

	return process_read(pid_file(c, path));
}

enum { ARG_KEY, ARG_SOCKET, ARG_PID, ARG_SEED, ARGS };

static void munged_args(const struct cluster *c, char text[ARGS][PATH_MAX])
{
	char *m = text[ARG_KEY];

	snprintf(m, PATH_MAX, "--key-file=%s/munge/munge.key", c->folder);
	snprintf(text[ARG_SOCKET], PATH_MAX, "--socket=%s/munge/munge.socket",
		 c->folder);
	snprintf(text[ARG_PID], PATH_MAX, "--pid-file=%s/munge/munged.pid",
		 c->folder);
	snprintf(text[ARG_SEED], PATH_MAX, "--seed-file=%s/munge/munged.seed",
		 c->folder);
}

static int run_programs(const struct supervisor *s, struct om_error *err)
{
	char args[ARGS][PATH_MAX], conf[PATH_MAX], socket_path[PATH_MAX];
	char munged_log[PATH_MAX], omctld_log[PATH_MAX];
	char *munged[] = { (char *)s->munged, "--foreground", "--force",
			   args[0], args[1], args[2], args[3],
			   "--num-threads=4", NULL };
	char *omctld[] = { (char *)s->omctld, "-c", conf, NULL };
	char *env[] = { PLACE_PATH_ENV, "LANG=C.UTF-8", NULL };
	struct keeper_program p[] = {
		{ .name = "munged", .argv = munged, .env = env,
		  .log_path = munged_log },
		{ .name = "omctld", .argv = omctld, .env = env,
		  .log_path = omctld_log, .user = CONTROL_USER,
		  .wait_path = socket_path },
	};

	munged_args(s->c, args);
	cluster_path(s->c, conf, "openmosix.conf");
	cluster_path(s->c, socket_path, "munge/munge.socket");
	cluster_path(s->c, munged_log, "log/munged.log");
	cluster_path(s->c, omctld_log, "log/omctld.log");
	return keeper_run(p, 2, err);
}

static int run_supervisor(void *arg, int report)
{
	const struct supervisor *s = arg;
	struct om_error err = OM_ERROR_INIT;
	char path[PATH_MAX];
	int rc;

	om_log_init("omcluster", OM_LOG_INFO);
	prctl(PR_SET_NAME, "omcluster-ctld");
	rc = place_join_host(s->c, s->cg, &err);
	if (rc == 0)
		rc = process_write(pid_file(s->c, path), getpid(), &err);
	dprintf(report, "%s", rc < 0 ? om_error_text(&err) : "ok");
	close(report);
	if (rc == 0)
		rc = run_programs(s, &err);
	if (rc < 0)
		om_log_error("%s", om_error_text(&err));
	unlink(path);
	return rc;
}

int control_start(const struct cluster *c, const struct cgroups *cg,
		  const char *omctld, const char *munged, struct om_error *err)
{
	struct supervisor s = { .c = c, .cg = cg, .omctld = omctld,
				.munged = munged };
	char log[PATH_MAX];
	int rc;

	rc = process_detach(cluster_path(c, log, "log/omctld.log"),
			    run_supervisor, &s, err);
	return rc < 0 ? om_wrap(err, rc, "controller") : 0;
}

int control_stop(const struct cluster *c, struct om_error *err)
{
	pid_t pid = control_pid(c);

	return pid ? process_stop(pid, SIGTERM, STOP_NS, err) : 0;
}

int control_reload(const struct cluster *c, struct om_error *err)
{
	pid_t pid = control_pid(c);

	if (pid && kill(pid, SIGHUP) < 0)
		return om_fail_errno(err, "cannot signal the supervisor");
	return 0;
}
