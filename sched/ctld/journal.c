/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal: emit, and the barrier between the log and the network. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/journal.h"

struct journal_msg {
	uint64_t seq;			/* leaves when this is durable */
	bool urgent;
	struct outbox *box;
	size_t len;
	struct journal_msg *prev, *next;	/* of all */
	struct journal_msg *box_prev, *box_next;
	uint8_t bytes[];
};

struct journal {
	struct journal_config config;
	struct om_store *store;
	struct journal_msg *waiting;	/* oldest first, so seq only grows */
	size_t urgent;			/* of them */
	struct om_buf scratch;
	uint64_t events;
	bool failed;
};

struct journal *journal_create(const struct journal_config *config,
			       struct om_error *err)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j) {
		om_fail_nomem(err);
		return NULL;
	}
	j->config = *config;
	return j;
}

static void msg_unlink(struct journal *j, struct journal_msg *m)
{
	DL_DELETE(j->waiting, m);
	DL_DELETE2(m->box->msg, m, box_prev, box_next);
	j->urgent -= m->urgent;
	m->box->bytes -= m->len;
}

static void msg_free(struct journal *j, struct journal_msg *m)
{
	msg_unlink(j, m);
	free(m);
}

void journal_destroy(struct journal *j)
{
	if (!j)
		return;
	while (j->waiting)
		msg_free(j, j->waiting);
	om_buf_fini(&j->scratch);
	free(j);
}

void journal_set_store(struct journal *j, struct om_store *store)
{
	j->store = store;
}

void journal_fail(struct journal *j, const struct om_error *why)
{
	if (j->failed)
		return;
	j->failed = true;
	while (j->waiting)
		msg_free(j, j->waiting);
	j->config.failed_fn(j->config.arg, why);
}

bool journal_failed(const struct journal *j)
{
	return j->failed;
}

bool journal_urgent(const struct journal *j)
{
	return j->urgent != 0;
}

uint64_t journal_events(const struct journal *j)
{
	return j->events;
}

int journal_emit(struct journal *j, Om__Event *ev, struct om_error *err)
{
	struct om_error local = OM_ERROR_INIT;
	int64_t seq;
	int rc;

	if (!err)
		err = &local;
	if (j->failed)
		return om_fail(err, -EIO, "the event log has failed");
	if (!ev->at_ns)
		ev->at_ns = om_wall_ns(j->config.clock);
	rc = om_apply(j->config.model, ev, err);
	if (rc < 0) {
		om_log_warn("event refused what=%d error=\"%s\"",
			    (int)ev->what_case, om_error_text(err));
		return rc;
	}
	seq = om_store_append(j->store, ev, err);
	if (seq < 0) {
		/* The model is ahead of the log: it must not be believed. */
		journal_fail(j, err);
		return (int)seq;
	}
	j->events++;
	if (j->config.applied_fn)
		j->config.applied_fn(j->config.arg, ev);
	return 0;
}

static int msg_queue(struct journal *j, struct outbox *o, const void *bytes,
		     size_t len)
{
	struct journal_msg *m = malloc(sizeof(*m) + len);

	if (!m)
		return -ENOMEM;
	m->seq = om_store_last(j->store);
	m->urgent = om_frame_type(bytes) != OM_MSG_STEP_ACK;
	j->urgent += m->urgent;
	m->box = o;
	m->len = len;
	memcpy(m->bytes, bytes, len);
	DL_APPEND(j->waiting, m);
	DL_APPEND2(o->msg, m, box_prev, box_next);
	o->bytes += len;
	return 0;
}

static bool may_pass(const struct journal *j, const struct outbox *o)
{
	return !o->msg && om_store_last(j->store) <= om_store_durable(j->store);
}

int journal_send_raw(struct journal *j, struct outbox *o, const void *frames,
		     size_t len)
{
	if (j->failed)
		return -EIO;
	if (!o->conn)
		return -ENOTCONN;
	if (may_pass(j, o))
		return om_conn_send_raw(o->conn, frames, len);
	return msg_queue(j, o, frames, len);
}

int journal_send(struct journal *j, struct outbox *o, enum om_msg type,
		 uint32_t id, const ProtobufCMessage *msg)
{
	int rc;

	om_buf_reset(&j->scratch);
	rc = om_frame_add(&j->scratch, type, id, msg, NULL);
	if (rc < 0)
		return rc;
	rc = journal_send_raw(j, o, om_buf_str(&j->scratch),
			      om_buf_len(&j->scratch));
	if (om_buf_len(&j->scratch) > 1 << 20)
		om_buf_fini(&j->scratch);
	return rc;
}

void outbox_fini(struct journal *j, struct outbox *o)
{
	while (o->msg)
		msg_free(j, o->msg);
	o->conn = NULL;
}

static void msg_leave(struct journal_msg *m)
{
	int rc = om_conn_send_raw(m->box->conn, m->bytes, m->len);

	/* A conn that just ended: its owner hears of it by closed. */
	if (rc < 0 && rc != -ENOTCONN)
		m->box->broken = true;
}

void journal_durable(struct journal *j, uint64_t seq)
{
	struct journal_msg *m;

	while (!j->failed && (m = j->waiting) && m->seq <= seq) {
		msg_unlink(j, m);
		msg_leave(m);
		free(m);
	}
}
