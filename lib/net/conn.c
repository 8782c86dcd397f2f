/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * conn: the life of a connection in a loop.
 *
 *   CONNECTING -> HANDSHAKE <-> MUNGE      REFUSING -.
 *                     |           (server) ^          \
 *                     |--------------------'           > OVER
 *                     v                               /
 *                   READY ----------------> FINISHING
 *
 * MUNGE: a worker thread runs the step of the handshake that asks munged, and
 * owns the auth and its data meanwhile (struct step). A stuck munged stalls
 * newcomers only, never the loop. Measured: 47 us of the server's processor
 * time for a connection with one call become 63, of its duration 220 become
 * 240; libmunge would hold the loop for 110 as a rule and for 10 s if munged
 * is stopped.
 * REFUSING, FINISHING: what is queued goes out, then our direction is shut, and
 * the far end's last bytes are read and dropped: closing with unread bytes
 * would reset the connection and could destroy what the far end has to read.
 *
 * Any callback may destroy the conn. Every entry from the loop holds it, so
 * that the memory stays until the entry returns; "dead" says to leave.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/net/addr.h"
#include "lib/net/conn.h"
#include "lib/net/stream.h"

#define HANDSHAKE_NS (10 * OM_NS_PER_S)
#define LINGER_NS (2 * OM_NS_PER_S)
#define READS_A_TURN 16		/* then others have their turn */

enum state {
	CONNECTING, HANDSHAKE, MUNGE, READY, REFUSING, FINISHING, OVER,
};

struct om_conn {
	struct om_loop *loop;
	struct om_stream stream;
	struct om_watch *watch;
	struct om_timer *deadline;
	struct om_defer turn;
	const struct om_conn_handler *handler;
	void *arg;
	struct om_auth *auth;
	struct step *step;		/* under way in a worker */
	struct om_peer peer;
	enum state state;
	bool server, paused, full, shut;
	bool dead;
	unsigned held;
	struct om_error why;		/* told by closed() in the end */
	char addr[OM_ADDR_TEXT];
	char name[OM_ADDR_TEXT + 24];
};

/* One step of a handshake, made in a worker thread. */
struct step {
	struct om_conn *conn;		/* NULL: destroyed meanwhile */
	atomic_bool abandoned;		/* so do not start any more */
	struct om_auth *auth;
	struct om_frame frame;
	uint8_t *body;
	struct om_buf out;
	struct om_peer peer;
	struct om_error err;
	int rc;
};

static void read_all(struct om_conn *c);
static void dispatch(struct om_conn *c);

/* ------------------------------------------------------------ life and death */

static void release(struct om_conn *c)
{
	if (--c->held || !c->dead)
		return;
	om_stream_fini(&c->stream);
	explicit_bzero(&c->peer, sizeof(c->peer));
	free(c);
}

static void step_abandon(struct om_conn *c)
{
	if (!c->step)
		return;
	c->step->conn = NULL;
	atomic_store(&c->step->abandoned, true);
	c->step = NULL;
}

/* From here on nothing happens by itself any more. */
static void detach(struct om_conn *c)
{
	c->state = OVER;
	step_abandon(c);
	om_defer_cancel(&c->turn);
	om_timer_destroy(om_take(c->deadline));
	om_watch_destroy(om_take(c->watch));
	om_stream_close(&c->stream);
	om_auth_destroy(om_take(c->auth));
}

void om_conn_destroy(struct om_conn *c)
{
	if (!c || c->dead)
		return;
	c->dead = true;
	c->held++;
	detach(c);
	release(c);
}

/* The end of all ways; tells the handler, once. */
static void end(struct om_conn *c, const struct om_error *why)
{
	if (c->state == OVER)
		return;
	if (why != &c->why)
		c->why = *why;
	detach(c);
	if (c->handler->closed)
		c->handler->closed(c->arg, c, &c->why);
}

static void set_name(struct om_conn *c)
{
	if (c->state == READY)
		snprintf(c->name, sizeof(c->name), "uid=%u addr=%s",
			 c->peer.uid, c->addr);
	else
		snprintf(c->name, sizeof(c->name), "addr=%s", c->addr);
}

