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

struct om_auth_config {
	const char *munge_socket;	/* NULL: munge's default; borrowed */
	uid_t server_uid;		/* client: who the server must be */
	enum om_role role;		/* client: what we are */
	bool seal;			/* client: ask for a sealed stream */
	unsigned accept_roles;		/* server: mask of roles let in */
	const char *cluster;		/* server: told in Welcome */
};

struct om_peer {
	uid_t uid;		/* from munge */
	gid_t gid;
	enum om_role role;
	bool sealed;
	uint8_t key[OM_AUTH_KEY];
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
 * Takes one frame, appends an answer to out if one is due. Returns 1 when the
 * handshake is complete (then *ret_peer is filled), 0 to go on, -EACCES
 * refused, -EPROTO, or munge's trouble as -EAGAIN (it is away).
 */
int om_auth_step(struct om_auth *a, const struct om_frame *f,
		 struct om_buf *out, struct om_peer *ret_peer,
		 struct om_error *err);

#endif
