/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * snapshot: the model as records and back. Nodes come first, then jobs in
 * the order of submission, so that what a record refers to is there.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "sched/model/alloc.h"
#include "sched/model/apply.h"
#include "sched/model/info.h"
#include "sched/model/intern.h"
#include "sched/model/private.h"
#include "sched/model/request.h"

#define S(x) OM__JOB_STATE__##x
#define TEXT(s) ((char *)(uintptr_t)(s))

/* ------------------------------------------------------------------ saving */

static int save_head(const struct om_model *m, int64_t now_ns,
		     om_snapshot_fn *fn, void *arg, struct om_error *err)
{
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	Om__SnapshotHead head = OM__SNAPSHOT_HEAD__INIT;

	head.next_job_id = m->next_job_id;
	head.at_ns = now_ns;
	rec.what_case = OM__SNAPSHOT__WHAT_HEAD;
	rec.head = &head;
	return fn(arg, &rec, err);
}

static int save_setting(const struct om_setting *s, om_snapshot_fn *fn,
			void *arg, struct om_error *err)
{
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	Om__Setting set = OM__SETTING__INIT;

	if (!s->value)
		return 0;
	set.key = s->key;
	set.value = s->value;
	rec.what_case = OM__SNAPSHOT__WHAT_SETTING;
	rec.setting = &set;
	return fn(arg, &rec, err);
}

static int save_ended(const struct om_ended *e, om_snapshot_fn *fn, void *arg,
		      struct om_error *err)
{
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	Om__SnapshotEnded ended = OM__SNAPSHOT_ENDED__INIT;

	ended.job_id = e->id;
	ended.state = e->state;
	ended.dependents = e->dependents;
	rec.what_case = OM__SNAPSHOT__WHAT_ENDED;
	rec.ended = &ended;
	return fn(arg, &rec, err);
}

#define NODE_TEXTS 9

static int save_node(const struct om_node *n, om_snapshot_fn *fn, void *arg,
		     struct om_error *err)
{
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	Om__SnapshotNode sn = OM__SNAPSHOT_NODE__INIT;
	Om__EvNode ev = OM__EV_NODE__INIT;
	Om__NodeInfo info = OM__NODE_INFO__INIT;
	char text[NODE_TEXTS][64], *set[NODE_TEXTS];

	snprintf(text[0], sizeof(text[0]), "load-limit=%.17g", n->load_limit);
	snprintf(text[1], sizeof(text[1]), "load-limit-local=%.17g",
		 n->load_limit_local);
	snprintf(text[2], sizeof(text[2]), "load-limit-guest=%.17g",
		 n->load_limit_guest);
	snprintf(text[3], sizeof(text[3]), "guest-cpu=%u", n->guest_cpu);
	snprintf(text[4], sizeof(text[4]), "speed=%.17g", n->speed);
	snprintf(text[5], sizeof(text[5]), "block=%d", n->block);
	snprintf(text[6], sizeof(text[6]), "stay=%d", n->stay);
	snprintf(text[7], sizeof(text[7]), "quiet=%d", n->quiet);
	snprintf(text[8], sizeof(text[8]), "local-stay=%d", n->local_stay);
	for (int i = 0; i < NODE_TEXTS; i++)
		set[i] = text[i];
	ev.name = TEXT(n->name);
	ev.has_up = ev.has_drain = ev.has_uid = 1;
	ev.up = n->up;
	ev.drain = n->drain;
	ev.text = TEXT(n->reason);
	ev.uid = n->reason_uid;
	ev.registration = n->registration;
	ev.set = set;
	ev.n_set = NODE_TEXTS;
	info.name = TEXT(n->name);
	info.state = TEXT("");
	info.has_reason_ns = info.has_seen_ns = 1;
	info.reason_ns = n->reason_ns;
	info.seen_ns = n->seen_ns;
	sn.node = &ev;
	sn.info = &info;
	rec.what_case = OM__SNAPSHOT__WHAT_NODE;
	rec.node = &sn;
	return fn(arg, &rec, err);
}

