/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * noded: omnoded's parts, and the jobs and steps it holds. For omnoded's own
 * files; each part's functions are told by the file that has them.
 *
 *   omctld --StepLaunch--> jobs.c --fork--> zygote --> step daemon
 *          <-StepStarted--   steps.c <-----------------'
 *          <-StepExit----- outbox.c (kept until StepAck)
 *          ---JobEnd-----> ending.c: kill, epilog, clean --JobClean-->
 */
#ifndef OM_NODED_NODED_H
#define OM_NODED_NODED_H

#include <uthash.h>

#include "lib/base/buf.h"
#include "lib/base/idset.h"
#include "lib/loop/loop.h"
#include "lib/net/conn.h"
#include "lib/proto/openmosix.pb-c.h"
#include "sched/noded/hooks.h"
#include "sched/noded/journal.h"
#include "sched/noded/place.h"
#include "sched/noded/users.h"
#include "sched/noded/zygotelink.h"

enum njob_state {
	NJOB_OPEN,		/* steps may start */
	NJOB_PROLOG,		/* the hook runs, steps wait */
	NJOB_KILLING,		/* to be ended: waits until its group is empty */
	NJOB_EPILOG,
};

struct nstep;

struct njob {
	uint64_t id;
	uint32_t inc;
	uid_t uid;
	char *user;		/* NULL: not known (a group found on disk) */
	enum njob_state state;
	bool prologued;		/* or no prolog is configured */
	bool end_asked;		/* JobClean is awaited */
	struct nstep *steps;	/* utlist */
	struct om_idset over;	/* ids of steps that have ended here */
	struct hook *hook;
	struct cgroup_group group;	/* while it is KILLING */
	struct om_watch *watch;
	struct om_timer *timer;
	Om__StepExit *last;	/* waits for the epilog to say job_clean */
	struct later *later;	/* launches of a newer incarnation */
	struct noded *noded;
	UT_hash_handle hh;
};

/* A launch that must wait until an older incarnation is gone. */
struct later {
	struct later *next;
	Om__StepLaunch *order;
};

enum nstep_state {
	NSTEP_QUEUED,		/* for the prolog, the user, the zygote */
	NSTEP_FORKING,		/* ordered; nothing was heard of it yet */
	NSTEP_RUNNING,		/* its step daemon said so */
	NSTEP_AWAY,		/* omnoded restarted: it may still come */
	NSTEP_ORPHAN,		/* its step daemon is dead, its tasks maybe not */
};

struct nstep_task {
	pid_t pid;
	uint32_t rank;
	int status;
	bool over, known;	/* known: status is */
	struct om_watch *watch;	/* of its pidfd, while an orphan */
	int pidfd;
};

struct nstep {
	struct njob *job;
	uint32_t id;
	enum nstep_state state;
	gid_t gid;
	uint32_t first_rank;
	int64_t end_ns, start_ns;	/* wall clock */
	bool last_of_job;
	struct om_conn *conn;
	struct om_buf launch;	/* the StepLaunch frame, until it started */
	struct om_buf record;	/* the journal's, packed */
	struct om_buf started;	/* the StepStarted frame */
	struct nstep_task *task;
	uint32_t tasks;
	/* as an orphan (orphan.c) */
	struct cgroup_group group;
	struct om_watch *watch;
	struct om_timer *grace, *limit, *again;
	bool waiting, patient;	/* for the zygote's word; long enough */
	Om__JobState why;
	/* The last order to end it: its step daemon may have died
	 * before it read that. signo 0: none */
	int end_signo;
	Om__JobState end_why;
	int64_t end_grace_ns;
	struct nstep *prev, *next;
};

struct loose;
struct outbox;
struct ctldlink;
struct readings;

struct noded {
	struct om_loop *loop;
	const struct om_config *conf;
	struct place place;
	struct users *users;
	struct journal *journal;
	struct zygotelink *zygote;
	struct outbox *outbox;
	struct ctldlink *ctld;
	int step_fd;			/* RUN/node/omnoded.sock */
	struct om_watch *step_watch;
	struct om_defer retry;		/* launches that were lost */
	struct loose *loose;		/* connections, see nsteps.c */
	struct readings *readings;
	struct njob *jobs;
	uint64_t gone[256];	/* jobs cleaned lately, a ring */
	uint32_t gone_inc[256];
	unsigned gone_at;
	bool leaving, again;		/* again: as a new process image */
};

