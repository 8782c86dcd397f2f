/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nodedrig: a real omnoded, driven by a test that plays omctld.
 *
 * The rig has its own munged, listens as a controller would, starts omnoded
 * with folders of its own and keeps what it says. Tasks run as user "nobody".
 */
#ifndef TEST_NODEDRIG_H
#define TEST_NODEDRIG_H

#include "lib/loop/loop.h"
#include "lib/net/conn.h"
#include "lib/proto/openmosix.pb-c.h"
#include "tests/unit/munged.h"

#define RIG_UID 65534
#define RIG_NODE "rig1"

struct rig {
	struct munged munged;
	struct om_loop *loop;
	struct om_listener *listener;
	struct om_conn *node;		/* NULL: not connected */
	uint16_t port;
	char dir[64], work[80];		/* work: the tasks' folder */
	pid_t noded;
	bool silent;			/* do not acknowledge StepExits */
	bool deaf;			/* turn callers away: cut off */
	Om__NodeRegister *registered;
	Om__StepStarted *started[2048];
	Om__StepExit *exits[2048];
	Om__JobClean *clean[2048];
	unsigned n_registered, n_started, n_exits, n_clean, n_reports;
	Om__NodeReport report;		/* merged */
	struct om_timer *tick;
};

/* Skips the test program (exit 77) where it cannot run. extra: lines of
 * configuration. */
void rig_start(struct rig *r, const char *extra);
void rig_stop(struct rig *r);
void rig_noded_start(struct rig *r);
/* SIGTERM or SIGKILL, and waits for its end. */
void rig_noded_stop(struct rig *r, int signo);

/* Turns the loop until the condition holds; fails the test after 20 s. */
typedef bool rig_fn(struct rig *r, void *arg);
void rig_wait(struct rig *r, rig_fn *fn, void *arg, const char *what);
/* Turns the loop for so long. */
void rig_turn(struct rig *r, int ms);

struct rig_job {
	uint64_t id;
	uint32_t step;			/* 0: the batch script */
	uint32_t inc, tasks;
	const char *script;		/* body after #!/bin/sh, or raw */
	bool raw;
	char *const *argv;
	const char *cwd, *out, *err_out, *in;
	bool append;
	uint32_t uid;			/* 0: RIG_UID */
	bool root;
	uint64_t mem;
	int64_t limit_ms;		/* time limit, 0: none */
	uint32_t warn_signal, warn_before_s;
	bool warn_batch_only, last_of_job;
	uint64_t array_id;
	uint32_t array_index;
	const char *cpu_list;
	uint32_t io_port;
	bool pty;
	const char *std_in;
	bool limited;			/* asks for this resource limit */
	uint32_t limit_resource;
	uint64_t limit_value;
};
void rig_launch(struct rig *r, const struct rig_job *j);
void rig_kill(struct rig *r, uint64_t job, int signo, Om__JobState why,
	      uint32_t kill_after_ms);
void rig_job_end(struct rig *r, uint64_t job);
void rig_send(struct rig *r, enum om_msg type, const ProtobufCMessage *m);

Om__StepStarted *rig_started(struct rig *r, uint64_t job);
Om__StepExit *rig_exit(struct rig *r, uint64_t job);
Om__JobClean *rig_clean(struct rig *r, uint64_t job);
void rig_forget_started(struct rig *r);
/* Wait for them. */
Om__StepStarted *rig_wait_started(struct rig *r, uint64_t job);
Om__StepExit *rig_wait_exit(struct rig *r, uint64_t job);
Om__JobClean *rig_wait_clean(struct rig *r, uint64_t job);
/* Waits until the tasks' file has that text in it. */
void rig_wait_text(struct rig *r, const char *file, const char *text);

/* A file of the work folder, owned, "" if it is not there. */
char *rig_read(struct rig *r, const char *file);
/* Processes whose command line holds the word. */
int rig_count(const char *word);
/* One of them. */
pid_t rig_pid(const char *word);
/* Is a group of the job left? */
bool rig_has_group(struct rig *r, uint64_t job);
/* Process id of the zygote, or of any step daemon (a child of it). */
pid_t rig_zygote(struct rig *r);
pid_t rig_stepd(struct rig *r);

#endif
