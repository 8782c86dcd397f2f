/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omnoded: the node daemon: puts the parts together. */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/addr.h"
#include "sched/noded/noded.h"
#include "sched/noded/readings.h"

#define OOM_SCORE "-900"
#define DESCRIPTORS 65536

struct options {
	const char *conf, *name;
};

static char **saved_argv;

static void usage(FILE *f)
{
	fputs("Usage: omnoded [-c FILE] [--name NAME]\n"
	      "The node daemon of openMosix. It stays in the foreground.\n\n"
	      "  -c, --config FILE  configuration (else OM_CONF, or the default)\n"
	      "      --name NAME    this node's name (else node_name, or the host's)\n"
	      "      --version      print the version\n"
	      "  -h, --help         print this\n", f);
}

/* 0 to go on, else exit with the value - 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->conf = optarg; break;
		case 'n': o->name = optarg; break;
		case 'V': puts("omnoded (openMosix) " PACKAGE_VERSION); return 1;
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return 3;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 3;
	}
	return 0;
}

/* Optional: without the capability the daemon is as likely a victim as any. */
static void shield(void)
{
	om_autofd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
		om_log_debug("cannot set oom_score_adj: %s", strerror(errno));
}

/* Each running step costs some. Tasks get their own limits from the job. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= DESCRIPTORS)
		return;
	r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		om_log_debug("cannot raise the limit of descriptors: %s",
			     strerror(errno));
}

/* Held for the daemon's life: two on one run_dir would fight over tasks. */
static int lock_node(const struct place *p, struct om_error *err)
{
	om_autofree char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/lock", p->node_dir) < 0)
		return om_fail_nomem(err);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return om_fail_errno(err, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int rc = errno == EWOULDBLOCK ?
			 om_fail(err, -EBUSY, "another omnoded runs on '%s'",
				 p->conf->run_dir) :
			 om_fail_errno(err, "cannot lock '%s'", path);

		close(fd);
		return rc;
	}
	return fd;
}

/* ------------------------------------------------- step daemons that come back */

