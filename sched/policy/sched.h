/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sched: the scheduler's memory, shared by the files of this folder.
 *
 *   om_part (partition)
 *     shapes: treap of om_shape, in the order of each one's first job
 *       om_shape: all ready jobs that need the same, where one fits if and
 *                 only if any does
 *         jobs: treap of om_entry in the order of priority, value: time limit
 *
 * What cannot start is found in that order: a shape without room is blocked
 * as a whole until something is freed, so the number of jobs in it counts for
 * nothing. Jobs that wait for a time are in a heap; held ones and those with
 * dependencies are not here at all, and come in by om_sched_job_pending.
 */
#ifndef OM_SCHED_POLICY_SCHED_H
#define OM_SCHED_POLICY_SCHED_H

#include <uthash.h>

#include "lib/base/buf.h"
#include "sched/policy/backfill.h"
#include "sched/policy/board.h"
#include "sched/policy/part.h"
#include "sched/policy/place.h"
#include "sched/policy/policy.h"
#include "sched/policy/treap.h"

#define OM_BLOCKED UINT64_MAX

#define OM_BOARDS 256		/* at most */

/* Ready; until its begin time; an array with all tasks running that may; a
 * singleton behind another job of its name. */
enum om_entry_state {
	OM_ENTRY_READY, OM_ENTRY_TIMER, OM_ENTRY_LIMITED, OM_ENTRY_SINGLE,
};

struct om_entry {
	struct om_treap order;		/* value: time limit in seconds */
	struct om_job *job;
	struct om_shape *shape;		/* NULL for OM_ENTRY_SINGLE */
	uint64_t behind;		/* OM_ENTRY_SINGLE: that job */
	uint32_t at;			/* place in heap or list */
	uint8_t state;			/* enum om_entry_state */
	bool promised;			/* others were kept back for it */
};

struct om_shape_key {
	struct om_ask ask;
	const struct om_where *where;	/* and so the partition */
};

struct om_shape {
	struct om_treap order;		/* in om_part.shapes while it has jobs */
	bool listed, blocked;
	bool behind;			/* blocked by a promise, not by room */
	struct om_shape_key key;
	struct om_part *part;
	struct om_where *where;		/* a reference */
	struct om_treap *jobs;
	uint64_t entries;		/* in any state */
	uint64_t no_promise;		/* epoch in which none can be made */
	struct om_shape *next_blocked, **blocked_from;
	struct om_shape *next_idle, *prev_idle;
	struct om_board board;
	bool has_board;
	uint64_t board_used;		/* when, by om_sched.board_clock */
	UT_hash_handle hh;
};

/* When running jobs end by their limits: key end_ns, id the job's. */
struct om_end {
	struct om_treap order;
	UT_hash_handle hh;
};

struct om_list {
	struct om_entry **v;
	uint32_t n, cap;
};

struct om_sched {
	struct om_model *m;
	struct om_part *part;
	uint32_t parts;
	bool mixed;			/* exclusive and shared ones overlap */
	struct om_room *room;		/* by node index */
	struct om_hold *hold;		/* OM_HOLD_NONE between checks */
	uint64_t *open;			/* rooms with a cpu free for any kind */
	uint32_t oversubscribe;		/* the most of any partition */
	uint32_t rooms, room_cap;
	struct om_econ_market market;
	uint64_t market_generation;
	uint32_t market_nodes;
	struct om_change_log log;
	struct om_where *wheres;
	struct om_shape *shapes;
	struct om_shape *blocked;	/* by next_blocked */
	struct om_shape *idle_first, *idle_last;
	uint32_t idle;
	struct om_list timers;		/* heap by begin time */
	struct om_list limited, single;
	uint32_t load_limits;		/* shapes that look at loads */
	struct om_shape *board_of[OM_BOARDS];
	uint32_t boards;
	uint64_t board_clock;
	struct om_treap *ends;
	struct om_end *end_by_id;
	uint64_t epoch;			/* raised when something was freed */
	bool rescan;			/* any node may have changed */
	bool ended;			/* a job may have ended or gone */
	bool freed;			/* blocked shapes may have room now */
	bool head_gone;			/* a promise is void */
	bool work;			/* something may start */
	bool lost;			/* no memory: rebuild before anything */
	struct om_buf key;		/* for looking up */
	om_member_fn *member;
	void *member_arg;
};

