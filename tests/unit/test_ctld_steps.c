/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives a real omctld as omalloc and omrun do: attached jobs and steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/unit/ctldrig.h"

#define S(x) OM__JOB_STATE__##x

static uint32_t send_allocation(struct rig_client *c, uint8_t uuid[16],
				uint32_t tasks)
{
	Om__Submit m = OM__SUBMIT__INIT;
	Om__JobSpec spec = OM__JOB_SPEC__INIT;

	spec.has_kind = spec.has_tasks = 1;
	spec.kind = OM__JOB_KIND__ALLOCATION;
	spec.tasks = tasks;
	m.uuid.data = uuid;
	m.uuid.len = 16;
	m.spec = &spec;
	m.has_attached = 1;
	m.attached = 1;
	assert_int_equal(om_conn_send(c->conn, OM_MSG_SUBMIT, ++c->next_id,
				      &m.base), 0);
	return c->next_id;
}

static void event_is(struct rig_client *c, uint32_t id, Om__JobState state,
		     uint64_t *ret_job)
{
	Om__JobEvent *e;
	Om__JobState got;

	do {
		e = rig_next(c, id, OM_MSG_JOB_EVENT);
		got = e->state;
		*ret_job = e->job_id;
		if (got == S(RUNNING))
			assert_non_null(e->allocation);
		rig_free(e);
	} while (got != state);
}

static uint64_t allocate(struct rig_client *c, uint32_t *ret_id)
{
	uint8_t uuid[16];
	uint64_t job;

	rig_uuid(uuid);
	*ret_id = send_allocation(c, uuid, 4);
	rig_free(rig_next(c, *ret_id, OM_MSG_SUBMITTED));
	event_is(c, *ret_id, S(RUNNING), &job);
	return job;
}

static uint32_t send_step(struct rig_client *c, uint64_t job,
			  const uint8_t uuid[16], const char *code)
{
	Om__StepCreate m = OM__STEP_CREATE__INIT;
	Om__Launch l = OM__LAUNCH__INIT;
	char *argv[] = { (char *)(uintptr_t)"true", (char *)(uintptr_t)code };
	uint8_t buf[256];

	l.argv = argv;
	l.n_argv = 2;
	l.cwd = (char *)(uintptr_t)"/";
	m.job_id = job;
	m.uuid.data = (uint8_t *)(uintptr_t)uuid;
	m.uuid.len = 16;
	m.launch.len = om__launch__pack(&l, buf);
	m.launch.data = buf;
	assert_int_equal(om_conn_send(c->conn, OM_MSG_STEP_CREATE,
				      ++c->next_id, &m.base), 0);
	return c->next_id;
}

static void an_allocation_runs_steps_and_is_finished(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobControl fin = OM__JOB_CONTROL__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__StepEvent *e;
	Om__JobInfo *j;
	uint8_t uuid[16];
	uint32_t alloc, step, again;
	uint64_t id = allocate(&f->c, &alloc), over;

	rig_uuid(uuid);
	step = send_step(&f->c, id, uuid, "5");
	rig_free(rig_next(&f->c, step, OM_MSG_STEP_CREATED));
	e = rig_next(&f->c, step, OM_MSG_STEP_EVENT);
	assert_int_equal(e->exit_code, 5);
	rig_free(e);
	again = send_step(&f->c, id, uuid, "5");
	rig_free(rig_next(&f->c, again, OM_MSG_STEP_CREATED));
	rig_free(rig_next(&f->c, again, OM_MSG_STEP_EVENT));
	assert_int_equal(f->r.executions, 1);
	filter.job_id = &id;
	filter.n_job_id = 1;
	fin.verb = OM__JOB_VERB__FINISH;
	fin.filter = &filter;
	fin.has_exit_code = 1;
	fin.exit_code = 9;
	rig_free(rig_call(&f->c, OM_MSG_JOB_CONTROL, &fin.base,
			  OM_MSG_JOB_CONTROL_REPLY));
	event_is(&f->c, alloc, S(FAILED), &over);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->exit_code, 9);
	assert_int_equal(j->n_step, 1);
	rig_free(j);
}

static void a_client_may_come_back_to_its_allocation(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_client second = { .rig = &f->r };
	uint8_t uuid[16];
	uint64_t job, same;
	uint32_t id;

	rig_uuid(uuid);
	rig_client_connect(&f->r, &second);
	id = send_allocation(&second, uuid, 1);
	rig_free(rig_next(&second, id, OM_MSG_SUBMITTED));
	event_is(&second, id, S(RUNNING), &job);
	rig_client_close(&second);
	rig_turns(&f->r, 200 * OM_NS_PER_MS);
	rig_client_connect(&f->r, &second);
	id = send_allocation(&second, uuid, 1);
	rig_free(rig_next(&second, id, OM_MSG_SUBMITTED));
	event_is(&second, id, S(RUNNING), &same);
	assert_int_equal(job, same);
	rig_client_close(&second);
}

static void an_allocation_ends_when_its_client_stays_away(void **state)
{
	struct rig_fixture *f = *state;
	struct rig_client second = { .rig = &f->r };
	Om__JobInfo *j;
	uint64_t id;
	uint32_t ask;

	rig_client_connect(&f->r, &second);
	id = allocate(&second, &ask);
	rig_client_close(&second);
	rig_turns(&f->r, OM_NS_PER_S);
	rig_wait_state(&f->c, id, S(RUNNING));
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(CANCELLED));
	assert_non_null(strstr(j->reason_text, "went away"));
	rig_free(j);
}

static void an_allocation_ends_at_its_time_limit(void **state)
{
	struct rig_fixture *f = *state;
	Om__JobControl m = OM__JOB_CONTROL__INIT;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__JobSpec update = OM__JOB_SPEC__INIT;
	Om__JobInfo *j;
	uint8_t uuid[16];
	uint32_t alloc, step;
	uint64_t id = allocate(&f->c, &alloc), over;

	f->r.node[0].hold = f->r.node[1].hold = true;
	rig_uuid(uuid);
	step = send_step(&f->c, id, uuid, "0");
	rig_free(rig_next(&f->c, step, OM_MSG_STEP_CREATED));
	filter.job_id = &id;
	filter.n_job_id = 1;
	m.verb = OM__JOB_VERB__UPDATE;
	m.filter = &filter;
	m.update = &update;
	update.has_time_limit_s = 1;
	update.time_limit_s = 1;
	rig_free(rig_call(&f->c, OM_MSG_JOB_CONTROL, &m.base,
			  OM_MSG_JOB_CONTROL_REPLY));
	event_is(&f->c, alloc, S(TIMEOUT), &over);
	j = rig_wait_job(&f->c, id);
	assert_int_equal(j->state, S(TIMEOUT));
	rig_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(an_allocation_runs_steps_and_is_finished),
		RIG_TEST(a_client_may_come_back_to_its_allocation),
		RIG_TEST(an_allocation_ends_when_its_client_stays_away),
		RIG_TEST(an_allocation_ends_at_its_time_limit),
	};

	rig_need();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
