/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keeper: all signals are blocked and taken one by one; so nothing here runs
 * in a handler, and process 1 gets those that it would otherwise ignore.
 */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster/keeper.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define PAUSE_MIN_NS (100 * OM_NS_PER_MS)
#define PAUSE_MAX_NS (2 * OM_NS_PER_S)
#define STABLE_NS (2 * OM_NS_PER_S)
#define POLL_NS (20 * OM_NS_PER_MS)
#define STOP_NS (5 * OM_NS_PER_S)

static int64_t now_ns(void)
{
	return om_mono_ns(om_clock_system());
}

static void say_and_exit(const char *what)
{
	om_log_error("cannot start: %s: %s", what, strerror(errno));
	_exit(127);
}

static void become(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		say_and_exit("no such user");
	if (initgroups(user, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		say_and_exit("cannot change the user");
}

/* In the child. A keeper that is killed takes its programs with it. */
static void start_child(const struct keeper_program *p, pid_t keeper)
{
	sigset_t none;
	int fd;

	setsid();
	fd = open(p->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
		  O_NOFOLLOW, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		say_and_exit(p->log_path);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0)
		say_and_exit("/dev/null");
	if (p->user)
		become(p->user);
	/* after the change of user, which clears it */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		say_and_exit("prctl");
	if (getppid() != keeper)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	execve(p->argv[0], p->argv, p->env);
	say_and_exit(p->argv[0]);
}

static void start(struct keeper_program *p)
{
	pid_t keeper = getpid();

	p->started_ns = now_ns();
	p->pid = fork();
	if (p->pid == 0)
		start_child(p, keeper);
	if (p->pid < 0) {
		om_log_error("cannot fork for %s: %s", p->name,
			     strerror(errno));
		p->pid = 0;
		p->next_ns = now_ns() + PAUSE_MAX_NS;
	}
}

static void start_due(struct keeper_program *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].pid || p[i].next_ns > now_ns())
			continue;
		if (p[i].wait_path && access(p[i].wait_path, F_OK) < 0)
			p[i].next_ns = now_ns() + POLL_NS;
		else
			start(p + i);
	}
}

static void ended(struct keeper_program *p, int status)
{
	bool stable = now_ns() - p->started_ns > STABLE_NS;

	p->pid = 0;
	if (stable || !p->pause_ns)
		p->pause_ns = PAUSE_MIN_NS;
	else if (p->pause_ns < PAUSE_MAX_NS)
		p->pause_ns *= 2;
	if (p->pause_ns > PAUSE_MAX_NS)
		p->pause_ns = PAUSE_MAX_NS;
	p->next_ns = now_ns() + p->pause_ns;
	om_log_warn("%s ended %s=%d restart_ms=%lld", p->name,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
					  WEXITSTATUS(status),
		    (long long)(p->pause_ns / OM_NS_PER_MS));
}

static void reap(struct keeper_program *p, size_t n)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < n; i++)
			if (p[i].pid == pid)
				ended(p + i, status);
}

/* What there is to wait for: a signal, or the next start. */
static int next_signal(const sigset_t *set, const struct keeper_program *p,
		       size_t n, int64_t at_ns)
{
	struct timespec ts;
	int64_t left;

	for (size_t i = 0; i < n; i++)
		if (!p[i].pid && p[i].next_ns < at_ns)
			at_ns = p[i].next_ns;
	if (at_ns == INT64_MAX)
		return sigwaitinfo(set, NULL);
	left = at_ns - now_ns();
	if (left < 0)
		left = 0;
	ts.tv_sec = left / OM_NS_PER_S;
	ts.tv_nsec = left % OM_NS_PER_S;
	return sigtimedwait(set, NULL, &ts);
}

/* Stops the last of n programs; ends of all are taken note of meanwhile. */
static void stop_last(struct keeper_program *p, size_t n, const sigset_t *set)
{
	struct keeper_program *last = p + n - 1;
	int64_t deadline = now_ns() + STOP_NS;

	if (last->pid)
		kill(last->pid, SIGTERM);
	while (last->pid) {
		if (now_ns() >= deadline) {
			om_log_warn("%s does not stop, killed", last->name);
			kill(last->pid, SIGKILL);
			deadline = INT64_MAX;
		}
		next_signal(set, NULL, 0, deadline);
		reap(p, n);
	}
}

static void pass_on(const struct keeper_program *p, size_t n, int signo)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].pid)
			kill(p[i].pid, signo);
}

int keeper_run(struct keeper_program *p, size_t n, struct om_error *err)
{
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return om_fail_errno(err, "cannot block signals");
	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		start_due(p, n);
		signo = next_signal(&set, p, n, INT64_MAX);
		if (signo == SIGTERM || signo == SIGINT)
			break;
		if (signo == SIGHUP)
			pass_on(p, n, signo);
		reap(p, n);
	}
	for (; n; n--)
		stop_last(p, n, &set);
	return 0;
}
