/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cleanup: scope-bound owners for locals, and om_take to hand them over. */
#ifndef OM_BASE_CLEANUP_H
#define OM_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void om_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void om_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void om_cleanup_file(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

static inline void om_cleanup_dir(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	errno = saved;
}

#define om_autofree __attribute__((cleanup(om_cleanup_free)))
#define om_autofd __attribute__((cleanup(om_cleanup_fd)))
#define om_autofile __attribute__((cleanup(om_cleanup_file)))
#define om_autodir __attribute__((cleanup(om_cleanup_dir)))

/* Hands a pointer over: the local forgets it, the caller owns it. */
#define om_take(p)                            \
	({                                    \
		__typeof__(p) om_taken_ = (p);\
		(p) = NULL;                   \
		om_taken_;                    \
	})

static inline int om_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