/* jobs.c */
void jobs_launch(struct noded *n, const Om__StepLaunch *m);
struct njob *jobs_find(struct noded *n, uint64_t id);
struct njob *jobs_add(struct noded *n, uint64_t id, uint32_t inc, uid_t uid,
		      const char *user);
/* It is clean: forgets it and starts what waited for that. */
void jobs_gone(struct noded *n, struct njob *j);
bool jobs_was_here(const struct noded *n, uint64_t id, uint32_t inc);
struct nstep *jobs_step(struct njob *j, uint32_t id);
void jobs_step_free(struct nstep *s);
/* A step of which nothing but its step daemon is known; NULL: no memory. */
struct nstep *jobs_stray(struct njob *j, uint32_t id);
/* Tells omctld that s will not run, and forgets it. */
void jobs_refuse(struct nstep *s, int code, const char *text);
void jobs_zygote_is_back(struct noded *n);
void jobs_destroy(struct noded *n);
int64_t noded_wall(const struct noded *n);
void noded_journal(struct noded *n, const Om__NodeRecord *r);

/* nsteps.c: a step and its step daemon */
void nstep_go(struct nstep *s, const struct user *u);
void nstep_not_forked(struct noded *n, uint64_t job, uint32_t step, int code);
void nstep_exited(struct noded *n, pid_t pid, int status);
void nstep_kill(struct nstep *s, const Om__StepKill *m);
void nstep_limit(struct nstep *s, int64_t end_ns);
/* A step daemon that was there before us. */
void nstep_accept(struct noded *n, int fd);
void nstep_drop_loose(struct noded *n);
/* exit is copied; s is freed. */
void nstep_over(struct nstep *s, const Om__StepExit *exit);
int nstep_set_tasks(struct nstep *s, const Om__StepStarted *m);

/* orphan.c */
void orphan_begin(struct nstep *s);
void orphan_end(struct nstep *s);	/* its daemon came back, or it is over */
void orphan_task(struct nstep *s, struct nstep_task *t);
void orphan_kill(struct nstep *s, int signo, Om__JobState why,
		 int64_t kill_after_ns);
void orphan_limit(struct nstep *s);

/* ending.c */
void ending_job_end(struct noded *n, uint64_t job, bool has_inc, uint32_t inc);
void ending_begin(struct njob *j);
/* Something of a job that is being ended has changed. */
void ending_check(struct njob *j);
void ending_fini(struct njob *j);

/* outbox.c: StepExits that omctld has not taken yet */
struct outbox *outbox_create(struct noded *n);
void outbox_destroy(struct outbox *o);
void outbox_put(struct outbox *o, const Om__StepExit *e, bool journaled);
bool outbox_resend(struct outbox *o, uint64_t job, uint32_t step, uint32_t inc);
void outbox_ack(struct outbox *o, const Om__StepAck *a, bool journaled);
size_t outbox_count(const struct outbox *o);
/* Calls fn for each. */
void outbox_each(struct outbox *o, void (*fn)(void *arg, Om__StepExit *e),
		 void *arg);

/* memory.c: the journal, read and written anew */
int memory_open(struct noded *n, struct om_error *err);
void memory_tidy(struct noded *n);
/* Steps that were running and have not come back yet are waited for. */
void memory_wait(struct noded *n);

/* stale.c: removes what crashes left in the spool; the journal was read */
int stale_remove(struct noded *n, struct om_error *err);

/* ctldlink.c */
struct ctldlink *ctldlink_create(struct noded *n, struct om_error *err);
void ctldlink_destroy(struct ctldlink *l);
/* Sent now, or kept (StepStarted, JobClean) until omctld is there. */
void ctldlink_send(struct ctldlink *l, enum om_msg type,
		   const ProtobufCMessage *m);
bool ctldlink_is_up(const struct ctldlink *l);

#endif
