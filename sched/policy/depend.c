/* SPDX-License-Identifier: GPL-3.0-or-later */
/* depend: has what a job waits for come about? */
#include <utlist.h>

#include "lib/base/str.h"
#include "sched/policy/sched.h"

#define S(x) OM__JOB_STATE__##x

static bool began(const struct om_model *m, uint64_t id)
{
	const struct om_job *j = om_model_job(m, id);

	/* An array began when the last of its tasks did. */
	if (!j)
		return false;
	if (om_job_is_array(j))
		return j->pending.count == 0;
	return j->start_ns != 0;
}

uint64_t om_depend_twin(const struct om_model *m, const struct om_job *j)
{
	const struct om_job *lists[] = { m->pending, m->active };
	const struct om_job *o;
	uint64_t found = 0;

	for (size_t i = 0; i < 2; i++)
		DL_FOREACH(lists[i], o)
			if (o->id < j->id && o->id > found &&
			    o->uid == j->uid && !om_job_is_over(o) &&
			    om_str_eq(o->req->name, j->req->name))
				found = o->id;
	return found;
}

enum om_depend om_depend_one(const struct om_model *m, const struct om_job *j,
			     const struct om_dependency *d)
{
	Om__JobState end = S(PENDING);
	bool known, over;

	if (d->kind == OM__DEPENDENCY_KIND__SINGLETON)
		return om_depend_twin(m, j) ? OM_DEPEND_WAITS : OM_DEPEND_MET;
	over = om_model_end_state(m, d->job_id, &end, &known);
	switch (d->kind) {
	case OM__DEPENDENCY_KIND__AFTER:
		return over || !known || began(m, d->job_id) ?
			       OM_DEPEND_MET : OM_DEPEND_WAITS;
	case OM__DEPENDENCY_KIND__AFTER_ANY:
		return over || !known ? OM_DEPEND_MET : OM_DEPEND_WAITS;
	case OM__DEPENDENCY_KIND__AFTER_OK:
		if (over)
			return end == S(COMPLETED) ? OM_DEPEND_MET :
						     OM_DEPEND_NEVER;
		break;
	case OM__DEPENDENCY_KIND__AFTER_NOT_OK:
		if (over)
			return end == S(COMPLETED) ? OM_DEPEND_NEVER :
						     OM_DEPEND_MET;
		break;
	default:
		break;
	}
	/* How a job ended that nobody remembers cannot come out any more. */
	return known ? OM_DEPEND_WAITS : OM_DEPEND_NEVER;
}

enum om_depend om_depend_all(const struct om_model *m, const struct om_job *j)
{
	enum om_depend worst = OM_DEPEND_MET;

	for (uint32_t i = 0; i < j->deps; i++) {
		enum om_depend d = om_depend_one(m, j, j->dep + i);

		if (d > worst)
			worst = d;
	}
	return worst;
}
