/* SPDX-License-Identifier: GPL-3.0-or-later */
/* apply_job: events of jobs, from submitted to finished. */
#include <stdlib.h>
#include <string.h>

#include "sched/model/alloc.h"
#include "sched/model/apply.h"
#include "sched/model/intern.h"
#include "sched/model/private.h"
#include "sched/model/request.h"

#define S(x) OM__JOB_STATE__##x
#define ARRAY_INDEX_MAX 0x7fffffffu
#define ARRAY_RANGES_MAX 100000

static int copy_dependencies(struct om_job *j, const Om__JobSpec *spec)
{
	if (!spec->n_dependency)
		return 0;
	j->dep = calloc(spec->n_dependency, sizeof(*j->dep));
	if (!j->dep)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_dependency; i++) {
		j->dep[i].kind = spec->dependency[i]->kind;
		j->dep[i].job_id = spec->dependency[i]->job_id;
	}
	j->deps = (uint32_t)spec->n_dependency;
	return 0;
}

static int read_array(struct om_job *j, const char *text, struct om_error *err)
{
	int rc;

	if (!text || !*text)
		return 0;
	rc = om_idset_parse(&j->all, text, ARRAY_INDEX_MAX, ARRAY_RANGES_MAX,
			    err);
	if (rc == 0 && om_idset_copy(&j->pending, &j->all) < 0)
		rc = om_fail_nomem(err);
	j->array_id = j->id;
	return rc;
}

int model_read_submitted(struct om_model *m, struct om_job *j,
			 const Om__EvSubmitted *ev, struct om_error *err)
{
	if (ev->uuid.len != sizeof(j->uuid))
		return om_fail(err, -EPROTO, "a submit's uuid has %zu bytes",
			       ev->uuid.len);
	memcpy(j->uuid, ev->uuid.data, sizeof(j->uuid));
	j->id = ev->job_id;
	j->uid = ev->uid;
	j->gid = ev->gid;
	j->user = om_intern_get(m->intern, ev->user);
	j->cwd = om_intern_get(m->intern, ev->cwd);
	j->std_out = om_intern_get(m->intern, ev->std_out);
	j->submit_host = om_intern_get(m->intern, ev->submit_host);
	j->held = ev->spec->hold;
	j->req = om_request_create(m, ev->spec);
	if (!j->req || copy_dependencies(j, ev->spec) < 0)
		return om_fail_nomem(err);
	return read_array(j, ev->spec->array, err);
}

int apply_submitted(struct om_model *m, const Om__Event *ev,
		    struct om_error *err)
{
	const Om__EvSubmitted *e = ev->submitted;
	struct om_job *j;
	uint64_t ids;
	int rc;

	if (om_model_job(m, e->job_id) || e->job_id < m->next_job_id)
		return om_fail(err, -EPROTO, "job id %llu was used before",
			       (unsigned long long)e->job_id);
	j = calloc(1, sizeof(*j));
	if (!j)
		return om_fail_nomem(err);
	rc = model_read_submitted(m, j, e, err);
	if (rc == 0 && om_job_is_array(j) && model_reserve_array(m) < 0)
		rc = om_fail_nomem(err);
	if (rc < 0) {
		model_free_job(m, j);
		return rc;
	}
	j->submit_ns = j->eligible_ns = ev->at_ns;
	if (j->req->begin_ns > ev->at_ns)
		j->eligible_ns = j->req->begin_ns;
	ids = om_job_is_array(j) ? om_idset_size(&j->all) : 0;
	m->next_job_id = j->id + 1 + ids;
	model_add_job(m, j);
	model_add_uuid(m, j);
	model_depend(m, j);
	return 0;
}

int apply_held(struct om_model *m, const Om__Event *ev, struct om_error *err)
{
	struct om_job *j = apply_find_job(m, ev->held->job_id, err);

	if (!j)
		return -ENOENT;
	j->held = true;
	j->held_by_admin = ev->held->has_uid && ev->held->uid != j->uid;
	return 0;
}

int apply_released(struct om_model *m, const Om__Event *ev,
		   struct om_error *err)
{
	struct om_job *j = apply_find_job(m, ev->released->job_id, err);

	if (!j)
		return -ENOENT;
	j->held = j->held_by_admin = false;
	j->eligible_ns = ev->at_ns > j->req->begin_ns ? ev->at_ns :
							j->req->begin_ns;
	return 0;
}

