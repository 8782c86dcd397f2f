/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recover: replay and snapshots. */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "sched/ctld/journal.h"
#include "sched/ctld/recover.h"
#include "sched/model/apply.h"

/*
 * A snapshot is encoded in one go, some microseconds a job, so it is due when
 * the events since the last are so many more than the jobs that its cost
 * vanishes among theirs. Replay takes about as long an event.
 */
#define EVENTS_MIN 50000
#define EVENTS_A_JOB 4

struct recover {
	uint64_t at_seq;		/* of the last snapshot */
};

struct recover *recover_create(struct omctld *c, struct om_error *err)
{
	struct recover *r = calloc(1, sizeof(*r));

	(void)c;
	if (!r)
		om_fail_nomem(err);
	return r;
}

void recover_destroy(struct recover *r)
{
	free(r);
}

struct replay {
	struct omctld *ctld;
	uint64_t records, events, first_seq;
};

static int on_snapshot(void *arg, const Om__Snapshot *rec, struct om_error *err)
{
	struct replay *r = arg;

	r->records++;
	return om_model_restore(r->ctld->model, rec, err);
}

static int on_event(void *arg, uint64_t seq, const Om__Event *ev,
		    struct om_error *err)
{
	struct replay *r = arg;
	int rc;

	if (!r->first_seq)
		r->first_seq = seq;
	r->events++;
	rc = om_apply(r->ctld->model, ev, err);
	return rc < 0 ? om_wrap(err, rc, "event %" PRIu64, seq) : 0;
}

int recover_replay(struct omctld *c, struct om_error *err)
{
	struct replay r = { .ctld = c };
	int64_t begin = ctld_mono(c);
	int rc = om_store_replay(c->store, on_snapshot, on_event, &r, err);

	if (rc < 0)
		return om_wrap(err, rc, "reading the event log");
	c->recover->at_seq = r.first_seq ? r.first_seq - 1 :
					   om_store_last(c->store);
	om_log_info("log read snapshot_records=%" PRIu64 " events=%" PRIu64
		    " jobs=%u ms=%lld", r.records, r.events,
		    HASH_CNT(by_id, c->model->job_by_id),
		    (long long)((ctld_mono(c) - begin) / OM_NS_PER_MS));
	return 0;
}

static int on_record(void *arg, const Om__Snapshot *rec, struct om_error *err)
{
	return om_store_snapshot_add(arg, rec, err);
}

int recover_snapshot(struct omctld *c, struct om_error *err)
{
	uint64_t seq = om_store_last(c->store);
	int64_t begin = ctld_mono(c);
	int rc = om_store_snapshot_begin(c->store, err);

	if (rc < 0)
		return rc;
	rc = om_model_save(c->model, ctld_wall(c), on_record, c->store, err);
	if (rc == 0)
		rc = om_store_snapshot_end(c->store, err);
	if (rc < 0)
		return rc;
	c->recover->at_seq = seq;
	om_log_info("snapshot seq=%" PRIu64 " ms=%lld", seq,
		    (long long)((ctld_mono(c) - begin) / OM_NS_PER_MS));
	return 0;
}

void recover_turn(struct omctld *c)
{
	uint64_t since = om_store_last(c->store) - c->recover->at_seq;
	uint64_t jobs = HASH_CNT(by_id, c->model->job_by_id);
	struct om_error err = OM_ERROR_INIT;
	int rc;

	if (since < EVENTS_MIN || since < jobs * EVENTS_A_JOB ||
	    journal_failed(c->journal))
		return;
	rc = recover_snapshot(c, &err);
	if (rc == -EBUSY)
		return;
	/* Without it the log merely stays longer; try again later. */
	if (rc < 0)
		om_log_error("snapshot failed error=\"%s\"",
			     om_error_text(&err));
	c->recover->at_seq = om_store_last(c->store);
}