/* A record of a job and the storage that its pointers lead into. */
struct job_record {
	Om__Snapshot rec;
	Om__SnapshotJob sj;
	Om__EvSubmitted sub;
	Om__JobSpec spec;
	Om__JobInfo info;
	Om__Usage usage;
	Om__EvAllocated al;
	Om__EvEnding ending;
	Om__Dependency *dep;
	Om__Dependency **deps;
	char **node, **cpu_list, **unclean;
	uint32_t *cpus, *slots;
	uint64_t *mem;
	struct step_record {
		Om__SnapshotStep ss;
		Om__EvStepCreated created;
		Om__StepInfo info;
		Om__Usage usage;
		char **node, **running;
		uint32_t *tasks;
	} *step;
	Om__SnapshotStep **steps;
	size_t n_step;
};

static void free_record(struct job_record *r)
{
	for (size_t i = 0; i < r->n_step; i++) {
		om_step_info_fini(&r->step[i].info);
		free(r->step[i].node);
		free(r->step[i].running);
		free(r->step[i].tasks);
	}
	free(r->step);
	free(r->steps);
	free(r->dep);
	free(r->deps);
	free(r->node);
	free(r->cpu_list);
	free(r->unclean);
	free(r->cpus);
	free(r->slots);
	free(r->mem);
	free(r->spec.array);
	om_job_info_fini(&r->info);
}

static int record_dependencies(const struct om_job *j, struct job_record *r)
{
	if (!j->deps)
		return 0;
	r->dep = calloc(j->deps, sizeof(*r->dep));
	r->deps = calloc(j->deps, sizeof(*r->deps));
	if (!r->dep || !r->deps)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->deps; i++) {
		om__dependency__init(r->dep + i);
		r->dep[i].kind = j->dep[i].kind;
		r->dep[i].has_job_id = 1;
		r->dep[i].job_id = j->dep[i].job_id;
		r->deps[i] = r->dep + i;
	}
	r->spec.dependency = r->deps;
	r->spec.n_dependency = j->deps;
	return 0;
}

static int record_submitted(const struct om_job *j, struct job_record *r)
{
	om__ev_submitted__init(&r->sub);
	om__job_spec__init(&r->spec);
	om_request_to_spec(j->req, &r->spec);
	r->sub.job_id = j->id;
	r->sub.uid = j->uid;
	r->sub.gid = j->gid;
	r->sub.uuid.data = (uint8_t *)(uintptr_t)j->uuid;
	r->sub.uuid.len = sizeof(j->uuid);
	r->sub.spec = &r->spec;
	r->sub.user = TEXT(j->user);
	r->sub.cwd = TEXT(j->cwd);
	r->sub.std_out = TEXT(j->std_out);
	r->sub.submit_host = TEXT(j->submit_host);
	if (om_job_is_array(j)) {
		r->spec.array = om_idset_format(&j->all);
		if (!r->spec.array)
			return -ENOMEM;
	}
	return record_dependencies(j, r);
}

static int record_allocation(const struct om_job *j, struct job_record *r)
{
	const struct om_allocation *a = j->alloc;
	size_t n = a->shares;

	om__ev_allocated__init(&r->al);
	r->node = calloc(n, sizeof(*r->node));
	r->unclean = calloc(n, sizeof(*r->unclean));
	r->cpu_list = calloc(n, sizeof(*r->cpu_list));
	r->cpus = calloc(n, sizeof(*r->cpus));
	r->slots = calloc(n, sizeof(*r->slots));
	r->mem = calloc(n, sizeof(*r->mem));
	if (!r->node || !r->unclean || !r->cpu_list || !r->cpus || !r->slots ||
	    !r->mem)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct om_share *s = a->share + i;

		r->node[i] = TEXT(s->node->name);
		r->cpus[i] = s->cpus;
		r->slots[i] = s->slots;
		r->mem[i] = s->mem;
		r->cpu_list[i] = TEXT(s->cpu_list ? s->cpu_list : "");
		if (!s->clean)
			r->unclean[r->sj.n_unclean++] = r->node[i];
	}
	r->al.job_id = j->id;
	r->al.incarnation = j->incarnation;
	r->al.node = r->node;
	r->al.cpus = r->cpus;
	r->al.slots = r->slots;
	r->al.mem = r->mem;
	r->al.cpu_list = r->cpu_list;
	r->al.n_node = r->al.n_cpus = r->al.n_slots = r->al.n_mem = n;
	r->al.n_cpu_list = a->cpu_lists ? n : 0;
	r->sj.unclean = r->unclean;
	r->sj.allocated = &r->al;
	r->sj.has_next_step = 1;
	r->sj.next_step = a->next_step;
	return 0;
}

