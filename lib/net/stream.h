/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * stream: bytes over a nonblocking socket, queued both ways. What carries
 * frames for conn (in a loop) and for the blocking client.
 *
 *   out --(seal)--> wire --flush--> socket --read--> (raw --open-->) in
 *
 * wire and raw are used by a sealed stream only.
 */
#ifndef OM_NET_STREAM_H
#define OM_NET_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/net/seal.h"

struct om_stream {
	int fd;			/* owned */
	struct om_buf out;	/* to be sent */
	struct om_buf in;	/* has come, not consumed yet */
	bool drained;		/* nothing more was there at the last read */
	struct om_seal *seal;	/* NULL: not sealed */
	struct om_buf wire, raw;
};

/* Takes fd, makes it nonblocking and sets TCP's options where it is TCP. */
int om_stream_init(struct om_stream *s, int fd, struct om_error *err);
/* Closes the descriptor; what has come can still be read from "in". */
void om_stream_close(struct om_stream *s);
void om_stream_fini(struct om_stream *s);

/* 0 once a connect under way has succeeded, else -Exxx. */
int om_stream_connected(struct om_stream *s, struct om_error *err);
/*
 * Seals both directions from here on: what is queued still goes out in the
 * clear, what has come and was not consumed is taken for records.
 */
int om_stream_seal(struct om_stream *s, const uint8_t *key, bool server,
		   struct om_error *err);
/*
 * Reads once. > 0: so many bytes came; 0: the end; -EAGAIN: nothing there
 * (err untouched); -Exxx.
 */
ssize_t om_stream_read(struct om_stream *s, struct om_error *err);
/* 0: all is sent; 1: the socket is full, the rest waits; -Exxx. */
int om_stream_flush(struct om_stream *s, struct om_error *err);
/* No more will be sent: the far end sees the end after what was flushed. */
void om_stream_shut(struct om_stream *s);
/* Bytes that wait to be sent. */
size_t om_stream_queued(const struct om_stream *s);
/* Gives memory back that an idle connection does not need. */
void om_stream_trim(struct om_stream *s);

#endif
