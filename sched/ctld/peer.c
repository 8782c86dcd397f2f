/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer: sending to a connection, waiters, and cutting off who never reads. */
#include <string.h>
#include <utlist.h>

#include "lib/base/log.h"
#include "sched/ctld/access.h"
#include "sched/ctld/peer.h"

/* What may wait for a peer that reads slowly; over that it is cut off. */
#define QUEUED_MAX ((size_t)256 << 20)

void waiter_add(struct peer *p, struct waiter *w, uint32_t id,
		void (*gone)(struct waiter *w))
{
	w->peer = p;
	w->id = id;
	w->gone = gone;
	DL_APPEND(p->waiting, w);
}

void waiter_remove(struct waiter *w)
{
	if (!w->peer)
		return;
	DL_DELETE(w->peer->waiting, w);
	w->peer = NULL;
}

void peer_doom(struct peer *p, const char *why)
{
	if (p->doomed)
		return;
	om_log_warn("connection cut off peer=\"%s\" reason=\"%s\"",
		    om_conn_name(p->conn), why);
	p->doomed = p->ctld->doomed = true;
	om_loop_wake(p->ctld->loop);
}

static void sent(struct peer *p, int rc)
{
	if (p->out.broken || (rc < 0 && rc != -ENOTCONN && rc != -EIO))
		peer_doom(p, "out of memory for its messages");
	else if (p->out.bytes + om_conn_queued(p->conn) > QUEUED_MAX)
		peer_doom(p, "it does not read what it asked for");
}

void peer_send(struct peer *p, enum om_msg type, uint32_t id,
	       const ProtobufCMessage *msg)
{
	if (!p->doomed)
		sent(p, journal_send(p->ctld->journal, &p->out, type, id, msg));
}

void peer_send_raw(struct peer *p, const void *frame, size_t len)
{
	if (!p->doomed)
		sent(p, journal_send_raw(p->ctld->journal, &p->out, frame,
					 len));
}

void peer_ok(struct peer *p, uint32_t id, uint64_t count)
{
	Om__Reply r = OM__REPLY__INIT;

	r.has_count = count != 0;
	r.count = count;
	peer_send(p, OM_MSG_REPLY, id, &r.base);
}

void peer_fail(struct peer *p, uint32_t id, int code,
	       const struct om_error *err)
{
	Om__Reply r = OM__REPLY__INIT;
	char text[OM_ERROR_TEXT_MAX];
	char *line;

	memcpy(text, om_error_text(err), strlen(om_error_text(err)) + 1);
	line = strchr(text, '\n');
	if (line) {
		*line = '\0';
		r.hint = line + 1;
	}
	r.code = code;
	r.text = text;
	peer_send(p, OM_MSG_REPLY, id, &r.base);
}

bool peer_may(struct peer *p, uint32_t id, int access_action)
{
	struct om_error err = OM_ERROR_INIT;
	int rc = access_check(p->ctld->access, p->uid,
			      (enum access_action)access_action, &err);

	if (rc < 0)
		peer_fail(p, id, rc, &err);
	return rc == 0;
}
