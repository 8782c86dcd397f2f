/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_conn: connections in a loop, and peers who misbehave. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/net/addr.h"
#include "tests/unit/connfix.h"

/* ------------------------------------------------------------------ ordinary */

static void messages_go_both_ways(void **state)
{
	(void)state;
	open_both();
	server.echo = true;
	assert_int_equal(om_conn_send(client.conn, OM_MSG_PING, 42, NULL), 0);
	turn_until(client.messages);
	assert_int_equal(server.count[OM_MSG_PING], 1);
	assert_int_equal(server.last_id, 42);
	assert_int_equal(server.peer.uid, geteuid());
	assert_int_equal(client.peer.role, OM_ROLE_CTLD);
}

static void tcp_serves_as_well(void **state)
{
	(void)state;
	listen_at("127.0.0.1:0");
	open_both();
	server.echo = true;
	assert_int_equal(send_text(&client, 10), 0);
	turn_until(client.bytes == 10);
	assert_non_null(strstr(om_conn_name(server.conn), "addr=127.0.0.1:"));
	assert_non_null(strstr(om_conn_name(server.conn), "uid="));
}


static void sealed_messages_go_both_ways(void **state)
{
	(void)state;
	client_config.seal = server_config.seal = true;
	open_both();
	assert_true(server.peer.sealed);
	server.echo = true;
	for (size_t len = 1; len < 60000; len = len * 7 + 1)
		assert_int_equal(send_text(&client, len), 0);
	turn_until(client.messages == server.messages &&
		   client.messages == 6);
	assert_int_equal(client.bytes, server.bytes);
}

static void send_script(size_t len)
{
	Om__Submit s = OM__SUBMIT__INIT;
	Om__JobSpec spec = OM__JOB_SPEC__INIT;
	uint8_t *script = calloc(1, len);
	int64_t end;

	s.spec = &spec;
	s.launch = (ProtobufCBinaryData){ len, script };
	assert_int_equal(om_conn_send(client.conn, OM_MSG_SUBMIT, 1, &s.base),
			 0);
	free(script);
	end = server.count[OM_MSG_SUBMIT] + 1;
	turn_until(server.count[OM_MSG_SUBMIT] == end);
}

static void large_messages_come_whole(void **state)
{
	(void)state;
	open_both();
	for (int i = 0; i < 5; i++)
		send_script(8000000);
	assert_int_equal(om_conn_queued(client.conn), 0);
}

static void large_sealed_messages_come_whole(void **state)
{
	(void)state;
	client_config.seal = true;
	open_both();
	for (int i = 0; i < 3; i++)
		send_script(8000000);
}

static void too_large_a_message_is_not_sent(void **state)
{
	(void)state;
	open_both();
	assert_int_equal(send_text(&client, 70000), -EMSGSIZE);
	assert_int_equal(send_text(&client, 7), 0);
	turn_until(server.bytes == 7);
}

static void nothing_is_sent_before_ready(void **state)
{
	(void)state;
	listen_at(addr);
	connect_end(&client);
	assert_int_equal(send_text(&client, 1), -ENOTCONN);
	assert_int_equal(om_conn_send_raw(client.conn, "x", 1), -ENOTCONN);
}

static void close_is_told_to_the_other_end(void **state)
{
	(void)state;
	open_both();
	om_conn_destroy(client.conn);
	client.conn = NULL;
	turn_until(server.closed);
	assert_int_equal(server.err.code, 0);
	assert_int_equal(client.closed, 0);
}

static void finish_delivers_what_is_queued(void **state)
{
	(void)state;
	open_both();
	om_conn_pause(server.conn, true);
	for (int i = 0; i < 200; i++)
		assert_int_equal(send_text(&client, 60000), 0);
	om_loop_turn(loop, 0, NULL);
	om_loop_turn(loop, 0, NULL);
	assert_true(om_conn_queued(client.conn) > 0);
	om_conn_finish(client.conn);
	assert_int_equal(send_text(&client, 1), -ENOTCONN);
	om_conn_pause(server.conn, false);
	turn_until(client.closed && server.closed);
	assert_int_equal(server.bytes, 200 * 60000);
	assert_int_equal(client.err.code, 0);
	assert_int_equal(server.err.code, 0);
}

