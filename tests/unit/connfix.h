/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * connfix: a munged, a loop, a listener and the two ends of a connection that
 * count what they are told. Each test program has its own, so all is static.
 */
#ifndef TEST_CONNFIX_H
#define TEST_CONNFIX_H

#include <arpa/inet.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/net/addr.h"
#include "lib/net/conn.h"
#include "lib/proto/openmosix.pb-c.h"
#include "tests/unit/munged.h"

#define DEADLINE_NS (20 * OM_NS_PER_S)

static struct munged munged;
static struct om_loop *loop;
static struct om_listener *listener;
static struct om_auth_config client_config, server_config;
static char addr[PATH_MAX];

/* One end of a connection and what it was told. */
struct end {
	struct om_conn *conn;
	struct om_peer peer;
	int ready, messages, closed;
	int count[128];			/* messages by type */
	uint32_t last_id;
	size_t bytes;			/* of Reply texts */
	struct om_error err;
	/* what to do at a message */
	bool destroy, destroy_ready, pause, echo, finish, keep;
	int data_rc;
};
static struct end client, server;

static inline void on_ready(void *arg, struct om_conn *c, const struct om_peer *peer)
{
	struct end *e = arg;

	e->ready++;
	e->peer = *peer;
	if (e->destroy_ready) {
		om_conn_destroy(c);
		e->conn = NULL;
	}
}

static inline void answer(struct end *e, struct om_conn *c, uint32_t id,
		   const ProtobufCMessage *body)
{
	Om__Reply ok = OM__REPLY__INIT;

	if (e->echo)
		e->data_rc = om_conn_send(c, OM_MSG_REPLY, id,
					  body ? body : &ok.base);
	if (e->pause)
		om_conn_pause(c, true);
	if (e->finish)
		om_conn_finish(c);
	if (e->destroy) {
		om_conn_destroy(c);
		e->conn = NULL;
	}
}

static inline void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct end *e = arg;

	e->messages++;
	e->count[type]++;
	e->last_id = id;
	if (type == OM_MSG_REPLY && ((const Om__Reply *)body)->text)
		e->bytes += strlen(((const Om__Reply *)body)->text);
	answer(e, c, id, type == OM_MSG_REPLY ? body : NULL);
}

static inline void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct end *e = arg;

	e->closed++;
	e->err = *err;
	if (e->keep)
		return;
	om_conn_destroy(c);
	e->conn = NULL;
}

static const struct om_conn_handler handler = {
	.ready = on_ready, .message = on_message, .closed = on_closed,
};

static inline void on_accept(void *arg, struct om_conn *c)
{
	struct end *e = arg;

	e->ready++;
	e->peer = *om_conn_peer(c);
	e->conn = c;
	om_conn_set_handler(c, &handler, e);
}

static inline void listen_at(const char *where)
{
	int fd = om_addr_listen(where, 0, 128, NULL);

	assert_true(fd >= 0);
	listener = om_listener_create(loop, fd, &server_config, on_accept,
				      &server, NULL);
	assert_non_null(listener);
	if (strcmp(where, addr))
		snprintf(addr, sizeof(addr), "127.0.0.1:%d", om_addr_port(fd));
}

static inline void connect_end(struct end *e)
{
	struct om_error err = OM_ERROR_INIT;

	e->conn = om_conn_connect(loop, addr, 0, &client_config, &handler, e,
				  &err);
	if (!e->conn)
		fail_msg("%s", err.text);
}

static inline int64_t now(void)
{
	return om_mono_ns(om_loop_clock(loop));
}

#define turn_until(condition)                                             \
	do {                                                              \
		int64_t end_ = now() + DEADLINE_NS;                       \
		while (!(condition)) {                                    \
			assert_true(now() < end_);                        \
			om_loop_turn(loop, OM_NS_PER_S / 20, NULL);       \
		}                                                         \
	} while (0)

static inline int connfix_start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_DFL);	/* nobody may need it ignored */
	munged_start(&munged);
	return 0;
}

static inline int connfix_stop(void **state)
{
	(void)state;
	munged_stop(&munged);
	return 0;
}

static inline int connfix_setup(void **state)
{
	(void)state;
	client_config = (struct om_auth_config){
		.munge_socket = munged.socket,
		.server_uid = geteuid(),
		.role = OM_ROLE_CLIENT,
	};
	server_config = (struct om_auth_config){
		.munge_socket = munged.socket,
		.accept_roles = OM_ROLE_ANY,
		.cluster = "test",
	};
	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	loop = om_loop_create(NULL);
	snprintf(addr, sizeof(addr), "unix:%s/server", munged.dir);
	return loop ? 0 : -1;
}

static inline int connfix_teardown(void **state)
{
	(void)state;
	om_conn_destroy(client.conn);
	om_conn_destroy(server.conn);
	om_listener_destroy(listener);
	listener = NULL;
	om_loop_destroy(loop);
	unlink(addr + 5);
	return 0;
}

/* Both ends through the handshake. */
static inline void open_both(void)
{
	if (!listener)
		listen_at(addr);
	connect_end(&client);
	turn_until(client.ready && server.ready);
}

static inline int send_text(struct end *e, size_t len)
{
	Om__Reply r = OM__REPLY__INIT;
	char *text = malloc(len + 1);
	int rc;

	memset(text, 'x', len);
	text[len] = '\0';
	r.text = text;
	rc = om_conn_send(e->conn, OM_MSG_REPLY, 7, &r.base);
	free(text);
	return rc;
}


static inline void put_header(uint8_t *p, uint32_t length, uint32_t type)
{
	const uint32_t word[3] = { htonl(length), htonl(type), htonl(1) };

	memcpy(p, word, sizeof(word));
}

#endif
