/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ctldrig: a real omctld with its own munged and folders, and in the test's
 * own process the nodes and commands that talk to it, all in one loop.
 */
#ifndef TEST_CTLDRIG_H
#define TEST_CTLDRIG_H

#include <sys/resource.h>

#include "lib/loop/loop.h"
#include "lib/net/conn.h"
#include "lib/proto/openmosix.pb-c.h"
#include "tests/unit/munged.h"

#define RIG_NODES 8

/* A step as a played node holds it. */
struct rig_step {
	uint64_t job;
	uint32_t step, inc;
	bool over, last_of_job;
	uint32_t status;
	Om__JobState why;
	struct rig_step *next;
};

struct rig;
struct rig_node {
	struct rig *rig;
	char name[32];
	struct om_conn *conn;
	bool ready, accepted;
	bool away;			/* does not come back by itself */
	bool hold;			/* steps run until rig_node_exit */
	bool mute;			/* takes orders, tells nothing */
	int fail_code;			/* next launch fails so */
	uint32_t lie;			/* why its steps ended, it says; 0: truth */
	uint8_t boot[16];
	uint32_t cpus;
	struct rig_step *held;
	struct rig_step *done;		/* every step ever begun and ended */
	unsigned launches, kills, ends;	/* orders taken */
	struct om_timer *retry;
};

/* An answer or push as it came. */
struct rig_msg {
	enum om_msg type;
	uint32_t id;
	ProtobufCMessage *body;
	struct rig_msg *next;
};

struct rig_client {
	struct rig *rig;
	struct om_conn *conn;
	bool ready, lost;
	uint32_t next_id;
	struct rig_msg *in;
	/* Called instead of keeping the message; takes nothing. */
	void (*on_message)(struct rig_client *c, enum om_msg type, uint32_t id,
			   const ProtobufCMessage *body);
	void *arg;
};

struct rig {
	char dir[64], conf[128], addr[128];
	struct munged munged;
	struct om_loop *loop;
	pid_t pid;
	struct rig_node node[RIG_NODES];
	unsigned nodes;
	unsigned executions;		/* steps begun, of all nodes */
	const struct rlimit *limit;	/* of omctld's files, or NULL */
};

/* extra: more lines of the configuration, or NULL. */
void rig_start(struct rig *r, unsigned nodes, const char *extra);
void rig_stop(struct rig *r);
void rig_ctld_start(struct rig *r);
/* Sends the signal and reaps; returns the wait status. */
int rig_ctld_end(struct rig *r, int signo);
/* Turns the loop until done(arg) or for 20 s; then the test fails. */
void rig_wait_for(struct rig *r, bool (*done)(void *arg), const char *what,
		  void *arg);
#define rig_wait(r, done, arg) rig_wait_for(r, done, #done, arg)
#define RIG_WAIT_MS 20000
void rig_turns(struct rig *r, int64_t ns);

void rig_node_connect(struct rig_node *n);
void rig_node_cut(struct rig_node *n);		/* and stays away */
void rig_node_exit(struct rig_node *n, uint64_t job, uint32_t step,
		   uint32_t status);
struct rig_step *rig_node_step(struct rig_node *n, uint64_t job,
			       uint32_t step);

void rig_client_connect(struct rig *r, struct rig_client *c);
void rig_client_close(struct rig_client *c);
/* Sends and waits for the answer, which must be of type expect; the caller
 * frees it with rig_free. */
void *rig_call(struct rig_client *c, enum om_msg type,
	       const ProtobufCMessage *msg, enum om_msg expect);
/* The next message on this id, waited for. */
void *rig_next(struct rig_client *c, uint32_t id, enum om_msg expect);
void rig_free(void *body);

/* A batch job: script "#!/bin/sh\nexit CODE\n". */
struct rig_job {
	int code;
	uint32_t tasks, nodes;
	const char *array;
	const uint8_t *uuid;		/* NULL: a random one */
	bool hold, requeue;
	bool once;			/* --no-requeue */
	uint64_t after_ok;		/* 0: none */
	const char *name;
	int64_t time_limit_s;
};
uint32_t rig_send_submit(struct rig_client *c, const struct rig_job *j);
uint64_t rig_submit(struct rig_client *c, const struct rig_job *j);
/* The job at its end, as JobWait tells it; freed with rig_free. */
Om__JobInfo *rig_wait_job(struct rig_client *c, uint64_t id);
/* As JobList shows it now, or NULL; freed with rig_free(list). */
Om__JobListReply *rig_list(struct rig_client *c, uint64_t id);
/* Waits until JobList shows it in that state. */
void rig_wait_state(struct rig_client *c, uint64_t id, Om__JobState state);
/* Done to one job; returns the refusal's code or 0. */
int rig_control(struct rig_client *c, Om__JobVerb verb, uint64_t id);
void rig_uuid(uint8_t uuid[16]);

/* A cluster of two played nodes and a client, for each test anew. */
struct rig_fixture {
	struct rig r;
	struct rig_client c;
};
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
/* Ends the program (77, skipped) without root or munged. ONLY=pattern picks
 * tests. */
void rig_need(void);

#endif
