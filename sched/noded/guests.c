/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guests: runnable threads of jobs. /proc/TID/schedstat says how many
 * nanoseconds a thread has run and has waited for a processor; what both grew
 * by, over the time between, is how runnable it was.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/cleanup.h"
#include "sched/noded/guests.h"

#define IDLE_CPUS 0.005
#define THREADS_MAX 2048	/* beyond that the processor time has to do */

struct thread {
	int tid;
	unsigned round;
	uint64_t ns;
	UT_hash_handle hh;
};

struct guests {
	struct thread *threads;
	unsigned round;
	bool primed;		/* the last round was looked at */
};

struct guests *guests_create(void)
{
	return calloc(1, sizeof(struct guests));
}

static void drop_old(struct guests *g, bool all)
{
	struct thread *t, *next;

	HASH_ITER(hh, g->threads, t, next)
		if (all || t->round != g->round) {
			HASH_DEL(g->threads, t);
			free(t);
		}
}

void guests_destroy(struct guests *g)
{
	if (!g)
		return;
	drop_old(g, true);
	free(g);
}

static int read_ns(int tid, uint64_t *ret)
{
	char path[48], text[96];
	om_autofd int fd = -1;
	uint64_t ran, waited;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
		return -EPROTO;
	*ret = ran + waited;
	return 0;
}

/* Nanoseconds it was runnable since the last round. */
static uint64_t look(struct guests *g, int tid)
{
	struct thread *t;
	uint64_t ns, grew;

	if (read_ns(tid, &ns) < 0)
		return 0;
	HASH_FIND_INT(g->threads, &tid, t);
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return 0;
		t->tid = tid;
		t->ns = g->primed ? 0 : ns;	/* born since, or just found */
		HASH_ADD_INT(g->threads, tid, t);
	}
	grew = ns > t->ns ? ns - t->ns : 0;
	t->ns = ns;
	t->round = g->round;
	return grew;
}

double guests_runnable(struct guests *g, const struct cgroup_tree *tree,
		       double cpus, double dt)
{
	om_autofree int *tids = NULL;
	double sum = 0;
	int n;

	if (cpus < IDLE_CPUS) {
		drop_old(g, true);
		g->primed = false;
		return 0;
	}
	tids = malloc(THREADS_MAX * sizeof(*tids));
	n = tids ? cgroup_tree_threads(tree, tids, THREADS_MAX) : -ENOMEM;
	if (n < 0 || n == THREADS_MAX) {
		drop_old(g, true);
		g->primed = false;
		return cpus;
	}
	g->round++;
	for (int i = 0; i < n; i++) {
		double grew = (double)look(g, tids[i]) / 1e9;

		sum += grew < dt ? grew : dt;	/* one thread is at most one */
	}
	drop_old(g, false);
	g->primed = true;
	/* Threads that came and went between are in the time they used. */
	return sum / dt > cpus ? sum / dt : cpus;
}
