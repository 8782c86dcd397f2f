/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_client: the blocking client against a small server of its own. */
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/client/client.h"
#include "lib/conf/config.h"
#include "lib/net/addr.h"
#include "lib/net/conn.h"
#include "tests/unit/munged.h"

static struct munged munged;
static struct om_config config;
static struct om_client *client;
static struct om_error err;
static char sock[PATH_MAX];
static pid_t server_pid;

/* --------------------------------------------------- the server, a process */

static struct om_auth_config server_config;
static int asked;			/* messages so far */

static void reply(struct om_conn *c, uint32_t id, int code, const char *text,
		  const char *hint)
{
	Om__Reply r = OM__REPLY__INIT;

	r.code = code;
	r.text = (char *)text;
	r.hint = (char *)hint;
	om_conn_send(c, OM_MSG_REPLY, id, &r.base);
}

static void pong(struct om_conn *c, uint32_t id)
{
	Om__PingReply r = OM__PING_REPLY__INIT;

	r.cluster = "test";
	r.version = "1";
	r.events = (uint64_t)asked;
	r.has_events = 1;
	om_conn_send(c, OM_MSG_PING_REPLY, id, &r.base);
}

static void push(struct om_conn *c, uint32_t id)
{
	Om__JobEvent e = OM__JOB_EVENT__INIT;

	e.job_id = 99;
	e.state = OM__JOB_STATE__RUNNING;
	om_conn_send(c, OM_MSG_JOB_EVENT, id, &e.base);
}

/* n jobs whose names make it large. */
static void send_list(struct om_conn *c, uint32_t id, size_t n)
{
	Om__JobListReply r = OM__JOB_LIST_REPLY__INIT;
	Om__JobInfo job = OM__JOB_INFO__INIT;
	static char name[1001];

	memset(name, 'n', 1000);
	job.name = name;
	r.n_job = n;
	r.job = malloc(n * sizeof(*r.job));
	for (size_t i = 0; i < n; i++)
		r.job[i] = &job;
	om_conn_send(c, OM_MSG_JOB_LIST_REPLY, id, &r.base);
	free(r.job);
}

static void serve(void *arg, struct om_conn *c, enum om_msg type, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__JobList *list = (const Om__JobList *)body;

	(void)arg;
	asked++;
	switch (type) {
	case OM_MSG_PING:
		pong(c, id);
		break;
	case OM_MSG_JOB_WHY:
		reply(c, id, -ENOENT, "no such \033job", "see omq");
		break;
	case OM_MSG_NODE_LIST:		/* busy twice */
		if (asked < 3)
			reply(c, id, -EAGAIN, "starting up", NULL);
		else
			reply(c, id, 0, NULL, NULL);
		break;
	case OM_MSG_STEP_SIGNAL:	/* busy for ever */
		reply(c, id, -EAGAIN, "starting up", NULL);
		break;
	case OM_MSG_CONFIG_SHOW:	/* pushes before it answers */
		push(c, 5);
		push(c, 6);
		pong(c, id);
		break;
	case OM_MSG_JOB_LIST:
		send_list(c, id, list->filter->limit);
		break;
	case OM_MSG_JOB_WAIT:		/* resets at first */
		if (asked == 1)
			om_conn_destroy(c);
		else
			reply(c, id, 0, NULL, NULL);
		break;
	default:			/* never answers */
		break;
	}
}

static void gone(void *arg, struct om_conn *c, const struct om_error *e)
{
	(void)arg;
	(void)e;
	om_conn_destroy(c);
}

static const struct om_conn_handler handler = {
	.message = serve, .closed = gone,
};

static void accepted(void *arg, struct om_conn *c)
{
	(void)arg;
	om_conn_set_handler(c, &handler, NULL);
}

static void server_main(int fd)
{
	struct om_loop *loop = om_loop_create(NULL);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	om_listener_create(loop, fd, &server_config, accepted, NULL, NULL);
	om_loop_run(loop, NULL);
	_exit(1);
}

static void server_start(const char *addr)
{
	int fd = om_addr_listen(addr, 0, 128, NULL);

	assert_true(fd >= 0);
	if (!om_addr_port(fd))
		config.run_dir = munged.dir;
	else
		config.controller_port = (uint16_t)om_addr_port(fd);
	server_pid = fork();
	assert_true(server_pid >= 0);
	if (server_pid == 0)
		server_main(fd);
	close(fd);
}

