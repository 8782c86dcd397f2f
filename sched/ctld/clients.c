/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clients: accept, dispatch, reap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/net/addr.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/nodes.h"

#define BACKLOG 1024
#define PEERS_MAX 16384		/* connections in all */
#define PEERS_UID_MAX 1024	/* of one user who is not root */
/* What all of them may hold of our memory: half a message that never comes to
 * its end, answers that are not read. One answer alone may be as large. */
#define BYTES_UID_MAX ((size_t)256 << 20)
#define LOOK_NS (200 * OM_NS_PER_MS)

/* How many connections a user has. */
struct per_uid {
	uint32_t uid;
	unsigned count;
	size_t bytes;			/* when it was looked at last */
	UT_hash_handle hh;
};

struct clients {
	struct omctld *ctld;
	struct om_listener *local, *tcp;
	struct peer *peers;
	struct per_uid *by_uid;
	struct om_timer *look;
	unsigned count;
	char socket[256];
	/* Borrowed by the listeners, so not the configuration's, which a
	 * reload replaces. */
	char *munge_socket, *cluster;
};

static const struct {
	enum om_msg type;
	unsigned roles;			/* who is served */
	handler_fn *fn;
} handlers[] = {
	{ OM_MSG_PING, OM_ROLE_CLIENT | OM_ROLE_NODE, settings_ping },
	{ OM_MSG_SUBMIT, OM_ROLE_CLIENT, submit_handle },
	{ OM_MSG_JOB_LIST, OM_ROLE_CLIENT, jobs_list },
	{ OM_MSG_JOB_CONTROL, OM_ROLE_CLIENT, jobs_control },
	{ OM_MSG_JOB_WAIT, OM_ROLE_CLIENT, waits_handle },
	{ OM_MSG_JOB_WHY, OM_ROLE_CLIENT, jobs_why },
	{ OM_MSG_HISTORY, OM_ROLE_CLIENT, jobs_history },
	{ OM_MSG_STEP_CREATE, OM_ROLE_CLIENT, steps_create },
	{ OM_MSG_STEP_SIGNAL, OM_ROLE_CLIENT, steps_signal },
	{ OM_MSG_NODE_LIST, OM_ROLE_CLIENT, nodes_list },
	{ OM_MSG_NODE_CONTROL, OM_ROLE_CLIENT, nodes_control },
	{ OM_MSG_CONFIG_SHOW, OM_ROLE_CLIENT, settings_show },
	{ OM_MSG_CONFIG_SET, OM_ROLE_CLIENT, settings_set },
	{ OM_MSG_NODE_REGISTER, OM_ROLE_NODE, nodes_register },
	{ OM_MSG_NODE_REPORT, OM_ROLE_NODE, nodes_report },
	{ OM_MSG_STEP_STARTED, OM_ROLE_NODE, steps_started },
	{ OM_MSG_STEP_EXIT, OM_ROLE_NODE, steps_exit },
	{ OM_MSG_JOB_CLEAN, OM_ROLE_NODE, nodes_clean },
};

static struct per_uid *uid_entry(struct clients *cl, uint32_t uid)
{
	struct per_uid *u;

	HASH_FIND(hh, cl->by_uid, &uid, sizeof(uid), u);
	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	HASH_ADD(hh, cl->by_uid, uid, sizeof(u->uid), u);
	return u;
}

static void peer_destroy(struct clients *cl, struct peer *p)
{
	struct per_uid *u = uid_entry(cl, p->uid);

	while (p->waiting) {
		struct waiter *w = p->waiting;

		waiter_remove(w);
		w->gone(w);
	}
	if (p->node)
		nodes_lost_peer(cl->ctld, p);
	outbox_fini(cl->ctld->journal, &p->out);
	om_conn_destroy(p->conn);
	DL_DELETE(cl->peers, p);
	cl->count--;
	if (u && --u->count == 0) {
		HASH_DELETE(hh, cl->by_uid, u);
		free(u);
	}
	free(p);
}

static void on_message(void *arg, struct om_conn *conn, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct peer *p = arg;
	struct om_error err = OM_ERROR_INIT;

	(void)conn;
	if (p->doomed || journal_failed(p->ctld->journal))
		return;
	if (p->node)
		nodes_heard(p->ctld, nodes_of_peer(p));
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		if (handlers[i].type != type || !(handlers[i].roles & p->role))
			continue;
		handlers[i].fn(p->ctld, p, id, body);
		return;
	}
	peer_fail(p, id, -EOPNOTSUPP,
		  (om_fail(&err, -EOPNOTSUPP,
			   "the controller does not serve this message"), &err));
}

static void on_closed(void *arg, struct om_conn *conn,
		      const struct om_error *err)
{
	struct peer *p = arg;

	if (err && err->code && err->code != -ECONNRESET && err->code != -EPIPE)
		om_log_info("connection ended peer=\"%s\" error=\"%s\"",
			    om_conn_name(conn), om_error_text(err));
	peer_destroy(p->ctld->clients, p);
}

static const struct om_conn_handler conn_handler = {
	.message = on_message,
	.closed = on_closed,
};

/* -Exxx with a reason if this caller is one too many. */
static const char *refusal(struct clients *cl, const struct om_peer *who,
			   const struct per_uid *u)
{
	if (!u)
		return "out of memory";
	if (who->role == OM_ROLE_NODE)
		return access_may(who->uid == 0 ? ACCESS_NODE : ACCESS_ANY,
				  ACT_NODE_SERVE) ?
			       NULL : "only root speaks for a node";
	if (cl->count >= PEERS_MAX)
		return "too many connections";
	if (who->uid != 0 && u->count >= PEERS_UID_MAX)
		return "too many connections of this user";
	return NULL;
}