struct om_job *model_make_task(struct om_job *parent, uint32_t index)
{
	struct om_job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->id = om_array_task_id(parent, index);
	j->array_id = parent->id;
	j->array_index = index;
	j->uid = parent->uid;
	j->gid = parent->gid;
	j->req = om_request_get(parent->req);
	j->submit_ns = parent->submit_ns;
	j->eligible_ns = parent->eligible_ns;
	j->user = om_intern_ref(parent->user);
	j->cwd = om_intern_ref(parent->cwd);
	j->std_out = om_intern_ref(parent->std_out);
	j->submit_host = om_intern_ref(parent->submit_host);
	return j;
}

void model_settle_parent(struct om_model *m, struct om_job *parent,
			 int64_t at_ns)
{
	if (om_job_is_over(parent))
		return;
	if (om_idset_size(&parent->pending) == 0) {
		parent->state = parent->array_running ? S(RUNNING) :
				parent->array_failed == 0 ? S(COMPLETED) :
				parent->start_ns == 0 ? S(CANCELLED) : S(FAILED);
		if (!parent->array_running)
			parent->end_ns = at_ns;
		model_undepend(m, parent);
	}
	model_relist(m, parent);
}

/* The job that an allocation is for; array tasks come to be here. */
static struct om_job *find_or_make(struct om_model *m,
				   const Om__EvAllocated *e,
				   struct om_job **ret_parent,
				   struct om_error *err)
{
	struct om_job *j = om_model_job(m, e->job_id), *parent;

	*ret_parent = NULL;
	if (!e->has_array_id || e->array_id == 0 || j)
		return j ? j : apply_find_job(m, e->job_id, err);
	parent = apply_find_job(m, e->array_id, err);
	if (!parent)
		return NULL;
	if (!om_job_is_array(parent) ||
	    !om_idset_has(&parent->pending, e->array_index) ||
	    om_array_task_id(parent, e->array_index) != e->job_id) {
		om_fail(err, -EPROTO, "array %llu has no pending task %u",
			(unsigned long long)e->array_id, e->array_index);
		return NULL;
	}
	j = model_make_task(parent, e->array_index);
	if (!j)
		om_fail_nomem(err);
	*ret_parent = parent;
	return j;
}

int apply_allocated(struct om_model *m, const Om__Event *ev,
		    struct om_error *err)
{
	const Om__EvAllocated *e = ev->allocated;
	struct om_job *parent;
	struct om_job *j = find_or_make(m, e, &parent, err);
	int rc;

	if (!j)
		return err && err->code ? err->code : -ENOENT;
	if (j->state != S(PENDING) || om_job_is_array(j))
		return om_fail(err, -EPROTO, "job %llu cannot go from %s to %s",
			       (unsigned long long)j->id,
			       om_state_name(j->state), "configuring");
	rc = om_alloc_add(m, j, e, err);
	if (rc == 0 && parent && om_idset_remove(&parent->pending, j->array_index))
		rc = om_fail_nomem(err);
	if (rc < 0) {
		if (parent)
			model_free_job(m, j);
		else
			om_alloc_remove(m, j);
		return rc;
	}
	if (parent) {
		parent->array_running++;
		m->jobs_pending--;
		if (!parent->start_ns)
			parent->start_ns = ev->at_ns;
		model_add_job(m, j);
	}
	model_move(m, j, S(CONFIGURING), NULL);
	j->incarnation = e->incarnation;
	model_undepend(m, j);
	model_relist(m, j);
	if (parent)
		model_settle_parent(m, parent, ev->at_ns);
	return 0;
}

int apply_started(struct om_model *m, const Om__Event *ev, struct om_error *err)
{
	const Om__EvStarted *e = ev->started;
	struct om_job *j = apply_find_job(m, e->job_id, err);
	struct om_step *s;

	if (!j)
		return -ENOENT;
	if (!j->alloc)
		return om_fail(err, -EPROTO, "job %llu cannot go from %s to %s",
			       (unsigned long long)j->id,
			       om_state_name(j->state), "running");
	s = e->has_step_id ? om_alloc_step(j, e->step_id) : NULL;
	if (s && s->state == S(CONFIGURING)) {
		s->state = S(RUNNING);
		s->start_ns = ev->at_ns;
	}
	if (j->state != S(CONFIGURING))
		return 0;
	j->start_ns = ev->at_ns;
	return model_move(m, j, S(RUNNING), err);
}

int apply_ending(struct om_model *m, const Om__Event *ev, struct om_error *err)
{
	const Om__EvEnding *e = ev->ending;
	struct om_job *j = apply_find_job(m, e->job_id, err);
	int rc;

	if (!j)
		return -ENOENT;
	if (j->ending != S(PENDING))
		return 0;		/* the first reason counts */
	rc = model_move(m, j, S(COMPLETING), err);
	if (rc < 0)
		return rc;
	j->ending = e->why;
	j->ending_text = om_intern_get(m->intern, e->text);
	j->ending_uid = e->uid;
	return 0;
}

