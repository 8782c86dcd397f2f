/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * loop: one thread's events: descriptors, timers, signals, children, and
 * what worker threads hand back. A thin face over libevent_core.
 *
 * A turn is: wait, run every callback that is ready, run the turn hooks.
 * Hooks are where a daemon does once what many events asked for (commit a
 * batch, schedule, flush). Callbacks never block. Everything here is for the
 * loop's own thread, but om_work_submit's work function, which runs elsewhere.
 */
#ifndef OM_LOOP_LOOP_H
#define OM_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "lib/base/clock.h"
#include "lib/base/error.h"

struct om_loop;

struct om_loop *om_loop_create(struct om_error *err);
void om_loop_destroy(struct om_loop *loop);
/* Runs until om_loop_stop; 0 or -Exxx. */
int om_loop_run(struct om_loop *loop, struct om_error *err);
/* One turn; waits at most timeout_ns (< 0: for ever, 0: not at all). */
int om_loop_turn(struct om_loop *loop, int64_t timeout_ns, struct om_error *err);
void om_loop_stop(struct om_loop *loop);
const struct om_clock *om_loop_clock(const struct om_loop *loop);

/* Called at the end of every turn, in order of registration. */
typedef void om_turn_fn(void *arg);
int om_loop_on_turn(struct om_loop *loop, om_turn_fn *fn, void *arg);
/* Makes the next turn come at once, even if nothing is ready. */
void om_loop_wake(struct om_loop *loop);

/*
 * Something to be done once at the end of this turn, after the turn hooks
 * (a connection sends there what the hooks let go). Embedded in its owner;
 * zeroed is "not queued". Queued from outside a turn, or by another deferred
 * function, it makes the next turn come at once.
 */
struct om_defer {
	struct om_defer *next, *prev;
	om_turn_fn *fn;
	void *arg;
};
/* Queues d, once however often it is called. */
void om_loop_defer(struct om_loop *loop, struct om_defer *d, om_turn_fn *fn,
		   void *arg);
/* Takes d off the queue; harmless if it is not on it. */
void om_defer_cancel(struct om_defer *d);

/*
 * Descriptors. The watch does not own fd, which must stay open while it lives.
 * events: a mask; 0 pauses. Each callback tells of one of the two; what went
 * wrong with the descriptor shows as both. May be destroyed in its callback.
 */
#define OM_LOOP_READ 1
#define OM_LOOP_WRITE 2
struct om_watch;
typedef void om_watch_fn(void *arg, int fd, int events);
struct om_watch *om_watch_create(struct om_loop *loop, int fd, int events,
				 om_watch_fn *fn, void *arg,
				 struct om_error *err);
int om_watch_set(struct om_watch *w, int events);
void om_watch_destroy(struct om_watch *w);

/*
 * Timers on the monotonic clock; created stopped. repeat_ns 0: once. A repeat
 * that was missed because the loop was busy is left out, not made up for.
 * May be restarted, stopped or destroyed in its callback.
 */
struct om_timer;
typedef void om_timer_fn(void *arg);
struct om_timer *om_timer_create(struct om_loop *loop, om_timer_fn *fn,
				 void *arg, struct om_error *err);
void om_timer_start(struct om_timer *t, int64_t delay_ns, int64_t repeat_ns);
void om_timer_stop(struct om_timer *t);
bool om_timer_running(const struct om_timer *t);
void om_timer_destroy(struct om_timer *t);

/* Signals, delivered as ordinary callbacks. */
typedef void om_signal_fn(void *arg, int signo);
int om_loop_on_signal(struct om_loop *loop, int signo, om_signal_fn *fn,
		      void *arg, struct om_error *err);

/*
 * Children, by pidfd. fn is called once, with the wait status and the usage
 * (wait4); the child is reaped by then and the watch gone. A status of -1,
 * which is neither an exit nor a signal to the W macros, means that somebody
 * else reaped it (SIGCHLD ignored, a stray wait) and its fate is unknown.
 */
struct om_child;
typedef void om_child_fn(void *arg, pid_t pid, int status,
			 const struct rusage *usage);
struct om_child *om_child_watch(struct om_loop *loop, pid_t pid,
				om_child_fn *fn, void *arg,
				struct om_error *err);
/* Stops watching; the child is not touched and not reaped. */
void om_child_forget(struct om_child *c);

/* Worker threads: work runs in one of them, done then in the loop. */
struct om_workers;
typedef void om_work_fn(void *arg);
struct om_workers *om_workers_create(struct om_loop *loop, unsigned threads,
				     struct om_error *err);
/* 0 or -Exxx (then neither function runs). arg belongs to the work until
 * done is called. Work of one pool with one thread runs in order. */
int om_work_submit(struct om_workers *w, om_work_fn *work, om_work_fn *done,
		   void *arg);
/*
 * Waits until all that was submitted is worked off and calls every outstanding
 * done. Not to be called from a done.
 */
void om_workers_destroy(struct om_workers *w);
/*
 * The loop's own two threads, made at the first call, gone with the loop: for
 * short calls that as a rule return at once but may hang.
 */
struct om_workers *om_loop_workers(struct om_loop *loop, struct om_error *err);

#endif
