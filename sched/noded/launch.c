/* SPDX-License-Identifier: GPL-3.0-or-later */
/* launch: one task from fork to exec; see launch.h. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/idset.h"
#include "sched/noded/launch.h"

/* Told by the child through the memory that both share. */
struct child {
	const struct launch_task *task;
	const char *failed;	/* what it was doing; NULL: nothing failed */
	int error;		/* errno */
};

#define GROUPS_CHECKED 256

__attribute__((noreturn)) static void die(struct child *c, const char *what)
{
	c->error = errno;
	c->failed = what;
	_exit(127);
}

static void join_groups(struct child *c)
{
	for (int i = 0; i < c->task->joins; i++)
		if (write(c->task->join[i], "0", 1) < 0)
			die(c, "cannot join the job's cgroup");
}

/* The three are above 2 (the daemon keeps 0 to 2 open), so none is hit. */
static void set_files(struct child *c)
{
	const struct launch_task *t = c->task;

	if (setsid() < 0)
		die(c, "cannot make a session");
	if (t->tty >= 0 && ioctl(t->tty, TIOCSCTTY, 0) < 0)
		die(c, "cannot take the terminal");
	if (dup2(t->in, 0) < 0 || dup2(t->out, 1) < 0 || dup2(t->err, 2) < 0)
		die(c, "cannot set up standard input and output");
	/* All of ours are close-on-exec; this catches a library's that is not. */
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		die(c, "cannot close descriptors");
}

/*
 * The daemon's own hard limits are what the node gives: a user may ask for
 * less. Root could raise them, so it is for us to cut down what asks for more:
 * else a job has real-time priority by asking for it.
 */
static void set_limit(struct child *c, const Om__ResourceLimit *l)
{
	struct rlimit now, want = { .rlim_cur = l->soft, .rlim_max = l->hard };

	if (getrlimit((int)l->resource, &now) < 0)
		die(c, "unknown resource limit");
	if (want.rlim_max > now.rlim_max)
		want.rlim_max = now.rlim_max;
	if (want.rlim_cur > want.rlim_max)
		want.rlim_cur = want.rlim_max;
	if (setrlimit((int)l->resource, &want) < 0)
		die(c, "cannot set a resource limit");
}

static void set_resources(struct child *c)
{
	const struct launch_task *t = c->task;
	int fd;

	for (size_t i = 0; i < t->launch->n_limit; i++)
		set_limit(c, t->launch->limit[i]);
	if (t->cpus && sched_setaffinity(0, sizeof(*t->cpus), t->cpus) < 0)
		die(c, "cannot bind to the job's processors");
	if (t->oom_adjust) {
		fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) < 0)
			die(c, "cannot reset oom_score_adj");
		close(fd);
	}
	umask(t->launch->umask & 0777);
}

/*
 * The C library's setters tell every thread of the process, which the child is
 * not a part of: the bare system calls touch this one only.
 */
static void become_user(struct child *c)
{
	const struct asuser *u = c->task->user;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
	    errno != EINVAL)
		die(c, "cannot drop ambient capabilities");
	if (syscall(SYS_setgroups, u->groups, u->group) < 0)
		die(c, "cannot set the user's groups");
	if (syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0)
		die(c, "cannot set the user's group");
	if (syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		die(c, "cannot become the user");
}

static void verify_groups(struct child *c, int n)
{
	const struct asuser *u = c->task->user;
	gid_t group[GROUPS_CHECKED];

	if (n > GROUPS_CHECKED)
		return;	/* too many to compare here; their number is right */
	if (getgroups(n, group) != n)
		die(c, "cannot verify the groups");
	for (int i = 0; i < n; i++) {
		bool found = false;

		/* the kernel sorts them */
		for (int k = 0; k < n && !found; k++)
			found = u->group[k] == group[i];
		if (!found)
			die(c, "a group is not what was set");
	}
}

/* Trust no set call: ask what is in force. */
static void verify_user(struct child *c)
{
	const struct asuser *u = c->task->user;
	uid_t r, e, s;
	gid_t rg, eg, sg;
	int n;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
		die(c, "cannot verify who we are");
	n = getgroups(0, NULL);
	errno = EPERM;
	if (r != u->uid || e != u->uid || s != u->uid || rg != u->gid ||
	    eg != u->gid || sg != u->gid || n != (int)u->groups)
		die(c, "user or groups are not what was set");
	verify_groups(c, n);
	if (u->uid != 0 && syscall(SYS_setuid, 0) == 0)
		die(c, "root's rights were not given up");
}

static void reset_signals(struct child *c)
{
	static const int ignored_by_us[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM,
					     SIGQUIT, SIGTSTP, SIGTTIN,
					     SIGTTOU };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored_by_us) / sizeof(int); i++)
		if (sigaction(ignored_by_us[i], &dfl, NULL) < 0)
			die(c, "cannot reset signals");
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		die(c, "cannot reset the signal mask");
}

