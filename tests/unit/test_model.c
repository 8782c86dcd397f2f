/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of sched/model: the fold, its refusals, and that a snapshot with the
 * events after it gives what all events give. SEED=n repeats a random run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "sched/model/apply.h"

#define S(x) OM__JOB_STATE__##x

static int64_t now = 1000;

static int apply(struct om_model *m, Om__Event *ev, struct om_error *err)
{
	ev->at_ns = now += 1000;
	return om_apply(m, ev, err);
}

static int join(struct om_model *m, const char *name, uint32_t cpus)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvNode en = OM__EV_NODE__INIT;
	Om__NodeRegister reg = OM__NODE_REGISTER__INIT;
	Om__Topology t = OM__TOPOLOGY__INIT;

	t.has_cpus = t.has_memory = 1;
	t.cpus = cpus;
	t.memory = UINT64_C(8) << 30;
	reg.name = (char *)(uintptr_t)name;
	reg.boot_id.data = (uint8_t *)(uintptr_t)"0123456789abcdef";
	reg.boot_id.len = 16;
	reg.topology = &t;
	en.name = reg.name;
	en.registration = &reg;
	ev.what_case = OM__EVENT__WHAT_NODE_JOINED;
	ev.node_joined = &en;
	return apply(m, &ev, NULL);
}

static int submit(struct om_model *m, uint64_t id, const char *array,
		  uint64_t after, struct om_error *err)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvSubmitted sub = OM__EV_SUBMITTED__INIT;
	Om__JobSpec spec = OM__JOB_SPEC__INIT;
	Om__Dependency dep = OM__DEPENDENCY__INIT, *deps[] = { &dep };
	uint8_t uuid[16];

	memset(uuid, 0, sizeof(uuid));
	memcpy(uuid, &id, sizeof(id));
	sub.job_id = id;
	sub.uid = 1000;
	sub.gid = 100;
	sub.uuid.data = uuid;
	sub.uuid.len = sizeof(uuid);
	sub.spec = &spec;
	sub.user = (char *)(uintptr_t)"anna";
	spec.name = (char *)(uintptr_t)"work";
	spec.array = (char *)(uintptr_t)array;
	if (after) {
		dep.kind = OM__DEPENDENCY_KIND__AFTER_OK;
		dep.has_job_id = 1;
		dep.job_id = after;
		spec.dependency = deps;
		spec.n_dependency = 1;
	}
	ev.what_case = OM__EVENT__WHAT_SUBMITTED;
	ev.submitted = &sub;
	return apply(m, &ev, err);
}

static int allocate(struct om_model *m, uint64_t id, uint64_t array,
		    uint32_t index, const char *node, uint32_t cpus,
		    struct om_error *err)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvAllocated al = OM__EV_ALLOCATED__INIT;
	char *nodes[] = { (char *)(uintptr_t)node };
	uint32_t slots = cpus;
	uint64_t mem = 100;

	al.job_id = id;
	al.has_array_id = array != 0;
	al.array_id = array;
	al.has_array_index = array != 0;
	al.array_index = index;
	al.incarnation = 1;
	al.node = nodes;
	al.cpus = &cpus;
	al.slots = &slots;
	al.mem = &mem;
	al.n_node = al.n_cpus = al.n_slots = al.n_mem = 1;
	ev.what_case = OM__EVENT__WHAT_ALLOCATED;
	ev.allocated = &al;
	return apply(m, &ev, err);
}

static int start(struct om_model *m, uint64_t id)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvStarted st = OM__EV_STARTED__INIT;

	st.job_id = id;
	ev.what_case = OM__EVENT__WHAT_STARTED;
	ev.started = &st;
	return apply(m, &ev, NULL);
}

static int create_step(struct om_model *m, uint64_t id, uint32_t step,
		       const char *node)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvStepCreated sc = OM__EV_STEP_CREATED__INIT;
	char *nodes[] = { (char *)(uintptr_t)node };
	uint32_t tasks = 1;

	sc.job_id = id;
	sc.step_id = step;
	sc.node = nodes;
	sc.tasks = &tasks;
	sc.n_node = sc.n_tasks = 1;
	ev.what_case = OM__EVENT__WHAT_STEP_CREATED;
	ev.step_created = &sc;
	return apply(m, &ev, NULL);
}

