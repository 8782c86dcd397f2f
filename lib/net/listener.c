/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * listener: callers become conns; those in their handshake are kept in a list,
 * oldest first, until they are handed over or end.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/net/conn.h"

#define PENDING_MAX 1024
#define ACCEPTS_A_TURN 64
#define STALL_NS OM_NS_PER_S		/* tolerated while the list is full */
#define RETRY_NS (100 * OM_NS_PER_MS)	/* after running out of descriptors */

struct pending {
	struct om_listener *listener;
	struct om_conn *conn;
	int64_t since_ns;
	struct pending *next, *prev;
};

struct om_listener {
	struct om_loop *loop;
	int fd;
	struct om_watch *watch;
	struct om_timer *retry;
	struct om_auth_config config;
	om_accept_fn *accept_fn;
	void *arg;
	struct pending list;		/* head of a ring */
	unsigned count;
	bool starved;			/* of descriptors; waits for retry */
	bool told;			/* that it is */
};

static int64_t now_ns(const struct om_listener *l)
{
	return om_mono_ns(om_loop_clock(l->loop));
}

static void pending_free(struct pending *p)
{
	struct om_listener *l = p->listener;

	p->next->prev = p->prev;
	p->prev->next = p->next;
	free(p);
	if (l->count-- == PENDING_MAX && !l->starved)
		om_watch_set(l->watch, OM_LOOP_READ);
}

/* For a conn whose new owner forgot it: our own mistake. */
static void orphan_message(void *arg, struct om_conn *c, enum om_msg type,
			   uint32_t id, const ProtobufCMessage *body)
{
	(void)arg;
	(void)c;
	(void)type;
	(void)id;
	(void)body;
	assert(!"accept_fn must set a handler or destroy the conn");
}

static const struct om_conn_handler orphan = { .message = orphan_message };

static void on_ready(void *arg, struct om_conn *c, const struct om_peer *peer)
{
	struct pending *p = arg;
	struct om_listener *l = p->listener;

	(void)peer;
	pending_free(p);
	om_conn_set_handler(c, &orphan, NULL);
	l->accept_fn(l->arg, c);
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	om_log_debug("caller turned away %s error=\"%s\"", om_conn_name(c),
		     om_error_text(err));
	pending_free(arg);
	om_conn_destroy(c);
}

static const struct om_conn_handler handler = {
	.ready = on_ready,
	.message = orphan_message,
	.closed = on_closed,
};

static void pending_add(struct om_listener *l, int fd)
{
	struct om_error err = OM_ERROR_INIT;
	struct pending *p = malloc(sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->listener = l;
	p->since_ns = now_ns(l);
	p->conn = om_conn_adopt(l->loop, fd, &l->config, true, NULL, &handler,
				p, &err);
	if (!p->conn) {
		om_log_debug("caller dropped error=\"%s\"",
			     om_error_text(&err));
		free(p);
		return;
	}
	p->next = &l->list;
	p->prev = l->list.prev;
	p->prev->next = p;
	l->list.prev = p;
	l->count++;
}

static void drop(struct pending *p)
{
	struct om_conn *c = p->conn;

	pending_free(p);
	om_conn_destroy(c);
}

/* Others wait in the kernel; who stalls must not keep them there. */
static void full(struct om_listener *l)
{
	int64_t old = now_ns(l) - STALL_NS;

	om_watch_set(l->watch, 0);
	while (l->count && l->list.next->since_ns <= old)
		drop(l->list.next);
	if (l->count >= PENDING_MAX)
		om_timer_start(l->retry, STALL_NS, 0);
}

static void out_of_descriptors(struct om_listener *l)
{
	if (!l->told)
		om_log_warn("cannot accept a connection error=\"%s\"",
			    strerror(errno));
	l->told = l->starved = true;
	om_watch_set(l->watch, 0);
	om_timer_start(l->retry, RETRY_NS, 0);
}

/* False: enough for now. */
static bool accept_one(struct om_listener *l)
{
	int fd;

	if (l->count >= PENDING_MAX) {
		full(l);
		return false;
	}
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		l->told = false;
		pending_add(l, fd);
		return true;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		out_of_descriptors(l);
		return false;
	case EAGAIN:
		return false;
	default:
		return true;	/* this caller is gone already, see accept(2) */
	}
}

static void on_callers(void *arg, int fd, int events)
{
	struct om_listener *l = arg;

	(void)fd;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++)
		if (!accept_one(l))
			break;
}

static void on_retry(void *arg)
{
	struct om_listener *l = arg;

	l->starved = false;
	om_watch_set(l->watch, OM_LOOP_READ);
}

struct om_listener *om_listener_create(struct om_loop *loop, int fd,
				       const struct om_auth_config *config,
				       om_accept_fn *accept_fn, void *arg,
				       struct om_error *err)
{
	struct om_listener *l = calloc(1, sizeof(*l));
	struct om_auth *probe;

	/* Else the loop would hang in accept when a caller has left again. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (!l) {
		close(fd);
		om_fail_nomem(err);
		return NULL;
	}
	*l = (struct om_listener){
		.loop = loop, .fd = fd, .accept_fn = accept_fn, .arg = arg,
	};
	l->list.next = l->list.prev = &l->list;
	if (om_auth_config_copy(&l->config, config) < 0) {
		om_listener_destroy(l);
		om_fail_nomem(err);
		return NULL;
	}
	/* What would turn every caller away is better told now. */
	probe = om_auth_server(config, err);
	om_auth_destroy(probe);
	if (probe)
		l->retry = om_timer_create(loop, on_retry, l, err);
	if (l->retry)
		l->watch = om_watch_create(loop, fd, OM_LOOP_READ, on_callers,
					   l, err);
	if (!l->watch) {
		om_listener_destroy(l);
		return NULL;
	}
	return l;
}

void om_listener_destroy(struct om_listener *l)
{
	if (!l)
		return;
	while (l->count)
		drop(l->list.next);
	om_watch_destroy(l->watch);
	om_timer_destroy(l->retry);
	om_auth_config_fini(&l->config);
	close(l->fd);
	free(l);
}
