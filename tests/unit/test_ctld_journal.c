/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The barrier between log and network, over a store and connections that are
 * played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "sched/ctld/journal.h"

/* ------------------------------------------------------------ played parts */

struct om_store {
	uint64_t last, durable;
	int fail;			/* what the next append returns */
};

struct om_conn {
	struct om_buf out;
	unsigned sends;
	int fail;
};

int64_t om_store_append(struct om_store *s, const Om__Event *ev,
			struct om_error *err)
{
	(void)ev;
	if (s->fail)
		return om_fail(err, s->fail, "the disk is full");
	return (int64_t)++s->last;
}

uint64_t om_store_last(const struct om_store *s)
{
	return s->last;
}

uint64_t om_store_durable(const struct om_store *s)
{
	return s->durable;
}

int om_conn_send_raw(struct om_conn *c, const void *frames, size_t len)
{
	if (c->fail)
		return c->fail;
	c->sends++;
	return om_buf_add(&c->out, frames, len);
}

struct fixture {
	struct om_model *model;
	struct om_store store;
	struct om_conn conn[2];
	struct outbox box[2];
	struct journal *j;
	unsigned failed, applied;
};

static void on_failed(void *arg, const struct om_error *err)
{
	struct fixture *f = arg;

	assert_true(err->code < 0);
	f->failed++;
}

static void on_applied(void *arg, const Om__Event *ev)
{
	(void)ev;
	((struct fixture *)arg)->applied++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct journal_config config = {
		.clock = om_clock_system(), .applied_fn = on_applied,
		.failed_fn = on_failed, .arg = f,
	};

	config.model = f->model = om_model_create(NULL);
	f->j = journal_create(&config, NULL);
	journal_set_store(f->j, &f->store);
	f->box[0].conn = f->conn;
	f->box[1].conn = f->conn + 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		outbox_fini(f->j, f->box + i);
		om_buf_fini(&f->conn[i].out);
	}
	journal_destroy(f->j);
	om_model_destroy(f->model);
	free(f);
	return 0;
}

/* An event that the model always takes. */
static int emit(struct fixture *f)
{
	Om__EvSetting e = OM__EV_SETTING__INIT;
	Om__Event ev = OM__EVENT__INIT;

	e.key = (char *)(uintptr_t)"log_level";
	ev.what_case = OM__EVENT__WHAT_SETTING;
	ev.setting = &e;
	return journal_emit(f->j, &ev, NULL);
}

static void send(struct fixture *f, int to, uint32_t id)
{
	Om__Reply r = OM__REPLY__INIT;

	assert_int_equal(journal_send(f->j, f->box + to, OM_MSG_REPLY, id,
				      &r.base), 0);
}

static void durable(struct fixture *f, uint64_t seq)
{
	f->store.durable = seq;
	journal_durable(f->j, seq);
}

/* The ids of the frames that left, in order, as a number: 1 2 3 -> 123. */
static unsigned left(struct om_conn *c)
{
	const uint8_t *p = (const uint8_t *)om_buf_str(&c->out);
	size_t len = om_buf_len(&c->out);
	unsigned n = 0;

	while (len > 0) {
		struct om_frame f;
		int64_t size = om_frame_parse(p, len, OM_ROLE_ANY, &f, NULL);

		assert_true(size > 0);
		n = n * 10 + f.id;
		p += size;
		len -= (size_t)size;
	}
	return n;
}

/* -------------------------------------------------------------------- tests */

static void what_rests_on_nothing_leaves_at_once(void **state)
{
	struct fixture *f = *state;

	send(f, 0, 1);
	assert_int_equal(left(f->conn), 1);
}

static void an_answer_waits_until_its_event_is_durable(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(emit(f), 0);
	send(f, 0, 1);
	assert_int_equal(left(f->conn), 0);
	durable(f, 1);
	assert_int_equal(left(f->conn), 1);
}

static void each_message_leaves_with_its_own_event(void **state)
{
	struct fixture *f = *state;

	emit(f);
	send(f, 0, 1);
	emit(f);
	send(f, 0, 2);
	emit(f);
	durable(f, 1);
	assert_int_equal(left(f->conn), 1);
	durable(f, 3);
	assert_int_equal(left(f->conn), 12);
}

