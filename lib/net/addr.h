/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* addr: where to listen and connect: "unix:/path", "host:port", "host". */
#ifndef OM_NET_ADDR_H
#define OM_NET_ADDR_H

#include <stdint.h>

#include "lib/base/error.h"

/* Blocking resolution; both return a close-on-exec descriptor or -Exxx. */
int om_addr_listen(const char *addr, uint16_t default_port, int backlog,
		   struct om_error *err);
/* Nonblocking socket, the connect perhaps under way (check SO_ERROR). */
int om_addr_connect(const char *addr, uint16_t default_port,
		    struct om_error *err);
#endif
