/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * workers: threads that do what would block the loop.
 *
 *   submit -> todo -> (a thread: work) -> done -> eventfd -> (loop: done)
 *
 * Both lists are first in, first out, under one mutex. The eventfd is written
 * only when the done list was empty, so a burst costs one wake-up.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/loop/private.h"

struct work {
	struct work *next;
	om_work_fn *work, *done;
	void *arg;
};

struct work_list {
	struct work *first, **end;
};

struct om_workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work_list todo, done;
	bool ending;
	int wakeup;			/* eventfd */
	struct om_watch *watch;
	unsigned count;
	pthread_t thread[];
};

static void list_add(struct work_list *l, struct work *w)
{
	w->next = NULL;
	*l->end = w;
	l->end = &w->next;
}

static struct work *list_pop(struct work_list *l)
{
	struct work *w = l->first;

	if (!w)
		return NULL;
	l->first = w->next;
	if (!l->first)
		l->end = &l->first;
	return w;
}

static void tell_loop(struct om_workers *ws)
{
	uint64_t one = 1;
	ssize_t rc;

	do {	/* cannot fill up: the loop reads it before it is written again */
		rc = write(ws->wakeup, &one, sizeof(one));
	} while (rc < 0 && errno == EINTR);
}

/* Called and returns with the lock held. */
static void work_one(struct om_workers *ws, struct work *w)
{
	bool first;

	pthread_mutex_unlock(&ws->lock);
	w->work(w->arg);
	pthread_mutex_lock(&ws->lock);
	first = ws->done.first == NULL;
	list_add(&ws->done, w);
	if (first)
		tell_loop(ws);
}

static void *thread_main(void *arg)
{
	struct om_workers *ws = arg;
	struct work *w;

	pthread_mutex_lock(&ws->lock);
	for (;;) {
		w = list_pop(&ws->todo);
		if (w)
			work_one(ws, w);
		else if (ws->ending)
			break;
		else
			pthread_cond_wait(&ws->more, &ws->lock);
	}
	pthread_mutex_unlock(&ws->lock);
	return NULL;
}

/* Takes all that is done by now; what comes meanwhile writes the eventfd. */
static void run_done(struct om_workers *ws)
{
	struct work_list ready;
	struct work *w;

	pthread_mutex_lock(&ws->lock);
	ready = ws->done;
	if (!ready.first)
		ready.end = &ready.first;
	ws->done = (struct work_list){ .first = NULL };
	ws->done.end = &ws->done.first;
	pthread_mutex_unlock(&ws->lock);
	while ((w = list_pop(&ready)) != NULL) {
		w->done(w->arg);
		free(w);
	}
}

static void on_wakeup(void *arg, int fd, int events)
{
	struct om_workers *ws = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;		/* level-triggered: it will be told again */
	run_done(ws);
}

static void stop_threads(struct om_workers *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->ending = true;
	pthread_cond_broadcast(&ws->more);
	pthread_mutex_unlock(&ws->lock);
	for (unsigned i = 0; i < ws->count; i++)
		pthread_join(ws->thread[i], NULL);
	ws->count = 0;
}

void om_workers_destroy(struct om_workers *ws)
{
	if (!ws)
		return;
	stop_threads(ws);
	run_done(ws);
	om_watch_destroy(ws->watch);
	if (ws->wakeup >= 0)
		close(ws->wakeup);
	pthread_cond_destroy(&ws->more);
	pthread_mutex_destroy(&ws->lock);
	free(ws);
}

/* Signals are the loop's: its threads take none. */
static int start_threads(struct om_workers *ws, unsigned threads)
{
	sigset_t all, old;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (rc == 0 && ws->count < threads) {
		rc = pthread_create(&ws->thread[ws->count], NULL, thread_main,
				    ws);
		if (rc == 0)
			ws->count++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

struct om_workers *om_workers_create(struct om_loop *loop, unsigned threads,
				     struct om_error *err)
{
	struct om_workers *ws;
	int rc;

	ws = calloc(1, sizeof(*ws) + threads * sizeof(ws->thread[0]));
	if (!ws) {
		om_fail_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&ws->lock, NULL);
	pthread_cond_init(&ws->more, NULL);
	ws->todo.end = &ws->todo.first;
	ws->done.end = &ws->done.first;
	ws->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ws->wakeup < 0) {
		om_fail_errno(err, "cannot create an eventfd");
		goto fail;
	}
	ws->watch = om_watch_create(loop, ws->wakeup, OM_LOOP_READ, on_wakeup,
				    ws, err);
	if (!ws->watch)
		goto fail;
	rc = start_threads(ws, threads);
	if (rc < 0) {
		om_fail(err, rc, "cannot start a worker thread: %s",
			strerror(-rc));
		goto fail;
	}
	return ws;
fail:
	om_workers_destroy(ws);
	return NULL;
}

int om_work_submit(struct om_workers *ws, om_work_fn *work, om_work_fn *done,
		   void *arg)
{
	struct work *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct work){ .work = work, .done = done, .arg = arg };
	pthread_mutex_lock(&ws->lock);
	list_add(&ws->todo, w);
	pthread_cond_signal(&ws->more);
	pthread_mutex_unlock(&ws->lock);
	return 0;
}