static void finish_that_cannot_deliver_is_an_error(void **state)
{
	(void)state;
	open_both();
	om_conn_pause(server.conn, true);
	for (int i = 0; i < 200; i++)
		assert_int_equal(send_text(&client, 60000), 0);
	om_conn_finish(client.conn);
	om_loop_turn(loop, 0, NULL);
	om_conn_destroy(server.conn);
	server.conn = NULL;
	turn_until(client.closed);
	assert_true(client.err.code < 0);
}

static void paused_end_is_told_nothing_until_resumed(void **state)
{
	(void)state;
	open_both();
	server.pause = true;
	for (int i = 0; i < 10; i++)
		send_text(&client, 10);
	turn_until(server.messages == 1);
	om_loop_turn(loop, OM_NS_PER_MS, NULL);
	om_loop_turn(loop, OM_NS_PER_MS, NULL);
	assert_int_equal(server.messages, 1);
	server.pause = false;
	om_conn_pause(server.conn, false);
	turn_until(server.messages == 10);
}

static void conn_may_be_destroyed_in_message(void **state)
{
	(void)state;
	open_both();
	server.destroy = server.echo = true;
	for (int i = 0; i < 3; i++)
		send_text(&client, 10);
	turn_until(client.closed);
	assert_int_equal(server.messages, 1);
	assert_int_equal(server.closed, 0);
}

static void conn_may_be_destroyed_in_ready(void **state)
{
	(void)state;
	listen_at(addr);
	client.destroy_ready = true;
	connect_end(&client);
	turn_until(server.closed);
	assert_int_equal(client.ready, 1);
	assert_int_equal(client.closed, 0);
}

static void conn_may_be_destroyed_after_its_end(void **state)
{
	(void)state;
	open_both();
	client.keep = true;
	om_conn_destroy(server.conn);
	server.conn = NULL;
	turn_until(client.closed);
	assert_int_equal(send_text(&client, 1), -ENOTCONN);
	om_conn_finish(client.conn);
	om_conn_pause(client.conn, true);
	om_loop_turn(loop, 0, NULL);
	om_loop_turn(loop, 0, NULL);
	assert_int_equal(client.closed, 1);
}

static void conn_may_finish_in_message(void **state)
{
	(void)state;
	open_both();
	server.finish = server.echo = true;
	send_text(&client, 10);
	send_text(&client, 10);
	turn_until(client.closed && server.closed);
	assert_int_equal(server.messages, 1);
	assert_int_equal(client.bytes, 10);
	assert_int_equal(client.err.code, 0);
}

/* Closing a TCP socket with unread bytes would reset it and lose the answer. */
static void answer_before_finish_arrives_though_the_far_end_talks_on(void **state)
{
	(void)state;
	listen_at("127.0.0.1:0");
	open_both();
	server.finish = server.echo = true;
	for (int i = 0; i < 100; i++)
		assert_int_equal(send_text(&client, 60000), 0);
	turn_until(client.closed && server.closed);
	assert_int_equal(server.messages, 1);
	assert_int_equal(client.bytes, 60000);
	assert_int_equal(client.err.code, 0);
}

/* ----------------------------------------------------------------- no callers */

static void refused_connect_is_told(void **state)
{
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_null(om_conn_connect(loop, addr, 0, &client_config, &handler,
				    &client, &err));
	assert_int_equal(err.code, -ENOENT);
	assert_null(om_conn_connect(loop, "127.0.0.1:1", 0, &client_config,
				    &handler, &client, &err));
	assert_int_equal(err.code, -ECONNREFUSED);
}

static void refusal_is_told_to_the_client(void **state)
{
	(void)state;
	server_config.accept_roles = OM_ROLE_NODE;
	listen_at(addr);
	connect_end(&client);
	turn_until(client.closed);
	assert_int_equal(client.err.code, -EACCES);
	assert_non_null(strstr(client.err.text, "not served here"));
	assert_int_equal(server.ready, 0);
}