static int end_step(struct om_model *m, uint64_t id, uint32_t step,
		    const char *node, uint32_t status)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvStepNode sn = OM__EV_STEP_NODE__INIT;
	Om__StepExit x = OM__STEP_EXIT__INIT;
	Om__TaskExit t = OM__TASK_EXIT__INIT, *tasks[] = { &t };
	Om__Usage u = OM__USAGE__INIT;

	t.status = status;
	u.has_user_us = 1;
	u.user_us = 10;
	x.job_id = id;
	x.step_id = step;
	x.task = tasks;
	x.n_task = 1;
	x.usage = &u;
	sn.exit = &x;
	sn.node = (char *)(uintptr_t)node;
	ev.what_case = OM__EVENT__WHAT_STEP_NODE;
	ev.step_node = &sn;
	return apply(m, &ev, NULL);
}

static int finish(struct om_model *m, uint64_t id, Om__JobState state,
		  const char *tasks, struct om_error *err)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvFinished fi = OM__EV_FINISHED__INIT;

	fi.job_id = id;
	fi.state = state;
	fi.tasks = (char *)(uintptr_t)tasks;
	ev.what_case = OM__EVENT__WHAT_FINISHED;
	ev.finished = &fi;
	return apply(m, &ev, err);
}

static int requeue(struct om_model *m, uint64_t id)
{
	Om__Event ev = OM__EVENT__INIT;
	Om__EvJob job = OM__EV_JOB__INIT;

	job.job_id = id;
	ev.what_case = OM__EVENT__WHAT_REQUEUED;
	ev.requeued = &job;
	return apply(m, &ev, NULL);
}

static struct om_model *two_nodes(void)
{
	struct om_model *m = om_model_create(NULL);

	assert_non_null(m);
	assert_int_equal(join(m, "n1", 4), 0);
	assert_int_equal(join(m, "n2", 4), 0);
	return m;
}

static void a_job_holds_its_node_until_it_is_finished(void **state)
{
	struct om_model *m = two_nodes();
	struct om_node *n = om_model_node(m, "n1");

	(void)state;
	assert_int_equal(submit(m, 1, NULL, 0, NULL), 0);
	assert_int_equal(m->jobs_pending, 1);
	assert_int_equal(allocate(m, 1, 0, 0, "n1", 3, NULL), 0);
	assert_int_equal(n->cpus_alloc, 3);
	assert_int_equal(n->jobs, 1);
	assert_int_equal(m->jobs_pending, 0);
	assert_int_equal(m->jobs_active, 1);
	assert_int_equal(start(m, 1), 0);
	assert_int_equal(create_step(m, 1, 0, "n1"), 0);
	assert_int_equal(end_step(m, 1, 0, "n1", 3 << 8), 0);
	assert_int_equal(om_model_job(m, 1)->alloc->step->exit_code, 3);
	assert_int_equal(finish(m, 1, S(FAILED), NULL, NULL), 0);
	assert_int_equal(n->cpus_alloc, 0);
	assert_int_equal(n->mem_alloc, 0);
	assert_int_equal(m->jobs_active, 0);
	assert_null(m->active);
	om_model_destroy(m);
}

static void a_refused_move_names_both_states(void **state)
{
	struct om_model *m = two_nodes();
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	submit(m, 1, NULL, 0, NULL);
	assert_int_equal(finish(m, 1, S(CANCELLED), NULL, NULL), 0);
	assert_int_equal(allocate(m, 1, 0, 0, "n1", 1, &err), -EPROTO);
	assert_non_null(strstr(err.text, "from cancelled to configuring"));
	assert_int_equal(om_model_node(m, "n1")->cpus_alloc, 0);
	om_model_destroy(m);
}