__attribute__((noreturn, noinline)) static void run_child(struct child *c)
{
	join_groups(c);
	set_files(c);
	set_resources(c);
	become_user(c);
	verify_user(c);
	reset_signals(c);
	execve(c->task->path, c->task->argv, c->task->envp);
	die(c, "cannot execute");
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define SHARED_FLAGS (CLONE_VFORK | CLONE_VM)
/*
 * clone3 without the C library's wrapper: with CLONE_VM the child would return
 * through the same return address on the same stack and leave the parent
 * without it. Nothing is between the instruction and run_child, which never
 * returns, and uses the stack below this frame only.
 */
__attribute__((noinline))
static long spawn(struct clone_args *args, struct child *c)
{
	register long size asm("rsi") = sizeof(*args);
	long rc;

	asm volatile("syscall"
		     : "=a"(rc), "+r"(size)
		     : "a"(SYS_clone3), "D"(args)
		     : "rcx", "r11", "memory");
	if (rc == 0)
		run_child(c);
	if (rc < 0) {
		errno = (int)-rc;
		return -1;
	}
	return rc;
}
#else
#define SHARED_FLAGS CLONE_VFORK	/* on a copy; c is in shared memory */
static long spawn(struct clone_args *args, struct child *c)
{
	long rc = syscall(SYS_clone3, args, sizeof(*args));

	if (rc == 0)
		run_child(c);
	return rc;
}
#endif

static int child_failed(const struct child *c, pid_t pid, struct om_error *err)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!strcmp(c->failed, "cannot execute"))
		return om_fail(err, -c->error, "cannot execute '%s': %s",
			       c->task->path, c->error == ENOENT &&
			       access(c->task->path, F_OK) == 0 ?
			       "its interpreter (after #!) does not exist" :
			       strerror(c->error));
	return om_fail(err, -c->error, "%s: %s", c->failed,
		       strerror(c->error));
}

static pid_t start(struct child *c, struct om_error *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	sigset_t all, old;
	long pid;
	int saved;

	args.flags = CLONE_CLEAR_SIGHAND | SHARED_FLAGS;
	if (c->task->into >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->task->into;
	}
	/* A handler of ours must not run in the child on our memory. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = spawn(&args, c);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	if (pid < 0)
		return om_fail_errno(err, "cannot fork");
	if (c->failed)
		return child_failed(c, (pid_t)pid, err);
	return (pid_t)pid;
}

pid_t launch_start(const struct launch_task *t, struct om_error *err)
{
#if SHARED_FLAGS & CLONE_VM
	struct child c = { .task = t };

	return start(&c, err);
#else
	struct child *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (c == MAP_FAILED)
		return om_fail_errno(err, "cannot map a page");
	c->task = t;
	pid = start(c, err);
	munmap(c, sizeof(*c));
	return pid;
#endif
}

/* The first that may be executed; a folder or a data file is passed over. */
static char *search(const char *name, const char *list, int *ret_why)
{
	struct om_buf b = OM_BUF_INIT;

	*ret_why = ENOENT;
	while (list) {
		size_t n = strcspn(list, ":");
		struct stat st;

		om_buf_reset(&b);
		if (om_buf_addf(&b, "%.*s%s%s", (int)n, list, n ? "/" : "",
				name) < 0)
			break;
		if (stat(om_buf_str(&b), &st) == 0 && S_ISREG(st.st_mode)) {
			if (faccessat(AT_FDCWD, om_buf_str(&b), X_OK,
				      AT_EACCESS) == 0 &&
			    (st.st_mode & 0111))
				return om_buf_steal(&b);
			*ret_why = EACCES;
		}
		list = list[n] ? list + n + 1 : NULL;
	}
	om_buf_fini(&b);
	return NULL;
}

char *launch_find(const char *name, const char *path_list,
		  const struct asuser *user, struct om_error *err)
{
	char *found;
	int why;

	if (!*name) {
		om_fail(err, -ENOENT, "the command's name is empty");
		return NULL;
	}
	if (strchr(name, '/'))
		return strdup(name);
	if (asuser_begin(user, err) < 0)
		return NULL;
	found = search(name, path_list, &why);
	asuser_end();
	if (!found)
		om_fail(err, -why, "cannot execute '%s': %s", name,
			why == ENOENT ? "not found in PATH" : strerror(why));
	return found;
}

int launch_cpus(const char *list, cpu_set_t *ret, struct om_error *err)
{
	struct om_idset ids = OM_IDSET_INIT;
	uint32_t cpu = 0;
	int rc = om_idset_parse(&ids, list, CPU_SETSIZE - 1, CPU_SETSIZE, err);

	if (rc < 0)
		return om_wrap(err, rc, "processors '%s'", list);
	CPU_ZERO(ret);
	while (om_idset_next(&ids, cpu, &cpu)) {
		CPU_SET((int)cpu, ret);
		cpu++;
	}
	om_idset_fini(&ids);
	return 0;
}
