/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run_step: where the step's tasks are, and what comes from and goes to them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/say.h"
#include "cli/run/run.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

#define OUTPUT_HIGH (1u << 20)	/* nodes wait while so much is unwritten */
#define INPUT_HIGH (256u << 10)
#define TASKS_MAX (1u << 24)

/* ---- layout */

static int fill_ranks(struct run *r, uint32_t tasks, struct om_error *err)
{
	r->rank_node = calloc(tasks + 1, sizeof(*r->rank_node));
	r->rank_node_index = calloc(tasks + 1, sizeof(*r->rank_node_index));
	if (!r->rank_node || !r->rank_node_index)
		return om_fail_nomem(err);
	for (uint32_t i = 0; i < r->nodes; i++)
		for (uint32_t k = r->first_rank[i]; k < r->first_rank[i + 1];
		     k++) {
			r->rank_node[k] = r->node[i];
			r->rank_node_index[k] = i;
		}
	return 0;
}

/* Copies the layout; ranks go through the nodes in their order. */
static int take_layout(struct run *r, const Om__Allocation *a,
		       struct om_error *err)
{
	uint64_t rank = 0;

	if (a->n_slots != a->n_node || !a->n_node)
		return om_fail(err, -EPROTO, "the step's layout is malformed");
	r->node = calloc(a->n_node, sizeof(*r->node));
	r->first_rank = calloc(a->n_node + 1, sizeof(*r->first_rank));
	if (!r->node || !r->first_rank)
		return om_fail_nomem(err);
	for (r->nodes = 0; r->nodes < a->n_node; r->nodes++) {
		r->node[r->nodes] = strdup(a->node[r->nodes]);
		if (!r->node[r->nodes])
			return om_fail_nomem(err);
		r->first_rank[r->nodes] = (uint32_t)rank;
		rank += a->slots[r->nodes];
		if (rank > TASKS_MAX)
			return om_fail(err, -EPROTO, "too many tasks");
	}
	r->first_rank[r->nodes] = (uint32_t)rank;
	return fill_ranks(r, (uint32_t)rank, err);
}

/* Which node the input goes to. */
static int aim_input(struct run *r, struct om_error *err)
{
	uint32_t tasks = r->first_rank[r->nodes];

	if (!r->input)
		return 0;
	if (r->input_rank == OM_RANK_ALL) {
		r->input_node = HUB_ALL;
		return 0;
	}
	if (r->input_rank >= tasks)
		return om_fail(err, -EINVAL, "--input=%u: the step has tasks 0 "
			       "to %u", r->input_rank, tasks - 1);
	r->input_node = r->rank_node_index[r->input_rank];
	return 0;
}

static void on_outlet(void *arg, int rc);

int run_step_created(struct run *r, const Om__StepCreated *m,
		     struct om_error *err)
{
	const struct run_options *o = r->options;
	uint32_t tasks;
	int rc = take_layout(r, m->allocation, err);

	if (rc == 0)
		rc = aim_input(r, err);
	if (rc < 0)
		return rc;
	tasks = r->first_rank[r->nodes];
	r->step.job_id = r->job_id;
	r->output_config = (struct output_config){
		.tasks = tasks,
		.label = o->label,
		.direct = o->unbuffered || o->pty || (tasks == 1 && !o->label),
		.out = o->job.std_out,
		.err = o->job.std_err,
		.append = o->job.append,
		.job = r->job_id,
		.step = m->step_id,
		.name = o->job.spec.name,
		.node = r->rank_node,
		.node_index = r->rank_node_index,
	};
	r->output = output_create(r->loop, &r->output_config, on_outlet, r, err);
	if (!r->output)
		return err->code;
	r->state = RUN_RUNNING;
	return hub_expect(r->hub, r->job_id, m->step_id, r->nodes, err);
}

void run_step_fini(struct run *r)
{
	for (uint32_t i = 0; i < r->nodes; i++)
		free(r->node[i]);
	free(r->node);
	free(r->first_rank);
	free(r->rank_node);
	free(r->rank_node_index);
	if (r->input_fd > STDERR_FILENO)
		close(r->input_fd);
}

/* ---- output */

/* Our standard output is gone (a pager was quit) or has room again. */
static void on_outlet(void *arg, int rc)
{
	struct run *r = arg;

	if (rc == -EPIPE)
		run_send_signal(r, SIGPIPE);
	else if (rc < 0)
		say_error("cannot write the output: %s", strerror(-rc));
	if (rc < 0 && rc != -EPIPE && !r->worst)
		r->worst = CLI_FAILED;
	hub_pause(r->hub, false);
}

