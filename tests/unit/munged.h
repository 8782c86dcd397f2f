/* SPDX-License-Identifier: GPL-3.0-or-later */
/* munged: a munge daemon of the test's own, in a folder that goes with it. */
#ifndef TEST_MUNGED_H
#define TEST_MUNGED_H

#include <sys/types.h>

struct munged {
	char dir[64];		/* 0711, so that other users reach the socket */
	char socket[96];
	pid_t pid;
};

/* Starts one with a fresh key and waits until it answers; fails the test. */
void munged_start(struct munged *m);
/* Kills it; the socket's file stays away. Harmless if it is not running. */
void munged_kill(struct munged *m);
/* Starts it again with the same key. */
void munged_restart(struct munged *m);
/* Kills it and removes the folder. */
void munged_stop(struct munged *m);

#endif