static void an_event_about_the_unknown_changes_nothing(void **state)
{
	struct om_model *m = two_nodes();
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_int_equal(finish(m, 9, S(FAILED), NULL, &err), -ENOENT);
	submit(m, 1, NULL, 0, NULL);
	assert_int_equal(allocate(m, 1, 0, 0, "nowhere", 1, &err), -ENOENT);
	assert_int_equal(om_model_job(m, 1)->state, S(PENDING));
	assert_null(om_model_job(m, 1)->alloc);
	assert_int_equal(submit(m, 1, NULL, 0, &err), -EPROTO);
	om_model_destroy(m);
}

static void array_tasks_have_ids_of_their_own(void **state)
{
	struct om_model *m = two_nodes();
	struct om_job *a, *t;
	uint32_t index;

	(void)state;
	assert_int_equal(submit(m, 10, "1-3,7", 0, NULL), 0);
	a = om_model_job(m, 10);
	assert_int_equal(m->next_job_id, 15);
	assert_int_equal(m->jobs_pending, 4);
	assert_int_equal(om_array_task_id(a, 7), 14);
	assert_int_equal(allocate(m, 14, 10, 7, "n1", 1, NULL), 0);
	t = om_model_job(m, 14);
	assert_int_equal(t->array_index, 7);
	assert_false(om_idset_has(&a->pending, 7));
	assert_int_equal(m->jobs_pending, 3);
	assert_int_equal(allocate(m, 14, 10, 7, "n1", 1, NULL), -EPROTO);
	assert_ptr_equal(om_model_array_of(m, 12, &index), a);
	assert_int_equal(index, 2);
	assert_null(om_model_array_of(m, 15, &index));
	om_model_destroy(m);
}

static void an_array_is_over_with_its_last_task(void **state)
{
	struct om_model *m = two_nodes();
	struct om_job *a;

	(void)state;
	submit(m, 10, "1-3", 0, NULL);
	a = om_model_job(m, 10);
	allocate(m, 11, 10, 1, "n1", 1, NULL);
	assert_int_equal(finish(m, 10, S(CANCELLED), "2", NULL), 0);
	assert_int_equal(m->jobs_pending, 1);
	assert_true(a->listed_pending);
	allocate(m, 13, 10, 3, "n2", 1, NULL);
	assert_false(a->listed_pending);
	finish(m, 11, S(COMPLETED), NULL, NULL);
	assert_false(om_job_is_over(a));
	finish(m, 13, S(COMPLETED), NULL, NULL);
	assert_int_equal(a->state, S(FAILED));	/* one was cancelled */
	assert_int_equal(m->jobs_pending, 0);
	om_model_destroy(m);
}

static void a_dependant_learns_of_an_end_that_was_forgotten(void **state)
{
	struct om_model *m = two_nodes();
	Om__JobState end;
	bool known;

	(void)state;
	submit(m, 1, NULL, 0, NULL);
	submit(m, 2, NULL, 1, NULL);
	assert_false(om_model_end_state(m, 1, &end, &known));
	assert_true(known);
	finish(m, 1, S(FAILED), NULL, NULL);
	om_model_forget(m, om_model_job(m, 1));
	assert_true(om_model_end_state(m, 1, &end, &known));
	assert_int_equal(end, S(FAILED));
	finish(m, 2, S(CANCELLED), NULL, NULL);
	assert_false(om_model_end_state(m, 1, &end, &known));
	assert_false(known);		/* nobody waits for it any more */
	om_model_destroy(m);
}

static void the_same_uuid_of_another_user_is_another_submit(void **state)
{
	struct om_model *m = two_nodes();
	uint8_t uuid[16] = { 1 };

	(void)state;
	submit(m, 1, NULL, 0, NULL);
	assert_int_equal(om_model_submitted(m, 1000, uuid), 1);
	assert_int_equal(om_model_submitted(m, 1001, uuid), 0);
	om_model_destroy(m);
}