static bool reads(const struct om_conn *c)
{
	switch (c->state) {
	case HANDSHAKE:
	case READY:
		return !c->paused;
	case REFUSING:
	case FINISHING:
		return true;
	default:
		return false;
	}
}

/* Watches for what the state waits for. */
static void arm(struct om_conn *c)
{
	bool writes = c->state == CONNECTING || c->full;
	struct om_error err;
	int rc;

	/* A peer is silent while munge is asked, so the watch may stay as it is:
	 * two epoll_ctl less. If it speaks, on_ready takes it off. */
	if (c->state == OVER || (c->state == MUNGE && !c->full))
		return;
	rc = om_watch_set(c->watch, (reads(c) ? OM_LOOP_READ : 0) |
			  (writes ? OM_LOOP_WRITE : 0));
	if (rc < 0) {
		om_fail(&err, rc, "cannot watch the connection: %s",
			strerror(-rc));
		end(c, &err);
	}
}

/* ------------------------------------------------------------------- sending */

static void sent_all(struct om_conn *c)
{
	if ((c->state != REFUSING && c->state != FINISHING) || c->shut)
		return;
	c->shut = true;
	om_stream_shut(&c->stream);
	om_timer_start(c->deadline, LINGER_NS, 0);
}

/*
 * A peer that went away may have said why first, so what has come is read
 * before the failure to send is told.
 */
static void send_failed(struct om_conn *c, const struct om_error *err)
{
	om_buf_reset(&c->stream.out);
	om_buf_reset(&c->stream.wire);
	c->full = false;
	while (reads(c) && !c->dead) {
		read_all(c);
		if (c->stream.drained)
			break;
	}
	if (!c->dead)
		end(c, c->state == REFUSING ? &c->why : err);
}

static void flush(struct om_conn *c)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (c->state == CONNECTING || c->state == OVER)
		return;
	rc = om_stream_flush(&c->stream, &err);
	if (rc < 0) {
		send_failed(c, &err);
		return;
	}
	c->full = rc > 0;
	if (!c->full)
		sent_all(c);
	om_stream_trim(&c->stream);
	arm(c);
}

/* At the end of a turn: send what it queued, go on with what was paused. */
static void on_turn(void *arg)
{
	struct om_conn *c = arg;

	c->held++;
	dispatch(c);
	if (!c->dead && !c->full)
		flush(c);
	if (!c->dead)
		arm(c);
	release(c);
}

static void want_turn(struct om_conn *c)
{
	om_loop_defer(c->loop, &c->turn, on_turn, c);
}

int om_conn_send(struct om_conn *c, enum om_msg type, uint32_t id,
		 const ProtobufCMessage *msg)
{
	int rc;

	if (c->state != READY)
		return -ENOTCONN;
	rc = om_frame_add(&c->stream.out, type, id, msg, NULL);
	if (rc == 0)
		want_turn(c);
	return rc;
}

int om_conn_send_raw(struct om_conn *c, const void *frames, size_t len)
{
	int rc;

	if (c->state != READY)
		return -ENOTCONN;
	rc = om_buf_add(&c->stream.out, frames, len);
	if (rc == 0)
		want_turn(c);
	return rc;
}

void om_conn_finish(struct om_conn *c)
{
	if (c->state >= REFUSING)
		return;
	step_abandon(c);
	om_error_clear(&c->why);
	c->state = FINISHING;
	if (c->deadline)
		om_timer_start(c->deadline, LINGER_NS, 0);
	want_turn(c);
}

/* ----------------------------------------------------------------- handshake */

static void become_ready(struct om_conn *c)
{
	struct om_error err;

	if (c->peer.sealed && om_stream_seal(&c->stream, c->peer.key,
					     c->server, &err) < 0) {
		end(c, &err);
		return;
	}
	om_auth_destroy(om_take(c->auth));
	om_timer_stop(c->deadline);
	c->state = READY;
	set_name(c);
	want_turn(c);
	if (c->handler->ready)
		c->handler->ready(c->arg, c, &c->peer);
}