static void on_caller(void *arg, int fd, int events)
{
	struct noded *n = arg;
	struct ucred who;
	socklen_t len = sizeof(who);
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (got < 0)
		return;
	if (getsockopt(got, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
	    who.uid != 0) {
		om_log_warn("a caller on the step socket is not root");
		close(got);
		return;
	}
	nstep_accept(n, got);
}

static int listen_steps(struct noded *n, struct om_error *err)
{
	om_autofree char *addr = NULL;
	int fd;

	if (asprintf(&addr, "unix:%s", n->place.socket) < 0)
		return om_fail_nomem(err);
	fd = om_addr_listen(addr, 0, 128, err);
	if (fd < 0)
		return fd;
	n->step_fd = fd;
	n->step_watch = om_watch_create(n->loop, fd, OM_LOOP_READ, on_caller,
					n, err);
	return n->step_watch ? 0 : err->code;
}

/* --------------------------------------------------------------- the whole */

static void on_failed(void *arg, uint64_t job, uint32_t step, int code)
{
	nstep_not_forked(arg, job, step, code);
}

static void on_exited(void *arg, pid_t pid, int status)
{
	nstep_exited(arg, pid, status);
}

static void on_zygote(void *arg)
{
	jobs_zygote_is_back(arg);
}

static const struct zygotelink_handler zygote_handler = {
	.failed = on_failed,
	.exited = on_exited,
	.ready = on_zygote,
};

/* Tasks and step daemons go on, whatever happens here. */
static void on_stop(void *arg, int signo)
{
	struct noded *n = arg;

	om_log_info("leaving signal=%d, tasks go on", signo);
	n->leaving = true;
	om_loop_stop(n->loop);
}

/* A restart is a reload too, and step daemons are used to it. */
static void on_hup(void *arg, int signo)
{
	struct noded *n = arg;
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c = om_config_load(n->conf->path, &err);

	(void)signo;
	if (!c) {
		om_log_error("configuration not reloaded: %s",
			     om_error_text(&err));
		return;
	}
	om_config_destroy(c);
	om_log_info("reloading");
	n->leaving = true;
	n->again = true;
	om_loop_stop(n->loop);
}

/* A node that cannot keep its journal goes on: only a restart of omnoded
 * would lose something, and stopping would lose more. */
static void on_turn(void *arg)
{
	struct noded *n = arg;
	struct om_error err = OM_ERROR_INIT;

	if (journal_flush(n->journal, &err) < 0)
		om_log_error("%s", om_error_text(&err));
}

static int start(struct noded *n, struct om_error *err)
{
	const struct om_clock *clock = om_loop_clock(n->loop);
	int rc;

	n->users = users_create(n->loop);
	n->outbox = outbox_create(n);
	if (!n->users || !n->outbox)
		return om_fail_nomem(err);
	rc = memory_open(n, err);
	if (rc == 0)
		rc = stale_remove(n, err);
	if (rc == 0)
		rc = om_loop_on_turn(n->loop, on_turn, n);
	if (rc < 0)
		return rc;
	n->zygote = zygotelink_create(n->loop, &n->place, &zygote_handler, n,
				      err);
	if (!n->zygote || (rc = listen_steps(n, err)) < 0)
		return err->code;
	memory_wait(n);
	n->readings = readings_create(n->place.tree, clock,
				      n->conf->spool_dir, err);
	if (!n->readings)
		return err->code;
	n->ctld = ctldlink_create(n, err);
	if (!n->ctld ||
	    om_loop_on_signal(n->loop, SIGTERM, on_stop, n, err) < 0 ||
	    om_loop_on_signal(n->loop, SIGINT, on_stop, n, err) < 0 ||
	    om_loop_on_signal(n->loop, SIGHUP, on_hup, n, err) < 0)
		return err->code;
	om_log_info("started node=%s %s", n->place.name,
		    cgroup_tree_describe(n->place.tree));
	return 0;
}

static void stop(struct noded *n)
{
	om_defer_cancel(&n->retry);
	ctldlink_destroy(om_take(n->ctld));
	readings_destroy(n->readings);
	om_watch_destroy(n->step_watch);
	om_cleanup_fd(&n->step_fd);
	jobs_destroy(n);
	nstep_drop_loose(n);
	outbox_destroy(n->outbox);
	zygotelink_destroy(n->zygote);
	users_destroy(n->users);
	if (n->journal)
		on_turn(n);
	journal_close(n->journal);
	om_loop_destroy(n->loop);
	place_fini(&n->place);
}

static int run(const struct options *o, struct om_error *err)
{
	om_autofd int lock = -1;
	struct noded n = { .step_fd = -1 };
	struct om_config *conf = om_config_load(o->conf, err);
	int rc;

	if (!conf)
		return err->code;
	om_log_set_level(om_log_level_parse(conf->log_level));
	n.conf = conf;
	rc = place_init(&n.place, conf, o->name, err);
	if (rc == 0)
		rc = lock = lock_node(&n.place, err);
	if (rc >= 0) {
		n.loop = om_loop_create(err);
		rc = n.loop ? start(&n, err) : err->code;
	}
	if (rc >= 0)
		rc = om_loop_run(n.loop, err);
	stop(&n);
	om_config_destroy(conf);
	return rc < 0 ? rc : n.again;
}

int main(int argc, char **argv)
{
	struct om_error err = OM_ERROR_INIT;
	struct options o = { 0 };
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc - 1;
	saved_argv = argv;
	om_log_init("omnoded", OM_LOG_INFO);
	if (geteuid() != 0) {
		om_log_error("omnoded must be started by root");
		return EXIT_FAILURE;
	}
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	shield();
	raise_descriptors();
	rc = run(&o, &err);
	if (rc < 0) {
		om_log_error("%s", om_error_text(&err));
		return EXIT_FAILURE;
	}
	if (rc > 0) {
		execv("/proc/self/exe", saved_argv);
		om_log_error("cannot start anew: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
