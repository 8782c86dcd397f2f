/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/common/say.h"
#include "cli/run/hub.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/net/addr.h"
#include "lib/net/conn.h"

#define CALLERS_MAX 65536
#define DRAIN_CHECK_NS (20 * OM_NS_PER_MS)

/* A connection: said hello with the right key: greeted; taken as its node's:
 * known. In between it waits until we have been told of the step. */
struct caller {
	struct hub *hub;
	struct om_conn *conn;
	uint64_t job;
	uint32_t step, node;
	bool greeted, known;
	struct caller *next, *prev;
};

struct hub {
	struct om_loop *loop;
	const struct hub_handler *handler;
	void *arg;
	char host[64];
	uint16_t port;
	uint8_t key[HUB_KEY];
	struct om_listener *listener;
	struct om_timer *timer;		/* looks whether input has gone */
	struct caller callers;		/* ring */
	uint64_t job;
	uint32_t step, nodes, connected;
	struct caller **node;		/* by index */
	bool *seen;			/* by index: it came once */
	bool paused;
};

/* ---- our address */

/* The address that packets to the controller's machine leave from: no packet
 * is sent. It is one that the nodes can reach, since they reach him. */
static int own_address(const char *controller, char *buf, size_t size,
		       struct om_error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list;
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	om_autofd int fd = -1;
	int rc;

	rc = getaddrinfo(controller, "9", &hints, &list);
	if (rc)
		return om_fail(err, -EHOSTUNREACH,
			       "cannot find the controller's host %s: %s",
			       controller, gai_strerror(rc));
	fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : connect(fd, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	if (rc < 0 || getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return om_fail_errno(err, "no way to the controller's host %s",
				     controller);
	rc = getnameinfo((struct sockaddr *)&own, len, buf, (socklen_t)size,
			 NULL, 0, NI_NUMERICHOST);
	return rc ? om_fail(err, -EIO, "%s", gai_strerror(rc)) : 0;
}

/* "host", "host:port", "[v6]:port" without its port. */
static void host_part(const char *addr, char *buf, size_t size)
{
	const char *colon = strrchr(addr, ':');
	size_t len = strlen(addr);

	if (*addr == '[')
		len = strcspn(++addr, "]");
	else if (colon && strchr(addr, ':') == colon)
		len = (size_t)(colon - addr);
	snprintf(buf, size, "%.*s", (int)len, addr);
}

static int find_host(struct hub *h, const struct om_config *config,
		     struct om_error *err)
{
	const char *env = getenv("OM_IO_HOST");
	char host[256];

	if (env && *env)
		return om_str_copy(h->host, sizeof(h->host), env) == 0 ? 0 :
			om_fail(err, -EINVAL, "OM_IO_HOST is too long");
	host_part(config->controller, host, sizeof(host));
	if (!strcmp(host, "localhost"))
		snprintf(host, sizeof(host), "127.0.0.1");
	return own_address(host, h->host, sizeof(h->host), err);
}

static int open_socket(struct hub *h, struct om_error *err)
{
	bool v6 = strchr(h->host, ':') != NULL;
	char addr[96];
	int fd, port;

	if (getenv("OM_IO_HOST"))
		snprintf(addr, sizeof(addr), "*:0");
	else
		snprintf(addr, sizeof(addr), v6 ? "[%s]:0" : "%s:0", h->host);
	fd = om_addr_listen(addr, 0, 1024, err);
	if (fd < 0)
		return fd;
	port = om_addr_port(fd);
	if (port < 0) {
		close(fd);
		return om_fail(err, port, "no port to listen on");
	}
	h->port = (uint16_t)port;
	return fd;
}

/* ---- callers */

static void caller_destroy(struct caller *c)
{
	struct hub *h = c->hub;

	c->next->prev = c->prev;
	c->prev->next = c->next;
	if (c->known) {
		h->node[c->node] = NULL;
		h->connected--;
	}
	om_conn_destroy(c->conn);
	free(c);
}

static bool same_key(const struct hub *h, const Om__IoHello *m)
{
	uint8_t diff = 0;

	if (m->key.len != HUB_KEY)
		return false;
	for (size_t i = 0; i < HUB_KEY; i++)
		diff |= m->key.data[i] ^ h->key[i];
	return diff == 0;
}

static void turn_away(struct caller *c)
{
	say_note("a stranger at %s was turned away", om_conn_name(c->conn));
	caller_destroy(c);
}

static void admit(struct caller *c)
{
	struct hub *h = c->hub;

	if (c->job != h->job || c->step != h->step || c->node >= h->nodes ||
	    h->seen[c->node]) {
		turn_away(c);
		return;
	}
	c->known = true;
	h->node[c->node] = c;
	h->seen[c->node] = true;
	h->connected++;
	om_conn_pause(c->conn, h->paused);
	h->handler->node(h->arg, c->node, true);
}

static void greet(struct caller *c, const Om__IoHello *m)
{
	if (!same_key(c->hub, m)) {
		turn_away(c);
		return;
	}
	c->greeted = true;
	c->job = m->job_id;
	c->step = m->step_id;
	c->node = m->node_index;
	if (c->hub->node)
		admit(c);
	else
		om_conn_pause(c->conn, true);
}

static void on_message(void *arg, struct om_conn *conn, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct caller *c = arg;
	struct hub *h = c->hub;

	(void)conn;
	(void)id;
	if (!c->greeted && type == OM_MSG_IO_HELLO)
		greet(c, (const Om__IoHello *)body);
	else if (c->known && type == OM_MSG_IO_DATA)
		h->handler->data(h->arg, c->node, (const Om__IoData *)body);
	else if (c->known && type == OM_MSG_IO_EXIT)
		h->handler->task_exit(h->arg, c->node,
				      (const Om__TaskExit *)body);
	else
		caller_destroy(c);
}

static void on_closed(void *arg, struct om_conn *conn,
		      const struct om_error *err)
{
	struct caller *c = arg;
	struct hub *h = c->hub;
	uint32_t node = c->node;
	bool known = c->known;

	(void)conn;
	(void)err;
	caller_destroy(c);
	if (known)
		h->handler->node(h->arg, node, false);
}

static const struct om_conn_handler caller_handler = {
	.message = on_message,
	.closed = on_closed,
};

static void on_accept(void *arg, struct om_conn *conn)
{
	struct hub *h = arg;
	struct caller *c = NULL;

	if (om_conn_peer(conn)->uid == 0)
		c = calloc(1, sizeof(*c));
	if (!c) {
		om_conn_destroy(conn);
		return;
	}
	c->hub = h;
	c->conn = conn;
	c->next = &h->callers;
	c->prev = h->callers.prev;
	c->prev->next = c;
	h->callers.prev = c;
	om_conn_set_handler(conn, &caller_handler, c);
}

/* ---- */

static void on_timer(void *arg)
{
	struct hub *h = arg;

	if (hub_queued(h))
		return;
	om_timer_stop(h->timer);
	h->handler->drained(h->arg);
}

static int listen_on(struct hub *h, const struct om_config *config, int fd,
		     struct om_error *err)
{
	struct om_auth_config auth = {
		.munge_socket = config->munge_socket,
		.accept_roles = OM_ROLE_STEP,
		.cluster = config->cluster_name,
		.seal = config->seal != OM_SEAL_NEVER &&
			!om_addr_is_local(h->host),
		.none = config->auth == OM_AUTHMODE_NONE,
	};

	h->listener = om_listener_create(h->loop, fd, &auth, on_accept, h, err);
	return h->listener ? 0 : err->code;
}

static int start(struct hub *h, const struct om_config *config,
		 struct om_error *err)
{
	int fd, rc;

	if (getrandom(h->key, sizeof(h->key), 0) != sizeof(h->key))
		return om_fail_errno(err, "no random numbers");
	rc = find_host(h, config, err);
	if (rc < 0)
		return rc;
	h->timer = om_timer_create(h->loop, on_timer, h, err);
	if (!h->timer)
		return err->code;
	fd = open_socket(h, err);
	return fd < 0 ? fd : listen_on(h, config, fd, err);
}

struct hub *hub_create(struct om_loop *loop, const struct om_config *config,
		       const struct hub_handler *handler, void *arg,
		       struct om_error *err)
{
	struct hub *h = calloc(1, sizeof(*h));

	if (!h) {
		om_fail_nomem(err);
		return NULL;
	}
	h->loop = loop;
	h->handler = handler;
	h->arg = arg;
	h->callers.next = h->callers.prev = &h->callers;
	if (start(h, config, err) < 0) {
		hub_destroy(h);
		return NULL;
	}
	return h;
}

void hub_destroy(struct hub *h)
{
	if (!h)
		return;
	while (h->callers.next && h->callers.next != &h->callers)
		caller_destroy(h->callers.next);
	om_listener_destroy(h->listener);
	om_timer_destroy(h->timer);
	explicit_bzero(h->key, sizeof(h->key));
	free(h->node);
	free(h->seen);
	free(h);
}

const char *hub_host(const struct hub *h)
{
	return h->host;
}

uint16_t hub_port(const struct hub *h)
{
	return h->port;
}

const uint8_t *hub_key(const struct hub *h)
{
	return h->key;
}

int hub_expect(struct hub *h, uint64_t job, uint32_t step, uint32_t nodes,
	       struct om_error *err)
{
	if (nodes > CALLERS_MAX)
		return om_fail(err, -EPROTO, "a step on %u nodes", nodes);
	h->node = calloc(nodes + 1, sizeof(*h->node));
	h->seen = calloc(nodes + 1, sizeof(*h->seen));
	if (!h->node || !h->seen)
		return om_fail_nomem(err);
	h->job = job;
	h->step = step;
	h->nodes = nodes;
	for (struct caller *c = h->callers.next, *next; c != &h->callers;
	     c = next) {
		next = c->next;
		if (c->greeted && !c->known)
			admit(c);
	}
	return 0;
}

uint32_t hub_connected(const struct hub *h)
{
	return h->connected;
}

void hub_send(struct hub *h, uint32_t node, enum om_msg type, const void *msg)
{
	for (uint32_t i = 0; i < h->nodes; i++)
		if (h->node[i] && (node == HUB_ALL || node == i))
			om_conn_send(h->node[i]->conn, type, 0, msg);
	if (!om_timer_running(h->timer))
		om_timer_start(h->timer, DRAIN_CHECK_NS, DRAIN_CHECK_NS);
}

size_t hub_queued(const struct hub *h)
{
	size_t n = 0;

	for (uint32_t i = 0; i < h->nodes; i++)
		if (h->node[i])
			n += om_conn_queued(h->node[i]->conn);
	return n;
}

void hub_pause(struct hub *h, bool paused)
{
	if (h->paused == paused)
		return;
	h->paused = paused;
	for (uint32_t i = 0; i < h->nodes; i++)
		if (h->node[i])
			om_conn_pause(h->node[i]->conn, paused);
}