static void server_kill(void)
{
	if (server_pid <= 0)
		return;
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
	server_pid = 0;
}

/* ---------------------------------------------------------------- the tests */

static int start(void **state)
{
	(void)state;
	munged_start(&munged);
	snprintf(sock, sizeof(sock), "unix:%s/omctld.sock", munged.dir);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	munged_stop(&munged);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	config = (struct om_config){
		.controller = "127.0.0.1", .controller_port = 1,
		.controller_uid = geteuid(), .run_dir = "/nowhere",
		.munge_socket = munged.socket,
	};
	server_config = (struct om_auth_config){
		.munge_socket = munged.socket, .cluster = "test",
		.accept_roles = OM_ROLE_CLIENT,
	};
	client = om_client_create(&config, NULL);
	om_error_clear(&err);
	return client ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	om_client_destroy(client);
	server_kill();
	unlink(sock + 5);
	return 0;
}

static int64_t now(void)
{
	return om_mono_ns(om_clock_system());
}

static int ping(void)
{
	ProtobufCMessage *body = NULL;
	int rc = om_client_call(client, OM_MSG_PING, NULL, OM_MSG_PING_REPLY,
				&body, &err);

	if (rc == 0) {
		assert_string_equal(((Om__PingReply *)body)->cluster, "test");
		protobuf_c_message_free_unpacked(body, NULL);
	} else {
		assert_null(body);
	}
	return rc;
}

static void assert_says(const char *text)
{
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void call_is_answered_over_a_unix_socket(void **state)
{
	(void)state;
	server_start(sock);
	assert_int_equal(om_client_fd(client), -1);
	assert_int_equal(ping(), 0);
	assert_int_equal(ping(), 0);
	assert_true(om_client_fd(client) >= 0);
	assert_false(om_client_pending(client));
}

static void call_is_answered_over_tcp(void **state)
{
	(void)state;
	server_start("127.0.0.1:0");
	assert_int_equal(ping(), 0);
}

static size_t list_jobs(uint32_t n)
{
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__JobList list = OM__JOB_LIST__INIT;
	ProtobufCMessage *body;
	size_t got;

	filter.limit = n;
	filter.has_limit = 1;
	list.filter = &filter;
	if (om_client_call(client, OM_MSG_JOB_LIST, &list.base,
			   OM_MSG_JOB_LIST_REPLY, &body, &err) < 0)
		fail_msg("%s", err.text);
	got = ((Om__JobListReply *)body)->n_job;
	protobuf_c_message_free_unpacked(body, NULL);
	return got;
}

static void large_answer_comes_whole(void **state)
{
	(void)state;
	server_start(sock);
	assert_int_equal(list_jobs(20000), 20000);
	assert_int_equal(ping(), 0);
}

static void sealed_call_is_answered(void **state)
{
	(void)state;
	config.seal = OM_SEAL_ALWAYS;
	server_config.seal = true;	/* nothing else is let in */
	server_start("127.0.0.1:0");
	assert_int_equal(ping(), 0);
	assert_int_equal(list_jobs(5000), 5000);
	assert_int_equal(ping(), 0);
}

static void local_stream_is_not_sealed_by_default(void **state)
{
	(void)state;
	server_config.seal = true;
	server_start("127.0.0.1:0");
	assert_int_equal(ping(), -EACCES);
	assert_says("sealed connections only");
}

static void refusal_of_a_call_has_text_and_hint(void **state)
{
	Om__JobWhy why = OM__JOB_WHY__INIT;
	ProtobufCMessage *body = NULL;
	int rc;

	(void)state;
	server_start(sock);
	rc = om_client_call(client, OM_MSG_JOB_WHY, &why.base,
			    OM_MSG_JOB_WHY_REPLY, &body, &err);
	assert_int_equal(rc, -ENOENT);
	assert_string_equal(err.text, "no such ?job\nsee omq");
	assert_int_equal(om_client_exit_code(rc), 1);
	assert_null(body);
	assert_int_equal(ping(), 0);	/* the connection is still good */
}

static void wrong_kind_of_answer_is_an_error(void **state)
{
	ProtobufCMessage *body = NULL;

	(void)state;
	server_start(sock);
	assert_int_equal(om_client_call(client, OM_MSG_PING, NULL,
					OM_MSG_SUBMITTED, &body, &err),
			 -EPROTO);
	assert_says("answers ping-reply to ping");
	assert_null(body);
}

static void busy_controller_is_asked_again(void **state)
{
	Om__NodeList list = OM__NODE_LIST__INIT;

	(void)state;
	server_start(sock);
	assert_int_equal(om_client_call(client, OM_MSG_NODE_LIST, &list.base,
					OM_MSG_REPLY, NULL, &err), 0);
}

static void busy_controller_is_given_up_in_the_end(void **state)
{
	Om__StepSignal s = OM__STEP_SIGNAL__INIT;
	int rc;

	(void)state;
	server_start(sock);
	om_client_set_timeout(client, 200 * OM_NS_PER_MS);
	rc = om_client_call(client, OM_MSG_STEP_SIGNAL, &s.base, OM_MSG_REPLY,
			    NULL, &err);
	assert_int_equal(rc, -EAGAIN);
	assert_says("is busy (tried 0.2 s): starting up");
	assert_int_equal(om_client_exit_code(rc), 75);
}

static void reset_before_the_answer_is_tried_again(void **state)
{
	Om__JobWait w = OM__JOB_WAIT__INIT;

	(void)state;
	server_start(sock);
	assert_int_equal(om_client_call(client, OM_MSG_JOB_WAIT, &w.base,
					OM_MSG_REPLY, NULL, &err), 0);
}

static void server_restarted_between_calls_is_found_again(void **state)
{
	(void)state;
	assert_int_equal(om_client_connection(client), 0);
	server_start(sock);
	assert_int_equal(ping(), 0);
	assert_int_equal(ping(), 0);
	assert_int_equal(om_client_connection(client), 1);
	server_kill();
	server_start(sock);
	assert_int_equal(ping(), 0);
	assert_int_equal(om_client_connection(client), 2);
}

/* A process that starts the server only after a while. */
static void controller_away_for_a_while_is_waited_for(void **state)
{
	int64_t began = now();
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		usleep(300 * 1000);
		server_main(om_addr_listen(sock, 0, 128, NULL));
	}
	server_pid = pid;
	config.run_dir = munged.dir;
	assert_int_equal(ping(), 0);
	assert_true(now() - began >= 300 * OM_NS_PER_MS);
	assert_true(now() - began < 5 * OM_NS_PER_S);
}

