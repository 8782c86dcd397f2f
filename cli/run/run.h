/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * run: what omrun does, from the request to the exit code. For omrun.c and
 * the files run*.c only.
 *
 *	RUN_WAITING	for the allocation (outside of a job)
 *	RUN_ASKED	the step was asked for
 *	RUN_RUNNING	the step exists; its nodes connect to the hub
 *	RUN_OVER	the exit code is known and all output has come
 */
#ifndef OM_CLI_RUN_RUN_H
#define OM_CLI_RUN_RUN_H

#include "cli/common/attach.h"
#include "cli/common/launch.h"
#include "cli/common/submit.h"
#include "cli/run/hub.h"
#include "cli/run/input.h"
#include "cli/run/output.h"

enum run_state { RUN_WAITING, RUN_ASKED, RUN_RUNNING, RUN_OVER };

/* What was asked for; filled by omrun.c, borrowed by the rest. */
struct run_options {
	struct cli_common common;
	struct jobspec job;
	const char *input;	/* all, none, a rank or a file */
	bool label, unbuffered, pty, daemons, kill_on_bad_exit, overlap, quiet;
	char **command;
	int words;
	uint64_t inside;	/* the job we are in; 0: none */
};

struct run {
	const struct run_options *options;
	struct session session;
	struct om_loop *loop;
	struct attach *attach;
	struct hub *hub;
	struct output *output;
	struct output_config output_config;
	struct input *input;
	int input_fd;
	uint32_t input_rank;		/* OM_RANK_ALL: to all */
	uint32_t input_node;		/* HUB_ALL: to all */
	char input_name[16];		/* for the nodes */

	struct launch launch;
	struct submit submit;
	Om__StepCreate step;
	uint8_t step_uuid[16];

	enum run_state state;
	uint64_t job_id;
	bool own_job, job_over;
	uint32_t nodes;
	char **node;			/* names, owned */
	uint32_t *first_rank;		/* of each node; nodes + 1 of them */
	const char **rank_node;		/* of each rank */
	uint32_t *rank_node_index;

	struct om_timer *waiting_timer;	/* to say that the job waits */
	struct om_timer *grace_timer;	/* for output after the end */
	struct om_timer *kill_timer;	/* SIGKILL after SIGTERM */
	bool killing;
	int64_t interrupt_ns;		/* of the last SIGINT */

	bool step_over;
	Om__JobState step_state;	/* how */
	int worst;			/* exit code of the tasks so far */
	int first_bad;			/* the first that was not 0 */
	int exit_code;
};

/* The exit code. */
int run_main(const struct run_options *o);

/* run.c */
void run_stop(struct run *r, int exit_code);
/* Nothing more to come? Then stops. */
void run_check_over(struct run *r);

/* run_step.c: the layout, and what tasks say */
int run_step_created(struct run *r, const Om__StepCreated *m,
		     struct om_error *err);
void run_step_fini(struct run *r);
extern const struct hub_handler run_hub_handler;
int run_open_input(struct run *r, struct om_error *err);
/* Which tasks get a pipe for their input: "all", "none", a rank. */
char *run_input_name(struct run *r);

/* run_signal.c */
int run_watch_signals(struct run *r, struct om_error *err);
void run_send_signal(struct run *r, int signo);
/* SIGTERM, and SIGKILL after a while. */
void run_end_step(struct run *r);
void run_send_window(struct run *r, uint32_t node);

#endif
