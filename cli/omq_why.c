/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omq_why: every reason with its numbers, an estimate, and what would help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/filter.h"
#include "cli/common/jobfields.h"
#include "cli/common/jobid.h"
#include "cli/common/json.h"
#include "cli/common/say.h"
#include "cli/common/states.h"
#include "cli/omq_why.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

/* The job that the words mean; exactly one. */
static Om__JobInfo *find_job(struct session *s, const char *text, int *ret_exit)
{
	struct om_error err = OM_ERROR_INIT;
	Om__JobList msg = OM__JOB_LIST__INIT;
	Om__JobListReply *reply;
	Om__JobInfo *job = NULL;
	struct filter f;
	int rc;

	filter_init(&f);
	*ret_exit = CLI_USAGE;
	if (filter_add_ids(&f, text, &err) < 0) {
		say_fail(&err);
		filter_fini(&f);
		return NULL;
	}
	msg.filter = &f.msg;
	rc = session_ask(s, OM_MSG_JOB_LIST, &msg, OM_MSG_JOB_LIST_REPLY,
			 &reply);
	filter_fini(&f);
	*ret_exit = rc < 0 ? -rc : CLI_FAILED;
	if (rc < 0)
		return NULL;
	/* Of an array, the part that waits. */
	for (size_t i = 0; i < reply->n_job && !job; i++)
		if (reply->n_job == 1 ||
		    reply->job[i]->state == OM__JOB_STATE__PENDING) {
			job = reply->job[i];
			reply->job[i] = reply->job[--reply->n_job];
		}
	om__job_list_reply__free_unpacked(reply, NULL);
	if (!job)
		say_error("there is no job %s that waits", text);
	return job;
}

static void print_text(const Om__JobInfo *j, const Om__JobWhyReply *r)
{
	struct om_buf id = OM_BUF_INIT;
	char when[32];

	jobid_add(j, &id);
	printf("Job %s is %s.\n", om_buf_str(&id), state_name(j->state));
	om_buf_fini(&id);
	for (size_t i = 0; i < r->n_reason; i++)
		printf("  %s: %s%s\n", r->reason[i]->token, r->reason[i]->text,
		       r->reason[i]->never ?
			       "; waiting will not cure this" : "");
	if (r->has_start_ns && r->start_ns > 0)
		printf("Estimated start: %s\n",
		       om_format_when(r->start_ns / OM_NS_PER_S, when,
				      sizeof(when)));
	if (r->help && *r->help)
		printf("What would help: %s\n", r->help);
}

static void print_json(const Om__JobInfo *j, const Om__JobWhyReply *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_reason; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:b}",
			"token", json_text(r->reason[i]->token),
			"text", json_text(r->reason[i]->text),
			"never", (int)r->reason[i]->never));
	json_print(json_pack("{s:I, s:s, s:o, s:o, s:o}",
		"job_id", (json_int_t)j->job_id,
		"state", state_name(j->state),
		"reasons", list,
		"start_time", json_when(r->start_ns),
		"help", json_text(r->help)));
}

int omq_why(struct session *s, const char *text, bool json)
{
	Om__JobWhy msg = OM__JOB_WHY__INIT;
	Om__JobWhyReply *reply;
	Om__JobInfo *job;
	int rc;

	job = find_job(s, text, &rc);
	if (!job)
		return rc;
	msg.job_id = job->job_id;
	rc = session_ask(s, OM_MSG_JOB_WHY, &msg, OM_MSG_JOB_WHY_REPLY, &reply);
	if (rc == 0) {
		if (json)
			print_json(job, reply);
		else
			print_text(job, reply);
		om__job_why_reply__free_unpacked(reply, NULL);
	}
	om__job_info__free_unpacked(job, NULL);
	return -rc;
}

static int fill_start(struct session *s, Om__JobInfo *j)
{
	Om__JobWhy msg = OM__JOB_WHY__INIT;
	Om__JobWhyReply *r;
	int rc;

	msg.job_id = j->job_id;
	rc = session_ask(s, OM_MSG_JOB_WHY, &msg, OM_MSG_JOB_WHY_REPLY, &r);
	if (rc < 0)
		return -rc;
	j->start_ns = r->has_start_ns ? r->start_ns : 0;
	if (r->n_reason) {
		free(j->reason_text);
		j->reason_text = strdup(r->reason[0]->text);
	}
	om__job_why_reply__free_unpacked(r, NULL);
	return 0;
}

int omq_fill_starts(struct session *s, Om__JobListReply *r)
{
	size_t asked = 0;
	int rc = 0;

	for (size_t i = 0; i < r->n_job && rc == 0; i++)
		if (r->job[i]->state == OM__JOB_STATE__PENDING &&
		    asked++ < OMQ_WHY_MAX)
			rc = fill_start(s, r->job[i]);
	if (asked > OMQ_WHY_MAX)
		say_note("reasons are told for the first %d jobs only",
			 OMQ_WHY_MAX);
	return rc;
}
