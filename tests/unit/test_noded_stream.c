/* SPDX-License-Identifier: GPL-3.0-or-later */
/* noded_stream: stdio of a step, streamed to the client that started it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/net/addr.h"
#include "tests/unit/nodedrig.h"

#define assert_has(text, part)                                            \
	do {                                                              \
		if (!strstr(text, part))                                  \
			fail_msg("'%s' is not in '%s'", part, text);      \
	} while (0)

/* The client's side, as omrun has it. Root is the job's user here, so that
 * the test process may be the server that the step daemon expects. */
static struct rig rig;
static struct om_listener *listener;
static struct om_conn *conn;
static uint32_t port;
static bool hello, paused;
static struct om_buf got[3];
static size_t total;
static unsigned ends;

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	const Om__IoData *m = (const Om__IoData *)body;

	(void)arg;
	(void)c;
	(void)id;
	if (type == OM_MSG_IO_HELLO) {
		const Om__IoHello *h = (const Om__IoHello *)body;

		assert_int_equal(h->key.len, 32);
		assert_memory_equal(h->key.data,
				    "01234567890123456789012345678901", 32);
		assert_true(om_conn_peer(c)->sealed);
		hello = true;
		return;
	}
	assert_true(hello);
	if (type == OM_MSG_IO_EXIT)
		return;
	assert_int_equal(type, OM_MSG_IO_DATA);
	assert_true(m->stream == 1 || m->stream == 2);
	total += m->data.len;
	if (!m->has_data)
		ends++;
	else if (total < 1 << 20)
		om_buf_add(&got[m->stream], m->data.data, m->data.len);
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	(void)arg;
	(void)err;
	om_conn_destroy(c);
	conn = NULL;
}

static const struct om_conn_handler handler = {
	.message = on_message,
	.closed = on_closed,
};

static void on_accept(void *arg, struct om_conn *c)
{
	(void)arg;
	conn = c;
	om_conn_set_handler(c, &handler, NULL);
	om_conn_pause(c, paused);
}

static int start(void **state)
{
	struct om_auth_config auth = { .accept_roles = OM_ROLE_STEP };
	struct om_error err = OM_ERROR_INIT;
	int fd;

	rig_start(&rig, "allow_root_jobs = yes");
	auth.munge_socket = rig.munged.socket;
	fd = om_addr_listen("127.0.0.1:0", 0, 16, &err);
	port = (uint32_t)om_addr_port(fd);
	listener = om_listener_create(rig.loop, fd, &auth, on_accept, NULL,
				      &err);
	assert_non_null(listener);
	*state = &rig;
	return 0;
}

static int stop(void **state)
{
	om_conn_destroy(conn);
	om_listener_destroy(listener);
	rig_stop(*state);
	return 0;
}

static int each(void **state)
{
	(void)state;
	om_conn_destroy(conn);
	conn = NULL;
	for (int i = 0; i < 3; i++)
		om_buf_fini(&got[i]);
	hello = paused = false;
	total = 0;
	ends = 0;
	return 0;
}

static const char *text(int stream)
{
	return om_buf_len(&got[stream]) ? om_buf_str(&got[stream]) : "";
}

static char *sh[] = { (char *)"sh", (char *)"-c", NULL, NULL };

static void run(struct rig *r, uint64_t id, const char *script, uint32_t tasks,
		bool pty)
{
	sh[2] = (char *)script;
	rig_launch(r, &(struct rig_job){ .id = id, .root = true, .argv = sh,
		.tasks = tasks, .io_port = port, .pty = pty });
}

static void send_input(const char *data)
{
	Om__IoData m = OM__IO_DATA__INIT;

	m.rank = 0;
	m.has_data = data != NULL;
	m.data.data = (uint8_t *)data;
	m.data.len = data ? strlen(data) : 0;
	assert_int_equal(om_conn_send(conn, OM_MSG_IO_DATA, 0, &m.base), 0);
}

static bool has_hello(struct rig *r, void *arg)
{
	(void)r;
	(void)arg;
	return hello;
}

