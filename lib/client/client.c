/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * client: one connection to the controller, used by one thread that waits.
 *
 * Two kinds of failure are kept apart: what the way to the controller did (it
 * may cure itself, so it is tried again), and what the controller said (it is
 * meant, but for -EAGAIN). "struct attempt" carries which of them it was.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/client/client.h"
#include "lib/conf/config.h"
#include "lib/net/addr.h"
#include "lib/net/auth.h"
#include "lib/net/stream.h"

#define TIMEOUT_DEFAULT_NS (60 * OM_NS_PER_S)
#define HANDSHAKE_NS (10 * OM_NS_PER_S)
#define PAUSE_MIN_NS (20 * OM_NS_PER_MS)
#define PAUSE_MAX_NS (2 * OM_NS_PER_S)
#define FIRST_OWN_ID 0x80000000u

struct pushed {
	struct pushed *next;
	enum om_msg type;
	uint32_t id;
	ProtobufCMessage *body;
};

struct om_client {
	const struct om_config *config;
	int64_t timeout_ns;
	struct om_stream stream;	/* fd -1: not connected */
	struct om_peer peer;
	uint32_t last_id;
	uint64_t connection;		/* so many there were */
	struct pushed *first, **end;	/* came while a call waited */
	char where[256];		/* tried last, for error texts */
};

/* What one try came to. */
struct attempt {
	bool answered;			/* rc is the controller's word */
	int rc;
};

static int64_t now_ns(void)
{
	return om_mono_ns(om_clock_system());
}

