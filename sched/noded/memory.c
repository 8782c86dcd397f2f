/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory: what the journal means: read at the start, written anew when long. */
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/noded.h"

/* Step daemons look for a new omnoded at least once a second. */
#define COME_BACK_NS (5 * OM_NS_PER_S)

static void keep_record(struct nstep *s, const Om__StepLaunch *m)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	size_t len;

	r.launch = (Om__StepLaunch *)m;
	len = om__node_record__get_packed_size(&r);
	if (om_buf_reserve(&s->record, len) < 0)
		return;
	om__node_record__pack(&r, (uint8_t *)s->record.data + s->record.tail);
	om_buf_commit(&s->record, len);
}

static void replay_launch(struct noded *n, const Om__StepLaunch *m)
{
	struct njob *j = jobs_find(n, m->job_id);
	struct nstep *s;

	if (!j)
		j = jobs_add(n, m->job_id, m->incarnation, m->uid, m->user);
	if (!j || jobs_step(j, m->step_id))
		return;
	j->inc = m->incarnation;
	j->prologued = true;	/* it was ordered, so the prolog had run */
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->job = j;
	s->id = m->step_id;
	s->gid = m->gid;
	s->state = NSTEP_AWAY;
	s->first_rank = m->first_rank;
	s->end_ns = m->end_ns;
	s->last_of_job = m->last_of_job;
	s->group = (struct cgroup_group)CGROUP_GROUP_INIT;
	s->why = OM__JOB_STATE__COMPLETED;
	s->start_ns = noded_wall(n);
	DL_APPEND(j->steps, s);
	keep_record(s, m);
}

static struct nstep *find(struct noded *n, uint64_t job, uint32_t step,
			  uint32_t inc)
{
	struct njob *j = jobs_find(n, job);

	return j && j->inc == inc ? jobs_step(j, step) : NULL;
}

static void forget_job(struct noded *n, uint64_t id)
{
	struct njob *j = jobs_find(n, id);
	struct nstep *s, *next;

	if (!j)
		return;
	DL_FOREACH_SAFE(j->steps, s, next)
		jobs_step_free(s);
	om_idset_fini(&j->over);
	HASH_DEL(n->jobs, j);
	free(j->user);
	free(j);
}

/* One record: the same changes as when it was written, and nothing sent. */
static void replay(void *arg, const Om__NodeRecord *r)
{
	struct noded *n = arg;
	struct nstep *s;

	if (r->launch) {
		replay_launch(n, r->launch);
	} else if (r->started) {
		s = find(n, r->started->job_id, r->started->step_id,
			 r->started->incarnation);
		if (s && nstep_set_tasks(s, r->started) < 0)
			om_log_error("out of memory reading the journal");
	} else if (r->exit) {
		s = find(n, r->exit->job_id, r->exit->step_id,
			 r->exit->incarnation);
		if (s) {
			om_idset_add_range(&s->job->over, s->id, s->id);
			jobs_step_free(s);
		}
		outbox_put(n->outbox, r->exit, true);
	} else if (r->ack) {
		s = find(n, r->ack->job_id, r->ack->step_id,
			 r->ack->incarnation);
		if (s)
			jobs_step_free(s);
		outbox_ack(n->outbox, r->ack, true);
	} else if (r->has_job_gone) {
		forget_job(n, r->job_gone);
	}
}

int memory_open(struct noded *n, struct om_error *err)
{
	n->journal = journal_open(n->place.node_dir, replay, n, err);
	return n->journal ? 0 : err->code;
}

static void on_grace(void *arg)
{
	struct nstep *s = arg;

	om_log_warn("step daemon did not come back job=%" PRIu64 " step=%u",
		    s->job->id, s->id);
	orphan_begin(s);
}

void memory_wait(struct noded *n)
{
	struct njob *j, *next;
	struct nstep *s;

	HASH_ITER(hh, n->jobs, j, next)
		DL_FOREACH(j->steps, s) {
			struct om_error err = OM_ERROR_INIT;

			s->grace = om_timer_create(n->loop, on_grace, s, &err);
			if (s->grace)
				om_timer_start(s->grace, COME_BACK_NS, 0);
			else
				om_log_error("%s", om_error_text(&err));
		}
}

/* ------------------------------------------------------------ written anew */

static void write_step(struct noded *n, const struct nstep *s)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;
	struct om_error err = OM_ERROR_INIT;
	Om__StepStarted *m;

	if (journal_add_packed(n->journal, om_buf_str(&s->record),
			       om_buf_len(&s->record), &err) < 0)
		om_log_error("%s", om_error_text(&err));
	if (!om_buf_len(&s->started))
		return;
	m = om__step_started__unpack(NULL, om_buf_len(&s->started),
				     (const uint8_t *)om_buf_str(&s->started));
	if (!m)
		return;
	r.started = m;
	noded_journal(n, &r);
	om__step_started__free_unpacked(m, NULL);
}

static void write_exit(void *arg, Om__StepExit *e)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;

	r.exit = e;
	noded_journal(arg, &r);
}

static void write_all(struct noded *n)
{
	struct njob *j, *next;
	struct nstep *s;

	HASH_ITER(hh, n->jobs, j, next) {
		DL_FOREACH(j->steps, s)
			if (s->state != NSTEP_QUEUED)
				write_step(n, s);
	}
	outbox_each(n->outbox, write_exit, n);
}

void memory_tidy(struct noded *n)
{
	struct om_error err = OM_ERROR_INIT;

	if (!journal_is_long(n->journal))
		return;
	if (journal_rewrite_begin(n->journal, &err) < 0) {
		om_log_error("%s", om_error_text(&err));
		return;
	}
	write_all(n);
	if (journal_rewrite_end(n->journal, &err) < 0)
		om_log_error("%s", om_error_text(&err));
}
