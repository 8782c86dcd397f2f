/* SPDX-License-Identifier: GPL-3.0-or-later */
/* step_private: what the files of the step daemon share; for step*.c only. */
#ifndef OM_NODED_STEP_PRIVATE_H
#define OM_NODED_STEP_PRIVATE_H

#include "lib/loop/loop.h"
#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"
#include "sched/noded/asuser.h"
#include "sched/noded/cgroup.h"
#include "sched/noded/taskio.h"
#include "sched/noded/step.h"
#include "sched/noded/taskenv.h"

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_EMPTYING, STEP_OVER };

struct step_task {
	uint32_t rank;
	pid_t pid;
	int status;		/* as of wait(2), once over */
	bool over;
};

struct step_link;
struct step_limit;
struct step_stream;

struct step {
	struct om_loop *loop;
	const struct place *place;
	enum step_state state;

	Om__StepUser *who;
	Om__StepLaunch *req;
	Om__Launch *launch;
	struct asuser user;

	struct cgroup_group group;
	struct om_watch *group_watch;
	struct om_timer *group_timer;

	struct taskio_spec spec;
	struct taskio_files files;	/* of all tasks, or of the first */
	struct taskenv *env;
	struct step_task *task;		/* req->tasks of them */
	uint32_t alive;
	int64_t start_ns;		/* wall clock */

	Om__JobState why;		/* COMPLETED: of itself */
	char text[OM_ERROR_TEXT_MAX];	/* what a user reads about why */

	struct step_link *link;
	struct step_limit *limit;
	struct step_stream *stream;	/* NULL: stdio is files */
};

/* step_setup.c: from the order to running tasks, or nothing left and -Exxx. */
int step_setup(struct step *s, struct om_error *err);
/* "12", "123_7" */
void step_job_name(const struct step *s, char *buf, size_t size);

/* step.c */
/* The first reason stays; text is for people, as "time limit of ... reached". */
void step_ending(struct step *s, Om__JobState why, const char *text);
/* To every process of the step, or the tasks themselves only. */
void step_signal(struct step *s, int signo, bool tasks_only);
/* SIGKILL to everything. */
void step_kill(struct step *s);
/* What the stream has to say: its client is gone, or all was written. */
void step_stream_done(struct step *s);

/* step_limit.c: time limit, warning, SIGKILL after a grace. */
int step_limit_create(struct step *s, struct om_error *err);
/* end_ns is wall clock time, 0: none; what is left is measured now. */
void step_limit_set(struct step *s, int64_t end_ns);
void step_limit_kill_after(struct step *s, int64_t ns);
void step_limit_stop(struct step *s);

/* step_link.c: to omnoded. */
int step_link_create(struct step *s, int fd, struct om_error *err);
/* Both copy the message and keep it until omnoded takes it. */
void step_link_started(struct step *s, const Om__StepStarted *m);
void step_link_exit(struct step *s, const Om__StepExit *m);
/* step.c's side of the link */
void step_on_launch(struct step *s, const Om__StepLaunch *m);
void step_on_kill(struct step *s, const Om__StepKill *m);

/* step_stream.c: stdio to the client; stdio of task i in f. */
int step_stream_create(struct step *s, struct om_error *err);
int step_stream_open(struct step *s, uint32_t i, struct taskio_files *f,
		     int *ret_tty, struct om_error *err);
/* The task's ends of the pipes are its own now. */
void step_stream_started(struct step *s, struct taskio_files *f, int tty);
/* A line of ours for the user's standard error. */
void step_stream_say(struct step *s, const char *line);
/* Tells the client at once that a task has ended. */
void step_stream_exit(struct step *s, const struct step_task *t);
/* No more tasks: true if everything was given away already. */
bool step_stream_finish(struct step *s);

#endif
