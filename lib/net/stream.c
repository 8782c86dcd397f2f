/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* stream: a socket with a queue at each end; see stream.h. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/net/stream.h"

#define READ_ROOM (16 * 1024)
#define SEAL_AT_ONCE (4 * OM_SEAL_RECORD_MAX)

/*
 * Small messages leave at once. A host that is gone is noticed after a minute
 * at most, whether something waits to be acknowledged or nothing is said.
 */
static void set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} list[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 30 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 60 * 1000 },
	};

	/* A unix socket refuses the first one; none is vital. */
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (setsockopt(fd, list[i].level, list[i].name, &list[i].value,
			       sizeof(list[i].value)) < 0)
			return;
}

int om_stream_init(struct om_stream *s, int fd, struct om_error *err)
{
	int flags = fcntl(fd, F_GETFL);

	*s = (struct om_stream){ .fd = fd, .drained = true };
	if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    (!(flags & O_NONBLOCK) &&
	     fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
		om_fail_errno(err, "cannot set up descriptor %d", fd);
		om_stream_close(s);
		return err ? err->code : -EBADF;
	}
	set_tcp_options(fd);
	return 0;
}

void om_stream_close(struct om_stream *s)
{
	om_autofd int fd = om_take_fd(&s->fd);

	(void)fd;
}

void om_stream_fini(struct om_stream *s)
{
	om_stream_close(s);
	om_seal_destroy(om_take(s->seal));
	om_buf_fini(&s->out);
	om_buf_fini(&s->in);
	om_buf_fini(&s->wire);
	om_buf_fini(&s->raw);
}

static void move(struct om_buf *to, struct om_buf *from)
{
	om_buf_fini(to);
	*to = *from;
	*from = (struct om_buf)OM_BUF_INIT;
}

int om_stream_seal(struct om_stream *s, const uint8_t *key, bool server,
		   struct om_error *err)
{
	struct om_error own = OM_ERROR_INIT;

	s->seal = om_seal_create(key, server, &own);
	if (!s->seal)
		return om_fail(err, own.code, "%s", own.text);
	move(&s->wire, &s->out);
	move(&s->raw, &s->in);
	return om_seal_open(s->seal, &s->raw, &s->in, err);
}

int om_stream_connected(struct om_stream *s, struct om_error *err)
{
	socklen_t len = sizeof(int);
	int soerr = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &soerr, &len) < 0)
		soerr = errno;
	if (!soerr)
		return 0;
	return om_fail(err, -soerr, "%s", strerror(soerr));
}

ssize_t om_stream_read(struct om_stream *s, struct om_error *err)
{
	struct om_buf *to = s->seal ? &s->raw : &s->in;
	size_t room;
	ssize_t n;
	char *p = om_buf_space(to, READ_ROOM, &room);
	int rc = 0;

	if (!p)
		return om_fail_nomem(err);
	do {
		n = recv(s->fd, p, room, 0);
	} while (n < 0 && errno == EINTR);
	s->drained = true;
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return om_fail_errno(err, "reading");
	om_buf_commit(to, (size_t)n);
	s->drained = (size_t)n < room;
	if (s->seal)
		rc = om_seal_open(s->seal, &s->raw, &s->in, err);
	return rc < 0 ? rc : n;
}

/* Sends what it can of b: 0 all, 1 the socket is full, -Exxx. */
static int send_buf(struct om_stream *s, struct om_buf *b, struct om_error *err)
{
	ssize_t n;

	while (om_buf_len(b)) {
		n = send(s->fd, om_buf_str(b), om_buf_len(b), MSG_NOSIGNAL);
		if (n >= 0)
			om_buf_consume(b, (size_t)n);
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return om_fail_errno(err, "sending");
	}
	return 0;
}

int om_stream_flush(struct om_stream *s, struct om_error *err)
{
	size_t part;
	int rc;

	if (!s->seal)
		return send_buf(s, &s->out, err);
	while ((rc = send_buf(s, &s->wire, err)) == 0 && om_buf_len(&s->out)) {
		part = om_buf_len(&s->out);
		if (part > SEAL_AT_ONCE)
			part = SEAL_AT_ONCE;
		rc = om_seal_add(s->seal, &s->wire, om_buf_str(&s->out), part,
				 err);
		if (rc < 0)
			return rc;
		om_buf_consume(&s->out, part);
	}
	return rc;
}

void om_stream_shut(struct om_stream *s)
{
	shutdown(s->fd, SHUT_WR);	/* fails only if it has ended already */
}

size_t om_stream_queued(const struct om_stream *s)
{
	return om_buf_len(&s->out) + om_buf_len(&s->wire);
}

static void trim(struct om_buf *b)
{
	if (!om_buf_len(b))
		om_buf_fini(b);
}

void om_stream_trim(struct om_stream *s)
{
	trim(&s->in);
	trim(&s->out);
	trim(&s->wire);
	trim(&s->raw);
}