static void server_without_munge_says_so(void **state)
{
	(void)state;
	server_config.munge_socket = "/nowhere/munge";
	listen_at(addr);
	connect_end(&client);
	turn_until(client.closed);
	assert_int_equal(client.err.code, -EAGAIN);
	assert_non_null(strstr(client.err.text, "munge does not answer"));
}

static void client_without_munge_says_so(void **state)
{
	(void)state;
	client_config.munge_socket = "/nowhere/munge";
	listen_at(addr);
	connect_end(&client);
	turn_until(client.closed);
	assert_int_equal(client.err.code, -EAGAIN);
	assert_non_null(strstr(client.err.text, "is munged running?"));
}

/* munged hangs: newcomers wait and are told; everybody else goes on. */
static void stuck_munge_stalls_newcomers_only(void **state)
{
	struct end old = { .conn = NULL };
	int64_t began;

	(void)state;
	server_config.timeout_ns = 300 * OM_NS_PER_MS;
	open_both();
	old = client;
	om_conn_set_arg(old.conn, &old);
	memset(&client, 0, sizeof(client));
	kill(munged.pid, SIGSTOP);
	client_config.timeout_ns = 300 * OM_NS_PER_MS;
	connect_end(&client);
	server.echo = true;
	while (!client.closed) {
		began = now();
		send_text(&old, 1);
		om_loop_turn(loop, 10 * OM_NS_PER_MS, NULL);
		assert_true(now() - began < 200 * OM_NS_PER_MS);
	}
	kill(munged.pid, SIGCONT);
	assert_int_equal(client.err.code, -EAGAIN);
	assert_non_null(strstr(client.err.text, "munge does not answer"));
	assert_true(old.messages > 3);
	om_conn_destroy(old.conn);
}

/* The client's munge works, the server's is stuck. */
static void server_with_stuck_munge_tells_the_client(void **state)
{
	struct munged other;

	(void)state;
	munged_start(&other);
	server_config.munge_socket = other.socket;
	server_config.timeout_ns = 300 * OM_NS_PER_MS;
	listen_at(addr);
	kill(other.pid, SIGSTOP);
	connect_end(&client);
	turn_until(client.closed);
	assert_int_equal(client.err.code, -EAGAIN);
	assert_non_null(strstr(client.err.text, "munge does not answer"));
	munged_stop(&other);
}

/* ---------------------------------------------------- a raw, trusted far end */

static int raw;				/* the test's end of a socketpair */

static void adopt_one(unsigned role, int type)
{
	struct om_peer peer = { .uid = 1, .role = (enum om_role)role };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
	raw = pair[1];
	server.conn = om_conn_adopt(loop, pair[0], NULL, true, &peer, &handler,
				    &server, NULL);
	assert_non_null(server.conn);
}

static void raw_write(const void *p, size_t len)
{
	assert_int_equal(write(raw, p, len), len);
}

static void a_frame(struct om_buf *b)
{
	Om__JobWait w = OM__JOB_WAIT__INIT;

	w.job_id = 123456789;
	assert_int_equal(om_frame_add(b, OM_MSG_JOB_WAIT, 9, &w.base, NULL), 0);
}

static void frame_may_come_byte_by_byte(void **state)
{
	struct om_buf b = OM_BUF_INIT;

	(void)state;
	adopt_one(OM_ROLE_CLIENT, SOCK_STREAM);
	a_frame(&b);
	for (size_t i = 0; i < om_buf_len(&b); i++) {
		assert_int_equal(server.messages, 0);
		raw_write(om_buf_str(&b) + i, 1);
		om_loop_turn(loop, OM_NS_PER_S, NULL);
		om_loop_turn(loop, 0, NULL);
	}
	assert_int_equal(server.messages, 1);
	assert_int_equal(server.last_id, 9);
	om_buf_fini(&b);
	close(raw);
}

