/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * addr: where to listen and connect.
 *
 *   unix:/path          a socket in the file system, at most 107 bytes
 *   host  host:port     a name or an IPv4 address
 *   [2001:db8::1]:port  an IPv6 address; bare without a port
 *   *  *:port           every address of this host; to listen only
 *
 * "localhost" is always 127.0.0.1 and never asked of a resolver.
 */
#ifndef OM_NET_ADDR_H
#define OM_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

/*
 * Blocking resolution; both return a close-on-exec descriptor or -Exxx.
 *
 * The listening socket is nonblocking. Port 0 lets the kernel choose (see
 * om_addr_port). A unix socket that nobody listens on any more is replaced;
 * one that is alive is -EADDRINUSE. It is made for everybody to connect to:
 * who is let in is said by the handshake, or by the mode of its folder.
 */
int om_addr_listen(const char *addr, uint16_t default_port, int backlog,
		   struct om_error *err);
/*
 * Nonblocking socket, the connect perhaps under way (check SO_ERROR). Of a
 * name's addresses the first that does not fail at once is taken.
 */
int om_addr_connect(const char *addr, uint16_t default_port,
		    struct om_error *err);

/* True if what is sent to addr does not leave this host: unix or loopback. */
bool om_addr_is_local(const char *addr);
/* The port a socket is bound to; 0 for a unix socket; -Exxx. */
int om_addr_port(int fd);
/* "10.0.0.1:3344", "[::1]:3344" or "unix": the far end, for people. */
void om_addr_peer(int fd, char *buf, size_t size);

#define OM_ADDR_TEXT 64		/* enough for om_addr_peer */

#endif
