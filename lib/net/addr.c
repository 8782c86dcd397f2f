/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* addr: from text to sockets; see addr.h for the forms. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/net/addr.h"

#define HOST_MAX 256
#define SOCK_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

struct where {
	char host[HOST_MAX];	/* "" for every address */
	char port[8];
};

static void om_cleanup_addrinfo(struct addrinfo **ai)
{
	if (*ai)
		freeaddrinfo(*ai);
}
#define autoaddrinfo __attribute__((cleanup(om_cleanup_addrinfo)))

static int parse_port(const char *text, const char *addr, struct where *w,
		      struct om_error *err)
{
	uint32_t port;

	if (om_parse_u32(text, 0, UINT16_MAX, &port) < 0)
		return om_fail(err, -EINVAL, "'%s': '%s' is no port", addr,
			       text);
	snprintf(w->port, sizeof(w->port), "%u", port);
	return 0;
}

/* Splits host and port; what has two colons and no bracket is all IPv6. */
static int parse(const char *addr, uint16_t default_port, struct where *w,
		 struct om_error *err)
{
	const char *host = addr, *end, *port = NULL;

	if (addr[0] == '[') {
		host = addr + 1;
		end = strchr(host, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return om_fail(err, -EINVAL,
				       "'%s' is not of the form [IPv6]:port",
				       addr);
		port = end[1] ? end + 2 : NULL;
	} else {
		end = strchr(addr, ':');
		if (end && !strchr(end + 1, ':'))
			port = end + 1;
		else
			end = addr + strlen(addr);
	}
	if ((size_t)(end - host) >= sizeof(w->host))
		return om_fail(err, -ENAMETOOLONG, "'%.40s...' is too long",
			       addr);
	memcpy(w->host, host, (size_t)(end - host));
	w->host[end - host] = '\0';
	if (strcmp(w->host, "*") == 0)
		w->host[0] = '\0';
	else if (strcmp(w->host, "localhost") == 0)
		strcpy(w->host, "127.0.0.1");
	snprintf(w->port, sizeof(w->port), "%u", default_port);
	return port ? parse_port(port, addr, w, err) : 0;
}

static const char *unix_path(const char *addr)
{
	return om_str_starts(addr, "unix:") ? addr + 5 : NULL;
}

static int unix_addr(const char *path, struct sockaddr_un *un,
		     struct om_error *err)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] != '/')
		return om_fail(err, -EINVAL,
			       "socket '%s' is not an absolute path", path);
	if (om_str_copy(un->sun_path, sizeof(un->sun_path), path) < 0)
		return om_fail(err, -ENAMETOOLONG,
			       "socket path '%s' is over %zu bytes", path,
			       sizeof(un->sun_path) - 1);
	return 0;
}