static void frame_cut_anywhere_is_an_error(void **state)
{
	struct om_buf b = OM_BUF_INIT;

	(void)state;
	a_frame(&b);
	for (size_t len = 0; len <= om_buf_len(&b); len++) {
		memset(&server, 0, sizeof(server));
		adopt_one(OM_ROLE_CLIENT, SOCK_STREAM);
		raw_write(om_buf_str(&b), len);
		close(raw);
		turn_until(server.closed);
		assert_int_equal(server.messages, len == om_buf_len(&b));
		assert_int_equal(server.err.code, len % om_buf_len(&b) ?
				 -ECONNRESET : 0);
	}
	om_buf_fini(&b);
}

static void bad_frame(uint32_t length, uint32_t type, int code)
{
	uint8_t p[OM_FRAME_HEADER + 16];

	memset(p, 0xff, sizeof(p));
	put_header(p, length, type);
	memset(&server, 0, sizeof(server));
	adopt_one(OM_ROLE_CLIENT, SOCK_STREAM);
	raw_write(p, sizeof(p));
	turn_until(server.closed);
	assert_int_equal(server.err.code, code);
	assert_int_equal(server.messages, 0);
	close(raw);
}

static void peer_that_breaks_the_rules_is_cut_off(void **state)
{
	(void)state;
	bad_frame(65, OM_MSG_JOB_WAIT, -EMSGSIZE);
	bad_frame(0xffffffff, OM_MSG_JOB_WAIT, -EMSGSIZE);
	bad_frame((8 << 20) + 1, OM_MSG_SUBMIT, -EMSGSIZE);
	bad_frame(16, OM_MSG_NODE_REPORT, -EPROTO);	/* not a client's */
	bad_frame(16, 9999, -EPROTO);
	bad_frame(16, OM_MSG_AUTH, -EPROTO);		/* is over */
	bad_frame(16, OM_MSG_JOB_WAIT, -EPROTO);	/* malformed */
	bad_frame(0, OM_MSG_JOB_WAIT, -EPROTO);		/* lacks its id */
}

static void messages_of_a_turn_leave_in_one_write(void **state)
{
	struct om_buf b = OM_BUF_INIT;
	char buf[65536];

	(void)state;
	a_frame(&b);
	/* Of a packet socket each write is one packet. */
	adopt_one(OM_ROLE_CLIENT, SOCK_SEQPACKET);
	for (int i = 0; i < 100; i++)
		om_conn_send_raw(server.conn, om_buf_str(&b), om_buf_len(&b));
	assert_int_equal(recv(raw, buf, sizeof(buf), MSG_DONTWAIT), -1);
	om_loop_turn(loop, -1, NULL);
	assert_int_equal(recv(raw, buf, sizeof(buf), MSG_DONTWAIT),
			 100 * om_buf_len(&b));
	om_buf_fini(&b);
	close(raw);
}

static void both_ends_of_a_socketpair_trust_each_other(void **state)
{
	struct om_peer node = { .role = OM_ROLE_NODE };
	struct om_peer step = { .role = OM_ROLE_STEP };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client.conn = om_conn_adopt(loop, pair[0], NULL, false, &node,
				    &handler, &client, NULL);
	server.conn = om_conn_adopt(loop, pair[1], NULL, true, &step,
				    &handler, &server, NULL);
	server.echo = true;
	assert_int_equal(send_text(&client, 5), 0);
	turn_until(client.bytes == 5);
	assert_int_equal(client.ready + server.ready, 0);
	assert_string_equal(om_conn_name(server.conn), "uid=0 addr=unix");
}

static void refusal_by_a_peer_that_closed_is_read_before_the_error(void **state)
{
	struct om_buf b = OM_BUF_INIT;

	(void)state;
	adopt_one(OM_ROLE_CLIENT, SOCK_STREAM);
	a_frame(&b);
	raw_write(om_buf_str(&b), om_buf_len(&b));
	close(raw);
	send_text(&server, 100);	/* will fail: EPIPE */
	turn_until(server.closed);
	assert_int_equal(server.messages, 1);
	om_buf_fini(&b);
}

/* ---------------------------------------------- a man in the middle of a seal */

static int middle[2];			/* client's side, server's side */

