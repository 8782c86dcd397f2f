/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_loop: turns, hooks, watches, timers, signals, children, workers. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/loop/loop.h"

#define DEADLINE_NS (5 * OM_NS_PER_S)

static struct om_loop *loop;

static int setup(void **state)
{
	(void)state;
	loop = om_loop_create(NULL);
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	om_loop_destroy(loop);
	return 0;
}

static int64_t now(void)
{
	return om_mono_ns(om_loop_clock(loop));
}

/* Turns until *count reaches want; fails after a deadline. */
static void turn_until(const int *count, int want)
{
	int64_t end = now() + DEADLINE_NS;

	while (*count < want) {
		assert_true(now() < end);
		assert_int_equal(om_loop_turn(loop, OM_NS_PER_S / 10, NULL), 0);
	}
}

static void count_up(void *arg)
{
	++*(int *)arg;
}

static void turn_without_wait_returns_at_once(void **state)
{
	int64_t start = now();

	(void)state;
	assert_int_equal(om_loop_turn(loop, 0, NULL), 0);
	assert_true(now() - start < OM_NS_PER_S);
}

static void turn_ends_at_its_timeout(void **state)
{
	int64_t start = now();
	int64_t took;

	(void)state;
	assert_int_equal(om_loop_turn(loop, 20 * OM_NS_PER_MS, NULL), 0);
	took = now() - start;
	assert_true(took >= 20 * OM_NS_PER_MS);
	assert_true(took < 2 * OM_NS_PER_S);
}

static void wake_makes_the_next_turn_come_at_once(void **state)
{
	int turns = 0;

	(void)state;
	assert_int_equal(om_loop_on_turn(loop, count_up, &turns), 0);
	om_loop_wake(loop);
	assert_int_equal(om_loop_turn(loop, -1, NULL), 0);
	assert_int_equal(turns, 1);
}

static char order[16];

static void say(void *arg)
{
	strcat(order, arg);
}

static struct om_defer again;
static void defer_again(void *arg)
{
	say(arg);
	om_loop_defer(loop, &again, say, "n");
}

static void hooks_run_in_order_and_deferred_after_them(void **state)
{
	static struct om_defer d1, d2;

	(void)state;
	order[0] = '\0';
	om_loop_on_turn(loop, say, "a");
	om_loop_on_turn(loop, say, "b");
	om_loop_defer(loop, &d1, defer_again, "x");
	om_loop_defer(loop, &d1, defer_again, "x");
	om_loop_defer(loop, &d2, say, "y");
	om_defer_cancel(&d2);
	om_loop_turn(loop, -1, NULL);
	assert_string_equal(order, "abx");
	om_loop_turn(loop, -1, NULL);
	assert_string_equal(order, "abxabn");
}

static void stop_ends_run(void **state)
{
	struct om_timer *t;

	(void)state;
	t = om_timer_create(loop, (om_timer_fn *)om_loop_stop, loop, NULL);
	om_timer_start(t, OM_NS_PER_MS, 0);
	assert_int_equal(om_loop_run(loop, NULL), 0);
	om_timer_destroy(t);
}

struct sock {
	int pair[2];
	int reads, writes;
	struct om_watch *watch;
	bool destroy;
};

static void on_sock(void *arg, int fd, int events)
{
	struct sock *s = arg;
	char c;

	if (events & OM_LOOP_READ) {
		s->reads++;
		assert_int_equal(read(fd, &c, 1), 1);
	}
	if (events & OM_LOOP_WRITE)
		s->writes++;
	if (s->destroy) {
		om_watch_destroy(s->watch);
		s->watch = NULL;
	}
}

static void sock_open(struct sock *s, int events)
{
	*s = (struct sock){ .reads = 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s->pair), 0);
	s->watch = om_watch_create(loop, s->pair[0], events, on_sock, s, NULL);
	assert_non_null(s->watch);
}

static void sock_close(struct sock *s)
{
	om_watch_destroy(s->watch);
	close(s->pair[0]);
	close(s->pair[1]);
}

static void watch_pauses_and_goes_on(void **state)
{
	struct sock s;

	(void)state;
	sock_open(&s, OM_LOOP_READ);
	assert_int_equal(write(s.pair[1], "ab", 2), 2);
	turn_until(&s.reads, 1);
	assert_int_equal(om_watch_set(s.watch, 0), 0);
	om_loop_turn(loop, OM_NS_PER_MS, NULL);
	assert_int_equal(s.reads, 1);
	assert_int_equal(om_watch_set(s.watch, OM_LOOP_READ | OM_LOOP_WRITE),
			 0);
	turn_until(&s.writes, 1);
	turn_until(&s.reads, 2);
	sock_close(&s);
}