static void controller_away_is_told_with_where_and_how_long(void **state)
{
	int64_t began = now();
	int rc;

	(void)state;
	om_client_set_timeout(client, 300 * OM_NS_PER_MS);
	rc = ping();
	assert_int_equal(rc, -ECONNREFUSED);
	assert_says("controller at 127.0.0.1:1 does not answer (tried 0.3 s)");
	assert_says("Connection refused - is omctld running? omctl doctor");
	assert_int_equal(om_client_exit_code(rc), 75);
	assert_true(now() - began < 2 * OM_NS_PER_S);
}

static void silent_controller_is_given_up_at_the_deadline(void **state)
{
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__JobList list = OM__JOB_LIST__INIT;
	int64_t began = now();

	(void)state;
	server_start(sock);
	list.filter = &filter;
	om_client_set_timeout(client, 200 * OM_NS_PER_MS);
	assert_int_equal(om_client_call(client, OM_MSG_HISTORY, &list.base,
					OM_MSG_REPLY, NULL, &err), -ETIMEDOUT);
	assert_says("does not answer (tried 0.2 s)");
	assert_true(now() - began < 2 * OM_NS_PER_S);
	assert_int_equal(ping(), 0);
}

static void refused_authentication_is_not_tried_again(void **state)
{
	int64_t began = now();
	int rc;

	(void)state;
	server_config.accept_roles = OM_ROLE_NODE;
	server_start(sock);
	rc = ping();
	assert_int_equal(rc, -EACCES);
	assert_says("refused: role 1 is not served here");
	assert_int_equal(om_client_exit_code(rc), 1);
	assert_true(now() - began < 5 * OM_NS_PER_S);
}