static int64_t deadline_after(int64_t ns)
{
	int64_t now = now_ns();

	return ns < 0 || ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct om_client *om_client_create(const struct om_config *config,
				   struct om_error *err)
{
	struct om_client *c = calloc(1, sizeof(*c));

	if (!c) {
		om_fail_nomem(err);
		return NULL;
	}
	c->config = config;
	c->timeout_ns = TIMEOUT_DEFAULT_NS;
	c->stream.fd = -1;
	c->end = &c->first;
	return c;
}

static void disconnect(struct om_client *c)
{
	om_stream_fini(&c->stream);
	explicit_bzero(&c->peer, sizeof(c->peer));
}

static struct pushed *pushed_pop(struct om_client *c)
{
	struct pushed *p = c->first;

	if (!p)
		return NULL;
	c->first = p->next;
	if (!c->first)
		c->end = &c->first;
	return p;
}

void om_client_destroy(struct om_client *c)
{
	struct pushed *p;

	if (!c)
		return;
	disconnect(c);
	while ((p = pushed_pop(c)) != NULL) {
		protobuf_c_message_free_unpacked(p->body, NULL);
		free(p);
	}
	free(c);
}

void om_client_set_timeout(struct om_client *c, int64_t ns)
{
	c->timeout_ns = ns;
}

/* ------------------------------------------------------------------- waiting */

/* 0 when fd is ready, -ETIMEDOUT, or -Exxx. Signals do not end it. */
static int wait_for(int fd, short events, int64_t deadline,
		    struct om_error *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	struct timespec ts;
	int64_t left;
	int rc;

	for (;;) {
		left = deadline == INT64_MAX ? -1 : deadline - now_ns();
		if (deadline != INT64_MAX && left < 0)
			left = 0;
		ts.tv_sec = left / OM_NS_PER_S;
		ts.tv_nsec = left % OM_NS_PER_S;
		rc = ppoll(&p, 1, left < 0 ? NULL : &ts, NULL);
		if (rc > 0)
			return 0;
		if (rc == 0)
			return om_fail(err, -ETIMEDOUT, "no answer in time");
		if (errno != EINTR)
			return om_fail_errno(err, "waiting");
	}
}

static int flush(struct om_stream *s, int64_t deadline, struct om_error *err)
{
	int rc;

	while ((rc = om_stream_flush(s, err)) > 0) {
		rc = wait_for(s->fd, POLLOUT, deadline, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* At least one more byte, or -Exxx; the peer's end is -ECONNRESET. */
static int fill(struct om_stream *s, int64_t deadline, struct om_error *err)
{
	ssize_t n;
	int rc;

	do {	/* after a read that took all, the next would be in vain */
		rc = s->drained ? wait_for(s->fd, POLLIN, deadline, err) : 0;
		if (rc < 0)
			return rc;
		n = om_stream_read(s, err);
	} while (n == -EAGAIN);
	if (n == 0)
		return om_fail(err, -ECONNRESET, "the connection was closed");
	return n < 0 ? (int)n : 0;
}

/* ---------------------------------------------------------------- connecting */

static bool wants_seal(const struct om_config *config, const char *addr)
{
	switch (config->seal) {
	case OM_SEAL_ALWAYS:
		return true;
	case OM_SEAL_NEVER:
		return false;
	default:
		return !om_addr_is_local(addr);
	}
}

static int auth_frame(struct om_client *c, struct om_auth *auth,
		      int64_t deadline, struct om_error *err)
{
	struct om_stream *s = &c->stream;
	struct om_frame f;
	int64_t n;
	int rc;

	while ((n = om_auth_parse(auth, (const uint8_t *)om_buf_str(&s->in),
				  om_buf_len(&s->in), &f, err)) == 0) {
		rc = fill(s, deadline, err);
		if (rc < 0)
			return rc;
	}
	if (n < 0)
		return (int)n;
	rc = om_auth_step(auth, &f, &s->out, &c->peer, err);
	om_buf_consume(&s->in, (size_t)n);
	return rc;
}

static int handshake(struct om_client *c, struct om_auth *auth,
		     int64_t deadline, struct om_error *err)
{
	int rc = om_auth_begin(auth, &c->stream.out, err);

	while (rc == 0) {
		rc = flush(&c->stream, deadline, err);
		if (rc == 0)
			rc = auth_frame(c, auth, deadline, err);
	}
	if (rc < 0)
		return rc;
	if (c->peer.sealed)
		return om_stream_seal(&c->stream, c->peer.key, false, err);
	return 0;
}

static int open_stream(struct om_client *c, const char *addr, int64_t deadline,
		       struct om_error *err)
{
	int fd = om_addr_connect(addr, c->config->controller_port, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = om_stream_init(&c->stream, fd, err);
	/* A unix socket is connected at once or not at all. */
	if (rc < 0 || om_str_starts(addr, "unix:"))
		return rc;
	rc = wait_for(fd, POLLOUT, deadline, err);
	return rc == 0 ? om_stream_connected(&c->stream, err) : rc;
}

static int try_connect(struct om_client *c, int64_t deadline,
		       struct om_error *err)
{
	om_autofree char *addr = om_config_controller_addr(c->config);
	struct om_auth_config config = {
		.munge_socket = c->config->munge_socket,
		.server_uid = c->config->controller_uid,
		.role = OM_ROLE_CLIENT,
		.none = c->config->auth == OM_AUTHMODE_NONE,
	};
	struct om_auth *auth;
	int rc;

	if (!addr)
		return om_fail_nomem(err);
	snprintf(c->where, sizeof(c->where), "%s", addr);
	config.seal = wants_seal(c->config, addr);
	auth = om_auth_client(&config, err);
	if (!auth)
		return err->code;
	deadline = sooner(deadline, deadline_after(HANDSHAKE_NS));
	rc = open_stream(c, addr, deadline, err);
	if (rc == 0)
		rc = handshake(c, auth, deadline, err);
	om_auth_destroy(auth);
	if (rc < 0)
		disconnect(c);
	else
		c->connection++;
	return rc;
}

static int ensure_connected(struct om_client *c, int64_t deadline,
			    struct om_error *err)
{
	return c->stream.fd >= 0 ? 0 : try_connect(c, deadline, err);
}

/* -------------------------------------------------------------- trying again */

/* Failures of the way there that may cure themselves. */
static bool may_pass(int rc)
{
	switch (rc) {
	case -EAGAIN:		/* munge away, a full backlog, a busy server */
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ECONNABORTED:
	case -EPIPE:
	case -ENOENT:		/* its socket is not there yet */
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -EHOSTDOWN:
	case -ENETUNREACH:
	case -ENETDOWN:
	case -EADDRNOTAVAIL:
		return true;
	default:
		return false;
	}
}

static bool again(const struct attempt *a)
{
	return a->rc < 0 && (a->answered ? a->rc == -EAGAIN : may_pass(a->rc));
}

/* Up to a quarter off, so that many clients do not come back in one beat. */
static int64_t spread(int64_t ns)
{
	uint64_t x = (uint64_t)now_ns() / 1000 + (uint64_t)getpid() * 7919;

	return ns - ns / 4 * (int64_t)(x % 1000) / 1000;
}

static void pause_for(int64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / OM_NS_PER_S, .tv_nsec = ns % OM_NS_PER_S,
	};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* Where, how long, the last cause, and what to do about it. */
static int give_up(const struct om_client *c, const struct attempt *a,
		   struct om_error *err)
{
	char cause[OM_ERROR_TEXT_MAX];
	const char *hint = "";
	const char *what = "does not answer";

	om_str_copy(cause, sizeof(cause), om_error_text(err));
	int rc = a->rc == -ENOENT ? -ECONNREFUSED : a->rc;

	if (a->answered)
		what = "is busy";
	else if (a->rc != -EAGAIN)
		hint = " - is omctld running? omctl doctor finds the usual "
		       "faults";
	return om_fail(err, rc, "controller at %.100s %s (tried %g s): "
		       "%.200s%s", c->where, what,
		       (double)c->timeout_ns / OM_NS_PER_S, cause, hint);
}

typedef struct attempt attempt_fn(struct om_client *c, void *arg,
				  int64_t deadline, struct om_error *err);

static int persist(struct om_client *c, attempt_fn *fn, void *arg,
		   struct om_error *err)
{
	int64_t deadline = deadline_after(c->timeout_ns);
	int64_t pause = PAUSE_MIN_NS;
	struct om_error own = OM_ERROR_INIT;
	struct attempt a;

	if (!err)
		err = &own;
	for (;;) {
		a = fn(c, arg, deadline, err);
		if (!again(&a))
			break;
		if (now_ns() > deadline - pause)
			return give_up(c, &a, err);
		pause_for(spread(pause));
		pause = sooner(pause * 2, PAUSE_MAX_NS);
	}
	if (a.rc < 0 && !a.answered)
		om_wrap(err, a.rc, "controller at %s", c->where);
	return a.rc;
}

/* ------------------------------------------------------------------ messages */

/* A whole frame, decoded; -EAGAIN (err untouched) if more must come first. */
static int take_frame(struct om_client *c, enum om_msg *ret_type,
		      uint32_t *ret_id, ProtobufCMessage **ret_body,
		      struct om_error *err)
{
	struct om_buf *in = &c->stream.in;
	ProtobufCMessage *body;
	struct om_frame f;
	int64_t n = om_frame_parse((const uint8_t *)om_buf_str(in),
				   om_buf_len(in), c->peer.role, &f, err);

	if (n == 0)
		return -EAGAIN;
	if (n < 0)
		return (int)n;
	if (f.type <= OM_MSG_WELCOME)
		return om_fail(err, -EPROTO, "the handshake is over");
	body = om_msg_unpack(f.type, f.body, f.length, err);
	om_buf_consume(in, (size_t)n);
	om_stream_trim(&c->stream);
	if (!body)
		return -EPROTO;
	*ret_type = f.type;
	*ret_id = f.id;
	*ret_body = body;
	return 0;
}

/* The next message off the wire. A connection that failed is closed. */
static int receive(struct om_client *c, int64_t deadline,
		   enum om_msg *ret_type, uint32_t *ret_id,
		   ProtobufCMessage **ret_body, struct om_error *err)
{
	int rc;

	while ((rc = take_frame(c, ret_type, ret_id, ret_body, err)) ==
	       -EAGAIN) {
		rc = fill(&c->stream, deadline, err);
		if (rc < 0)
			break;
	}
	if (rc < 0 && rc != -ETIMEDOUT)
		disconnect(c);
	return rc;
}

static int keep(struct om_client *c, enum om_msg type, uint32_t id,
		ProtobufCMessage *body, struct om_error *err)
{
	struct pushed *p = malloc(sizeof(*p));

	if (!p) {
		protobuf_c_message_free_unpacked(body, NULL);
		return om_fail_nomem(err);
	}
	*p = (struct pushed){ .type = type, .id = id, .body = body };
	*c->end = p;
	c->end = &p->next;
	return 0;
}

/* The answer to id; what else comes is kept. */
static int receive_answer(struct om_client *c, uint32_t id, int64_t deadline,
			  enum om_msg *ret_type, ProtobufCMessage **ret_body,
			  struct om_error *err)
{
	uint32_t got;
	int rc;

	for (;;) {
		rc = receive(c, deadline, ret_type, &got, ret_body, err);
		if (rc < 0 || got == id)
			return rc;
		/* The answer to a call that was given up: not waited for. */
		if (got >= FIRST_OWN_ID) {
			protobuf_c_message_free_unpacked(*ret_body, NULL);
			continue;
		}
		rc = keep(c, *ret_type, got, *ret_body, err);
		if (rc < 0)
			return rc;
	}
}

static void printable(char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') ||
		    *s == 0x7f)
			*s = '?';
}

int om_client_reply(const Om__Reply *reply, struct om_error *err)
{
	bool hint = reply->hint && reply->hint[0];

	if (reply->code == 0)
		return 0;
	if (reply->code > 0)
		return om_fail(err, -EPROTO, "the controller answers with "
			       "code %d", reply->code);
	if (reply->text && reply->text[0])
		om_fail(err, reply->code, "%s%s%s", reply->text,
			hint ? "\n" : "", hint ? reply->hint : "");
	else
		om_fail(err, reply->code, "%s", strerror(-reply->code));
	if (err)
		printable(err->text);
	return reply->code;
}

struct call {
	enum om_msg type, expect;
	const ProtobufCMessage *msg;
	ProtobufCMessage **ret_body;
};

static int judge_answer(const struct call *call, enum om_msg type,
			ProtobufCMessage *body, struct om_error *err)
{
	int rc = 0;

	if (type == OM_MSG_REPLY)
		rc = om_client_reply((const Om__Reply *)body, err);
	if (rc == 0 && type != call->expect)
		rc = om_fail(err, -EPROTO, "the controller answers %s to %s",
			     om_msg_lookup(type)->name,
			     om_msg_lookup(call->type)->name);
	if (rc == 0 && call->ret_body)
		*call->ret_body = body;
	else
		protobuf_c_message_free_unpacked(body, NULL);
	return rc;
}

static int send_frame(struct om_client *c, enum om_msg type, uint32_t id,
		      const ProtobufCMessage *msg, int64_t deadline,
		      struct om_error *err)
{
	int rc = om_frame_add(&c->stream.out, type, id, msg, err);

	if (rc < 0)
		return rc;
	rc = flush(&c->stream, deadline, err);
	if (rc < 0)
		disconnect(c);	/* half a message may have gone */
	return rc;
}

static struct attempt try_call(struct om_client *c, void *arg,
			       int64_t deadline, struct om_error *err)
{
	struct call *call = arg;
	struct attempt a = { .answered = false };
	ProtobufCMessage *body;
	enum om_msg type;
	uint32_t id;

	a.rc = ensure_connected(c, deadline, err);
	if (a.rc < 0)
		return a;
	id = c->last_id = (c->last_id + 1) | FIRST_OWN_ID;
	a.rc = send_frame(c, call->type, id, call->msg, deadline, err);
	if (a.rc == 0)
		a.rc = receive_answer(c, id, deadline, &type, &body, err);
	if (a.rc < 0)
		return a;
	a.answered = true;
	a.rc = judge_answer(call, type, body, err);
	return a;
}

int om_client_call(struct om_client *c, enum om_msg type,
		   const ProtobufCMessage *msg, enum om_msg expect,
		   ProtobufCMessage **ret_body, struct om_error *err)
{
	struct call call = {
		.type = type, .expect = expect, .msg = msg,
		.ret_body = ret_body,
	};

	return persist(c, try_call, &call, err);
}

static struct attempt try_ensure(struct om_client *c, void *arg,
				 int64_t deadline, struct om_error *err)
{
	(void)arg;
	return (struct attempt){ .rc = ensure_connected(c, deadline, err) };
}

int om_client_send(struct om_client *c, enum om_msg type, uint32_t id,
		   const ProtobufCMessage *msg, struct om_error *err)
{
	int rc = persist(c, try_ensure, NULL, err);

	if (rc < 0)
		return rc;
	rc = send_frame(c, type, id, msg, deadline_after(c->timeout_ns), err);
	return rc < 0 ? om_wrap(err, rc, "controller at %s", c->where) : 0;
}

int om_client_receive(struct om_client *c, int64_t timeout_ns,
		      enum om_msg *ret_type, uint32_t *ret_id,
		      ProtobufCMessage **ret_body, struct om_error *err)
{
	struct pushed *p = pushed_pop(c);
	int64_t deadline = deadline_after(timeout_ns);
	int rc;

	if (p) {
		*ret_type = p->type;
		*ret_id = p->id;
		*ret_body = p->body;
		free(p);
		return 0;
	}
	if (c->stream.fd < 0)
		return om_fail(err, -ENOTCONN, "not connected");
	while ((rc = receive(c, deadline, ret_type, ret_id, ret_body, err)) ==
	       0 && *ret_id >= FIRST_OWN_ID)
		protobuf_c_message_free_unpacked(*ret_body, NULL);
	return rc < 0 ? om_wrap(err, rc, "controller at %s", c->where) : 0;
}

int om_client_fd(const struct om_client *c)
{
	return c->stream.fd;
}

uint64_t om_client_connection(const struct om_client *c)
{
	return c->connection;
}

bool om_client_pending(const struct om_client *c)
{
	const struct om_buf *in = &c->stream.in;
	struct om_frame f;

	/* A frame that will be refused is something to receive, too. */
	return c->first ||
	       om_frame_parse((const uint8_t *)om_buf_str(in), om_buf_len(in),
			      c->peer.role, &f, NULL) != 0;
}

int om_client_exit_code(int rc)
{
	if (rc >= 0)
		return 0;
	/* Only a Reply says -ENOENT in the end: no such job. */
	return rc != -ENOENT && may_pass(rc) ? 75 : 1;
}