static bool has_got(struct rig *r, void *arg)
{
	(void)r;
	return strstr(text(1), arg);
}

static void output_arrives_whole_before_the_end(void **state)
{
	struct rig *r = *state;

	run(r, 1, "echo out$OM_PROCID; echo err >&2; exit $OM_PROCID", 2, false);
	assert_int_equal(rig_wait_exit(r, 1)->n_task, 2);
	assert_int_equal(rig_exit(r, 1)->task[1]->status, 1 << 8);
	assert_has(text(1), "out0\n");
	assert_has(text(1), "out1\n");
	assert_string_equal(text(2), "err\nerr\n");
	assert_int_equal(ends, 4);
}

static void input_reaches_rank_0(void **state)
{
	struct rig *r = *state;

	run(r, 2, "cat; echo end$OM_PROCID", 2, false);
	rig_wait(r, has_hello, NULL, "hello");
	send_input("hello ");
	send_input("there\n");
	send_input(NULL);
	rig_wait_exit(r, 2);
	assert_has(text(1), "hello there\n");
	assert_has(text(1), "end0\n");
	assert_has(text(1), "end1\n");
}

/* Of the only step daemon, in KiB. */
static long daemons_memory(struct rig *r)
{
	char path[64], line[256];
	long rss = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)rig_stepd(r));
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &rss);
	fclose(f);
	return rss;
}

/* Nor is what it does not read laid up while others read. */
static void task_that_reads_nothing_slows_the_input_down(void **state)
{
	static char junk[200000];
	struct rig *r = *state;
	Om__IoData m = OM__IO_DATA__INIT;

	sh[2] = (char *)"[ $OM_PROCID = 1 ] && sleep 88111; exec cat >/dev/null";
	rig_launch(r, &(struct rig_job){ .id = 30, .root = true, .argv = sh,
		.tasks = 2, .io_port = port, .std_in = "all" });
	rig_wait(r, has_hello, NULL, "hello");
	m.rank = OM_RANK_ALL;
	m.has_data = true;
	m.data.data = (uint8_t *)junk;
	m.data.len = sizeof(junk);
	for (int i = 0; i < 400; i++)
		assert_int_equal(om_conn_send(conn, OM_MSG_IO_DATA, 0,
					      &m.base), 0);
	rig_turn(r, 1500);
	assert_true(om_conn_queued(conn) > 0);
	assert_in_range(daemons_memory(r), 1, 40000);
	rig_job_end(r, 30);
	rig_wait_exit(r, 30);
}

static void slow_client_slows_the_task_down(void **state)
{
	struct rig *r = *state;
	om_autofree char *how_far = NULL;

	paused = true;
	run(r, 3, "head -c 200000000 /dev/zero; echo done > written", 1, false);
	rig_wait_started(r, 3);
	rig_turn(r, 700);
	how_far = rig_read(r, "written");
	assert_string_equal(how_far, "");
	assert_in_range(daemons_memory(r), 1, 40000);
	om_conn_pause(conn, false);
	rig_wait_exit(r, 3);
	assert_int_equal(total, 200000000);
}

static void terminal_has_size_and_signals(void **state)
{
	struct rig *r = *state;
	Om__IoWindow w = OM__IO_WINDOW__INIT;

	run(r, 4, "stty size; tty -s && echo isatty; trap 'stty size; exit 5' WINCH; "
	    "echo ready; while :; do sleep 0.05; done", 1, true);
	rig_wait(r, has_got, (void *)"ready", "the task");
	assert_has(text(1), "33 77");
	assert_has(text(1), "isatty");
	w.rows = 11;
	w.cols = 22;
	assert_int_equal(om_conn_send(conn, OM_MSG_IO_WINDOW, 0, &w.base), 0);
	assert_int_equal(rig_wait_exit(r, 4)->task[0]->status, 5 << 8);
	assert_has(text(1), "11 22");
}