static void server_of_another_uid_is_not_talked_to(void **state)
{
	(void)state;
	config.controller_uid = geteuid() + 4321;
	server_start(sock);
	assert_int_equal(ping(), -EACCES);
	assert_says("meant for another user");
}

static void munge_away_is_tried_again_and_told(void **state)
{
	int rc;

	(void)state;
	server_start(sock);
	munged_kill(&munged);
	om_client_set_timeout(client, 300 * OM_NS_PER_MS);
	rc = ping();
	assert_int_equal(rc, -EAGAIN);
	assert_says("munge does not answer");
	assert_int_equal(om_client_exit_code(rc), 75);
	munged_restart(&munged);
	om_client_set_timeout(client, 60 * OM_NS_PER_S);
	assert_int_equal(ping(), 0);
}

static void what_is_pushed_during_a_call_is_kept(void **state)
{
	Om__ConfigShow show = OM__CONFIG_SHOW__INIT;
	ProtobufCMessage *body;
	enum om_msg type;
	uint32_t id;

	(void)state;
	server_start(sock);
	assert_int_equal(om_client_call(client, OM_MSG_CONFIG_SHOW, &show.base,
					OM_MSG_PING_REPLY, NULL, &err), 0);
	for (uint32_t want = 5; want <= 6; want++) {
		assert_true(om_client_pending(client));
		assert_int_equal(om_client_receive(client, 0, &type, &id,
						   &body, &err), 0);
		assert_int_equal(type, OM_MSG_JOB_EVENT);
		assert_int_equal(id, want);
		protobuf_c_message_free_unpacked(body, NULL);
	}
	assert_false(om_client_pending(client));
}

static void stream_is_sent_once_and_received(void **state)
{
	struct pollfd p = { .events = POLLIN };
	ProtobufCMessage *body;
	enum om_msg type;
	uint32_t id;

	(void)state;
	server_start(sock);
	assert_int_equal(om_client_receive(client, 0, &type, &id, &body, &err),
			 -ENOTCONN);
	assert_int_equal(om_client_send(client, OM_MSG_PING, 77, NULL, &err),
			 0);
	p.fd = om_client_fd(client);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(om_client_receive(client, OM_NS_PER_S, &type, &id,
					   &body, &err), 0);
	assert_int_equal(id, 77);
	assert_int_equal(type, OM_MSG_PING_REPLY);
	protobuf_c_message_free_unpacked(body, NULL);
	assert_int_equal(om_client_receive(client, OM_NS_PER_MS, &type, &id,
					   &body, &err), -ETIMEDOUT);
	server_kill();
	assert_int_equal(om_client_receive(client, -1, &type, &id, &body,
					   &err), -ECONNRESET);
	assert_int_equal(om_client_fd(client), -1);
}

static void too_large_a_call_is_refused_here(void **state)
{
	Om__ConfigShow show = OM__CONFIG_SHOW__INIT;
	char key[3000];

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	show.key = key;
	server_start(sock);
	assert_int_equal(om_client_call(client, OM_MSG_CONFIG_SHOW, &show.base,
					OM_MSG_REPLY, NULL, &err), -EMSGSIZE);
	assert_says("at most 1024 are allowed");
	assert_int_equal(ping(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call_is_answered_over_a_unix_socket),
		TEST(call_is_answered_over_tcp),
		TEST(large_answer_comes_whole),
		TEST(sealed_call_is_answered),
		TEST(local_stream_is_not_sealed_by_default),
		TEST(refusal_of_a_call_has_text_and_hint),
		TEST(wrong_kind_of_answer_is_an_error),
		TEST(busy_controller_is_asked_again),
		TEST(busy_controller_is_given_up_in_the_end),
		TEST(reset_before_the_answer_is_tried_again),
		TEST(server_restarted_between_calls_is_found_again),
		TEST(controller_away_for_a_while_is_waited_for),
		TEST(controller_away_is_told_with_where_and_how_long),
		TEST(silent_controller_is_given_up_at_the_deadline),
		TEST(refused_authentication_is_not_tried_again),
		TEST(server_of_another_uid_is_not_talked_to),
		TEST(munge_away_is_tried_again_and_told),
		TEST(what_is_pushed_during_a_call_is_kept),
		TEST(stream_is_sent_once_and_received),
		TEST(too_large_a_call_is_refused_here),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