int apply_node_clean(struct om_model *m, const Om__Event *ev,
		     struct om_error *err)
{
	const Om__EvNodeClean *e = ev->node_clean;
	struct om_job *j = apply_find_job(m, e->job_id, err);
	struct om_share *s = j ? om_alloc_share(j, e->node) : NULL;

	if (!j)
		return -ENOENT;
	if (!s)
		return om_fail(err, -EPROTO, "job %llu holds nothing on %s",
			       (unsigned long long)e->job_id, e->node);
	om_alloc_release_share(j, s);
	return 0;
}

/* Array tasks that never started: some of them, or all that are left. */
static int finish_unstarted(struct om_model *m, struct om_job *parent,
			    const Om__EvFinished *e, int64_t at_ns,
			    struct om_error *err)
{
	struct om_idset which = OM_IDSET_INIT;
	uint32_t index;
	int rc;

	if (e->tasks && *e->tasks)
		rc = om_idset_parse(&which, e->tasks, ARRAY_INDEX_MAX,
				    ARRAY_RANGES_MAX, err);
	else
		rc = om_idset_copy(&which, &parent->pending);
	for (uint64_t from = 0; rc == 0 && from <= ARRAY_INDEX_MAX &&
	     om_idset_next(&which, (uint32_t)from, &index);
	     from = (uint64_t)index + 1) {
		if (!om_idset_has(&parent->pending, index))
			continue;
		rc = om_idset_remove(&parent->pending, index);
		m->jobs_pending--;
		parent->array_failed++;
	}
	om_idset_fini(&which);
	if (rc == 0)
		model_settle_parent(m, parent, at_ns);
	return rc;
}

int apply_finished(struct om_model *m, const Om__Event *ev,
		   struct om_error *err)
{
	const Om__EvFinished *e = ev->finished;
	struct om_job *j = apply_find_job(m, e->job_id, err), *parent;
	int rc;

	if (!j)
		return -ENOENT;
	if (om_job_is_array(j))
		return finish_unstarted(m, j, e, ev->at_ns, err);
	rc = model_move(m, j, e->state, err);
	if (rc < 0)
		return rc;
	j->end_ns = ev->at_ns;
	j->exit_code = e->exit_code;
	j->exit_signal = e->exit_signal;
	if (e->text) {
		om_intern_put(m->intern, j->ending_text);
		j->ending_text = om_intern_get(m->intern, e->text);
	}
	if (j->alloc)
		for (uint32_t i = 0; i < j->alloc->shares; i++)
			om_alloc_release_share(j, j->alloc->share + i);
	model_undepend(m, j);
	if (j->listed_active || j->listed_pending)
		model_relist(m, j);
	parent = j->array_id ? om_model_job(m, j->array_id) : NULL;
	if (parent) {
		parent->array_running--;
		parent->array_failed += e->state != S(COMPLETED);
		if (e->exit_code > parent->exit_code)
			parent->exit_code = e->exit_code;
		model_settle_parent(m, parent, ev->at_ns);
	}
	return 0;
}

int apply_requeued(struct om_model *m, const Om__Event *ev,
		   struct om_error *err)
{
	struct om_job *j = apply_find_job(m, ev->requeued->job_id, err);
	int rc;

	if (!j)
		return -ENOENT;
	rc = model_move(m, j, S(PENDING), err);
	if (rc < 0)
		return rc;
	om_alloc_remove(m, j);
	om_intern_put(m->intern, j->ending_text);
	j->ending_text = NULL;
	j->ending = S(PENDING);
	j->ending_uid = 0;
	j->start_ns = 0;
	j->eligible_ns = ev->at_ns;
	j->restarts++;
	model_relist(m, j);
	return 0;
}

int apply_updated(struct om_model *m, const Om__Event *ev, struct om_error *err)
{
	const Om__EvUpdated *e = ev->updated;
	struct om_job *j = apply_find_job(m, e->job_id, err);
	struct om_request *r;

	if (!j)
		return -ENOENT;
	r = om_request_update(m, j->req, e->spec);
	if (!r)
		return om_fail_nomem(err);
	if (e->spec->n_dependency) {
		model_undepend(m, j);
		if (copy_dependencies(j, e->spec) < 0) {
			om_request_put(m, r);
			return om_fail_nomem(err);
		}
		model_depend(m, j);
	}
	/* What a running job holds was counted by its old flag. */
	if (j->alloc)
		r->exclusive = j->req->exclusive;
	om_request_put(m, j->req);
	j->req = r;
	return 0;
}
