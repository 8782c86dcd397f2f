/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "cli/common/attach.h"
#include "cli/common/say.h"
#include "lib/base/clock.h"

#define RETRY_NS (500 * OM_NS_PER_MS)
/* The loop stands still for so long at most, when the controller hangs. */
#define TRY_NS (200 * OM_NS_PER_MS)
#define ASK_NS (5 * OM_NS_PER_S)
#define TELL_AFTER_NS (3 * OM_NS_PER_S)	/* that the controller is away */

struct attach {
	struct om_loop *loop;
	struct session *session;
	const struct attach_handler *handler;
	void *arg;
	struct om_watch *watch;		/* on the client's descriptor */
	struct om_timer *retry;
	struct om_defer drain;
	struct {
		enum om_msg type;
		const ProtobufCMessage *msg;
	} request[ATTACH_REQUESTS];
	uint32_t requests;
	uint64_t connection;		/* the one that knows our requests */
	int64_t lost_ns;		/* 0: connected */
	bool told, failed;
	bool *gone;			/* set when destroyed in a callback */
};

static void on_readable(void *arg, int fd, int events);

static int64_t now_ns(const struct attach *a)
{
	return om_mono_ns(om_loop_clock(a->loop));
}

static void fail(struct attach *a, int rc, const struct om_error *err)
{
	if (a->failed)
		return;
	a->failed = true;
	a->handler->failed(a->arg, rc, err);
}

/* ---- losing and finding the controller */

static void lose(struct attach *a)
{
	om_watch_destroy(a->watch);
	a->watch = NULL;
	if (!a->lost_ns)
		a->lost_ns = now_ns(a);
	om_timer_start(a->retry, RETRY_NS, 0);
}

static int watch(struct attach *a, struct om_error *err)
{
	if (a->watch)
		return 0;
	a->connection = om_client_connection(a->session->client);
	a->watch = om_watch_create(a->loop, om_client_fd(a->session->client),
				   OM_LOOP_READ, on_readable, a, err);
	return a->watch ? 0 : err->code;
}

/* A call may have made a new connection, which knows nothing of us, and whose
 * descriptor is not watched although it may have the number of the last. */
static bool is_another(const struct attach *a)
{
	return a->watch &&
	       om_client_connection(a->session->client) != a->connection;
}

static int say_all(struct attach *a, struct om_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < a->requests && rc == 0; i++)
		rc = om_client_send(a->session->client, a->request[i].type,
				    i + 1, a->request[i].msg, err);
	return rc == 0 ? watch(a, err) : rc;
}

static void tell_away(struct attach *a, const struct om_error *err)
{
	if (a->told || now_ns(a) - a->lost_ns < TELL_AFTER_NS)
		return;
	a->told = true;
	say_note("the controller is away, what runs goes on (%s)",
		 om_error_text(err));
}

static void on_retry(void *arg)
{
	struct attach *a = arg;
	struct om_error err = OM_ERROR_INIT;
	int rc;

	om_client_set_timeout(a->session->client, TRY_NS);
	rc = say_all(a, &err);
	om_client_set_timeout(a->session->client, a->session->timeout_ns);
	if (rc == 0) {
		if (a->told)
			say_note("the controller is back");
		a->told = false;
		a->lost_ns = 0;
		return;
	}
	if (om_client_exit_code(rc) != CLI_AGAIN) {
		fail(a, rc, &err);
		return;
	}
	tell_away(a, &err);
	om_timer_start(a->retry, RETRY_NS, 0);
}

/* ---- messages */

static void deliver(struct attach *a, enum om_msg type, uint32_t id,
		    const ProtobufCMessage *body)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (type == OM_MSG_REPLY && id >= 1 && id <= a->requests) {
		rc = om_client_reply((const Om__Reply *)body, &err);
		if (rc < 0)
			fail(a, rc, &err);
		return;
	}
	a->handler->message(a->arg, type, body);
}

/* All that has come already; the handler may destroy a. */
static void drain(struct attach *a)
{
	struct om_client *c = a->session->client;
	bool gone = false;

	a->gone = &gone;
	do {
		struct om_error err = OM_ERROR_INIT;
		ProtobufCMessage *body;
		enum om_msg type;
		uint32_t id;
		int rc;

		rc = om_client_receive(c, 0, &type, &id, &body, &err);
		if (rc == -ETIMEDOUT)
			break;
		if (rc < 0) {
			lose(a);
			break;
		}
		deliver(a, type, id, body);
		protobuf_c_message_free_unpacked(body, NULL);
	} while (!gone && om_client_pending(c));
	if (!gone)
		a->gone = NULL;
}

