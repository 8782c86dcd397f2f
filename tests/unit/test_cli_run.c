/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omrun: what the tasks write, and who may bring it. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/run/hub.h"
#include "cli/run/output.h"
#include "lib/base/clock.h"
#include "lib/net/conn.h"
#include "tests/unit/munged.h"

static struct munged munged;
static struct om_loop *loop;
static struct om_error err;
static const char *const nodes[] = { "n1", "n1", "n2" };
static const uint32_t node_index[] = { 0, 0, 1 };

static int set_up(void **state)
{
	(void)state;
	om_error_clear(&err);
	loop = om_loop_create(&err);
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	om_loop_destroy(loop);
	return 0;
}

/* ---- output */

static struct output_config config(void)
{
	return (struct output_config){
		.tasks = 3, .job = 12, .step = 4, .name = "x",
		.node = nodes, .node_index = node_index,
	};
}

static void no_outlet(void *arg, int rc)
{
	(void)arg;
	(void)rc;
}

static void add(struct output *o, uint32_t rank, const char *text)
{
	assert_int_equal(output_add(o, rank, 1, text, strlen(text), &err), 0);
}

/* Runs fn with standard output in a file; what it wrote. */
static const char *capture(void (*fn)(struct output *),
			   const struct output_config *c)
{
	static char text[4096];
	char path[] = "/tmp/test_cli_run.XXXXXX";
	int fd = mkstemp(path), saved = dup(STDOUT_FILENO);
	struct output *o;
	ssize_t n;

	assert_true(fd >= 0 && saved >= 0);
	unlink(path);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	o = output_create(loop, c, no_outlet, NULL, &err);
	assert_non_null(o);
	fn(o);
	output_destroy(o);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void interleave(struct output *o)
{
	add(o, 0, "one");
	add(o, 1, "a\nb");
	add(o, 0, " line\ntwo\n");
	add(o, 1, "c\n");
	add(o, 2, "no end");
	assert_int_equal(output_add(o, 2, 1, NULL, 0, &err), 0);
}

static void lines_of_tasks_are_not_cut(void **state)
{
	struct output_config c = config();

	(void)state;
	assert_string_equal(capture(interleave, &c),
			    "a\none line\ntwo\nbc\nno end");
}

static void labels_begin_each_line_and_end_the_last(void **state)
{
	struct output_config c = config();

	(void)state;
	c.label = true;
	assert_string_equal(capture(interleave, &c),
			    "1: a\n0: one line\n0: two\n1: bc\n2: no end\n");
}

static void direct_output_does_not_wait_for_lines(void **state)
{
	struct output_config c = config();

	(void)state;
	c.direct = true;
	assert_string_equal(capture(interleave, &c),
			    "onea\nb line\ntwo\nc\nno end");
}

static void strangers_tasks_and_streams_are_refused(void **state)
{
	struct output_config c = config();
	struct output *o = output_create(loop, &c, no_outlet, NULL, &err);

	(void)state;
	assert_int_equal(output_add(o, 3, 1, "x", 1, &err), -EPROTO);
	assert_int_equal(output_add(o, UINT32_MAX, 1, "x", 1, &err), -EPROTO);
	assert_int_equal(output_add(o, 0, 0, "x", 1, &err), -EPROTO);
	assert_int_equal(output_add(o, 0, 3, "x", 1, &err), -EPROTO);
	output_destroy(o);
}

static void patterns_name_task_and_node(void **state)
{
	struct output_config c = config();
	char *path = output_expand(&c, "%x.%j.%s.%t.%n.%N.%%.%q%", 2);

	(void)state;
	assert_string_equal(path, "x.12.4.2.1.n2.%.%q%");
	free(path);
}

static void files_that_cannot_be_opened_are_told(void **state)
{
	struct output_config c = config();
	struct output *o;

	(void)state;
	c.out = "/nonexistent/%t";
	o = output_create(loop, &c, no_outlet, NULL, &err);
	assert_true(output_add(o, 1, 1, "x", 1, &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/1"));
	output_destroy(o);
}

static int pipe_fail;
static void on_pipe(void *arg, int rc)
{
	(void)arg;
	pipe_fail = rc;
}

static void slow_reader_does_not_block_us(void **state)
{
	char chunk[65536], back[65536];
	struct outlet *o;
	size_t got = 0;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	memset(chunk, 'x', sizeof(chunk));
	o = outlet_create(loop, p[1], on_pipe, NULL, &err);
	for (int i = 0; i < 8; i++)
		outlet_write(o, chunk, sizeof(chunk));
	assert_true(outlet_queued(o) >= 6 * sizeof(chunk));
	/* Nobody's descriptor was made nonblocking. */
	assert_false(fcntl(p[1], F_GETFL) & O_NONBLOCK);
	while (got < 8 * sizeof(chunk)) {
		ssize_t n = read(p[0], back, sizeof(back));

		assert_true(n > 0);
		got += (size_t)n;
		assert_int_equal(om_loop_turn(loop, OM_NS_PER_S, &err) < 0, 0);
	}
	assert_int_equal(outlet_queued(o), 0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	outlet_write(o, "x", 1);
	assert_int_equal(pipe_fail, -EPIPE);
	outlet_write(o, "x", 1);	/* harmless */
	outlet_destroy(o);
	close(p[1]);
}

/* ---- hub */

static struct om_config *hub_config;
static struct hub *hub;
static char seen[256];
static int ups, downs;

static void on_data(void *arg, uint32_t node, const Om__IoData *m)
{
	(void)arg;
	snprintf(seen, sizeof(seen), "%u/%u/%u/%.*s", node, m->rank, m->stream,
		 (int)m->data.len, m->data.data);
}

static void on_task_exit(void *arg, uint32_t node, const Om__TaskExit *m)
{
	(void)arg;
	snprintf(seen, sizeof(seen), "exit %u/%u/%u", node, m->rank, m->status);
}

static void on_node(void *arg, uint32_t node, bool up)
{
	(void)arg;
	(void)node;
	ups += up;
	downs += !up;
}

static void on_drained(void *arg)
{
	(void)arg;
}

static const struct hub_handler hub_handler = {
	on_data, on_task_exit, on_node, on_drained,
};

/* A step daemon, as far as the hub can tell. */
struct fake {
	struct om_conn *conn;
	uint8_t key[HUB_KEY];
	uint64_t job;
	uint32_t node;
	bool ready, closed;
};

static void fake_ready(void *arg, struct om_conn *c, const struct om_peer *p)
{
	struct fake *f = arg;
	Om__IoHello m = OM__IO_HELLO__INIT;

	(void)p;
	m.job_id = f->job;
	m.step_id = 0;
	m.node_index = f->node;
	m.key.data = f->key;
	m.key.len = sizeof(f->key);
	assert_int_equal(om_conn_send(c, OM_MSG_IO_HELLO, 0, &m.base), 0);
	f->ready = true;
}

static void fake_closed(void *arg, struct om_conn *c, const struct om_error *e)
{
	struct fake *f = arg;

	(void)e;
	om_conn_destroy(c);
	f->conn = NULL;
	f->closed = true;
}

static const struct om_conn_handler fake_handler = {
	.ready = fake_ready, .closed = fake_closed,
};

static void call(struct fake *f, uint64_t job, uint32_t node)
{
	struct om_auth_config auth = {
		.munge_socket = munged.socket,
		.server_uid = getuid(),
		.role = OM_ROLE_STEP,
		.server_role = OM_ROLE_CLIENT,
		.seal = true,
	};
	char addr[96];

	*f = (struct fake){ .job = job, .node = node };
	memcpy(f->key, hub_key(hub), HUB_KEY);
	snprintf(addr, sizeof(addr), "%s:%u", hub_host(hub), hub_port(hub));
	f->conn = om_conn_connect(loop, addr, 0, &auth, &fake_handler, f, &err);
	assert_non_null(f->conn);
}

/* Turns the loop until *flag, at most five seconds. */
static void turn_until(const bool *flag)
{
	int64_t end = om_mono_ns(om_clock_system()) + 5 * OM_NS_PER_S;

	while (!*flag && om_mono_ns(om_clock_system()) < end)
		om_loop_turn(loop, 50 * OM_NS_PER_MS, &err);
	assert_true(*flag);
}

static void turn_until_ups(int n)
{
	int64_t end = om_mono_ns(om_clock_system()) + 5 * OM_NS_PER_S;

	while (ups < n && om_mono_ns(om_clock_system()) < end)
		om_loop_turn(loop, 50 * OM_NS_PER_MS, &err);
	assert_int_equal(ups, n);
}

static int hub_set_up(void **state)
{
	char text[512];

	if (set_up(state) < 0)
		return -1;
	unsetenv("OM_IO_HOST");
	snprintf(text, sizeof(text), "controller = \"127.0.0.1:1\"\n"
		 "controller_user = \"root\"\nmunge_socket = \"%s\"\n",
		 munged.socket);
	hub_config = om_config_parse("test", text, strlen(text), &err);
	if (!hub_config)
		return -1;
	ups = downs = 0;
	seen[0] = '\0';
	hub = hub_create(loop, hub_config, &hub_handler, NULL, &err);
	return hub ? 0 : -1;
}

static int hub_tear_down(void **state)
{
	hub_destroy(hub);
	om_config_destroy(hub_config);
	return tear_down(state);
}

static void step_daemon_with_the_key_brings_output(void **state)
{
	Om__IoData m = OM__IO_DATA__INIT;
	Om__TaskExit e = OM__TASK_EXIT__INIT;
	struct fake f;
	int64_t end;

	(void)state;
	assert_int_equal(hub_expect(hub, 7, 0, 2, &err), 0);
	call(&f, 7, 1);
	turn_until_ups(1);
	m.rank = 3;
	m.stream = 2;
	m.has_data = true;
	m.data.data = (uint8_t *)"hello";
	m.data.len = 5;
	om_conn_send(f.conn, OM_MSG_IO_DATA, 0, &m.base);
	end = om_mono_ns(om_clock_system()) + 5 * OM_NS_PER_S;
	while (!seen[0] && om_mono_ns(om_clock_system()) < end)
		om_loop_turn(loop, 50 * OM_NS_PER_MS, &err);
	assert_string_equal(seen, "1/3/2/hello");
	seen[0] = '\0';
	e.rank = 3;
	e.status = 256;
	om_conn_send(f.conn, OM_MSG_IO_EXIT, 0, &e.base);
	while (!seen[0] && om_mono_ns(om_clock_system()) < end)
		om_loop_turn(loop, 50 * OM_NS_PER_MS, &err);
	assert_string_equal(seen, "exit 1/3/256");
	assert_int_equal(hub_connected(hub), 1);
	om_conn_destroy(f.conn);
	while (!downs && om_mono_ns(om_clock_system()) < end)
		om_loop_turn(loop, 50 * OM_NS_PER_MS, &err);
	assert_int_equal(hub_connected(hub), 0);
}

static void wrong_key_is_turned_away(void **state)
{
	struct fake f;

	(void)state;
	assert_int_equal(hub_expect(hub, 7, 0, 2, &err), 0);
	call(&f, 7, 0);
	f.key[HUB_KEY - 1] ^= 1;
	turn_until(&f.closed);
	assert_true(f.ready);
	assert_int_equal(ups, 0);
}

static void wrong_job_or_node_is_turned_away(void **state)
{
	struct fake f;

	(void)state;
	assert_int_equal(hub_expect(hub, 7, 0, 2, &err), 0);
	call(&f, 8, 0);
	turn_until(&f.closed);
	call(&f, 7, 2);
	turn_until(&f.closed);
	assert_int_equal(ups, 0);
}

static void a_node_comes_once_only(void **state)
{
	struct fake f, g;

	(void)state;
	assert_int_equal(hub_expect(hub, 7, 0, 2, &err), 0);
	call(&f, 7, 0);
	turn_until_ups(1);
	call(&g, 7, 0);
	turn_until(&g.closed);
	assert_int_equal(hub_connected(hub), 1);
	om_conn_destroy(f.conn);
}

/* The node may be faster than the controller's answer. */
static void early_step_daemon_waits_for_its_step(void **state)
{
	struct fake f;

	(void)state;
	call(&f, 7, 0);
	turn_until(&f.ready);
	/* Time enough for the hello to arrive and be refused, if it were. */
	for (int i = 0; i < 5; i++)
		om_loop_turn(loop, 20 * OM_NS_PER_MS, &err);
	assert_int_equal(ups, 0);
	assert_false(f.closed);
	assert_int_equal(hub_expect(hub, 7, 0, 1, &err), 0);
	turn_until_ups(1);
	om_conn_destroy(f.conn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define HUB_TEST(f) cmocka_unit_test_setup_teardown(f, hub_set_up, hub_tear_down)

static int start_munged(void **state)
{
	(void)state;
	munged_start(&munged);
	return 0;
}

static int stop_munged(void **state)
{
	(void)state;
	munged_stop(&munged);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_of_tasks_are_not_cut),
		TEST(labels_begin_each_line_and_end_the_last),
		TEST(direct_output_does_not_wait_for_lines),
		TEST(strangers_tasks_and_streams_are_refused),
		TEST(patterns_name_task_and_node),
		TEST(files_that_cannot_be_opened_are_told),
		TEST(slow_reader_does_not_block_us),
		HUB_TEST(step_daemon_with_the_key_brings_output),
		HUB_TEST(wrong_key_is_turned_away),
		HUB_TEST(wrong_job_or_node_is_turned_away),
		HUB_TEST(a_node_comes_once_only),
		HUB_TEST(early_step_daemon_waits_for_its_step),
	};

	return cmocka_run_group_tests(tests, start_munged, stop_munged);
}
