/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io: whole reads and writes over what read(2) and write(2) do in parts. */
#ifndef OM_BASE_IO_H
#define OM_BASE_IO_H

#include <stddef.h>

/* Writes all len bytes to a blocking fd: 0, or -errno after some of them. */
int om_write_all(int fd, const void *data, size_t len);

#endif
