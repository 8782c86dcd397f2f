/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_listener: callers, and those who misbehave before they are known. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/net/addr.h"
#include "tests/unit/connfix.h"

static int raw_connect(void)
{
	int fd = om_addr_connect(addr, 0, NULL);

	assert_true(fd >= 0);
	fcntl(fd, F_SETFL, 0);
	return fd;
}

/* Turns and reads until the server closes; how many bytes it had said. */
static size_t raw_drain(int fd)
{
	int64_t end = now() + DEADLINE_NS;
	char buf[4096];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) != 0) {
		assert_true(now() < end);
		if (n > 0)
			sum += (size_t)n;
		else if (errno == EAGAIN)
			om_loop_turn(loop, 5 * OM_NS_PER_MS, NULL);
		else
			assert_int_equal(errno, ECONNRESET);
	}
	return sum;
}

static void turn_for(int64_t ns)
{
	for (int64_t end = now() + ns; now() < end;)
		om_loop_turn(loop, end - now(), NULL);
}

static void caller_that_says_nothing_is_dropped(void **state)
{
	int fd;

	(void)state;
	server_config.timeout_ns = 50 * OM_NS_PER_MS;
	listen_at(addr);
	fd = raw_connect();
	assert_true(raw_drain(fd) > OM_FRAME_HEADER);	/* Hello */
	assert_int_equal(server.ready, 0);
	close(fd);
}

static void server_that_says_nothing_is_left(void **state)
{
	int fd = om_addr_listen(addr, 0, 1, NULL);

	(void)state;
	client_config.timeout_ns = 50 * OM_NS_PER_MS;
	connect_end(&client);
	turn_until(client.closed);
	assert_int_equal(client.err.code, -ETIMEDOUT);
	close(fd);
}

/* Before the handshake nobody makes the server wait for a large body. */
static void stranger_with_another_type_is_turned_away(void **state)
{
	static const struct {
		uint32_t length, type;
	} head[] = {
		{ 0, OM_MSG_PING }, { 8 << 20, OM_MSG_SUBMIT },
		{ 8193, OM_MSG_AUTH }, { 0xffffffff, OM_MSG_AUTH },
		{ 0, 0 }, { 10, 0xffffffff }, { 10, OM_MSG_HELLO },
	};
	uint8_t p[OM_FRAME_HEADER];
	int fd;

	(void)state;
	listen_at(addr);
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
		put_header(p, head[i].length, head[i].type);
		fd = raw_connect();
		assert_int_equal(write(fd, p, sizeof(p)), sizeof(p));
		assert_true(raw_drain(fd) > 2 * OM_FRAME_HEADER);
		close(fd);
	}
	assert_int_equal(server.ready, 0);
}

static void malformed_auth_is_turned_away(void **state)
{
	uint8_t p[OM_FRAME_HEADER + 5];
	int fd;

	(void)state;
	listen_at(addr);
	memset(p, 0xff, sizeof(p));
	put_header(p, 5, OM_MSG_AUTH);
	fd = raw_connect();
	assert_int_equal(write(fd, p, sizeof(p)), sizeof(p));
	assert_true(raw_drain(fd) > 2 * OM_FRAME_HEADER);
	close(fd);
}

/* ------------------------------------------------------------------ listeners */

static void listener_may_go_with_callers_in_their_handshake(void **state)
{
	(void)state;
	listen_at(addr);
	connect_end(&client);
	while (!om_conn_queued(client.conn) && !client.closed &&
	       om_loop_turn(loop, OM_NS_PER_MS, NULL) == 0 && !server.ready) {
		om_listener_destroy(listener);
		listener = NULL;
		break;
	}
	turn_until(client.closed);
	assert_int_equal(server.ready, 0);
}

static void set_files(rlim_t n)
{
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = n < lim.rlim_max ? n : lim.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
}

static void listener_survives_running_out_of_descriptors(void **state)
{
	struct rlimit old;
	int64_t began;
	int fd;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	listen_at(addr);
	om_loop_workers(loop, NULL);
	fd = raw_connect();
	set_files((rlim_t)fd + 1);
	om_log_set_level(OM_LOG_ERROR);
	began = now();
	turn_for(5 * OM_NS_PER_MS);
	om_loop_turn(loop, 50 * OM_NS_PER_MS, NULL);
	assert_true(now() - began >= 50 * OM_NS_PER_MS);	/* no spinning */
	set_files(old.rlim_cur);
	om_log_set_level(OM_LOG_INFO);
	close(fd);
	connect_end(&client);
	turn_until(client.ready);
}

/* More callers than a listener keeps; they stall, one behind them does not. */
static void stalled_callers_do_not_keep_others_out(void **state)
{
	enum { CALLERS = 1100 };
	static int fd[CALLERS];
	struct rlimit old;
	int64_t began;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	set_files(4096);
	listen_at(addr);
	for (int i = 0; i < CALLERS; i++) {
		fd[i] = om_addr_connect(addr, 0, NULL);
		assert_true(fd[i] >= 0);
		if (i % 50 == 49)
			om_loop_turn(loop, 0, NULL);
	}
	began = now();
	connect_end(&client);
	turn_until(client.ready);
	assert_true(now() - began < 8 * OM_NS_PER_S);	/* not their deadline */
	for (int i = 0; i < CALLERS; i++)
		close(fd[i]);
	om_listener_destroy(listener);
	listener = NULL;
	set_files(old.rlim_cur);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, connfix_setup, connfix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caller_that_says_nothing_is_dropped),
		TEST(server_that_says_nothing_is_left),
		TEST(stranger_with_another_type_is_turned_away),
		TEST(malformed_auth_is_turned_away),
		TEST(listener_may_go_with_callers_in_their_handshake),
		TEST(listener_survives_running_out_of_descriptors),
		TEST(stalled_callers_do_not_keep_others_out),
	};

	return cmocka_run_group_tests(tests, connfix_start, connfix_stop);
}