static void a_requeued_job_waits_again_and_counts_it(void **state)
{
	struct om_model *m = two_nodes();

	(void)state;
	submit(m, 1, NULL, 0, NULL);
	allocate(m, 1, 0, 0, "n1", 2, NULL);
	start(m, 1);
	assert_int_equal(requeue(m, 1), 0);
	assert_int_equal(om_model_job(m, 1)->restarts, 1);
	assert_null(om_model_job(m, 1)->alloc);
	assert_int_equal(om_model_node(m, "n1")->cpus_alloc, 0);
	assert_int_equal(m->jobs_pending, 1);
	assert_int_equal(m->jobs_active, 0);
	om_model_destroy(m);
}

static void node_settings_are_all_or_nothing(void **state)
{
	struct om_model *m = two_nodes();
	Om__Event ev = OM__EVENT__INIT;
	Om__EvNode en = OM__EV_NODE__INIT;
	char good[] = "load-limit=1.5", bad[] = "block=maybe";
	char *set[] = { good, bad };
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	en.name = (char *)(uintptr_t)"n1";
	en.set = set;
	en.n_set = 2;
	ev.what_case = OM__EVENT__WHAT_NODE_SET;
	ev.node_set = &en;
	assert_int_equal(apply(m, &ev, &err), -EINVAL);
	assert_non_null(strstr(err.text, "maybe"));
	assert_true(om_model_node(m, "n1")->load_limit == 0);
	en.n_set = 1;
	assert_int_equal(apply(m, &ev, &err), 0);
	assert_true(om_model_node(m, "n1")->load_limit == 1.5);
	om_model_destroy(m);
}

static void every_state_name_parses_back(void **state)
{
	(void)state;
	for (unsigned s = S(PENDING); s <= S(BOOT_FAIL); s++) {
		Om__JobState back;

		assert_int_equal(om_state_parse(om_state_name(s), &back), 0);
		assert_int_equal(back, s);
		assert_false(om_state_may(S(COMPLETED), s));
	}
	assert_int_equal(om_state_parse("OUT_OF_MEMORY", &(Om__JobState){ 0 }), 0);
	assert_int_equal(om_state_parse("nonsense", &(Om__JobState){ 0 }), -EINVAL);
}

/* ---------------------------------------------------- snapshots, at random */

struct text {
	struct om_buf buf;
	struct om_model *restored;
};

/* A record's packed bytes; equal models give equal texts. */
static int to_text(void *arg, const Om__Snapshot *rec, struct om_error *err)
{
	struct text *t = arg;
	size_t len = om__snapshot__get_packed_size(rec), room;
	uint8_t *bytes = (uint8_t *)om_buf_space(&t->buf, len, &room);
	Om__Snapshot *copy;
	int rc;

	(void)err;
	assert_non_null(bytes);
	om__snapshot__pack(rec, bytes);
	if (!t->restored) {
		om_buf_commit(&t->buf, len);
		return 0;
	}
	copy = om__snapshot__unpack(NULL, len, bytes);
	assert_non_null(copy);
	rc = om_model_restore(t->restored, copy, err);
	om__snapshot__free_unpacked(copy, NULL);
	return rc;
}

static void assert_same(const struct om_model *a, const struct om_model *b)
{
	struct text ta = { .restored = NULL }, tb = { .restored = NULL };

	assert_int_equal(om_model_save(a, 5, to_text, &ta, NULL), 0);
	assert_int_equal(om_model_save(b, 5, to_text, &tb, NULL), 0);
	assert_int_equal(om_buf_len(&ta.buf), om_buf_len(&tb.buf));
	assert_memory_equal(om_buf_str(&ta.buf), om_buf_str(&tb.buf),
			    om_buf_len(&ta.buf));
	assert_int_equal(a->jobs_pending, b->jobs_pending);
	assert_int_equal(a->jobs_active, b->jobs_active);
	om_buf_fini(&ta.buf);
	om_buf_fini(&tb.buf);
}

static struct om_model *copy_model(const struct om_model *m)
{
	struct om_error err = OM_ERROR_INIT;
	struct text t = { .restored = om_model_create(NULL) };