/* A server tells why, then ends; a client just ends. */
static void refuse(struct om_conn *c, const struct om_error *why)
{
	if (!c->server) {
		end(c, why);
		return;
	}
	c->why = *why;
	c->state = REFUSING;
	om_timer_start(c->deadline, LINGER_NS, 0);
	want_turn(c);
}

static void stepped(struct om_conn *c, int rc, const struct om_error *err)
{
	if (rc < 0)
		refuse(c, err);
	else if (rc > 0)
		become_ready(c);
	else
		want_turn(c);
}

static void step_free(struct step *s)
{
	om_auth_destroy(s->auth);
	om_buf_fini(&s->out);
	explicit_bzero(&s->peer, sizeof(s->peer));
	free(s->body);
	free(s);
}

static void step_work(void *arg)
{
	struct step *s = arg;

	if (!atomic_load(&s->abandoned))
		s->rc = om_auth_step(s->auth, &s->frame, &s->out, &s->peer,
				     &s->err);
}

static void step_done(void *arg)
{
	struct step *s = arg;
	struct om_conn *c = s->conn;
	int rc;

	if (c) {
		c->held++;
		c->step = NULL;
		c->auth = om_take(s->auth);
		c->peer = s->peer;
		c->state = HANDSHAKE;
		rc = om_buf_add(&c->stream.out, om_buf_str(&s->out),
				om_buf_len(&s->out));
		if (rc < 0)
			s->rc = om_fail_nomem(&s->err);
		stepped(c, s->rc, &s->err);
		dispatch(c);
		if (!c->dead)
			arm(c);
		release(c);
	}
	step_free(s);
}

/* Hands the auth and a copy of the frame to a worker. */
static int step_start(struct om_conn *c, const struct om_frame *f,
		      struct om_error *err)
{
	struct om_workers *workers = om_loop_workers(c->loop, err);
	struct step *s;

	if (!workers)
		return err->code;
	s = calloc(1, sizeof(*s));
	if (s)
		s->body = malloc((size_t)f->length + 1);
	if (!s || !s->body) {
		free(s);
		return om_fail_nomem(err);
	}
	memcpy(s->body, f->body, f->length);
	s->frame = *f;
	s->frame.body = s->body;
	s->conn = c;
	s->auth = om_take(c->auth);	/* the worker's from submit on */
	if (om_work_submit(workers, step_work, step_done, s) < 0) {
		step_free(s);
		return om_fail_nomem(err);
	}
	c->step = s;
	c->state = MUNGE;
	return 0;
}

static void handshake_frame(struct om_conn *c, const struct om_frame *f,
			    size_t size)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (om_auth_blocks(c->auth)) {
		rc = step_start(c, f, &err);
		om_buf_consume(&c->stream.in, size);
		if (rc < 0)
			refuse(c, &err);
		return;
	}
	rc = om_auth_step(c->auth, f, &c->stream.out, &c->peer, &err);
	om_buf_consume(&c->stream.in, size);
	stepped(c, rc, &err);
}

static void begin(struct om_conn *c)
{
	struct om_error err = OM_ERROR_INIT;

	c->state = HANDSHAKE;
	om_addr_peer(c->stream.fd, c->addr, sizeof(c->addr));
	set_name(c);
	if (om_auth_begin(c->auth, &c->stream.out, &err) < 0)
		end(c, &err);
	else
		flush(c);
}

static void on_deadline(void *arg)
{
	struct om_conn *c = arg;
	struct om_error err;

	c->held++;
	if (c->state == MUNGE) {
		om_fail(&err, -EAGAIN, "munge does not answer");
		step_abandon(c);
		om_auth_refuse(&c->stream.out, err.code, err.text);
		refuse(c, &err);
	} else if (c->state == REFUSING || c->state == FINISHING) {
		end(c, &c->why);
	} else {
		om_fail(&err, -ETIMEDOUT, "%s is not finished in time",
			c->state == CONNECTING ? "connect" : "handshake");
		end(c, &err);
	}
	release(c);
}

/* ----------------------------------------------------------------- receiving */

