/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzes what omctld decodes beyond the frames: a Submit with the Launch in
 * it, and the filters of commands over a small model.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/proto/types.h"
#include "sched/ctld/filter.h"
#include "sched/ctld/spec.h"
#include "sched/model/apply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_submit(const uint8_t *data, size_t size)
{
	struct om_error err = OM_ERROR_INIT;
	Om__Submit *m = (Om__Submit *)om_msg_unpack(OM_MSG_SUBMIT, data, size,
						    &err);
	Om__Launch *l = NULL;

	if (!m)
		return;
	spec_check(m->spec, 1000, &err);
	if (launch_check(&m->launch, m->spec->kind, &l, &err) == 0)
		om__launch__free_unpacked(l, NULL);
	if (launch_check_step(&m->launch, &l, &err) == 0)
		om__launch__free_unpacked(l, NULL);
	om__submit__free_unpacked(m, NULL);
}

static void try_launch(const uint8_t *data, size_t size)
{
	ProtobufCBinaryData packed = { size, (uint8_t *)(uintptr_t)data };
	struct om_error err = OM_ERROR_INIT;
	Om__Launch *l = NULL;

	if (launch_check(&packed, OM__JOB_KIND__BATCH, &l, &err) == 0)
		om__launch__free_unpacked(l, NULL);
}

/* A job, and an array with holes. */
static struct om_model *make_model(void)
{
	static const char *const array[] = { NULL, "1-5,8,20-30:2" };
	struct om_model *m = om_model_create(NULL);

	for (int i = 0; m && i < 2; i++) {
		Om__Event ev = OM__EVENT__INIT;
		Om__EvSubmitted e = OM__EV_SUBMITTED__INIT;
		Om__JobSpec spec = OM__JOB_SPEC__INIT;
		uint8_t uuid[16] = { (uint8_t)i };

		spec.array = (char *)(uintptr_t)array[i];
		e.job_id = (uint64_t)i + 1;
		e.uuid.data = uuid;
		e.uuid.len = 16;
		e.spec = &spec;
		ev.what_case = OM__EVENT__WHAT_SUBMITTED;
		ev.submitted = &e;
		om_apply(m, &ev, NULL);
	}
	return m;
}

static void on_job(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	uint32_t index;

	(void)arg;
	/* Tasks that are told of are of the array. */
	if (tasks && om_idset_next(tasks, 0, &index) &&
	    !om_idset_has(&j->all, index))
		abort();
}

static void try_filter(const uint8_t *data, size_t size)
{
	static struct om_model *m;
	struct om_error err = OM_ERROR_INIT;
	Om__JobList *l = (Om__JobList *)om_msg_unpack(OM_MSG_JOB_LIST, data,
						      size, &err);

	if (!m)
		m = make_model();
	if (l && m)
		filter_each(m, l->filter, on_job, NULL, NULL, &err);
	if (l)
		om__job_list__free_unpacked(l, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_submit(data, size);
	try_launch(data, size);
	try_filter(data, size);
	return 0;
}