	if (om_model_save(m, 5, to_text, &t, &err) < 0)
		fail_msg("restore: %s", err.text);
	om_buf_fini(&t.buf);
	return t.restored;
}

static uint64_t random_job(const struct om_model *m)
{
	return 1 + (uint64_t)rand() % m->next_job_id;
}

/* One random event, sensible or not; the model may refuse it. */
static void random_event(struct om_model *m, uint64_t id, int kind, int r)
{
	const char *node = r & 1 ? "n1" : "n2";
	struct om_job *j = om_model_job(m, id);
	uint32_t index;

	switch (kind) {
	case 0:
		submit(m, m->next_job_id, NULL, r % 3 ? 0 : id, NULL);
		break;
	case 1:
		submit(m, m->next_job_id, "2-9:3,20-22", 0, NULL);
		break;
	case 2:
		if (j && om_job_is_array(j) &&
		    om_idset_next(&j->pending, 0, &index))
			allocate(m, om_array_task_id(j, index), id, index, node,
				 1, NULL);
		else
			allocate(m, id, 0, 0, node, 1, NULL);
		break;
	case 3:
		start(m, id);
		break;
	case 4:
		create_step(m, id, (uint32_t)r % 3, node);
		break;
	case 5:
		end_step(m, id, (uint32_t)r % 3, node, (uint32_t)r % 4 << 8);
		break;
	case 6:
		finish(m, id, r % 2 ? S(COMPLETED) : S(FAILED), NULL, NULL);
		break;
	case 7:
		requeue(m, id);
		break;
	case 8:
		if (j && om_job_is_over(j) &&
		    (!j->array_id || !om_job_is_array(j)))
			om_model_forget(m, j);
		break;
	}
}

static void snapshot_and_later_events_equal_all_events(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 40; round++) {
		struct om_model *a = two_nodes(), *b;

		for (int i = 0; i < 150; i++)
			random_event(a, random_job(a), rand() % 9, rand());
		b = copy_model(a);
		assert_same(a, b);
		for (int i = 0; i < 100; i++) {
			uint64_t id = random_job(a);
			int kind = rand() % 9, r = rand();
			int64_t at = now;

			random_event(a, id, kind, r);
			now = at;
			random_event(b, id, kind, r);
		}
		assert_same(a, b);
		om_model_destroy(a);
		om_model_destroy(b);
	}
}

static void node_sums_equal_the_sum_of_the_shares(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 40; round++) {
		struct om_model *m = two_nodes();
		struct om_job *j;

		for (int i = 0; i < 300; i++)
			random_event(m, random_job(m), rand() % 9, rand());
		for (uint32_t n = 0; n < m->nodes; n++) {
			uint32_t cpus = 0, jobs = 0;

			DL_FOREACH(m->active, j)
				for (uint32_t i = 0; i < j->alloc->shares; i++) {
					struct om_share *s = j->alloc->share + i;

					if (s->node != m->node[n] || s->clean)
						continue;
					cpus += s->cpus;
					jobs++;
				}
			assert_int_equal(m->node[n]->cpus_alloc, cpus);
			assert_int_equal(m->node[n]->jobs, jobs);
		}
		om_model_destroy(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_holds_its_node_until_it_is_finished),
		cmocka_unit_test(a_refused_move_names_both_states),
		cmocka_unit_test(an_event_about_the_unknown_changes_nothing),
		cmocka_unit_test(array_tasks_have_ids_of_their_own),
		cmocka_unit_test(an_array_is_over_with_its_last_task),
		cmocka_unit_test(a_dependant_learns_of_an_end_that_was_forgotten),
		cmocka_unit_test(the_same_uuid_of_another_user_is_another_submit),
		cmocka_unit_test(a_requeued_job_waits_again_and_counts_it),
		cmocka_unit_test(node_settings_are_all_or_nothing),
		cmocka_unit_test(every_state_name_parses_back),
		cmocka_unit_test(snapshot_and_later_events_equal_all_events),
		cmocka_unit_test(node_sums_equal_the_sum_of_the_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
