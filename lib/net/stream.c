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

	*s = (struct om_stream){ .fd = fd };
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
	om_buf_fini(&s->out);
	om_buf_fini(&s->in);
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
	size_t room;
	ssize_t n;
	char *p = om_buf_space(&s->in, READ_ROOM, &room);

	if (!p)
		return om_fail_nomem(err);
	do {
		n = recv(s->fd, p, room, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return om_fail_errno(err, "reading");
	om_buf_commit(&s->in, (size_t)n);
	s->drained = (size_t)n < room;
	return n;
}

int om_stream_flush(struct om_stream *s, struct om_error *err)
{
	ssize_t n;

	while (om_buf_len(&s->out)) {
		n = send(s->fd, om_buf_str(&s->out), om_buf_len(&s->out),
			 MSG_NOSIGNAL);
		if (n >= 0)
			om_buf_consume(&s->out, (size_t)n);
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return om_fail_errno(err, "sending");
	}
	return 0;
}

void om_stream_shut(struct om_stream *s)
{
	shutdown(s->fd, SHUT_WR);	/* fails only if it has ended already */
}

size_t om_stream_queued(const struct om_stream *s)
{
	return om_buf_len(&s->out);
}

void om_stream_trim(struct om_stream *s)
{
	if (!om_buf_len(&s->in))
		om_buf_fini(&s->in);
	if (!om_buf_len(&s->out))
		om_buf_fini(&s->out);
}