static void interrupt_key_ends_what_runs_in_the_terminal(void **state)
{
	struct rig *r = *state;

	run(r, 5, "trap 'echo int; exit 6' INT; echo ready; "
	    "while :; do sleep 0.05; done", 1, true);
	rig_wait(r, has_got, (void *)"ready", "the task");
	send_input("\003");
	assert_int_equal(rig_wait_exit(r, 5)->task[0]->status, 6 << 8);
}

static void signal_of_the_client_reaches_all(void **state)
{
	struct rig *r = *state;
	Om__StepSignal m = OM__STEP_SIGNAL__INIT;

	run(r, 6, "trap 'echo usr; exit 7' USR1; echo ready; "
	    "while :; do sleep 0.05; done", 1, false);
	rig_wait(r, has_got, (void *)"ready", "the task");
	m.job_id = 6;
	m.signal = SIGUSR1;
	assert_int_equal(om_conn_send(conn, OM_MSG_IO_SIGNAL, 0, &m.base), 0);
	assert_int_equal(rig_wait_exit(r, 6)->task[0]->status, 7 << 8);
}

static void step_ends_with_its_client(void **state)
{
	struct rig *r = *state;

	run(r, 7, "trap '' HUP TERM; echo ready; while :; do sleep 54321; done",
	    1, false);
	rig_wait(r, has_got, (void *)"ready", "the task");
	om_conn_destroy(conn);
	conn = NULL;
	rig_wait_exit(r, 7);
	assert_int_equal(rig_exit(r, 7)->why, OM__JOB_STATE__CANCELLED);
	assert_int_equal(WTERMSIG(rig_exit(r, 7)->task[0]->status), SIGKILL);
	assert_int_equal(rig_count("sleep 54321"), 0);
}

static void nobody_to_stream_to_starts_nothing(void **state)
{
	struct rig *r = *state;
	uint32_t right = port;

	port = 1;	/* nobody listens there */
	run(r, 8, "sleep 54322", 1, false);
	port = right;
	assert_true(rig_wait_started(r, 8)->code < 0);
	assert_has(rig_started(r, 8)->text, "stdio cannot be streamed");
	assert_int_equal(rig_count("sleep 54322"), 0);
}

/* Whoever sits at the port must be the job's user, even if it is root. */
static void stranger_at_the_port_gets_nothing(void **state)
{
	struct rig *r = *state;

	sh[2] = (char *)"echo secret; sleep 54324";
	rig_launch(r, &(struct rig_job){ .id = 10, .argv = sh,
		.io_port = port });
	rig_wait_exit(r, 10);
	assert_int_equal(rig_exit(r, 10)->why, OM__JOB_STATE__CANCELLED);
	assert_has(rig_exit(r, 10)->text, "connection to its omrun lost");
	assert_false(hello);
	assert_int_equal(total, 0);
	assert_int_equal(rig_count("sleep 54324"), 0);
}

static void background_process_does_not_hold_the_step(void **state)
{
	struct rig *r = *state;

	run(r, 9, "setsid sleep 54323 & echo out", 1, false);
	rig_wait_exit(r, 9);
	assert_string_equal(text(1), "out\n");
	assert_int_equal(rig_count("sleep 54323"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(output_arrives_whole_before_the_end, each),
		cmocka_unit_test_setup(input_reaches_rank_0, each),
		cmocka_unit_test_setup(task_that_reads_nothing_slows_the_input_down, each),
		cmocka_unit_test_setup(slow_client_slows_the_task_down, each),
		cmocka_unit_test_setup(terminal_has_size_and_signals, each),
		cmocka_unit_test_setup(interrupt_key_ends_what_runs_in_the_terminal, each),
		cmocka_unit_test_setup(signal_of_the_client_reaches_all, each),
		cmocka_unit_test_setup(step_ends_with_its_client, each),
		cmocka_unit_test_setup(nobody_to_stream_to_starts_nothing, each),
		cmocka_unit_test_setup(stranger_at_the_port_gets_nothing, each),
		cmocka_unit_test_setup(background_process_does_not_hold_the_step, each),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
