/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hooks: prolog and epilog; see hooks.h. */
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "lib/base/strvec.h"
#include "sched/noded/hooks.h"

struct hook {
	struct om_child *child;
	struct om_timer *timer;
	hook_fn *fn;
	void *arg;
	pid_t pid;
	const char *what;
	char path[PATH_MAX];
	int64_t timeout_ns;
	bool timed_out;
};

static int check_one(const char *path, const struct stat *st,
		     struct om_error *err)
{
	/* a sticky folder that all may write to protects root's files in it,
	 * but not from somebody else's in their place later */
	if (st->st_uid != 0 || (st->st_mode & 022))
		return om_fail(err, -EPERM,
			       "'%s' must belong to root and not be writable "
			       "by group or others (owner %u, mode %04o)",
			       path, st->st_uid, st->st_mode & 07777);
	return 0;
}

int hook_check(const char *path, char real[PATH_MAX], struct om_error *err)
{
	char above[PATH_MAX], *dir = above;
	struct stat st;
	int rc;

	if (*path != '/')
		return om_fail(err, -EINVAL, "'%s' must be an absolute path", path);
	if (!realpath(path, real))
		return om_fail_errno(err, "cannot find '%s'", path);
	if (stat(real, &st) < 0)
		return om_fail_errno(err, "cannot look at '%s'", real);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0100))
		return om_fail(err, -EACCES, "'%s' is not an executable file", real);
	strcpy(above, real);
	for (;;) {
		rc = check_one(dir, &st, err);
		if (rc < 0 || !strcmp(dir, "/"))
			return rc;
		dir = dirname(dir);
		if (stat(dir, &st) < 0)
			return om_fail_errno(err, "cannot look at '%s'", dir);
	}
}

static void hook_free(struct hook *h)
{
	om_child_forget(h->child);
	om_timer_destroy(h->timer);
	free(h);
}

static void on_end(void *arg, pid_t pid, int status, const struct rusage *usage)
{
	struct hook *h = arg;
	struct om_error err = OM_ERROR_INIT;

	(void)usage;
	h->child = NULL;
	kill(-pid, SIGKILL);	/* whatever it left in its group */
	if (h->timed_out)
		om_fail(&err, -ETIMEDOUT, "%s '%s' did not end within %" PRId64
			" s and was killed", h->what, h->path,
			h->timeout_ns / OM_NS_PER_S);
	else if (status == -1)
		om_fail(&err, -ECHILD, "%s '%s' ended in an unknown way",
			h->what, h->path);
	else if (WIFSIGNALED(status))
		om_fail(&err, -EIO, "%s '%s' was killed by signal %d", h->what,
			h->path, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		om_fail(&err, -EIO, "%s '%s' failed with exit code %d", h->what,
			h->path, WEXITSTATUS(status));
	if (h->fn)
		h->fn(h->arg, err.code, err.text);
	hook_free(h);
}

static void on_timeout(void *arg)
{
	struct hook *h = arg;

	h->timed_out = true;
	kill(-h->pid, SIGKILL);
}

static int make_env(const struct hook_spec *s, struct om_strvec *env)
{
	int rc = om_strvec_addf(env, "OM_JOB_ID=%" PRIu64, s->job);

	if (rc == 0)
		rc = om_strvec_addf(env, "OM_JOB_UID=%u", s->uid);
	if (rc == 0)
		rc = om_strvec_addf(env, "OM_JOB_USER=%s", s->user);
	if (rc == 0)
		rc = om_strvec_addf(env, "OM_NODENAME=%s", s->node);
	if (rc == 0)
		rc = om_strvec_add(env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	return rc;
}

static int set_actions(posix_spawn_file_actions_t *a, posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(a, 2, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_addchdir_np(a, "/");
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(attr, 0);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
					      POSIX_SPAWN_SETSIGMASK |
					      POSIX_SPAWN_SETSIGDEF);
	return rc;
}

static int spawn(const char *path, char **env, pid_t *ret)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t a;
	posix_spawnattr_t attr;
	int rc;

	posix_spawn_file_actions_init(&a);
	posix_spawnattr_init(&attr);
	rc = set_actions(&a, &attr);
	if (rc == 0)
		rc = posix_spawn(ret, path, &a, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&a);
	return -rc;
}

static int start(struct hook *h, struct om_loop *loop,
		 const struct hook_spec *s, struct om_error *err)
{
	struct om_strvec env = OM_STRVEC_INIT;
	int rc = make_env(s, &env);

	if (rc == 0)
		rc = spawn(h->path, env.v, &h->pid);
	om_strvec_fini(&env);
	if (rc < 0)
		return om_fail(err, rc, "cannot run %s '%s': %s", s->what,
			       s->path, strerror(-rc));
	h->child = om_child_watch(loop, h->pid, on_end, h, err);
	if (!h->child) {
		kill(-h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
		return err->code;
	}
	om_timer_start(h->timer, h->timeout_ns, 0);
	return 0;
}

int hook_start(struct om_loop *loop, const struct hook_spec *s, hook_fn *fn,
	       void *arg, struct hook **ret, struct om_error *err)
{
	struct hook *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return om_fail_nomem(err);
	rc = hook_check(s->path, h->path, err);
	if (rc < 0) {
		free(h);
		return om_wrap(err, rc, "%s refused", s->what);
	}
	h->fn = fn;
	h->arg = arg;
	h->what = s->what;
	h->timeout_ns = s->timeout_ns;
	h->timer = om_timer_create(loop, on_timeout, h, err);
	rc = h->timer ? start(h, loop, s, err) : err->code;
	if (rc < 0) {
		hook_free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

void hook_cancel(struct hook *h)
{
	if (!h)
		return;
	/* It stays until it is reaped; nobody hears of it. */
	h->fn = NULL;
	om_timer_stop(h->timer);
	kill(-h->pid, SIGKILL);
}