static void message(struct om_conn *c, const struct om_frame *f, size_t size)
{
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *body = NULL;

	if (f->type <= OM_MSG_WELCOME)
		om_fail(&err, -EPROTO, "the handshake is over");
	else
		body = om_msg_unpack(f->type, f->body, f->length, &err);
	om_buf_consume(&c->stream.in, size);
	if (!body) {
		end(c, &err);
		return;
	}
	c->handler->message(c->arg, c, f->type, f->id, body);
	protobuf_c_message_free_unpacked(body, NULL);
}

/* One frame of what has come; false if there is none to be had now. */
static bool take_frame(struct om_conn *c)
{
	struct om_buf *in = &c->stream.in;
	const uint8_t *p = (const uint8_t *)om_buf_str(in);
	struct om_error err = OM_ERROR_INIT;
	struct om_frame f;
	int64_t size;

	if (c->state == HANDSHAKE)
		size = om_auth_parse(c->auth, p, om_buf_len(in), &f, &err);
	else
		size = om_frame_parse(p, om_buf_len(in), c->peer.role, &f,
				      &err);
	if (size < 0 && c->state == HANDSHAKE) {
		om_auth_refuse(&c->stream.out, err.code, err.text);
		refuse(c, &err);
	} else if (size < 0) {
		end(c, &err);
	} else if (size > 0 && c->state == HANDSHAKE) {
		handshake_frame(c, &f, (size_t)size);
	} else if (size > 0) {
		message(c, &f, (size_t)size);
	}
	return size > 0;
}

static void dispatch(struct om_conn *c)
{
	while (!c->dead && (c->state == HANDSHAKE || c->state == READY) &&
	       reads(c))
		if (!take_frame(c))
			break;
	if (c->state == REFUSING || c->state == FINISHING)
		om_buf_reset(&c->stream.in);
	if (!c->dead)
		om_stream_trim(&c->stream);
}

static void at_end(struct om_conn *c)
{
	struct om_error err = OM_ERROR_INIT;

	if (c->state == HANDSHAKE)
		om_fail(&err, -ECONNRESET, "closed during the handshake");
	else if (c->state == READY && om_buf_len(&c->stream.in))
		om_fail(&err, -ECONNRESET, "closed within a message");
	else if (c->state == FINISHING && om_stream_queued(&c->stream))
		om_fail(&err, -ECONNRESET, "closed before all was sent");
	else
		err = c->why;
	end(c, &err);
}

/* What is there, up to a fair share; the watch brings back for the rest. */
static void read_all(struct om_conn *c)
{
	struct om_error err = OM_ERROR_INIT;
	ssize_t n;

	for (int i = 0; i < READS_A_TURN && reads(c); i++) {
		n = om_stream_read(&c->stream, &err);
		if (n == -EAGAIN)
			break;
		if (n == 0)
			at_end(c);
		else if (n < 0)
			end(c, c->state == REFUSING ? &c->why : &err);
		else
			dispatch(c);
		if (n <= 0 || c->dead || c->stream.drained)
			break;
	}
}

static void on_ready(void *arg, int fd, int events)
{
	struct om_conn *c = arg;
	struct om_error err = OM_ERROR_INIT;

	(void)fd;
	c->held++;
	if (c->state == CONNECTING) {
		if (om_stream_connected(&c->stream, &err) < 0)
			end(c, &err);
		else
			begin(c);
	} else if (events & OM_LOOP_WRITE) {
		flush(c);
	} else if (c->state == MUNGE) {
		om_watch_set(c->watch, 0);
	} else {
		read_all(c);
	}
	if (!c->dead)
		arm(c);
	release(c);
}

/* ------------------------------------------------------------------ creation */

static void start_deadline(struct om_conn *c,
			   const struct om_auth_config *config)
{
	om_timer_start(c->deadline, config->timeout_ns ? config->timeout_ns :
		       HANDSHAKE_NS, 0);
}