static void order_is_kept_though_all_is_durable_again(void **state)
{
	struct fixture *f = *state;

	emit(f);
	send(f, 0, 1);
	/* The store is ahead of its callback: 2 must not overtake 1. */
	f->store.durable = 1;
	send(f, 0, 2);
	assert_int_equal(left(f->conn), 0);
	journal_durable(f->j, 1);
	assert_int_equal(left(f->conn), 12);
}

static void a_refused_event_changes_nothing(void **state)
{
	struct fixture *f = *state;
	Om__EvJob e = OM__EV_JOB__INIT;
	Om__Event ev = OM__EVENT__INIT;

	e.job_id = 4711;
	ev.what_case = OM__EVENT__WHAT_HELD;
	ev.held = &e;
	assert_true(journal_emit(f->j, &ev, NULL) < 0);
	assert_int_equal(f->store.last, 0);
	assert_int_equal(f->applied, 0);
	assert_int_equal(f->failed, 0);
	assert_int_equal(emit(f), 0);
}

static void after_a_failed_append_nothing_leaves(void **state)
{
	struct fixture *f = *state;
	Om__Reply r = OM__REPLY__INIT;

	emit(f);
	send(f, 0, 1);
	f->store.fail = -ENOSPC;
	assert_int_equal(emit(f), -ENOSPC);
	assert_int_equal(f->failed, 1);
	assert_true(journal_failed(f->j));
	assert_int_equal(journal_send(f->j, f->box, OM_MSG_REPLY, 2, &r.base),
			 -EIO);
	durable(f, 1);
	assert_int_equal(left(f->conn), 0);
	assert_int_equal(emit(f), -EIO);
	assert_int_equal(f->failed, 1);
}

static void after_a_failed_commit_nothing_leaves(void **state)
{
	struct fixture *f = *state;
	struct om_error err = { .code = -EIO, .text = "commit" };

	emit(f);
	send(f, 0, 1);
	journal_fail(f->j, &err);
	assert_int_equal(f->failed, 1);
	durable(f, 1);
	assert_int_equal(left(f->conn), 0);
}

static void a_receiver_that_goes_takes_its_messages_along(void **state)
{
	struct fixture *f = *state;

	emit(f);
	send(f, 0, 1);
	send(f, 1, 2);
	send(f, 0, 3);
	assert_true(f->box[0].bytes > 0);
	outbox_fini(f->j, f->box);
	assert_int_equal(f->box[0].bytes, 0);
	durable(f, 1);
	assert_int_equal(f->conn[0].sends, 0);
	assert_int_equal(left(f->conn + 1), 2);
}

static void only_an_acknowledgement_can_wait(void **state)
{
	struct fixture *f = *state;
	Om__StepAck ack = OM__STEP_ACK__INIT;

	emit(f);
	assert_false(journal_urgent(f->j));
	journal_send(f->j, f->box, OM_MSG_STEP_ACK, 1, &ack.base);
	assert_false(journal_urgent(f->j));
	send(f, 0, 2);
	assert_true(journal_urgent(f->j));
	durable(f, 1);
	assert_false(journal_urgent(f->j));
	assert_int_equal(left(f->conn), 12);
}

static void a_lost_message_marks_its_box(void **state)
{
	struct fixture *f = *state;

	emit(f);
	send(f, 0, 1);
	send(f, 1, 2);
	f->conn[0].fail = -ENOMEM;
	durable(f, 1);
	assert_true(f->box[0].broken);
	assert_false(f->box[1].broken);
	assert_int_equal(left(f->conn + 1), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_rests_on_nothing_leaves_at_once),
		T(an_answer_waits_until_its_event_is_durable),
		T(each_message_leaves_with_its_own_event),
		T(order_is_kept_though_all_is_durable_again),
		T(a_refused_event_changes_nothing),
		T(after_a_failed_append_nothing_leaves),
		T(after_a_failed_commit_nothing_leaves),
		T(a_receiver_that_goes_takes_its_messages_along),
		T(only_an_acknowledgement_can_wait),
		T(a_lost_message_marks_its_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