static int record_step(const struct om_job *j, const struct om_step *s,
		       struct step_record *r)
{
	om__snapshot_step__init(&r->ss);
	om__ev_step_created__init(&r->created);
	om__step_info__init(&r->info);
	r->node = calloc(s->parts, sizeof(*r->node));
	r->running = calloc(s->parts, sizeof(*r->running));
	r->tasks = calloc(s->parts, sizeof(*r->tasks));
	if (!r->node || !r->running || !r->tasks ||
	    om_step_info(s, &r->info, &r->usage) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->parts; i++) {
		r->node[i] = TEXT(s->part[i].node->name);
		r->tasks[i] = s->part[i].tasks;
		if (!s->part[i].over)
			r->running[r->ss.n_running++] = r->node[i];
	}
	r->created.job_id = j->id;
	r->created.step_id = s->id;
	r->created.name = TEXT(s->name);
	r->created.node = r->node;
	r->created.tasks = r->tasks;
	r->created.n_node = r->created.n_tasks = s->parts;
	r->created.has_uuid = r->created.has_daemons = 1;
	r->created.uuid.data = (uint8_t *)(uintptr_t)s->uuid;
	r->created.uuid.len = sizeof(s->uuid);
	r->created.daemons = s->daemons;
	r->ss.created = &r->created;
	r->ss.info = &r->info;
	r->ss.running = r->running;
	return 0;
}

static int record_steps(const struct om_job *j, struct job_record *r)
{
	const struct om_step *s;
	size_t n = 0;

	LL_FOREACH(j->alloc->step, s)
		n++;
	r->step = calloc(n ? n : 1, sizeof(*r->step));
	r->steps = calloc(n ? n : 1, sizeof(*r->steps));
	if (!r->step || !r->steps)
		return -ENOMEM;
	LL_FOREACH(j->alloc->step, s) {
		struct step_record *sr = r->step + r->n_step++;

		if (record_step(j, s, sr) < 0)
			return -ENOMEM;
		r->steps[r->n_step - 1] = &sr->ss;
	}
	r->sj.step = r->steps;
	r->sj.n_step = r->n_step;
	return 0;
}

static void record_flags(const struct om_job *j, struct job_record *r)
{
	Om__SnapshotJob *sj = &r->sj;

	sj->has_held = sj->has_held_by_admin = sj->has_array_failed = 1;
	sj->has_incarnation = sj->has_dependents = 1;
	sj->held = j->held;
	sj->held_by_admin = j->held_by_admin;
	sj->array_failed = j->array_failed;
	sj->incarnation = j->incarnation;
	sj->dependents = j->dependents;
	om__ev_ending__init(&r->ending);
	if (j->ending == S(PENDING))
		return;
	r->ending.job_id = j->id;
	r->ending.why = j->ending;
	r->ending.text = TEXT(j->ending_text);
	r->ending.has_uid = 1;
	r->ending.uid = j->ending_uid;
	sj->ending = &r->ending;
}

static int save_job(const struct om_job *j, om_snapshot_fn *fn, void *arg,
		    struct om_error *err)
{
	struct job_record r = { .n_step = 0 };
	int rc;

	om__snapshot__init(&r.rec);
	om__snapshot_job__init(&r.sj);
	om__job_spec__init(&r.spec);
	rc = om_job_info(j, &r.info, &r.usage);
	if (rc == 0)
		rc = record_submitted(j, &r);
	if (rc == 0 && j->alloc)
		rc = record_allocation(j, &r);
	if (rc == 0 && j->alloc)
		rc = record_steps(j, &r);
	if (rc < 0) {
		free_record(&r);
		return om_fail_nomem(err);
	}
	record_flags(j, &r);
	r.info.reason = NULL;
	r.sj.submitted = &r.sub;
	r.sj.info = &r.info;
	r.rec.what_case = OM__SNAPSHOT__WHAT_JOB;
	r.rec.job = &r.sj;
	rc = fn(arg, &r.rec, err);
	free_record(&r);
	return rc;
}

