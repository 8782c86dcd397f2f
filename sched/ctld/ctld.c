/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctld: puts the parts together, in the order in which they need each other. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/depends.h"
#include "sched/ctld/finish.h"
#include "sched/ctld/nodes.h"
#include "sched/ctld/queue.h"
#include "sched/ctld/recover.h"
#include "sched/ctld/run.h"
#include "sched/ctld/settings.h"
#include "sched/ctld/shell.h"
#include "sched/ctld/users.h"
#include "sched/ctld/waits.h"

#define LAST_COMMIT_NS (5 * OM_NS_PER_S)
#define COMMIT_LATER_NS (10 * OM_NS_PER_MS)

static void on_durable(void *arg, uint64_t seq)
{
	struct omctld *c = arg;

	if (c->journal)
		journal_durable(c->journal, seq);
}

static void on_store_failed(void *arg, const struct om_error *err)
{
	struct omctld *c = arg;

	if (c->journal)
		journal_fail(c->journal, err);
}

/* Nothing can be promised any more, so nothing is answered any more. */
static void on_journal_failed(void *arg, const struct om_error *err)
{
	struct omctld *c = arg;

	om_log_error("the event log cannot be written, stopping error=\"%s\"",
		     om_error_text(err));
	c->exit_code = 1;
	om_loop_stop(c->loop);
}

static void on_applied(void *arg, const Om__Event *ev)
{
	struct omctld *c = arg;

	if (c->sched)
		queue_applied(c, ev);
}

static void on_commit_timer(void *arg)
{
	struct omctld *c = arg;

	if (!journal_failed(c->journal))
		om_store_flush(c->store);
}

/* A job's start and end go to disk with what comes next, or soon. */
static void commit(struct omctld *c)
{
	if (journal_urgent(c->journal)) {
		om_timer_stop(c->commit);
		om_store_flush(c->store);
	} else if (om_store_gathers(c->store) && !om_timer_running(c->commit)) {
		om_timer_start(c->commit, COMMIT_LATER_NS, 0);
	}
}

static void on_turn(void *arg)
{
	struct omctld *c = arg;

	queue_turn(c);
	if (!journal_failed(c->journal)) {
		recover_turn(c);
		commit(c);
	}
	clients_reap(c->clients);
}

static void on_signal(void *arg, int signo)
{
	struct omctld *c = arg;
	struct om_error err = OM_ERROR_INIT;

	if (signo == SIGHUP) {
		if (settings_reload(c, &err) < 0)
			om_log_error("reload failed, the old configuration stays error=\"%s\"",
				     om_error_text(&err));
		return;
	}
	om_log_info("stopping signal=%d", signo);
	c->stopping = true;
	om_loop_stop(c->loop);
}

static int open_store(struct omctld *c, struct om_error *err)
{
	char path[4200];
	struct om_store_config config = {
		.path = path,
		.loop = c->loop,
		.durable_fn = on_durable,
		.failed_fn = on_store_failed,
		.arg = c,
	};

	snprintf(path, sizeof(path), "%s/state.db", c->config->state_dir);
	c->store = om_store_open(&config, err);
	if (!c->store)
		return err && err->code < 0 ? err->code : -EIO;
	journal_set_store(c->journal, c->store);
	return recover_replay(c, err);
}

static int make_core(struct omctld *c, struct om_error *err)
{
	struct journal_config config = {
		.clock = c->clock,
		.applied_fn = on_applied,
		.failed_fn = on_journal_failed,
		.arg = c,
	};

	c->model = om_model_create(err);
	if (!c->model)
		return -ENOMEM;
	config.model = c->model;
	c->journal = journal_create(&config, err);
	c->recover = recover_create(c, err);
	if (!c->journal || !c->recover)
		return -ENOMEM;
	return open_store(c, err);
}

static int make_parts(struct omctld *c, struct om_error *err)
{
	int rc = settings_overlay(c->model, c->config, err);

	if (rc < 0)
		return rc;
	c->access = access_create(c->config, err);
	c->waits = waits_create(err);
	c->finish = finish_create(err);
	c->depends = depends_create(err);
	c->queue = queue_create(c, err);
	c->nodes = nodes_create(c, err);
	c->run = run_create(c, err);
	if (!c->access || !c->waits || !c->finish || !c->depends || !c->queue ||
	    !c->nodes || !c->run)
		return err && err->code < 0 ? err->code : -ENOMEM;
	c->sched = om_sched_create(c->config, c->model, err);
	if (!c->sched)
		return err && err->code < 0 ? err->code : -EINVAL;
	om_sched_set_member(c->sched, users_is_member, NULL);
	return 0;
}