/* Removes a socket file that nobody answers at. 0, or -EADDRINUSE. */
static int remove_stale(const struct sockaddr_un *un, struct om_error *err)
{
	om_autofd int fd = -1;
	struct stat st;

	if (lstat(un->sun_path, &st) < 0)
		return 0;	/* bind says what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode))
		return om_fail(err, -EADDRINUSE,
			       "'%s' exists and is not a socket", un->sun_path);
	fd = socket(AF_UNIX, SOCK_FLAGS, 0);
	if (fd < 0)
		return om_fail_errno(err, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 ||
	    errno == EAGAIN)
		return om_fail(err, -EADDRINUSE,
			       "another process listens at '%s'", un->sun_path);
	if (errno == ECONNREFUSED && unlink(un->sun_path) < 0)
		return om_fail_errno(err, "cannot remove the old socket '%s'",
				     un->sun_path);
	return 0;
}

static int listen_unix(const char *path, int backlog, struct om_error *err)
{
	struct sockaddr_un un;
	om_autofd int fd = -1;
	int rc = unix_addr(path, &un, err);

	if (rc == 0)
		rc = remove_stale(&un, err);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_FLAGS, 0);
	if (fd < 0)
		return om_fail_errno(err, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return om_fail_errno(err, "cannot bind to '%s'", path);
	if (chmod(path, 0666) < 0)
		return om_fail_errno(err, "cannot set the mode of '%s'", path);
	if (listen(fd, backlog) < 0)
		return om_fail_errno(err, "cannot listen at '%s'", path);
	return om_take_fd(&fd);
}

static int bind_tcp(const struct addrinfo *ai, int backlog)
{
	om_autofd int fd = socket(ai->ai_family, SOCK_FLAGS, 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)	/* "::" serves IPv4 callers too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, backlog) < 0)
		return -errno;
	return om_take_fd(&fd);
}

static int bind_first(const struct addrinfo *list, int family, int backlog)
{
	int fd = -EADDRNOTAVAIL;

	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		if (family == AF_UNSPEC || ai->ai_family == family)
			fd = bind_tcp(ai, backlog);
	return fd;
}

static int resolve(const struct where *w, bool passive,
		   struct addrinfo **ret_list, struct om_error *err)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
	};
	int rc;

	rc = getaddrinfo(w->host[0] ? w->host : NULL, w->port, &hints,
			 ret_list);
	if (rc == EAI_SYSTEM)
		return om_fail_errno(err, "cannot look up '%s'", w->host);
	if (rc == EAI_AGAIN)
		return om_fail(err, -EAGAIN, "cannot look up '%s': %s",
			       w->host, gai_strerror(rc));
	if (rc != 0)
		return om_fail(err, -EHOSTUNREACH, "cannot look up '%s': %s",
			       w->host, gai_strerror(rc));
	return 0;
}

/* One socket. Of "every address" IPv6 is tried first: "::" takes IPv4 too. */
static int listen_tcp(const char *addr, uint16_t default_port, int backlog,
		      struct om_error *err)
{
	autoaddrinfo struct addrinfo *list = NULL;
	struct where w;
	int rc, fd = -EADDRNOTAVAIL;

	rc = parse(addr, default_port, &w, err);
	if (rc == 0)
		rc = resolve(&w, true, &list, err);
	if (rc < 0)
		return rc;
	if (!w.host[0])
		fd = bind_first(list, AF_INET6, backlog);
	if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
		fd = bind_first(list, AF_UNSPEC, backlog);
	if (fd < 0)
		return om_fail(err, fd, "cannot listen at %s port %s: %s",
			       w.host[0] ? w.host : "any address", w.port,
			       strerror(-fd));
	return fd;
}

int om_addr_listen(const char *addr, uint16_t default_port, int backlog,
		   struct om_error *err)
{
	const char *path = unix_path(addr);

	if (path)
		return listen_unix(path, backlog, err);
	return listen_tcp(addr, default_port, backlog, err);
}

static int connect_unix(const char *path, struct om_error *err)
{
	struct sockaddr_un un;
	om_autofd int fd = -1;
	int rc = unix_addr(path, &un, err);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_FLAGS, 0);
	if (fd < 0)
		return om_fail_errno(err, "cannot make a socket");
	/* EAGAIN: the backlog is full; a unix connect is never "under way". */
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return om_fail_errno(err, "cannot connect to '%s'", path);
	return om_take_fd(&fd);
}

/*
 * An address of this host answers at once, so a refusal can be seen here and
 * the next address be tried.
 */
static int connect_tcp_one(const struct addrinfo *ai)
{
	om_autofd int fd = socket(ai->ai_family, SOCK_FLAGS, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int soerr = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, 0) == 1 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &len) == 0 &&
		    soerr)
			return -soerr;
	}
	return om_take_fd(&fd);
}

int om_addr_connect(const char *addr, uint16_t default_port,
		    struct om_error *err)
{
	autoaddrinfo struct addrinfo *list = NULL;
	const char *path = unix_path(addr);
	int rc, fd = -EHOSTUNREACH;
	struct where w;

	if (path)
		return connect_unix(path, err);
	rc = parse(addr, default_port, &w, err);
	if (rc < 0)
		return rc;
	if (!w.host[0])
		return om_fail(err, -EINVAL, "'%s' names no host", addr);
	rc = resolve(&w, false, &list, err);
	if (rc < 0)
		return rc;
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = connect_tcp_one(ai);
	if (fd < 0)
		return om_fail(err, fd, "cannot connect to %s port %s: %s",
			       w.host, w.port, strerror(-fd));
	return fd;
}

bool om_addr_is_local(const char *addr)
{
	struct in6_addr v6;
	struct in_addr v4;
	struct where w;

	if (unix_path(addr))
		return true;
	if (parse(addr, 0, &w, NULL) < 0)
		return false;
	if (inet_pton(AF_INET, w.host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, w.host, &v6) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&v6);
}

union any_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

int om_addr_port(int fd)
{
	union any_addr a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.sa, &len) < 0)
		return -errno;
	if (a.sa.sa_family == AF_INET)
		return ntohs(a.in.sin_port);
	return a.sa.sa_family == AF_INET6 ? ntohs(a.in6.sin6_port) : 0;
}

void om_addr_peer(int fd, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";
	union any_addr a = { 0 };
	socklen_t len = sizeof(a);

	if (getpeername(fd, &a.sa, &len) < 0) {
		om_str_copy(buf, size, "?");
		return;
	}
	if (a.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(a.in.sin_port));
	} else if (a.sa.sa_family == AF_INET6 &&
		   IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
		inet_ntop(AF_INET, a.in6.sin6_addr.s6_addr + 12, host,
			  sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(a.in6.sin6_port));
	} else if (a.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof(host));
		snprintf(buf, size, "[%s]:%u", host, ntohs(a.in6.sin6_port));
	} else {
		om_str_copy(buf, size, "unix");
	}
}
