/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spawn_rate: what this machine can do at most: how many times a second it
 * starts a script and waits for its end, and what processor time that takes.
 * No scheduler can be faster; the benchmarks print their ratio to this.
 *
 * One line of output: "MODE THREADS JOBS SECONDS JOBS_PER_S MS_PER_JOB",
 * where the last is processor time of all processes together.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#define THREADS_MAX 64
#define RMDIR_TRIES 2000

struct bench {
	const char *group;	/* a cgroup v2 folder, NULL: no group a job */
	char **argv;
	uint32_t jobs, threads;
};

struct worker {
	const struct bench *b;
	pthread_t thread;
	uint32_t number, jobs;
	int rc;
};

static _Noreturn void usage(void)
{
	fprintf(stderr, "Usage: spawn_rate [-n JOBS] [-t THREADS] "
		"[-g CGROUP2_FOLDER] COMMAND...\n"
		"Without -g by vfork, with -g each in a cgroup of its own.\n");
	exit(2);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double seconds_used(void)
{
	return seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
}

static pid_t spawn_plain(const struct bench *b)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(b->argv[0], b->argv, environ);
		_exit(127);
	}
	return pid;
}

/* Straight into its group: no write to cgroup.procs is needed. */
static pid_t spawn_grouped(const struct bench *b, const char *folder)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP | CLONE_VFORK,
				   .exit_signal = SIGCHLD };
	om_autofd int fd = -1;
	pid_t pid;

	if (mkdir(folder, 0755) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	args.cgroup = (uint64_t)fd;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		execve(b->argv[0], b->argv, environ);
		_exit(127);
	}
	return pid;
}

/* The last process leaves its group a moment after it can be waited for. */
static int remove_group(const char *folder)
{
	for (int i = 0; i < RMDIR_TRIES; i++) {
		if (rmdir(folder) == 0)
			return 0;
		if (errno != EBUSY)
			return -errno;
		usleep(50);
	}
	return -EBUSY;
}

static int run_one(const struct worker *w, uint32_t i)
{
	char folder[512];
	int status = 0;
	pid_t pid;

	if (w->b->group) {
		snprintf(folder, sizeof(folder), "%s/job_%u_%u", w->b->group,
			 w->number, i);
		pid = spawn_grouped(w->b, folder);
	} else {
		pid = spawn_plain(w->b);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (status)
		return -ECHILD;
	return w->b->group ? remove_group(folder) : 0;
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->jobs && w->rc == 0; i++)
		w->rc = run_one(w, i);
	return NULL;
}

static int run_all(const struct bench *b)
{
	struct worker w[THREADS_MAX] = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < b->threads; i++) {
		w[i].b = b;
		w[i].number = i;
		w[i].jobs = b->jobs / b->threads + (i < b->jobs % b->threads);
		if (pthread_create(&w[i].thread, NULL, run_worker, w + i)) {
			fprintf(stderr, "spawn_rate: no thread\n");
			exit(1);
		}
	}
	for (uint32_t i = 0; i < b->threads; i++) {
		pthread_join(w[i].thread, NULL);
		rc = rc ? rc : w[i].rc;
	}
	return rc;
}

static void parse(struct bench *b, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+n:t:g:")) != -1) {
		int rc = 0;

		if (c == 'n')
			rc = om_parse_u32(optarg, 1, 10000000, &b->jobs);
		else if (c == 't')
			rc = om_parse_u32(optarg, 1, THREADS_MAX, &b->threads);
		else if (c == 'g')
			b->group = optarg;
		else
			usage();
		if (rc < 0)
			usage();
	}
	if (optind >= argc)
		usage();
	b->argv = argv + optind;
}

int main(int argc, char **argv)
{
	struct bench b = { .jobs = 2000, .threads = 1 };
	double begin, used, took;
	int rc;

	parse(&b, argc, argv);
	/* A shell that executed us in its place leaves its children's time. */
	used = -seconds_used();
	begin = seconds_now();
	rc = run_all(&b);
	took = seconds_now() - begin;
	if (rc < 0) {
		fprintf(stderr, "spawn_rate: '%s': %s\n", b.argv[0],
			rc == -ECHILD ? "it failed" : strerror(-rc));
		return 1;
	}
	used += seconds_used();
	printf("%s %u %u %.3f %.1f %.4f\n", b.group ? "cgroup" : "plain",
	       b.threads, b.jobs, took, b.jobs / took, 1e3 * used / b.jobs);
	return 0;
}