/* Both events are ready at once; the second must not come any more. */
static void watch_may_be_destroyed_in_its_callback(void **state)
{
	struct sock s;

	(void)state;
	sock_open(&s, OM_LOOP_READ | OM_LOOP_WRITE);
	s.destroy = true;
	assert_int_equal(write(s.pair[1], "a", 1), 1);
	om_loop_turn(loop, OM_NS_PER_S, NULL);
	om_loop_turn(loop, 0, NULL);
	assert_null(s.watch);
	assert_int_equal(s.reads + s.writes, 1);
	sock_close(&s);
}

static void timer_comes_not_early_and_once(void **state)
{
	int count = 0;
	int64_t start = now();
	struct om_timer *t = om_timer_create(loop, count_up, &count, NULL);

	(void)state;
	assert_false(om_timer_running(t));
	om_timer_start(t, 10 * OM_NS_PER_MS, 0);
	assert_true(om_timer_running(t));
	turn_until(&count, 1);
	assert_true(now() - start >= 10 * OM_NS_PER_MS);
	assert_false(om_timer_running(t));
	om_loop_turn(loop, 15 * OM_NS_PER_MS, NULL);
	assert_int_equal(count, 1);
	om_timer_destroy(t);
}

static void stopped_timer_does_not_come(void **state)
{
	int count = 0;
	struct om_timer *t = om_timer_create(loop, count_up, &count, NULL);

	(void)state;
	om_timer_start(t, OM_NS_PER_MS, 0);
	om_timer_stop(t);
	assert_false(om_timer_running(t));
	om_loop_turn(loop, 5 * OM_NS_PER_MS, NULL);
	assert_int_equal(count, 0);
	om_timer_destroy(t);
}

static void repeating_timer_leaves_out_what_it_missed(void **state)
{
	int count = 0;
	int64_t busy;
	struct om_timer *t = om_timer_create(loop, count_up, &count, NULL);

	(void)state;
	om_timer_start(t, OM_NS_PER_MS, 2 * OM_NS_PER_MS);
	turn_until(&count, 3);
	for (busy = now(); now() - busy < 30 * OM_NS_PER_MS;)
		;
	count = 0;
	om_loop_turn(loop, 0, NULL);
	om_loop_turn(loop, 0, NULL);
	assert_int_equal(count, 1);
	om_timer_destroy(t);
}

static struct om_timer *own;
static void destroy_own(void *arg)
{
	om_timer_destroy(own);
	++*(int *)arg;
}

static void timer_may_be_destroyed_in_its_callback(void **state)
{
	int count = 0;

	(void)state;
	own = om_timer_create(loop, destroy_own, &count, NULL);
	om_timer_start(own, 0, OM_NS_PER_MS);
	turn_until(&count, 1);
	om_loop_turn(loop, 3 * OM_NS_PER_MS, NULL);
	assert_int_equal(count, 1);
}

static int got_signo;
static void on_usr1(void *arg, int signo)
{
	got_signo = signo;
	++*(int *)arg;
}

static void signal_comes_as_a_callback(void **state)
{
	int count = 0;
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_int_equal(om_loop_on_signal(loop, SIGUSR1, on_usr1, &count,
					   &err), 0);
	raise(SIGUSR1);
	turn_until(&count, 1);
	assert_int_equal(got_signo, SIGUSR1);
	assert_true(om_loop_on_signal(loop, 9999, on_usr1, NULL, &err) < 0);
	assert_true(err.code < 0);
}

struct end {
	int count, status;
	pid_t pid;
	struct rusage usage;
};

static void on_end(void *arg, pid_t pid, int status,
		   const struct rusage *usage)
{
	struct end *e = arg;

	*e = (struct end){ .count = e->count + 1, .status = status,
			   .pid = pid, .usage = *usage };
}

static pid_t spawn(int code, int gate)
{
	pid_t pid = fork();
	char c;

	if (pid == 0) {
		if (gate >= 0 && read(gate, &c, 1) < 0)
			_exit(99);
		_exit(code);
	}
	assert_true(pid > 0);
	return pid;
}

