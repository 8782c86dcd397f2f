/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * step_link: a step daemon's connection to omnoded.
 *
 * It begins as a socketpair. When omnoded goes away, the step daemon tries its
 * socket again and again and tells the new one what it has to tell: that it
 * started, and perhaps how it ended. Only an omnoded that runs as root is told.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/conn.h"
#include "sched/noded/step_private.h"

#define RETRY_FIRST_NS (20 * OM_NS_PER_MS)
#define RETRY_LAST_NS (1 * OM_NS_PER_S)

/*
 * A batch script that ends at once is told of once, start and end together:
 * that halves the wake-ups of everybody behind us.
 */
#define TOGETHER_NS (3 * OM_NS_PER_MS)

struct step_link {
	struct om_conn *conn;		/* NULL: omnoded is away */
	struct om_timer *retry, *together;
	int64_t retry_ns;
	struct om_buf report;		/* frames it must be told */
	size_t sent;			/* bytes of them that it was */
};

static void send_report(void *arg)
{
	struct step_link *l = arg;
	size_t len = om_buf_len(&l->report);

	if (!l->conn || l->sent == len)
		return;
	om_conn_send_raw(l->conn, om_buf_str(&l->report) + l->sent,
			 len - l->sent);
	l->sent = len;
}

/* Adds to what a new omnoded would be told too. */
static void report(struct step *s, enum om_msg type,
		   const ProtobufCMessage *m)
{
	struct om_error err = OM_ERROR_INIT;

	if (om_frame_add(&s->link->report, type, 0, m, &err) < 0) {
		/* omnoded sees us go and finishes the step in our place */
		om_log_error("cannot report job=%" PRIu64 ": %s",
			     s->req->job_id, om_error_text(&err));
		_exit(EXIT_FAILURE);
	}
}

void step_link_started(struct step *s, const Om__StepStarted *m)
{
	report(s, OM_MSG_STEP_STARTED, &m->base);
	if (m->code == 0 && s->req->step_id == OM_STEP_BATCH)
		om_timer_start(s->link->together, TOGETHER_NS, 0);
	else
		send_report(s->link);
}

void step_link_exit(struct step *s, const Om__StepExit *m)
{
	om_timer_stop(s->link->together);
	report(s, OM_MSG_STEP_EXIT, &m->base);
	send_report(s->link);
}

/* -------------------------------------------------------------- messages in */

static ProtobufCMessage *copy_of(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	om_autofree uint8_t *p = malloc(n ? n : 1);

	if (!p)
		return NULL;
	protobuf_c_message_pack(m, p);
	return protobuf_c_message_unpack(m->descriptor, NULL, n, p);
}

static void take_launch(struct step *s, const ProtobufCMessage *body)
{
	if (s->req)
		return;		/* said twice */
	s->req = (Om__StepLaunch *)copy_of(body);
	if (!s->req || !s->who) {
		om_log_error("a launch without a user, or out of memory");
		_exit(EXIT_FAILURE);
	}
	step_on_launch(s, s->req);
}

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct step *s = arg;

	(void)c;
	(void)id;
	if (type == OM_MSG_STEP_USER && !s->who) {
		s->who = (Om__StepUser *)copy_of(body);
	} else if (type == OM_MSG_STEP_LAUNCH) {
		take_launch(s, body);
	} else if (!s->req) {
		om_log_warn("a %s message before the launch",
			    om_msg_lookup(type)->name);
	} else if (type == OM_MSG_STEP_KILL) {
		step_on_kill(s, (const Om__StepKill *)body);
	} else if (type == OM_MSG_JOB_LIMIT) {
		step_limit_set(s, ((const Om__JobLimit *)body)->end_ns);
	} else if (type == OM_MSG_STEP_ACK && s->state == STEP_OVER) {
		_exit(EXIT_SUCCESS);	/* all is said */
	}
}

/* ----------------------------------------------------------------- connecting */

static void retry_later(struct step *s)
{
	struct step_link *l = s->link;

	om_timer_start(l->retry, l->retry_ns, 0);
	l->retry_ns *= 2;
	if (l->retry_ns > RETRY_LAST_NS)
		l->retry_ns = RETRY_LAST_NS;
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct step *s = arg;

	(void)err;
	om_conn_destroy(c);
	s->link->conn = NULL;
	s->link->sent = 0;
	if (!s->req) {
		/* omnoded died before it gave its order: nothing was begun */
		_exit(EXIT_SUCCESS);
	}
	retry_later(s);
}

static const struct om_conn_handler handler = {
	.message = on_message,
	.closed = on_closed,
};

static int adopt(struct step *s, int fd, struct om_error *err)
{
	struct om_peer peer = { .role = OM_ROLE_CTLD };

	s->link->conn = om_conn_adopt(s->loop, fd, NULL, false, &peer,
				      &handler, s, err);
	return s->link->conn ? 0 : err->code;
}

static int connect_socket(const char *path, struct om_error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	om_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred who;
	socklen_t len = sizeof(who);

	if (fd < 0)
		return om_fail_errno(err, "cannot make a socket");
	if (om_str_copy(sun.sun_path, sizeof(sun.sun_path), path) < 0)
		return om_fail(err, -ENAMETOOLONG, "'%s' is too long", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return om_fail_errno(err, "cannot connect to '%s'", path);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return om_fail_errno(err, "cannot tell who is at '%s'", path);
	if (who.uid != 0)
		return om_fail(err, -EACCES, "uid %u answers at '%s'", who.uid,
			       path);
	return om_take_fd(&fd);
}

static void on_retry(void *arg)
{
	struct step *s = arg;
	struct om_error err = OM_ERROR_INIT;
	int fd = connect_socket(s->place->socket, &err);

	if (fd < 0 || adopt(s, fd, &err) < 0) {
		om_log_debug("omnoded is away: %s", om_error_text(&err));
		retry_later(s);
		return;
	}
	s->link->retry_ns = RETRY_FIRST_NS;
	send_report(s->link);
}

int step_link_create(struct step *s, int fd, struct om_error *err)
{
	struct step_link *l = calloc(1, sizeof(*l));

	if (!l)
		return om_fail_nomem(err);
	s->link = l;
	l->retry_ns = RETRY_FIRST_NS;
	l->retry = om_timer_create(s->loop, on_retry, s, err);
	l->together = om_timer_create(s->loop, send_report, l, err);
	if (!l->retry || !l->together)
		return err->code;
	return adopt(s, fd, err);
}