static void on_readable(void *arg, int fd, int events)
{
	(void)fd;
	(void)events;
	drain(arg);
}

static void on_deferred(void *arg)
{
	struct attach *a = arg;

	if (om_client_pending(a->session->client))
		drain(a);
	else if (om_client_fd(a->session->client) < 0)
		lose(a);
}

/* ---- for the command */

struct attach *attach_create(struct om_loop *loop, struct session *s,
			     const struct attach_handler *handler, void *arg,
			     struct om_error *err)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (!a) {
		om_fail_nomem(err);
		return NULL;
	}
	a->loop = loop;
	a->session = s;
	a->handler = handler;
	a->arg = arg;
	a->retry = om_timer_create(loop, on_retry, a, err);
	if (!a->retry) {
		free(a);
		return NULL;
	}
	return a;
}

void attach_destroy(struct attach *a)
{
	if (!a)
		return;
	if (a->gone)
		*a->gone = true;
	om_defer_cancel(&a->drain);
	om_watch_destroy(a->watch);
	om_timer_destroy(a->retry);
	free(a);
}

int attach_request(struct attach *a, enum om_msg type, const void *msg,
		   struct om_error *err)
{
	int rc;

	if (a->requests == ATTACH_REQUESTS)
		return om_fail(err, -E2BIG, "too many requests");
	a->request[a->requests].type = type;
	a->request[a->requests++].msg = msg;
	if (a->lost_ns)
		return 0;	/* said when we are back */
	rc = om_client_send(a->session->client, type, a->requests, msg, err);
	if (rc == 0 && is_another(a)) {
		lose(a);
		return 0;
	}
	if (rc == 0)
		return watch(a, err);
	if (a->requests == 1 || om_client_exit_code(rc) != CLI_AGAIN)
		return rc;
	lose(a);
	return 0;
}

int attach_ask(struct attach *a, enum om_msg type, const void *msg,
	       enum om_msg expect, void *ret_body, struct om_error *err)
{
	struct om_client *c = a->session->client;
	int rc;

	om_client_set_timeout(c, ASK_NS);
	rc = om_client_call(c, type, msg, expect, ret_body, err);
	om_client_set_timeout(c, a->session->timeout_ns);
	/* What came meanwhile is told in the next turn. */
	if (om_client_fd(c) < 0 || !a->watch || is_another(a))
		lose(a);
	om_loop_defer(a->loop, &a->drain, on_deferred, a);
	return rc;
}

static void control(struct attach *a, Om__JobVerb verb, uint64_t job_id,
		    int exit_code)
{
	Om__JobControl msg = OM__JOB_CONTROL__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	struct om_error err = OM_ERROR_INIT;
	Om__JobControlReply *reply = NULL;
	int rc;

	filter.job_id = &job_id;
	filter.n_job_id = 1;
	msg.verb = verb;
	msg.filter = &filter;
	msg.has_exit_code = verb == OM__JOB_VERB__FINISH && exit_code < 128;
	msg.exit_code = (uint32_t)exit_code;
	if (verb == OM__JOB_VERB__FINISH && exit_code > 128) {
		msg.has_exit_signal = true;
		msg.exit_signal = (uint32_t)exit_code - 128;
	}
	rc = attach_ask(a, OM_MSG_JOB_CONTROL, &msg, OM_MSG_JOB_CONTROL_REPLY,
			&reply, &err);
	/* That it is over already is as good. */
	if (rc < 0)
		say_note("job %llu was not told that it is over: %s",
			 (unsigned long long)job_id, om_error_text(&err));
	else
		om__job_control_reply__free_unpacked(reply, NULL);
}

void attach_finish(struct attach *a, uint64_t job_id, int exit_code)
{
	control(a, OM__JOB_VERB__FINISH, job_id, exit_code);
}

void attach_cancel(struct attach *a, uint64_t job_id)
{
	control(a, OM__JOB_VERB__CANCEL, job_id, 0);
}

void attach_say_waiting(struct attach *a, uint64_t job_id)
{
	Om__JobWhy msg = OM__JOB_WHY__INIT;
	struct om_error err = OM_ERROR_INIT;
	Om__JobWhyReply *r = NULL;

	msg.job_id = job_id;
	if (attach_ask(a, OM_MSG_JOB_WHY, &msg, OM_MSG_JOB_WHY_REPLY, &r,
		       &err) < 0 || !r->n_reason)
		say_note("job %llu waits", (unsigned long long)job_id);
	else
		say_note("job %llu waits: %s: %s", (unsigned long long)job_id,
			 r->reason[0]->token, r->reason[0]->text);
	if (r)
		om__job_why_reply__free_unpacked(r, NULL);
}