int om_model_save(const struct om_model *m, int64_t now_ns, om_snapshot_fn *fn,
		  void *arg, struct om_error *err)
{
	struct om_setting *s;
	struct om_ended *e, *next_ended;
	struct om_job *j, *next;
	int rc = save_head(m, now_ns, fn, arg, err);

	LL_FOREACH(m->setting, s)
		if (rc == 0)
			rc = save_setting(s, fn, arg, err);
	for (uint32_t i = 0; i < m->nodes && rc == 0; i++)
		if (m->node[i])
			rc = save_node(m->node[i], fn, arg, err);
	HASH_ITER(hh, m->ended, e, next_ended)
		if (rc == 0)
			rc = save_ended(e, fn, arg, err);
	HASH_ITER(by_id, m->job_by_id, j, next)
		if (rc == 0)
			rc = save_job(j, fn, arg, err);
	return rc;
}

/* --------------------------------------------------------------- restoring */

static int restore_ended(struct om_model *m, const Om__SnapshotEnded *rec,
			 struct om_error *err)
{
	struct om_ended *e = calloc(1, sizeof(*e));

	if (!e)
		return om_fail_nomem(err);
	e->id = rec->job_id;
	e->state = rec->state;
	e->dependents = rec->dependents;
	HASH_ADD(hh, m->ended, id, sizeof(e->id), e);
	return 0;
}

static int restore_node(struct om_model *m, const Om__SnapshotNode *rec,
			struct om_error *err)
{
	const Om__EvNode *ev = rec->node;
	struct om_node *n = model_add_node(m, ev->name);
	int rc = 0;

	if (!n)
		return om_fail_nomem(err);
	if (ev->registration && ev->registration->topology)
		rc = apply_registration(m, n, ev->registration, err);
	if (rc == 0)
		rc = apply_node_settings(n, ev->set, ev->n_set, err);
	n->up = ev->up;
	n->drain = ev->drain;
	n->reason = om_intern_get(m->intern, ev->text);
	n->reason_uid = ev->uid;
	if (rec->info) {
		n->reason_ns = rec->info->reason_ns;
		n->seen_ns = rec->info->seen_ns;
	}
	return rc;
}

static void restore_info(struct om_job *j, const Om__SnapshotJob *rec)
{
	const Om__JobInfo *i = rec->info;

	j->state = i->state;
	j->submit_ns = i->submit_ns;
	j->eligible_ns = i->eligible_ns;
	j->start_ns = i->start_ns;
	j->end_ns = i->end_ns;
	j->exit_code = i->exit_code;
	j->exit_signal = i->exit_signal;
	j->restarts = i->restarts;
	j->held = rec->held;
	j->held_by_admin = rec->held_by_admin;
	j->array_failed = rec->array_failed;
	j->incarnation = rec->incarnation;
	j->dependents = rec->dependents;
	if (i->usage) {
		j->user_us = i->usage->user_us;
		j->system_us = i->usage->system_us;
		j->max_rss = i->usage->max_rss;
		j->moves = i->usage->moves;
		j->freeze_us = i->usage->freeze_us;
	}
}

static int restore_array(struct om_model *m, struct om_job *j,
			 const Om__JobInfo *i, struct om_error *err)
{
	struct om_job *parent;

	if (!i->has_array_id || !i->array_id)
		return 0;
	if (om_job_is_array(j)) {
		om_idset_fini(&j->pending);
		if (!i->array_pending || !*i->array_pending)
			return 0;
		return om_idset_parse(&j->pending, i->array_pending, UINT32_MAX,
				      SIZE_MAX, err);
	}
	j->array_id = i->array_id;
	j->array_index = i->array_index;
	parent = om_model_job(m, j->array_id);
	if (!parent)
		return om_fail(err, -EPROTO, "array %llu of task %llu is missing",
			       (unsigned long long)j->array_id,
			       (unsigned long long)j->id);
	om_request_put(m, j->req);
	j->req = om_request_get(parent->req);
	if (!om_job_is_over(j))
		parent->array_running++;
	return 0;
}