/* SO_PEERCRED is for auth = none only, where nothing else tells a uid. */
static struct om_auth *make_auth(const struct om_auth_config *config,
				 bool server, int fd, struct om_error *err)
{
	struct om_auth_config own = *config;
	struct ucred cred = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa), cred_len = sizeof(cred);

	if (config->none && server &&
	    getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    sa.ss_family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) < 0)
		cred.uid = (uid_t)-1;
	own.none_uid = cred.uid;
	own.none_gid = cred.gid;
	return server ? om_auth_server(&own, err) : om_auth_client(&own, err);
}

static struct om_conn *create(struct om_loop *loop, int fd,
			      const struct om_conn_handler *handler, void *arg,
			      struct om_error *err)
{
	struct om_conn *c = calloc(1, sizeof(*c));
	struct om_error own = OM_ERROR_INIT;

	if (!c) {
		close(fd);
		om_fail_nomem(err);
		return NULL;
	}
	c->loop = loop;
	c->handler = handler;
	c->arg = arg;
	if (om_stream_init(&c->stream, fd, &own) < 0) {
		if (err)
			*err = own;
		free(c);
		return NULL;
	}
	c->deadline = om_timer_create(loop, on_deadline, c, err);
	if (c->deadline)
		c->watch = om_watch_create(loop, fd, 0, on_ready, c, err);
	if (!c->watch) {
		om_conn_destroy(c);
		return NULL;
	}
	return c;
}

struct om_conn *om_conn_connect(struct om_loop *loop, const char *addr,
				uint16_t default_port,
				const struct om_auth_config *config,
				const struct om_conn_handler *handler,
				void *arg, struct om_error *err)
{
	int fd = om_addr_connect(addr, default_port, err);
	struct om_conn *c;

	if (fd < 0)
		return NULL;
	c = create(loop, fd, handler, arg, err);
	if (!c)
		return NULL;
	c->auth = make_auth(config, false, fd, err);
	if (!c->auth) {
		om_conn_destroy(c);
		return NULL;
	}
	om_str_copy(c->addr, sizeof(c->addr), addr);
	set_name(c);
	start_deadline(c, config);
	arm(c);
	return c;
}

static int adopt(struct om_conn *c, const struct om_auth_config *config,
		 bool server, const struct om_peer *peer, struct om_error *err)
{
	c->server = server;
	om_addr_peer(c->stream.fd, c->addr, sizeof(c->addr));
	if (peer) {
		c->peer = *peer;
		c->state = READY;
	} else {
		c->auth = make_auth(config, server, c->stream.fd, err);
		if (!c->auth || om_auth_begin(c->auth, &c->stream.out, err) < 0)
			return -EINVAL;
		c->state = HANDSHAKE;
		start_deadline(c, config);
	}
	set_name(c);
	want_turn(c);
	return 0;
}

struct om_conn *om_conn_adopt(struct om_loop *loop, int fd,
			      const struct om_auth_config *config, bool server,
			      const struct om_peer *peer,
			      const struct om_conn_handler *handler, void *arg,
			      struct om_error *err)
{
	struct om_conn *c = create(loop, fd, handler, arg, err);

	if (c && adopt(c, config, server, peer, err) < 0) {
		om_conn_destroy(c);
		return NULL;
	}
	return c;
}

/* --------------------------------------------------------------- small things */

void om_conn_set_handler(struct om_conn *c, const struct om_conn_handler *h,
			 void *arg)
{
	c->handler = h;
	c->arg = arg;
}

void om_conn_set_arg(struct om_conn *c, void *arg)
{
	c->arg = arg;
}

void *om_conn_arg(const struct om_conn *c)
{
	return c->arg;
}

const struct om_peer *om_conn_peer(const struct om_conn *c)
{
	return &c->peer;
}

size_t om_conn_queued(const struct om_conn *c)
{
	return om_stream_queued(&c->stream);
}

size_t om_conn_received(const struct om_conn *c)
{
	return om_buf_len(&c->stream.in) + om_buf_len(&c->stream.raw);
}

const char *om_conn_name(const struct om_conn *c)
{
	return c->name;
}

void om_conn_pause(struct om_conn *c, bool paused)
{
	if (c->paused == paused || c->state == OVER)
		return;
	c->paused = paused;
	want_turn(c);	/* arms; goes on with what has come already */
}
