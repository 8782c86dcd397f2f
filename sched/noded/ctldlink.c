/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ctldlink: the connection to omctld, made again and again.
 *
 * On each connection the node registers with what it holds; orders are obeyed
 * after that only. StepStarted and JobClean that were to be told meanwhile
 * follow the registration; StepExits are in it (outbox.c).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/net/addr.h"
#include "sched/noded/noded.h"
#include "sched/noded/readings.h"
#include "sched/noded/register.h"

#define RETRY_FIRST_NS (50 * OM_NS_PER_MS)
#define RETRY_LAST_NS (2 * OM_NS_PER_S)
#define BACKLOG_MAX (4 << 20)

struct ctldlink {
	struct noded *noded;
	struct om_conn *conn;
	struct om_timer *retry, *beat;
	int64_t retry_ns, heard_ns, said_ns;
	uint32_t report_ms;
	bool up;			/* accepted */
	bool complained;		/* once for each time it is away */
	struct om_buf backlog;		/* frames */
	struct registration *reg;
};

bool ctldlink_is_up(const struct ctldlink *l)
{
	return l && l->up;
}

static int64_t now(const struct ctldlink *l)
{
	return om_mono_ns(om_loop_clock(l->noded->loop));
}

static void keep_for_later(struct ctldlink *l, enum om_msg type,
			   const ProtobufCMessage *m)
{
	struct om_error err = OM_ERROR_INIT;

	if (type != OM_MSG_STEP_STARTED && type != OM_MSG_JOB_CLEAN)
		return;
	/* Too much: omctld will ask for what it misses (see reconcile.h). */
	if (om_buf_len(&l->backlog) > BACKLOG_MAX)
		om_buf_reset(&l->backlog);
	if (om_frame_add(&l->backlog, type, 0, m, &err) < 0)
		om_log_error("%s", om_error_text(&err));
}

void ctldlink_send(struct ctldlink *l, enum om_msg type,
		   const ProtobufCMessage *m)
{
	int rc;

	if (!l)
		return;		/* the journal is being read */
	if (!l->up) {
		keep_for_later(l, type, m);
		return;
	}
	l->said_ns = now(l);
	rc = om_conn_send(l->conn, type, 0, m);
	if (rc < 0)
		om_log_error("cannot send a %s message: %s",
			     om_msg_lookup(type)->name, strerror(-rc));
}

/* ------------------------------------------------------------------- orders */

static void on_kill(struct noded *n, const Om__StepKill *m)
{
	struct njob *j = jobs_find(n, m->job_id);
	struct nstep *s, *next;

	if (!j || (m->has_incarnation && m->incarnation != j->inc))
		return;
	DL_FOREACH_SAFE(j->steps, s, next)
		if (!m->has_step_id || m->step_id == s->id)
			nstep_kill(s, m);
}

static void on_limit(struct noded *n, const Om__JobLimit *m)
{
	struct njob *j = jobs_find(n, m->job_id);
	struct nstep *s;

	if (!j)
		return;
	DL_FOREACH(j->steps, s)
		nstep_limit(s, m->end_ns);
}

static void on_accepted(struct ctldlink *l, const Om__NodeAccepted *m)
{
	l->up = true;
	l->complained = false;
	l->retry_ns = RETRY_FIRST_NS;
	l->report_ms = m->report_ms >= 100 ? m->report_ms : 1000;
	om_log_info("registered with the controller node=%s cluster=%s",
		    l->noded->place.name, m->cluster ? m->cluster : "");
	if (om_buf_len(&l->backlog))
		om_conn_send_raw(l->conn, om_buf_str(&l->backlog),
				 om_buf_len(&l->backlog));
	om_buf_reset(&l->backlog);
	readings_reset(l->noded->readings);
	om_timer_start(l->beat, 0, l->report_ms * OM_NS_PER_MS);
}

static void obey(struct noded *n, enum om_msg type,
		 const ProtobufCMessage *body)
{
	const Om__JobEnd *end = (const Om__JobEnd *)body;

	switch (type) {
	case OM_MSG_STEP_LAUNCH:
		jobs_launch(n, (const Om__StepLaunch *)body);
		break;
	case OM_MSG_STEP_KILL:
		on_kill(n, (const Om__StepKill *)body);
		break;
	case OM_MSG_STEP_ACK:
		outbox_ack(n->outbox, (const Om__StepAck *)body, false);
		break;
	case OM_MSG_JOB_END:
		ending_job_end(n, end->job_id, end->has_incarnation,
			       end->incarnation);
		break;
	case OM_MSG_JOB_LIMIT:
		on_limit(n, (const Om__JobLimit *)body);
		break;
	default:
		om_log_warn("a %s message is not for a node",
			    om_msg_lookup(type)->name);
	}
}