static int restore_step(struct om_model *m, struct om_job *j,
			const Om__SnapshotStep *rec, struct om_error *err)
{
	const Om__StepInfo *i = rec->info;
	struct om_step *s;
	int rc = model_add_step(m, j, rec->created, i->start_ns, err);

	if (rc < 0)
		return rc;
	s = om_alloc_step(j, rec->created->step_id);
	s->state = i->state;
	s->start_ns = i->start_ns;
	s->end_ns = i->end_ns;
	s->exit_code = i->exit_code;
	s->exit_signal = i->exit_signal;
	if (i->usage) {
		s->user_us = i->usage->user_us;
		s->system_us = i->usage->system_us;
		s->max_rss = i->usage->max_rss;
	}
	for (uint32_t p = 0; p < s->parts; p++) {
		bool runs = false;

		for (size_t k = 0; k < rec->n_running; k++)
			runs |= !strcmp(rec->running[k], s->part[p].node->name);
		s->part[p].over = !runs;
		s->parts_over += !runs;
	}
	return 0;
}

static int restore_allocation(struct om_model *m, struct om_job *j,
			      const Om__SnapshotJob *rec, struct om_error *err)
{
	int rc = om_alloc_add(m, j, rec->allocated, err);

	for (uint32_t i = 0; rc == 0 && i < j->alloc->shares; i++) {
		struct om_share *s = j->alloc->share + i;
		bool unclean = false;

		for (size_t k = 0; k < rec->n_unclean; k++)
			unclean |= !strcmp(rec->unclean[k], s->node->name);
		if (!unclean)
			om_alloc_release_share(j, s);
	}
	for (size_t i = 0; rc == 0 && i < rec->n_step; i++)
		rc = restore_step(m, j, rec->step[i], err);
	if (rc == 0)
		j->alloc->next_step = rec->next_step;
	return rc;
}

static int restore_job(struct om_model *m, const Om__SnapshotJob *rec,
		       struct om_error *err)
{
	struct om_job *j = calloc(1, sizeof(*j));
	int rc;

	if (!j)
		return om_fail_nomem(err);
	rc = model_read_submitted(m, j, rec->submitted, err);
	if (rc == 0 && (unsigned)rec->info->state > S(BOOT_FAIL))
		rc = om_fail(err, -EPROTO, "job %llu has state %d",
			     (unsigned long long)j->id, rec->info->state);
	if (rc == 0) {
		restore_info(j, rec);
		rc = restore_array(m, j, rec->info, err);
	}
	if (rc == 0 && rec->allocated)
		rc = restore_allocation(m, j, rec, err);
	if (rc == 0 && om_job_is_array(j) && model_reserve_array(m) < 0)
		rc = om_fail_nomem(err);
	if (rc < 0) {
		model_free_job(m, j);
		return rc;
	}
	if (rec->ending) {
		j->ending = rec->ending->why;
		j->ending_uid = rec->ending->uid;
	}
	j->ending_text = om_intern_get(m->intern, rec->info->reason_text);
	model_add_job(m, j);
	if (!j->array_id || om_job_is_array(j))
		model_add_uuid(m, j);
	return 0;
}

int om_model_restore(struct om_model *m, const Om__Snapshot *rec,
		     struct om_error *err)
{
	switch (rec->what_case) {
	case OM__SNAPSHOT__WHAT_HEAD:
		m->next_job_id = rec->head->next_job_id;
		return 0;
	case OM__SNAPSHOT__WHAT_NODE:
		return restore_node(m, rec->node, err);
	case OM__SNAPSHOT__WHAT_ENDED:
		return restore_ended(m, rec->ended, err);
	case OM__SNAPSHOT__WHAT_SETTING:
		return model_set(m, rec->setting->key, rec->setting->value);
	case OM__SNAPSHOT__WHAT_JOB:
		return restore_job(m, rec->job, err);
	default:
		return om_fail(err, -EPROTO,
			       "snapshot record of an unknown kind: written by a newer version?");
	}
}
