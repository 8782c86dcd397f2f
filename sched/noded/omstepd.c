/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * omstepd --zygote FD: started once by omnoded, with the configuration's path
 * and the node's name as it knows them.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/syscall.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/place.h"
#include "sched/noded/zygote.h"

/* Tasks get descriptors above 2 only because 0 to 2 are taken. */
static int fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	} while (fd <= 2);
	close(fd);
	return 0;
}

/*
 * Tasks are to begin as a login session does, whatever started omnoded
 * ignored: the two signals too that the C library keeps to itself and its
 * functions refuse to touch.
 */
static void reset_signals(void)
{
	struct { void (*handler)(int); unsigned long flags, restorer, mask; }
		dfl = { .handler = SIG_DFL };

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			syscall(SYS_rt_sigaction, i, &dfl, NULL,
				sizeof(dfl.mask));
}

static bool shielded(void)
{
	om_autofile FILE *f = fopen("/proc/self/oom_score_adj", "re");
	int value = 0;

	return f && fscanf(f, "%d", &value) == 1 && value != 0;
}

static int serve(const char *conf_path, const char *name, int fd)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_config *conf;
	struct place place;
	int rc;

	conf = om_config_load(*conf_path ? conf_path : NULL, &err);
	if (!conf) {
		om_log_error("%s", om_error_text(&err));
		return EXIT_FAILURE;
	}
	om_log_set_level(om_log_level_parse(conf->log_level));
	rc = place_init(&place, conf, name, &err);
	if (rc == 0) {
		place.oom_shielded = shielded();
		rc = zygote_serve(&place, fd, &err);
	}
	if (rc < 0)
		om_log_error("%s", om_error_text(&err));
	place_fini(&place);
	om_config_destroy(conf);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	uint32_t fd;

	om_log_init("omstepd", OM_LOG_INFO);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("omstepd (openMosix) " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc != 5 || strcmp(argv[1], "--zygote") ||
	    om_parse_u32(argv[2], 3, 65535, &fd) < 0) {
		fputs("omstepd is started by omnoded only: omstepd --zygote FD NAME CONF\n",
		      stderr);
		return 2;
	}
	if (fill_standard() < 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
		om_log_error("descriptors are not as omnoded gives them: %s",
			     strerror(errno));
		return EXIT_FAILURE;
	}
	reset_signals();
	signal(SIGINT, SIG_IGN);	/* a terminal's ^C is omnoded's business */
	return serve(argv[4], argv[3], (int)fd);
}