static void drop(struct ctldlink *l);

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct ctldlink *l = arg;
	const Om__Reply *reply = (const Om__Reply *)body;

	(void)c;
	(void)id;
	l->heard_ns = now(l);
	if (type == OM_MSG_NODE_ACCEPTED) {
		on_accepted(l, (const Om__NodeAccepted *)body);
	} else if (type == OM_MSG_REPLY && reply->code < 0) {
		om_log_error("the controller refuses this node: %s",
			     reply->text ? reply->text : "");
		l->complained = true;
		drop(l);
	} else if (type != OM_MSG_REPLY && type != OM_MSG_PING_REPLY &&
		   l->up) {
		obey(l->noded, type, body);
	}
}

/* --------------------------------------------------------------- connecting */

static void retry_later(struct ctldlink *l)
{
	om_timer_start(l->retry, l->retry_ns, 0);
	l->retry_ns *= 2;
	if (l->retry_ns > RETRY_LAST_NS)
		l->retry_ns = RETRY_LAST_NS;
}

static void drop(struct ctldlink *l)
{
	l->up = false;
	om_timer_stop(l->beat);
	om_conn_destroy(om_take(l->conn));
	retry_later(l);
}

static void complain(struct ctldlink *l, const struct om_error *err)
{
	if (!l->complained)
		om_log_warn("the controller is away: %s",
			    err->code ? om_error_text(err) :
					"it closed the connection");
	l->complained = true;
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct ctldlink *l = arg;

	(void)c;
	if (!l->noded->leaving)
		complain(l, err);
	drop(l);
}

static void on_ready(void *arg, struct om_conn *c, const struct om_peer *peer)
{
	struct ctldlink *l = arg;
	struct om_error err = OM_ERROR_INIT;

	(void)peer;
	l->heard_ns = now(l);
	if (registration_send(l->reg, l->noded, c, &err) < 0) {
		om_log_error("%s", om_error_text(&err));
		drop(l);
	}
}

static const struct om_conn_handler handler = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

static bool seals(const struct om_config *c)
{
	/* Scripts and environments of users go this way. */
	return c->seal == OM_SEAL_ALWAYS ||
	       (c->seal == OM_SEAL_AUTO && !om_addr_is_local(c->controller));
}

static void on_retry(void *arg)
{
	struct ctldlink *l = arg;
	const struct om_config *c = l->noded->conf;
	struct om_error err = OM_ERROR_INIT;
	struct om_auth_config auth = {
		.munge_socket = c->munge_socket,
		.server_uid = c->controller_uid,
		.role = OM_ROLE_NODE,
		.seal = seals(c),
		.none = c->auth == OM_AUTHMODE_NONE,
	};

	l->conn = om_conn_connect(l->noded->loop, c->controller,
				  c->controller_port, &auth, &handler, l,
				  &err);
	if (!l->conn) {
		complain(l, &err);
		retry_later(l);
	}
}

/* ------------------------------------------------------------------ the beat */

/*
 * Readings when they changed. A connection that is cut without a word is
 * noticed by asking: something must be heard within the node's time-out.
 */
static void on_beat(void *arg)
{
	struct ctldlink *l = arg;
	struct noded *n = l->noded;
	int64_t silence = n->conf->node_timeout_s * OM_NS_PER_S;
	int64_t t = now(l);
	Om__NodeReport m;

	if (t - l->heard_ns > silence) {
		om_log_warn("nothing heard of the controller, connecting anew");
		l->complained = true;
		drop(l);
		return;
	}
	if (readings_take(n->readings, &m))
		ctldlink_send(l, OM_MSG_NODE_REPORT, &m.base);
	if (t - l->said_ns > silence / 4 || t - l->heard_ns > silence / 4) {
		l->said_ns = t;
		om_conn_send(l->conn, OM_MSG_PING, 1, NULL);
	}
}

struct ctldlink *ctldlink_create(struct noded *n, struct om_error *err)
{
	struct ctldlink *l = calloc(1, sizeof(*l));

	if (!l) {
		om_fail_nomem(err);
		return NULL;
	}
	l->noded = n;
	l->retry_ns = RETRY_FIRST_NS;
	l->retry = om_timer_create(n->loop, on_retry, l, err);
	l->beat = l->retry ? om_timer_create(n->loop, on_beat, l, err) : NULL;
	l->reg = l->beat ? registration_create(n, err) : NULL;
	if (!l->reg) {
		ctldlink_destroy(l);
		return NULL;
	}
	om_timer_start(l->retry, 0, 0);
	return l;
}

void ctldlink_destroy(struct ctldlink *l)
{
	if (!l)
		return;
	om_conn_destroy(l->conn);
	om_timer_destroy(l->retry);
	om_timer_destroy(l->beat);
	om_buf_fini(&l->backlog);
	registration_destroy(l->reg);
	free(l);
}