static int recover_parts(struct omctld *c, struct om_error *err)
{
	struct om_job *j, *next;

	HASH_ITER(by_id, c->model->job_by_id, j, next)
		if (j->deps && depends_add(c, j) < 0)
			return om_fail_nomem(err);
	nodes_recover(c);
	run_recover(c);
	queue_kick(c);
	return journal_failed(c->journal) ?
		       om_fail(err, -EIO, "the event log has failed") : 0;
}

static int hook_up(struct omctld *c, struct om_error *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int rc = om_loop_on_turn(c->loop, on_turn, c);

	c->commit = om_timer_create(c->loop, on_commit_timer, c, err);
	if (!c->commit)
		return err && err->code < 0 ? err->code : -ENOMEM;
	for (size_t i = 0; i < 3 && rc >= 0; i++)
		rc = om_loop_on_signal(c->loop, signals[i], on_signal, c, err);
	if (rc < 0)
		return rc;
	c->clients = clients_create(c, err);
	return c->clients ? 0 : err && err->code < 0 ? err->code : -EIO;
}

int ctld_init(struct omctld *c, struct om_config *config, struct om_error *err)
{
	int rc;

	c->config = config;
	c->loop = om_loop_create(err);
	if (!c->loop)
		return err && err->code < 0 ? err->code : -ENOMEM;
	c->clock = om_loop_clock(c->loop);
	c->started_ns = ctld_wall(c);
	rc = make_core(c, err);
	if (rc == 0)
		rc = make_parts(c, err);
	if (rc == 0)
		rc = recover_parts(c, err);
	return rc < 0 ? rc : hook_up(c, err);
}

/* Lets out what was promised before the end. */
static void last_commit(struct omctld *c)
{
	int64_t deadline = ctld_mono(c) + LAST_COMMIT_NS;
	struct om_error err = OM_ERROR_INIT;

	while (!journal_failed(c->journal) && ctld_mono(c) < deadline &&
	       om_store_durable(c->store) < om_store_last(c->store)) {
		om_store_flush(c->store);
		if (om_loop_turn(c->loop, 100 * OM_NS_PER_MS, &err) < 0)
			break;
	}
	om_loop_turn(c->loop, 0, NULL);
	if (!journal_failed(c->journal) && recover_snapshot(c, &err) < 0)
		om_log_warn("no snapshot error=\"%s\"", om_error_text(&err));
}

int ctld_run(struct omctld *c)
{
	struct om_error err = OM_ERROR_INIT;

	om_log_info("ready nodes=%u jobs=%u", c->model->nodes,
		    HASH_CNT(by_id, c->model->job_by_id));
	if (om_loop_run(c->loop, &err) < 0) {
		om_log_error("loop failed error=\"%s\"", om_error_text(&err));
		c->exit_code = 1;
	}
	if (!journal_failed(c->journal))
		last_commit(c);
	return c->exit_code;
}

static void drop_shells(struct omctld *c)
{
	struct om_job *j, *next;

	if (!c->model)
		return;
	HASH_ITER(by_id, c->model->job_by_id, j, next)
		shell_drop(j);
}

void ctld_fini(struct omctld *c)
{
	/* A commit that ends while closing must find the journal there. */
	om_store_close(c->store);
	clients_destroy(c->clients);
	waits_destroy(c->waits);
	drop_shells(c);
	om_sched_destroy(c->sched);
	run_destroy(c->run);
	nodes_destroy(c->nodes);
	queue_destroy(c->queue);
	om_timer_destroy(c->commit);
	depends_destroy(c->depends);
	finish_destroy(c->finish);
	access_destroy(c->access);
	recover_destroy(c->recover);
	journal_destroy(c->journal);
	om_model_destroy(c->model);
	om_loop_destroy(c->loop);
	om_config_destroy(c->config);
	users_fini();
}