static void adopt_both(void)
{
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	client_config.seal = true;
	client.conn = om_conn_adopt(loop, a[0], &client_config, false, NULL,
				    &handler, &client, NULL);
	server.conn = om_conn_adopt(loop, b[0], &server_config, true, NULL,
				    &handler, &server, NULL);
	assert_true(client.conn && server.conn);
	middle[0] = a[1];
	middle[1] = b[1];
}

/* Carries what there is from one side to the other. */
static ssize_t carry(int from, int to, ssize_t flip, bool twice)
{
	char buf[65536];
	ssize_t n = recv(middle[from], buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return n;
	if (flip >= 0 && flip < n)
		buf[flip] ^= 0x10;
	assert_int_equal(write(middle[to], buf, (size_t)n), n);
	if (twice)
		assert_int_equal(write(middle[to], buf, (size_t)n), n);
	return n;
}

static void meddle(ssize_t flip, bool twice)
{
	int64_t end = now() + DEADLINE_NS;

	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	adopt_both();
	while (!client.ready || !server.ready) {
		assert_true(now() < end);
		om_loop_turn(loop, OM_NS_PER_MS, NULL);
		carry(0, 1, -1, false);
		carry(1, 0, -1, false);
	}
	assert_int_equal(send_text(&client, 10), 0);
	while (carry(0, 1, flip, twice) <= 0)
		om_loop_turn(loop, OM_NS_PER_MS, NULL);
	while (!server.closed && (flip >= 0 || twice || !server.messages)) {
		assert_true(now() < end);
		om_loop_turn(loop, OM_NS_PER_MS, NULL);
	}
	om_conn_destroy(client.conn);
	om_conn_destroy(server.conn);
	client.conn = server.conn = NULL;
	close(middle[0]);
	close(middle[1]);
}

static void meddling_with_a_sealed_stream_ends_it(void **state)
{
	(void)state;
	meddle(-1, false);
	assert_int_equal(server.messages, 1);
	/* A length that is too large but allowed shows only when that much
	 * has come, so the first byte is its high one. */
	for (ssize_t at = 0; at < 40; at += at ? 3 : 4) {
		meddle(at, false);
		assert_int_equal(server.messages, 0);
		assert_int_equal(server.err.code, -EBADMSG);
	}
	meddle(-1, true);
	assert_true(server.messages <= 1);
	assert_int_equal(server.err.code, -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, connfix_setup, connfix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_go_both_ways),
		TEST(tcp_serves_as_well),
		TEST(sealed_messages_go_both_ways),
		TEST(large_messages_come_whole),
		TEST(large_sealed_messages_come_whole),
		TEST(too_large_a_message_is_not_sent),
		TEST(nothing_is_sent_before_ready),
		TEST(close_is_told_to_the_other_end),
		TEST(finish_delivers_what_is_queued),
		TEST(finish_that_cannot_deliver_is_an_error),
		TEST(paused_end_is_told_nothing_until_resumed),
		TEST(conn_may_be_destroyed_in_message),
		TEST(conn_may_be_destroyed_in_ready),
		TEST(conn_may_be_destroyed_after_its_end),
		TEST(conn_may_finish_in_message),
		TEST(answer_before_finish_arrives_though_the_far_end_talks_on),
		TEST(refused_connect_is_told),
		TEST(refusal_is_told_to_the_client),
		TEST(server_without_munge_says_so),
		TEST(client_without_munge_says_so),
		TEST(stuck_munge_stalls_newcomers_only),
		TEST(server_with_stuck_munge_tells_the_client),
		TEST(frame_may_come_byte_by_byte),
		TEST(frame_cut_anywhere_is_an_error),
		TEST(peer_that_breaks_the_rules_is_cut_off),
		TEST(messages_of_a_turn_leave_in_one_write),
		TEST(both_ends_of_a_socketpair_trust_each_other),
		TEST(refusal_by_a_peer_that_closed_is_read_before_the_error),
		TEST(meddling_with_a_sealed_stream_ends_it),
	};

	return cmocka_run_group_tests(tests, connfix_start, connfix_stop);
}
