/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node that returns against the log: the table of reconcile.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/proto/types.h"
#include "sched/ctld/reconcile.h"

#define S(x) OM__JOB_STATE__##x

/* A job of incarnation 2 that runs a step on two nodes. */
struct fixture {
	struct om_node here, there, other;
	struct om_step_part part[2];
	struct om_step step;
	struct om_allocation alloc;
	struct om_request req;
	struct om_job job;
	Om__StepExit exit;
	Om__StepOnNode held;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){
		.here = { .name = "n1" },
		.there = { .name = "n2" },
		.other = { .name = "n3" },
	};
	f.part[0].node = &f.here;
	f.part[1].node = &f.there;
	f.step = (struct om_step){ .id = 3, .part = f.part, .parts = 2,
				   .state = S(RUNNING) };
	f.alloc.step = &f.step;
	f.job = (struct om_job){ .id = 9, .incarnation = 2, .req = &f.req,
				 .state = S(RUNNING), .alloc = &f.alloc };
	om__step_exit__init(&f.exit);
	om__step_on_node__init(&f.held);
	f.held.job_id = 9;
	f.held.step_id = 3;
	f.held.incarnation = 2;
	*state = &f;
	return 0;
}

static void what_goes_on_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KEEP);
}

static void a_job_that_ends_is_still_its_nodes_until_it_has(void **state)
{
	struct fixture *f = *state;

	f->job.state = S(COMPLETING);
	f->job.ending = S(CANCELLED);
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KEEP);
}

static void an_unknown_job_is_killed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reconcile_held(NULL, &f->here, &f->held), HELD_KILL);
}

static void another_incarnation_is_killed(void **state)
{
	struct fixture *f = *state;

	f->held.incarnation = 1;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KILL);
	f->held.incarnation = 3;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KILL);
}

static void a_job_that_is_over_or_waits_is_killed(void **state)
{
	struct fixture *f = *state;

	f->job.state = S(NODE_FAIL);
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KILL);
	f->job.state = S(PENDING);
	f->job.alloc = NULL;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KILL);
}

static void a_step_of_another_node_is_killed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reconcile_held(&f->job, &f->other, &f->held),
			 HELD_KILL);
}

static void a_part_that_is_over_is_killed(void **state)
{
	struct fixture *f = *state;

	f->part[0].over = true;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_KILL);
	assert_int_equal(reconcile_held(&f->job, &f->there, &f->held),
			 HELD_KEEP);
}

static void an_exit_that_is_news_is_taken(void **state)
{
	struct fixture *f = *state;

	f->held.exit = &f->exit;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_TAKE_EXIT);
}

static void an_exit_that_is_old_is_acknowledged(void **state)
{
	struct fixture *f = *state;

	f->held.exit = &f->exit;
	f->part[0].over = true;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_ACK);
	f->part[0].over = false;
	f->held.incarnation = 1;
	assert_int_equal(reconcile_held(&f->job, &f->here, &f->held),
			 HELD_ACK);
	assert_int_equal(reconcile_held(NULL, &f->here, &f->held), HELD_ACK);
}

/* ---------------------------------------------------------- what is not held */

static enum part_verdict part(struct fixture *f, bool held, bool confirmed,
			      bool job_there)
{
	struct part_facts facts = { held, confirmed, job_there };

	return reconcile_part(&f->job, &f->step, &facts);
}

static void what_is_held_is_fine(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(part(f, true, false, true), PART_FINE);
	f->job.ending = S(CANCELLED);
	assert_int_equal(part(f, true, true, true), PART_FINE);
}

static void what_was_never_begun_is_ordered_again(void **state)
{
	struct fixture *f = *state;

	f->step.state = S(CONFIGURING);
	assert_int_equal(part(f, false, false, false), PART_RELAUNCH);
	/* The job may be there by another step. */
	assert_int_equal(part(f, false, false, true), PART_RELAUNCH);
}

static void what_was_begun_does_not_begin_twice(void **state)
{
	struct fixture *f = *state;

	f->step.state = S(CONFIGURING);
	assert_int_equal(part(f, false, true, false), PART_VANISHED);
	f->step.state = S(RUNNING);
	assert_int_equal(part(f, false, true, true), PART_VANISHED);
	assert_int_equal(part(f, false, false, true), PART_VANISHED);
	f->step.parts = 1;
	assert_int_equal(part(f, false, false, false), PART_VANISHED);
}

static void a_part_elsewhere_says_nothing_of_this_one(void **state)
{
	struct fixture *f = *state;

	/* Two nodes, one has confirmed, the order to this one was lost. */
	f->step.state = S(RUNNING);
	assert_int_equal(part(f, false, false, false), PART_RELAUNCH);
}

static void nothing_is_begun_for_a_job_that_ends(void **state)
{
	struct fixture *f = *state;

	f->step.state = S(CONFIGURING);
	f->job.ending = S(CANCELLED);
	assert_int_equal(part(f, false, false, false), PART_VANISHED);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_goes_on_is_kept),
		T(a_job_that_ends_is_still_its_nodes_until_it_has),
		T(an_unknown_job_is_killed),
		T(another_incarnation_is_killed),
		T(a_job_that_is_over_or_waits_is_killed),
		T(a_step_of_another_node_is_killed),
		T(a_part_that_is_over_is_killed),
		T(an_exit_that_is_news_is_taken),
		T(an_exit_that_is_old_is_acknowledged),
		T(what_is_held_is_fine),
		T(what_was_never_begun_is_ordered_again),
		T(what_was_begun_does_not_begin_twice),
		T(a_part_elsewhere_says_nothing_of_this_one),
		T(nothing_is_begun_for_a_job_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
