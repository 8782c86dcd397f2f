/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omcancel: ends jobs, or sends them a signal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/control.h"
#include "cli/common/jobid.h"
#include "cli/common/say.h"
#include "cli/common/states.h"
#include "lib/base/str.h"

struct omcancel {
	struct cli_common common;
	struct filter filter;
	int signal;
	bool batch, interactive, quiet;
};

#define AT(f) offsetof(struct omcancel, f)

static int set_signal(void *target, const struct cli_option *o,
		      const char *value, struct om_error *err)
{
	struct omcancel *c = target;
	int sig = om_parse_signal(value);

	(void)o;
	if (sig < 0)
		return om_fail(err, -EINVAL, "not a signal such as TERM or 15");
	c->signal = sig;
	return 0;
}

static const struct cli_option action_options[] = {
	{ "signal", 's', "SIGNAL", "send this to the processes instead of "
	  "ending the job", set_signal, 0, "signal" },
	{ "batch", 'b', NULL, "signal the batch script's shell only",
	  cli_set_true, AT(batch), NULL },
	{ "interactive", 'i', NULL, "ask about each job", cli_set_true,
	  AT(interactive), NULL },
	{ "quiet", 'Q', NULL, "say nothing if no job matches", cli_set_true,
	  AT(quiet), NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omcancel",
	.usage = { "[OPTION]... JOB...", "[OPTION]..." },
	.summary = "Cancels jobs, whether they wait or run. A JOB is 12, 12-15, "
		   "123_7 or 123_[5-9]; 12.0 is a step of a job.",
	.operands = "job",
};

/* ---- steps: "12.0" */

static bool is_step(const char *text)
{
	return strchr(text, '.') != NULL;
}

static int cancel_step(struct omcancel *c, struct session *s, const char *text)
{
	Om__StepSignal msg = OM__STEP_SIGNAL__INIT;
	uint64_t job;
	uint32_t step;
	Om__Reply *reply;
	int rc;

	if (jobid_parse_step(text, &job, &step) < 0) {
		say_error("'%s' is not a step: write JOB.STEP as in 12.0", text);
		return CLI_USAGE;
	}
	msg.job_id = job;
	msg.step_id = step;
	msg.signal = (uint32_t)(c->signal ? c->signal : 9);
	rc = session_ask(s, OM_MSG_STEP_SIGNAL, &msg, OM_MSG_REPLY, &reply);
	if (rc == 0)
		om__reply__free_unpacked(reply, NULL);
	return -rc;
}

/* ---- asking first */

static bool confirmed(const Om__JobInfo *j)
{
	struct om_buf id = OM_BUF_INIT;
	char answer[16];

	jobid_add(j, &id);
	fprintf(stderr, "Cancel job %s '%s' of %s (%s)? [y/N] ", om_buf_str(&id),
		j->name ? j->name : "", j->user ? j->user : "",
		state_name(j->state));
	om_buf_fini(&id);
	return fgets(answer, sizeof(answer), stdin) &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

static int cancel_listed(struct control *control, const Om__JobInfo *j)
{
	Om__JobFilter one = OM__JOB_FILTER__INIT;
	Om__ArrayTask part = OM__ARRAY_TASK__INIT, *parts = &part;
	uint64_t id = j->job_id;

	if (j->array_id == j->job_id && j->array_pending) {
		part.array_id = j->array_id;
		part.tasks = j->array_pending;
		one.array_task = &parts;
		one.n_array_task = 1;
	} else {
		one.job_id = &id;
		one.n_job_id = 1;
	}
	return control_one(control, &one);
}

static int cancel_asking(struct omcancel *c, struct control *control)
{
	Om__JobList msg = OM__JOB_LIST__INIT;
	Om__JobListReply *reply;
	int rc;

	filter_prepare(&c->filter);
	msg.filter = &c->filter.msg;
	rc = session_ask(control->session, OM_MSG_JOB_LIST, &msg,
			 OM_MSG_JOB_LIST_REPLY, &reply);
	for (size_t i = 0; rc == 0 && i < reply->n_job; i++) {
		Om__JobInfo *j = reply->job[i];

		if (!state_is_over(j->state) && filter_matches(&c->filter, j) &&
		    confirmed(j))
			rc = -cancel_listed(control, j);
	}
	if (rc == 0)
		om__job_list_reply__free_unpacked(reply, NULL);
	if (rc < 0)
		return -rc;
	return control->refused ? CLI_FAILED : CLI_OK;
}

/* ---- */

static int cancel_jobs(struct omcancel *c, struct session *s)
{
	struct control control;

	control_init(&control, s, c->signal ? OM__JOB_VERB__SIGNAL :
					      OM__JOB_VERB__CANCEL);
	control.msg.has_signal = c->signal != 0;
	control.msg.signal = (uint32_t)c->signal;
	control.msg.has_batch_only = control.msg.batch_only = c->batch;
	if (c->interactive)
		return cancel_asking(c, &control);
	control.quiet = c->quiet;
	return control_run(&control, &c->filter);
}

static int work(struct omcancel *c, struct session *s, char **operand)
{
	bool jobs = !filter_is_empty(&c->filter);
	int rc = 0, one;

	for (; *operand; operand++) {
		if (!is_step(*operand))
			continue;
		one = cancel_step(c, s, *operand);
		rc = one > rc ? one : rc;
	}
	if (jobs) {
		one = cancel_jobs(c, s);
		rc = one > rc ? one : rc;
	}
	return rc;
}

static int run(struct omcancel *c, char **operand)
{
	struct om_error err = OM_ERROR_INIT;
	struct session s;
	int rc = 0;

	for (char **p = operand; *p && rc == 0; p++)
		if (!is_step(*p))
			rc = filter_add_ids(&c->filter, *p, &err);
	if (rc == 0 && c->batch && !c->signal)
		rc = om_fail(&err, -EINVAL, "--batch needs --signal");
	if (rc == 0 && !*operand && filter_is_empty(&c->filter))
		rc = om_fail(&err, -EINVAL, "which jobs?\nname them, or write "
			     "omcancel --me for all of yours");
	if (rc < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	rc = session_open(&s, &c->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	rc = work(c, &s, operand);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omcancel o = { .signal = 0 };
	const struct cli_group groups[] = {
		{ "Which jobs", filter_options, &o.filter },
		{ "What is done to them", action_options, &o },
		{ "Always", cli_common_options, &o.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	c.group = groups;
	filter_init(&o.filter);
	first = cli_begin(&c, &o.common, argc, argv, &rc);
	if (first >= 0)
		rc = say_finish(run(&o, argv + first));
	filter_fini(&o.filter);
	return rc;
}