static void child_end_brings_status_and_usage(void **state)
{
	struct end end = { 0 };
	pid_t pid = spawn(7, -1);

	(void)state;
	assert_non_null(om_child_watch(loop, pid, on_end, &end, NULL));
	turn_until(&end.count, 1);
	assert_int_equal(end.pid, pid);
	assert_true(WIFEXITED(end.status));
	assert_int_equal(WEXITSTATUS(end.status), 7);
	assert_true(end.usage.ru_maxrss > 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void forgotten_child_is_left_to_others(void **state)
{
	struct end end = { 0 };
	pid_t pid = spawn(3, -1);
	struct om_child *c = om_child_watch(loop, pid, on_end, &end, NULL);
	int status;

	(void)state;
	om_child_forget(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	om_loop_turn(loop, OM_NS_PER_MS, NULL);
	assert_int_equal(end.count, 0);
}

static void child_reaped_elsewhere_has_no_status(void **state)
{
	struct end end = { 0 };
	pid_t pid = spawn(3, -1);

	(void)state;
	om_child_watch(loop, pid, on_end, &end, NULL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	turn_until(&end.count, 1);
	assert_int_equal(end.status, -1);
	assert_false(WIFEXITED(end.status) || WIFSIGNALED(end.status));
}

static void strange_pid_is_refused(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	pid_t pid = spawn(0, -1);

	(void)state;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_null(om_child_watch(loop, pid, on_end, NULL, &err));
	assert_int_equal(err.code, -ESRCH);
}

static void wait_byte(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
}

/*
 * A process that traces the child keeps its end from us. It seizes, lets the
 * child die, waits until told, and only then goes away itself.
 */
static void tracer(pid_t child, int told, int tell)
{
	char c;

	if (ptrace(PTRACE_SEIZE, child, 0, 0) < 0)
		_exit(1);
	kill(child, SIGKILL);
	if (write(tell, "x", 1) != 1 || read(told, &c, 1) < 0)
		_exit(2);
	_exit(0);
}

static void child_held_by_a_tracer_ends_when_let_go(void **state)
{
	struct end end = { 0 }, tend = { 0 };
	int gate[2], told[2], tell[2];
	pid_t pid, tpid;

	(void)state;
	assert_true(pipe(gate) == 0 && pipe(told) == 0 && pipe(tell) == 0);
	pid = spawn(0, gate[0]);
	tpid = fork();
	if (tpid == 0) {
		close(told[1]);
		tracer(pid, told[0], tell[1]);
	}
	wait_byte(tell[0]);
	om_child_watch(loop, pid, on_end, &end, NULL);
	om_child_watch(loop, tpid, on_end, &tend, NULL);
	om_loop_turn(loop, 30 * OM_NS_PER_MS, NULL);
	assert_int_equal(end.count, 0);
	close(told[1]);
	turn_until(&end.count, 1);
	turn_until(&tend.count, 1);
	assert_int_equal(tend.status, 0);
	assert_true(WIFSIGNALED(end.status));
	for (int i = 0; i < 2; i++) {
		close(gate[i]);
		close(tell[i]);
	}
	close(told[0]);
}

struct job {
	pthread_t ran_in;
	atomic_int ran;
	int done, seq;
	int *count;
};
static int next_seq;

static void work(void *arg)
{
	struct job *j = arg;

	j->ran_in = pthread_self();
	j->ran = 1;
}

static void done(void *arg)
{
	struct job *j = arg;

	assert_int_equal(j->ran, 1);
	j->seq = next_seq++;
	++*j->count;
}

static void work_runs_elsewhere_and_done_in_the_loop_in_order(void **state)
{
	struct om_workers *w = om_workers_create(loop, 1, NULL);
	struct job job[100] = { 0 };
	int count = 0;

	(void)state;
	next_seq = 0;
	for (int i = 0; i < 100; i++) {
		job[i].count = &count;
		assert_int_equal(om_work_submit(w, work, done, &job[i]), 0);
	}
	turn_until(&count, 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(job[i].seq, i);
		assert_false(pthread_equal(job[i].ran_in, pthread_self()));
	}
	om_workers_destroy(w);
}

static void destroyed_workers_finish_what_was_submitted(void **state)
{
	struct om_workers *w = om_workers_create(loop, 3, NULL);
	struct job job[50] = { 0 };
	int count = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		job[i].count = &count;
		assert_int_equal(om_work_submit(w, work, done, &job[i]), 0);
	}
	om_workers_destroy(w);
	assert_int_equal(count, 50);
}

static void worker_threads_take_no_signals(void **state)
{
	struct om_workers *w = om_workers_create(loop, 2, NULL);
	int count = 0;

	(void)state;
	om_loop_on_signal(loop, SIGUSR2, on_usr1, &count, NULL);
	for (int i = 1; i <= 20; i++) {
		kill(getpid(), SIGUSR2);
		turn_until(&count, i);
	}
	om_workers_destroy(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(turn_without_wait_returns_at_once),
		TEST(turn_ends_at_its_timeout),
		TEST(wake_makes_the_next_turn_come_at_once),
		TEST(hooks_run_in_order_and_deferred_after_them),
		TEST(stop_ends_run),
		TEST(watch_pauses_and_goes_on),
		TEST(watch_may_be_destroyed_in_its_callback),
		TEST(timer_comes_not_early_and_once),
		TEST(stopped_timer_does_not_come),
		TEST(repeating_timer_leaves_out_what_it_missed),
		TEST(timer_may_be_destroyed_in_its_callback),
		TEST(signal_comes_as_a_callback),
		TEST(child_end_brings_status_and_usage),
		TEST(forgotten_child_is_left_to_others),
		TEST(child_reaped_elsewhere_has_no_status),
		TEST(strange_pid_is_refused),
		TEST(child_held_by_a_tracer_ends_when_let_go),
		TEST(work_runs_elsewhere_and_done_in_the_loop_in_order),
		TEST(destroyed_workers_finish_what_was_submitted),
		TEST(worker_threads_take_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
