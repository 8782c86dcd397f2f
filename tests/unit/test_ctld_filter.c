/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which jobs a command means: ids, arrays, tasks, conditions, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "sched/ctld/filter.h"
#include "sched/model/apply.h"

#define T(s) ((char *)(uintptr_t)(s))

struct fixture {
	struct om_model *m;
	char seen[512];			/* "1 2[4-6] ?9" */
};

static void submit(struct om_model *m, uint64_t id, uint32_t uid,
		   const char *name, const char *array)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvSubmitted e = OM__EV_SUBMITTED__INIT;
	Om__JobSpec spec = OM__JOB_SPEC__INIT;
	uint8_t uuid[16] = { (uint8_t)id };

	spec.name = T(name);
	spec.array = T(array);
	e.job_id = id;
	e.uid = uid;
	e.uuid.data = uuid;
	e.uuid.len = 16;
	e.spec = &spec;
	ev.at_ns = (int64_t)id;
	ev.what_case = OM__EVENT__WHAT_SUBMITTED;
	ev.submitted = &e;
	assert_int_equal(om_apply(m, &ev, NULL), 0);
}

/* 1 alone, 2 an array of ten (3-12), 13 alone. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->m = om_model_create(NULL);
	submit(f->m, 1, 100, "a", NULL);
	submit(f->m, 2, 200, "b", "1-10");
	submit(f->m, 13, 100, "b", NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	om_model_destroy(f->m);
	free(f);
	return 0;
}

static void on_job(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	struct fixture *f = arg;
	size_t len = strlen(f->seen);
	char *text = tasks ? om_idset_format(tasks) : NULL;

	snprintf(f->seen + len, sizeof(f->seen) - len, "%s%d%s%s%s",
		 len ? " " : "", (int)j->id, text ? "[" : "", text ? text : "",
		 text ? "]" : "");
	free(text);
}

static void on_missing(void *arg, uint64_t id)
{
	struct fixture *f = arg;
	size_t len = strlen(f->seen);

	snprintf(f->seen + len, sizeof(f->seen) - len, "%s?%d",
		 len ? " " : "", (int)id);
}

static void meant(struct fixture *f, const Om__JobFilter *filter,
		  const char *want)
{
	f->seen[0] = '\0';
	assert_int_equal(filter_each(f->m, filter, on_job, on_missing, f,
				     NULL), 0);
	assert_string_equal(f->seen, want);
}

static void nothing_said_is_everything(void **state)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;

	assert_true(filter_is_empty(&f));
	meant(*state, &f, "1 2 13");
}

static void ids_are_looked_up_and_missing_ones_told(void **state)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	uint64_t id[] = { 13, 1, 99 };

	f.job_id = id;
	f.n_job_id = 3;
	assert_false(filter_is_empty(&f));
	meant(*state, &f, "13 1 ?99");
}

static void an_id_within_an_array_is_that_task(void **state)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	uint64_t id[] = { 5, 2 };

	f.job_id = id;
	f.n_job_id = 2;
	meant(*state, &f, "2[3] 2");
}

static void conditions_must_all_hold(void **state)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	Om__JobState running = OM__JOB_STATE__RUNNING;

	f.name = T("b");
	meant(*state, &f, "2 13");
	f.has_uid = 1;
	f.uid = 100;
	meant(*state, &f, "13");
	f.state = &running;
	f.n_state = 1;
	meant(*state, &f, "");
}

static void tasks_outside_the_array_are_left_out(void **state)
{
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	Om__ArrayTask at = OM__ARRAY_TASK__INIT, *list = &at;

	f.array_task = &list;
	f.n_array_task = 1;
	at.array_id = 2;
	at.tasks = T("0,4-6,9-2000000000");
	meant(*state, &f, "2[4-6,9-10]");
	at.array_id = 1;
	meant(*state, &f, "?1");
}

static void malformed_tasks_are_refused(void **state)
{
	struct fixture *f = *state;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	Om__ArrayTask at = OM__ARRAY_TASK__INIT, *list = &at;

	filter.array_task = &list;
	filter.n_array_task = 1;
	at.array_id = 2;
	at.tasks = T("5-");
	assert_true(filter_check(&filter, NULL) < 0);
	assert_true(filter_each(f->m, &filter, on_job, NULL, f, NULL) < 0);
}

static void ignore(void *arg, struct om_job *j, const struct om_idset *tasks)
{
	(void)arg;
	(void)j;
	(void)tasks;
}

/* One user's message must not keep all others waiting. */
static void a_hostile_filter_does_not_hold_the_loop_up(void **state)
{
	struct fixture *f = *state;
	Om__JobFilter filter = OM__JOB_FILTER__INIT;
	uint64_t *id = calloc(100000, sizeof(*id));
	struct timespec begin, end;

	submit(f->m, 14, 1, "big", "0-99999");
	for (int i = 0; i < 100000; i++)
		id[i] = i % 2 ? 14 : 1000000 + (uint64_t)i;
	filter.job_id = id;
	filter.n_job_id = 100000;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	assert_int_equal(filter_each(f->m, &filter, ignore, NULL, f, NULL),
			 -E2BIG);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec < 3);
	filter.n_job_id = 100001;
	assert_int_equal(filter_check(&filter, NULL), -E2BIG);
	free(id);
}

#define U(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		U(nothing_said_is_everything),
		U(ids_are_looked_up_and_missing_ones_told),
		U(an_id_within_an_array_is_that_task),
		U(conditions_must_all_hold),
		U(tasks_outside_the_array_are_left_out),
		U(malformed_tasks_are_refused),
		U(a_hostile_filter_does_not_hold_the_loop_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
