/* SPDX-License-Identifier: GPL-3.0-or-later */
/* apply_step: steps begin, and end node by node. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <utlist.h>

#include "sched/model/alloc.h"
#include "sched/model/apply.h"
#include "sched/model/intern.h"
#include "sched/model/private.h"

#define S(x) OM__JOB_STATE__##x

static int fill_parts(struct om_model *m, struct om_step *s,
		      const Om__EvStepCreated *e, struct om_error *err)
{
	s->part = calloc(e->n_node, sizeof(*s->part));
	if (!s->part)
		return om_fail_nomem(err);
	s->parts = (uint32_t)e->n_node;
	for (size_t i = 0; i < e->n_node; i++) {
		s->part[i].node = om_model_node(m, e->node[i]);
		s->part[i].tasks = e->tasks[i];
		s->tasks += e->tasks[i];
		if (!s->part[i].node)
			return om_fail(err, -ENOENT, "node %s is unknown",
				       e->node[i]);
	}
	return 0;
}

static int check_step(const struct om_job *j, const Om__EvStepCreated *e,
		      struct om_error *err)
{
	if (!j->alloc || om_job_is_over(j))
		return om_fail(err, -EPROTO, "job %llu is %s: no step can start",
			       (unsigned long long)j->id,
			       om_state_name(j->state));
	if (om_alloc_step(j, e->step_id))
		return om_fail(err, -EPROTO, "job %llu has a step %u already",
			       (unsigned long long)j->id, e->step_id);
	if (e->n_node == 0 || e->n_node != e->n_tasks)
		return om_fail(err, -EPROTO,
			       "step %u has lists of unequal length", e->step_id);
	return 0;
}

int model_add_step(struct om_model *m, struct om_job *j,
		   const Om__EvStepCreated *e, int64_t at_ns,
		   struct om_error *err)
{
	struct om_step *s;
	int rc;

	s = calloc(1, sizeof(*s));
	if (!s)
		return om_fail_nomem(err);
	rc = fill_parts(m, s, e, err);
	if (rc < 0) {
		free(s->part);
		free(s);
		return rc;
	}
	s->id = e->step_id;
	s->name = om_intern_get(m->intern, e->name);
	s->daemons = e->daemons;
	s->state = S(CONFIGURING);
	s->start_ns = at_ns;
	if (e->has_uuid && e->uuid.len == sizeof(s->uuid))
		memcpy(s->uuid, e->uuid.data, sizeof(s->uuid));
	LL_APPEND(j->alloc->step, s);
	if (s->id < 0xfffffff0u && s->id >= j->alloc->next_step)
		j->alloc->next_step = s->id + 1;
	return 0;
}

int apply_step_created(struct om_model *m, const Om__Event *ev,
		       struct om_error *err)
{
	const Om__EvStepCreated *e = ev->step_created;
	struct om_job *j = apply_find_job(m, e->job_id, err);
	int rc;

	if (!j)
		return -ENOENT;
	rc = check_step(j, e, err);
	if (rc < 0)
		return rc;
	return model_add_step(m, j, e, ev->at_ns, err);
}

/* The highest exit code of the tasks; a signal counts as 128 + its number. */
static void fold_exit(struct om_step *s, const Om__StepExit *x)
{
	uint32_t worst = s->exit_code + (s->exit_signal ? 128 + s->exit_signal : 0);

	for (size_t i = 0; i < x->n_task; i++) {
		int status = (int)x->task[i]->status;
		uint32_t code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0;
		uint32_t sig = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
		uint32_t rank = sig ? 128 + sig : code;

		if (rank > worst) {
			worst = rank;
			s->exit_code = code;
			s->exit_signal = sig;
		}
	}
}

static void fold_usage(struct om_job *j, struct om_step *s, const Om__Usage *u)
{
	s->user_us += u->user_us;
	s->system_us += u->system_us;
	j->user_us += u->user_us;
	j->system_us += u->system_us;
	j->moves += u->moves;
	j->freeze_us += u->freeze_us;
	if (u->max_rss > s->max_rss)
		s->max_rss = u->max_rss;
	if (u->max_rss > j->max_rss)
		j->max_rss = u->max_rss;
}

int apply_step_node(struct om_model *m, const Om__Event *ev,
		    struct om_error *err)
{
	const Om__EvStepNode *e = ev->step_node;
	const Om__StepExit *x = e->exit;
	struct om_job *j = apply_find_job(m, x->job_id, err);
	struct om_step *s = j ? om_alloc_step(j, x->step_id) : NULL;

	if (!j)
		return -ENOENT;
	if (!s)
		return om_fail(err, -ENOENT, "job %llu has no step %u",
			       (unsigned long long)x->job_id, x->step_id);
	for (uint32_t i = 0; i < s->parts; i++) {
		if (strcmp(s->part[i].node->name, e->node) || s->part[i].over)
			continue;
		s->part[i].over = true;
		s->parts_over++;
		fold_exit(s, x);
		if (x->usage)
			fold_usage(j, s, x->usage);
		if (x->has_why && om_state_may(S(RUNNING), x->why) &&
		    s->state < S(COMPLETED))
			s->state = x->why;
		break;
	}
	if (s->parts_over == s->parts && !s->end_ns) {
		s->end_ns = ev->at_ns;
		if (s->state < S(COMPLETED))
			s->state = s->exit_code || s->exit_signal ? S(FAILED) :
								    S(COMPLETED);
	}
	return 0;
}
