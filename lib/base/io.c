/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* io: goes on where a signal or a full buffer stopped a write. */
#include <errno.h>
#include <unistd.h>

#include "lib/base/io.h"

int om_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