/* ---- shape.c: what jobs need, in classes */
void om_ask_of(const struct om_part *p, const struct om_request *r,
	       struct om_ask *ret);
/* The shape of a request, made if need be; with one entry more counted.
 * -EINVAL: its strings do not parse. */
int om_shape_get(struct om_sched *s, struct om_part *p,
		 const struct om_request *r, struct om_shape **ret,
		 struct om_error *err);
void om_shape_put(struct om_sched *s, struct om_shape *sh);
/* Idle shapes are kept for the next job like them, up to a number. */
void om_shape_trim(struct om_sched *s, uint32_t keep);
/* Brings the shape's board up to date. 0 or -ENOMEM. */
int om_shape_board(struct om_sched *s, struct om_shape *sh);
void om_shape_add(struct om_sched *s, struct om_shape *sh, struct om_entry *e);
void om_shape_remove(struct om_sched *s, struct om_shape *sh,
		     struct om_entry *e);
void om_shape_block(struct om_sched *s, struct om_shape *sh, bool behind);
void om_shape_unblock(struct om_sched *s, struct om_shape *sh);
/* Is a before b, both of partitions with the same priority? */
static inline bool om_shape_before(const struct om_treap *a,
				   const struct om_treap *b)
{
	return a->key != b->key ? a->key < b->key : a->id < b->id;
}
struct om_entry *om_shape_first(const struct om_shape *sh);
int om_where_get(struct om_sched *s, struct om_part *p,
		 const struct om_request *r, struct om_where **ret,
		 struct om_error *err);
void om_where_put(struct om_sched *s, struct om_where *w);

/* ---- nodes.c: rooms in step with the model's nodes */
void om_nodes_look(struct om_sched *s, uint32_t at);
void om_nodes_look_all(struct om_sched *s);
void om_nodes_fini(struct om_sched *s);
/* A placement was applied: rooms follow, own cpus are counted. */
void om_nodes_taken(struct om_sched *s, const struct om_placement *p,
		    bool own);

/* ---- queue.c */
/* By name, NULL: the default; NULL if there is none of that name. */
struct om_part *om_sched_part(const struct om_sched *s, const char *name);
/* Why a job is not looked at, or NULL if it is ready but for its time. */
const char *om_queue_bar(const struct om_sched *s, const struct om_job *j,
			 bool *ret_never);
bool om_queue_array_full(const struct om_job *j);
void om_queue_wake(struct om_sched *s, int64_t now_ns);
int64_t om_queue_next_ns(const struct om_sched *s);
void om_queue_drop(struct om_sched *s, struct om_entry *e);
int64_t om_queue_key(const struct om_job *j);
/* All pending jobs of the model, after om_queue_clear. */
int om_queue_fill(struct om_sched *s);
void om_queue_clear(struct om_sched *s);
/* Parks an array that has as many tasks running as it may. */
void om_queue_limit(struct om_sched *s, struct om_entry *e);

/* ---- ends.c */
int om_ends_add(struct om_sched *s, uint64_t job_id, int64_t end_ns);
void om_ends_drop(struct om_sched *s, uint64_t job_id);
void om_ends_clear(struct om_sched *s);
/* Forgets ends of jobs that are over, once they are many. */
void om_ends_tidy(struct om_sched *s);
int64_t om_ends_of(const struct om_sched *s, const struct om_job *j,
		   int64_t now_ns);
/* now + seconds, INT64_MAX if either is without end. */
int64_t om_ends_at(int64_t now_ns, int64_t seconds);

/* ---- depend.c */
enum om_depend { OM_DEPEND_MET, OM_DEPEND_WAITS, OM_DEPEND_NEVER };
enum om_depend om_depend_one(const struct om_model *m, const struct om_job *j,
			     const struct om_dependency *d);
enum om_depend om_depend_all(const struct om_model *m, const struct om_job *j);

/* The latest job before j of the same user and name that is not over, 0. */
uint64_t om_depend_twin(const struct om_model *m, const struct om_job *j);

/* ---- sched.c */
/* Everything anew from the model, after memory had run out. */
int om_sched_rebuild(struct om_sched *s, struct om_error *err);
struct om_place om_sched_place(const struct om_sched *s, bool held);
struct om_market_view om_sched_view(const struct om_sched *s);

#endif
