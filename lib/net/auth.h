/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * auth: who is there, proved both ways by one munge credential.
 *
 *   server -> client  Hello    nonce
 *   client -> server  Auth     munge{ nonce, proof, key, role } which only
 *                              the server's uid may decode
 *   server -> client  Welcome  proof
 *
 * The nonce makes a credential good for one connection only (a replay, even
 * on another host, is refused); the proof, which came enclosed, tells the
 * client that whoever answers could decode it, so is the server's uid on a
 * machine of this cluster. If sealing was asked, everything after Welcome is
 * AES-256-GCM under the enclosed key (see seal.h). Written down for other
 * implementations in doc/design/wire.md.
 *
 * This is a state machine over messages; it does no I/O but munge's own.
 */
#ifndef OM_NET_AUTH_H
#define OM_NET_AUTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/proto/types.h"

#define OM_AUTH_KEY 32

/*
 * Copied by whoever takes it, texts too. A NODE, STEP or CTLD is let in with
 * uid 0 only, a CTLD with the server's own uid too.
 */
struct om_auth_config {
	const char *munge_socket;	/* NULL: munge's default */
	uid_t server_uid;		/* client: who the server must be */
	enum om_role role;		/* client: what we are */
	enum om_role server_role;	/* client: what the server may send
					 * as; 0: OM_ROLE_CTLD */
	bool seal;			/* client: ask for a sealed stream;
					 * server: refuse one that is not */
	unsigned accept_roles;		/* server: mask of roles let in */
	const char *cluster;		/* server: told in Welcome */
	int64_t timeout_ns;		/* of conn's handshake; 0: 10 s */
	/* No munge, no proof, no secret key: refused with -EPERM unless built
	 * with --enable-auth-none. The peer's uid is then what conn found by
	 * SO_PEERCRED (unix sockets only); -1: not known, so refused. */
	bool none;
	uid_t none_uid;
	gid_t none_gid;
};

/* 0 or -ENOMEM; the copy owns its texts. */
int om_auth_config_copy(struct om_auth_config *to,
			const struct om_auth_config *from);
void om_auth_config_fini(struct om_auth_config *c);

struct om_peer {
	uid_t uid;		/* from munge; client: server_uid, proved */
	gid_t gid;		/* from munge; client: -1, not told */
	enum om_role role;
	bool sealed;
	uint8_t key[OM_AUTH_KEY];	/* random, also if not sealed */
	uint32_t minor;		/* of its protocol */
};

struct om_auth;
struct om_auth *om_auth_server(const struct om_auth_config *c,
			       struct om_error *err);
struct om_auth *om_auth_client(const struct om_auth_config *c,
			       struct om_error *err);
void om_auth_destroy(struct om_auth *a);

/* Puts what must be sent first into out (server: Hello). */
int om_auth_begin(struct om_auth *a, struct om_buf *out, struct om_error *err);
/*
 * As om_frame_parse, but only for what the handshake awaits next: a peer that
 * is not known yet cannot announce a large body of some other type.
 */
int64_t om_auth_parse(const struct om_auth *a, const uint8_t *in, size_t len,
		      struct om_frame *ret, struct om_error *err);
/*
 * True if the next step asks munge, which takes 0.1 to 0.2 ms as a rule and
 * seconds if munged is stuck: such a step belongs into a worker thread.
 */
bool om_auth_blocks(const struct om_auth *a);
/*
 * Takes one frame, appends an answer to out if one is due. Returns 1 when the
 * handshake is complete (then *ret_peer is filled), 0 to go on, -EACCES
 * refused, -EPROTO, or munge's trouble as -EAGAIN (it is away). A server has
 * then put a Reply that says so into out, to be sent before closing.
 */
int om_auth_step(struct om_auth *a, const struct om_frame *f,
		 struct om_buf *out, struct om_peer *ret_peer,
		 struct om_error *err);

/* Appends the Reply with which a server turns somebody away. */
int om_auth_refuse(struct om_buf *out, int code, const char *text);

#endif
