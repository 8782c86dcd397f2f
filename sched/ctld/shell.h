/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shell: what omctld keeps of a job or a node beside the model: connections,
 * deadlines, what was sent. Nothing in it outlives the process; everything
 * can be had again from the model and from the nodes' registrations.
 */
#ifndef OM_SCHED_CTLD_SHELL_H
#define OM_SCHED_CTLD_SHELL_H

#include "sched/ctld/peer.h"

/* The client that a job or step is made for. */
struct attach {
	struct waiter w;		/* w.peer NULL: nobody at the moment */
	struct om_job *job;
	struct step_shell *step;	/* of a step, else NULL */
	int64_t lost_ns;		/* mono: when it went; 0: it is here */
};

struct step_shell {
	uint32_t id;
	uint32_t cpus_per_task;
	uint32_t parts;
	bool *confirmed;		/* by the part's node: it is started */
	bool watched;			/* a client waited for it once */
	struct attach attach;
	struct step_shell *next;
};

struct job_shell {
	struct om_job *job;
	int64_t deadline_ns;		/* mono: its time limit; 0: none */
	bool end_sent;			/* JobEnd, to all that were there */
	bool give_up;			/* cancelled while to be requeued */
	bool has_exit;			/* told by FINISH */
	uint32_t exit_code, exit_signal;
	struct attach attach;		/* of omalloc and omrun */
	struct step_shell *step;
	int64_t over_ns;		/* mono: when it was finished */
	struct om_idset cancelled;	/* array parent: never started */
	bool in_attached, in_over;
	struct job_shell *prev, *next;	/* attached or over */
};

/* Gets or makes; NULL without memory. */
struct job_shell *shell_get(struct om_job *j);
static inline struct job_shell *shell_of(const struct om_job *j)
{
	return j->shell;
}
/* Frees it and unlinks its clients; it must be on no list. */
void shell_drop(struct om_job *j);

struct step_shell *shell_step(const struct om_job *j, uint32_t step_id);
struct step_shell *shell_step_get(struct om_job *j, const struct om_step *s);
void shell_step_drop(struct om_job *j, uint32_t step_id);
/* All of its steps: the job goes back into the queue, or is over. */
void shell_drop_steps(struct om_job *j);

/* p (on whose request id) is the client now; one before it is let go. */
void attach_set(struct attach *a, struct peer *p, uint32_t id);

#endif