static void on_data(void *arg, uint32_t node, const Om__IoData *m)
{
	struct run *r = arg;
	struct om_error err = OM_ERROR_INIT;

	/* A node speaks for its own tasks only. */
	if (m->rank < r->first_rank[node] || m->rank >= r->first_rank[node + 1])
		return;
	if (output_add(r->output, m->rank, m->stream, m->data.data,
		       m->has_data ? m->data.len : 0, &err) < 0) {
		say_fail(&err);
		r->worst = CLI_FAILED;
		run_end_step(r);
	}
	if (output_queued(r->output) > OUTPUT_HIGH)
		hub_pause(r->hub, true);
}

/* ---- ends of tasks */

static const char *describe(int status, char *buf, size_t size)
{
	int sig = WTERMSIG(status);

	if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by signal %d (%s)%s", sig,
			 strsignal(sig), WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(buf, size, "ended with exit code %d",
			 WEXITSTATUS(status));
	return buf;
}

static void on_task_exit(void *arg, uint32_t node, const Om__TaskExit *m)
{
	struct run *r = arg;
	int status = (int)m->status, code;
	char how[96];

	if (m->rank < r->first_rank[node] || m->rank >= r->first_rank[node + 1])
		return;
	code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
	if (!code)
		return;
	if (!r->killing && !r->options->quiet &&
	    (r->output_config.tasks > 1 || WIFSIGNALED(status)))
		say_error("task %u on %s %s", m->rank, r->node[node],
			  describe(status, how, sizeof(how)));
	if (!r->first_bad)
		r->first_bad = code;
	if (code > r->worst && !r->killing)
		r->worst = code;
	if (r->options->kill_on_bad_exit || r->options->daemons)
		run_end_step(r);
}

/* ---- input */

static void on_input(void *arg, const void *data, size_t len)
{
	struct run *r = arg;
	Om__IoData m = OM__IO_DATA__INIT;

	m.rank = r->input_rank;
	m.stream = 0;
	m.has_data = len != 0;
	m.data.data = (uint8_t *)data;
	m.data.len = len;
	hub_send(r->hub, r->input_node, OM_MSG_IO_DATA, &m);
	if (hub_queued(r->hub) > INPUT_HIGH)
		input_pause(r->input, true);
}

static void on_drained(void *arg)
{
	struct run *r = arg;

	if (r->input && r->state == RUN_RUNNING)
		input_pause(r->input, false);
}

int run_open_input(struct run *r, struct om_error *err)
{
	const char *word = r->options->input;

	if (r->options->daemons || om_str_eq(word, "none"))
		return 0;
	r->input_fd = STDIN_FILENO;
	r->input_rank = 0;
	if (word && !strcmp(word, "all")) {
		r->input_rank = OM_RANK_ALL;
	} else if (word && om_parse_u32(word, 0, TASKS_MAX,
					&r->input_rank) < 0) {
		r->input_rank = OM_RANK_ALL;
		r->input_fd = open(word, O_RDONLY | O_CLOEXEC);
		if (r->input_fd < 0)
			return om_fail_errno(err, "cannot open '%.300s'", word);
	}
	r->input = input_create(r->loop, r->input_fd, on_input, r, err);
	return r->input ? 0 : err->code;
}

char *run_input_name(struct run *r)
{
	if (!r->input)
		snprintf(r->input_name, sizeof(r->input_name), "none");
	else if (r->input_rank == OM_RANK_ALL)
		snprintf(r->input_name, sizeof(r->input_name), "all");
	else
		snprintf(r->input_name, sizeof(r->input_name), "%u",
			 r->input_rank);
	return r->input_name;
}

/* ---- nodes */

static void on_node(void *arg, uint32_t node, bool up)
{
	struct run *r = arg;

	if (!up) {
		run_check_over(r);
		return;
	}
	if (r->options->pty)
		run_send_window(r, node);
	if (r->input && (r->input_node == node ||
			 (r->input_node == HUB_ALL &&
			  hub_connected(r->hub) == r->nodes)))
		input_pause(r->input, false);
}

const struct hub_handler run_hub_handler = {
	.data = on_data,
	.task_exit = on_task_exit,
	.node = on_node,
	.drained = on_drained,
};
