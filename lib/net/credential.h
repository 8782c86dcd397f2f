/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * credential: a payload enclosed by munge, and munge's errors in our words.
 *
 * -EAGAIN: munged is away or stuck, so trying again may help. -EACCES: it
 * judged, and the answer is no. Both functions block for as long as munged
 * takes: libmunge waits 2 s for each of its socket operations, a few times.
 */
#ifndef OM_NET_CREDENTIAL_H
#define OM_NET_CREDENTIAL_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/error.h"

/* How long a credential is good; also how far two hosts' clocks may differ. */
#define OM_CREDENTIAL_TTL_S 60

struct om_credential {
	void *payload;		/* owned */
	size_t len;
	uid_t uid;		/* of the process that had it made */
	gid_t gid;
};
/* Wipes the payload, which holds a key. */
void om_credential_fini(struct om_credential *c);

/* socket NULL: munge's default. Only uid may decode it. Owned; NULL: err. */
char *om_credential_encode(const char *socket, uid_t uid, const void *payload,
			   size_t len, struct om_error *err);
int om_credential_decode(const char *socket, const char *text,
			 struct om_credential *ret, struct om_error *err);

/* auth = none: uid and gid are the socket's; uid -1 is refused. -EPERM unless
 * built with --enable-auth-none. */
char *om_credential_none_encode(const void *payload, size_t len,
				struct om_error *err);
int om_credential_none_decode(const char *text, uid_t uid, gid_t gid,
			      struct om_credential *ret, struct om_error *err);

#endif