static void turn_away(struct om_conn *conn, const char *why)
{
	Om__Reply r = OM__REPLY__INIT;

	om_log_warn("connection refused peer=\"%s\" reason=\"%s\"",
		    om_conn_name(conn), why);
	r.code = -EAGAIN;
	r.text = (char *)(uintptr_t)why;
	om_conn_send(conn, OM_MSG_REPLY, 0, &r.base);
	om_conn_finish(conn);
}

/* Of one that was turned away: it has no peer. */
static void on_refused_closed(void *arg, struct om_conn *conn,
			      const struct om_error *err)
{
	(void)arg;
	(void)err;
	om_conn_destroy(conn);
}

static void on_refused_message(void *arg, struct om_conn *conn,
			       enum om_msg type, uint32_t id,
			       const ProtobufCMessage *body)
{
	(void)arg;
	(void)conn;
	(void)type;
	(void)id;
	(void)body;
}

static const struct om_conn_handler refused_handler = {
	.message = on_refused_message,
	.closed = on_refused_closed,
};

static void on_accept(void *arg, struct om_conn *conn)
{
	struct clients *cl = arg;
	const struct om_peer *who = om_conn_peer(conn);
	struct per_uid *u = uid_entry(cl, who->uid);
	const char *why = refusal(cl, who, u);
	struct peer *p = why ? NULL : calloc(1, sizeof(*p));

	if (!p) {
		om_conn_set_handler(conn, &refused_handler, NULL);
		turn_away(conn, why ? why : "out of memory");
		if (u && u->count == 0) {
			HASH_DELETE(hh, cl->by_uid, u);
			free(u);
		}
		return;
	}
	p->ctld = cl->ctld;
	p->conn = p->out.conn = conn;
	p->uid = (uint32_t)who->uid;
	p->gid = (uint32_t)who->gid;
	p->role = who->role;
	u->count++;
	cl->count++;
	DL_APPEND(cl->peers, p);
	om_conn_set_handler(conn, &conn_handler, p);
}

static size_t held_by(const struct peer *p)
{
	return p->out.bytes + om_conn_queued(p->conn) +
	       om_conn_received(p->conn);
}

/* Who holds too much loses those connections that hold most. */
static void on_look(void *arg)
{
	struct clients *cl = arg;
	struct per_uid *u, *next;
	struct peer *p;

	HASH_ITER(hh, cl->by_uid, u, next)
		u->bytes = 0;
	DL_FOREACH(cl->peers, p) {
		u = p->uid ? uid_entry(cl, p->uid) : NULL;
		if (u)
			u->bytes += held_by(p);
	}
	DL_FOREACH(cl->peers, p) {
		u = p->uid ? uid_entry(cl, p->uid) : NULL;
		if (!u || u->bytes <= BYTES_UID_MAX ||
		    held_by(p) < u->bytes / u->count)
			continue;
		u->bytes -= held_by(p);
		peer_doom(p, "its user holds too much memory");
	}
}

static struct om_listener *listen_on(struct clients *cl, const char *addr,
				     struct om_error *err)
{
	const struct om_config *conf = cl->ctld->config;
	struct om_auth_config auth = {
		.munge_socket = cl->munge_socket,
		.accept_roles = OM_ROLE_CLIENT | OM_ROLE_NODE,
		.cluster = cl->cluster,
		.none = conf->auth == OM_AUTHMODE_NONE,
		.none_uid = (uid_t)-1,
		.none_gid = (gid_t)-1,
	};
	int fd = om_addr_listen(addr, conf->controller_port, BACKLOG, err);

	if (fd < 0)
		return NULL;
	return om_listener_create(cl->ctld->loop, fd, &auth, on_accept, cl,
				  err);
}

struct clients *clients_create(struct omctld *c, struct om_error *err)
{
	struct clients *cl = calloc(1, sizeof(*cl));
	char tcp[32];

	if (!cl) {
		om_fail_nomem(err);
		return NULL;
	}
	cl->ctld = c;
	cl->cluster = strdup(c->config->cluster_name);
	cl->munge_socket = c->config->munge_socket ?
				   strdup(c->config->munge_socket) : NULL;
	snprintf(cl->socket, sizeof(cl->socket), "unix:%s/omctld.sock",
		 c->config->run_dir);
	snprintf(tcp, sizeof(tcp), "*:%u", c->config->controller_port);
	cl->local = listen_on(cl, cl->socket, err);
	if (cl->local)
		cl->tcp = listen_on(cl, tcp, err);
	if (cl->tcp)
		cl->look = om_timer_create(c->loop, on_look, cl, err);
	if (!cl->look) {
		clients_destroy(cl);
		return NULL;
	}
	om_timer_start(cl->look, LOOK_NS, LOOK_NS);
	return cl;
}

void clients_destroy(struct clients *cl)
{
	if (!cl)
		return;
	while (cl->peers)
		peer_destroy(cl, cl->peers);
	if (cl->local)
		unlink(cl->socket + sizeof("unix:") - 1);
	om_timer_destroy(cl->look);
	om_listener_destroy(cl->local);
	om_listener_destroy(cl->tcp);
	free(cl->munge_socket);
	free(cl->cluster);
	free(cl);
}

void clients_reap(struct clients *cl)
{
	struct peer *p, *next;

	if (!cl->ctld->doomed)
		return;
	cl->ctld->doomed = false;
	DL_FOREACH_SAFE(cl->peers, p, next)
		if (p->doomed)
			peer_destroy(cl, p);
}

unsigned clients_count(const struct clients *cl)
{
	return cl->count;
}
