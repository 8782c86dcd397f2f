/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main: omctld's options, and root's rights given away before anything else. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <config.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/ctld.h"

#define EXIT_USAGE 2

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: omctld [-c FILE] [-f]\n"
		"The controller of an openMosix cluster.\n\n"
		"  -c, --config=FILE   read this instead of openmosix.conf\n"
		"  -f, --foreground    stay in the foreground (it always does)\n"
		"  -h, --help          show this and exit\n"
		"  -V, --version       show the version and exit\n\n"
		"SIGTERM: commit, snapshot, exit. SIGHUP: read the configuration again.\n");
}

/* Each missing folder of path; those above the last are of root. */
static int make_parents(const char *path, struct om_error *err)
{
	om_autofree char *copy = strdup(path);

	if (!copy)
		return om_fail_nomem(err);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return om_fail_errno(err, "cannot make '%s'", copy);
		*p = '/';
	}
	return 0;
}

/*
 * path as a folder of uid. One that exists is looked at through a descriptor
 * that follows no link, so that root changes nothing but a folder.
 */
static int make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid,
		    struct om_error *err)
{
	om_autofd int fd = -1;
	struct stat st;
	int rc = make_parents(path, err);

	if (rc < 0)
		return rc;
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return om_fail_errno(err, "cannot make '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return om_fail_errno(err, "cannot open '%s'", path);
	if (st.st_uid == uid && (st.st_mode & 07777) == mode)
		return 0;
	if (geteuid() != 0) {
		if (st.st_uid == uid)
			return fchmod(fd, mode) < 0 ?
				om_fail_errno(err, "mode of '%s'", path) : 0;
		return om_fail(err, -EPERM, "'%s' belongs to uid %u, not to %u",
			       path, st.st_uid, uid);
	}
	if (st.st_uid != 0 && st.st_uid != uid)
		return om_fail(err, -EPERM,
			       "'%s' belongs to uid %u, neither root nor controller_user",
			       path, st.st_uid);
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return om_fail_errno(err, "owner of '%s'", path);
	return 0;
}

static int drop_root(const struct passwd *pw, struct om_error *err)
{
	if (geteuid() != 0 || pw->pw_uid == 0)
		return 0;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return om_fail_errno(err, "cannot become %s", pw->pw_name);
	if (setuid(0) == 0)
		return om_fail(err, -EPERM, "root's rights are still there");
	/* Holds the keys of sealed streams: nobody of its user traces it, and
	 * no core of it lies about. */
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

static int settle_down(const struct om_config *config, struct om_error *err)
{
	const struct passwd *pw = getpwuid(config->controller_uid);
	struct rlimit files;
	uid_t uid = geteuid() == 0 ? config->controller_uid : geteuid();
	int rc;

	if (geteuid() == 0 && !pw)
		return om_fail(err, -ENOENT, "controller_user %s is unknown",
			       config->controller_user);
	if (geteuid() != 0 && geteuid() != config->controller_uid)
		return om_fail(err, -EPERM,
			       "must be started by root or by %s, not by uid %u",
			       config->controller_user, geteuid());
	rc = make_dir(config->state_dir, 0700, uid, pw ? pw->pw_gid : getegid(),
		      err);
	if (rc == 0)
		rc = make_dir(config->run_dir, 0755, uid,
			      pw ? pw->pw_gid : getegid(), err);
	if (rc < 0)
		return rc;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return pw ? drop_root(pw, err) : 0;
}

static int serve(const char *path)
{
	struct omctld c = { .config_path = path };
	struct om_error err = OM_ERROR_INIT;
	struct om_config *config = om_config_load(path, &err);
	int rc = 1;

	if (!config) {
		om_log_error("%s", om_error_text(&err));
		return 1;
	}
	om_log_set_level((enum om_log_level)om_log_level_parse(config->log_level));
	if (settle_down(config, &err) < 0) {
		om_config_destroy(config);
		om_log_error("%s", om_error_text(&err));
		return 1;
	}
	if (ctld_init(&c, config, &err) < 0)
		om_log_error("cannot start error=\"%s\"", om_error_text(&err));
	else
		rc = ctld_run(&c);
	ctld_fini(&c);
	om_log_info("stopped code=%d", rc);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	int opt;

	om_log_init("omctld", OM_LOG_INFO);
	while ((opt = getopt_long(argc, argv, "c:fhV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 'f':
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("omctld %s\n", PACKAGE_VERSION);
			return 0;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	return serve(path);
}
