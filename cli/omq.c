/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omq: the queue, one job in detail, and why a job waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/common/filter.h"
#include "cli/common/jobdetail.h"
#include "cli/common/jobfields.h"
#include "cli/common/json.h"
#include "cli/common/say.h"
#include "cli/common/session.h"
#include "cli/common/states.h"
#include "cli/omq_why.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define USUAL "job_id,partition,name,user,state,time,nodes,where"
#define LONG "job_id,partition,name,user,state,time,time_limit,tasks,cpus," \
	     "mem,nodes,priority,submit,start,where"
#define FIELDS_MAX 40

struct omq {
	struct cli_common common;
	struct filter filter;
	bool steps, start, noheader, json, wide;
	const char *format, *sort, *why;
	int64_t iterate_ns;
	bool detail;
	const struct jobfield *field[FIELDS_MAX];
	int fields;
};

#define AT(f) offsetof(struct omq, f)

static const struct cli_option shown_options[] = {
	{ "why", 0, "JOB", "every reason why a job waits, when it may start, "
	  "and the smallest change that would help", cli_set_string, AT(why),
	  "job" },
	{ "start", 0, NULL, "waiting jobs with their reasons in words and "
	  "estimated start", cli_set_true, AT(start), NULL },
	{ "steps", 's', NULL, "the steps of each job", cli_set_true, AT(steps),
	  NULL },
	{ "long", 'l', NULL, "more columns", cli_set_true, AT(wide), NULL },
	{ "format", 'o', "FIELDS", "these columns, such as job_id,name,state",
	  cli_set_string, AT(format), NULL },
	{ "sort", 'S', "FIELDS", "sort by these; -FIELD: descending",
	  cli_set_string, AT(sort), NULL },
	{ "noheader", 0, NULL, "no headings", cli_set_true, AT(noheader),
	  NULL },
	{ "json", 0, NULL, "as JSON", cli_set_true, AT(json), NULL },
	{ "iterate", 'i', "TIME", "show it again so often, until ^C",
	  cli_set_duration_ns, AT(iterate_ns), NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omq",
	.usage = { "[OPTION]...", "[OPTION]... JOB...", "--why JOB" },
	.summary = "Shows the jobs that wait or run; with a job's number everything "
		   "about that job, also when it is over.",
	.operands = "job",
};

/* ---- getting */

/* Without a word on states: those that are not over. */
static int hide_finished(struct filter *f, struct om_error *err)
{
	int rc = 0;

	if (f->all_states || f->msg.n_state)
		return 0;
	for (int s = 0; s < STATES && rc == 0; s++)
		if (!state_is_over((Om__JobState)s))
			rc = filter_add_state(f, (Om__JobState)s, err);
	return rc;
}

/* Drops what the question could not exclude. */
static void narrow(const struct filter *f, Om__JobListReply *reply)
{
	size_t kept = 0;

	for (size_t i = 0; i < reply->n_job; i++) {
		Om__JobInfo *j = reply->job[i];

		if (filter_matches(f, j))
			reply->job[kept++] = j;
		else
			om__job_info__free_unpacked(j, NULL);
	}
	reply->n_job = kept;
}

static Om__JobListReply *get_jobs(struct omq *q, struct session *s,
				  enum om_msg what, int *ret_exit)
{
	Om__JobList msg = OM__JOB_LIST__INIT;
	Om__JobListReply *reply;
	int rc;

	filter_prepare(&q->filter);
	msg.filter = &q->filter.msg;
	msg.has_steps = true;
	msg.steps = q->steps || q->detail || q->json;
	rc = session_ask(s, what, &msg, OM_MSG_JOB_LIST_REPLY, &reply);
	if (rc < 0) {
		*ret_exit = -rc;
		return NULL;
	}
	narrow(&q->filter, reply);
	return reply;
}

/* ---- showing */

static int show_json(const Om__JobListReply *r, int64_t now_ns)
{
	json_list_begin("jobs");
	for (size_t i = 0; i < r->n_job; i++)
		json_list_item(json_job(r->job[i], now_ns));
	json_list_end();
	return CLI_OK;
}

static int show_detail(const Om__JobListReply *r, int64_t now_ns)
{
	for (size_t i = 0; i < r->n_job; i++) {
		if (i)
			putchar('\n');
		jobdetail_print(r->job[i], now_ns);
	}
	return CLI_OK;
}

static int show_table(struct omq *q, const Om__JobListReply *r, int64_t now_ns)
{
	struct table t;
	int rc;

	table_init(&t);
	if (q->steps) {
		jobdetail_step_columns(&t);
		rc = jobdetail_step_rows(&t, r->job, r->n_job, now_ns);
	} else {
		jobfield_columns(&t, q->field, q->fields);
		rc = jobfield_rows(&t, q->field, q->fields, r->job, r->n_job,
				   now_ns);
	}
	if (rc == 0)
		rc = table_print(&t, !q->noheader);
	table_fini(&t);
	if (rc < 0)
		say_error("out of memory");
	return rc < 0 ? CLI_FAILED : CLI_OK;
}

static int show(struct omq *q, Om__JobListReply *r)
{
	int64_t now_ns = om_wall_ns(om_clock_system());
	struct om_error err = OM_ERROR_INIT;

	if (q->sort && jobfield_sort(q->sort, r->job, r->n_job, now_ns,
				     &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	if (q->json)
		return show_json(r, now_ns);
	return q->detail ? show_detail(r, now_ns) : show_table(q, r, now_ns);
}

/* A job that the controller has forgotten is in the history still. */
static int query(struct omq *q, struct session *s)
{
	Om__JobListReply *r;
	int rc = CLI_FAILED;

	r = get_jobs(q, s, OM_MSG_JOB_LIST, &rc);
	if (r && !r->n_job && filter_has_ids(&q->filter)) {
		om__job_list_reply__free_unpacked(r, NULL);
		r = get_jobs(q, s, OM_MSG_HISTORY, &rc);
		if (r && !r->n_job) {
			say_error("there is no such job");
			om__job_list_reply__free_unpacked(r, NULL);
			return CLI_FAILED;
		}
	}
	if (!r)
		return rc;
	rc = q->start ? omq_fill_starts(s, r) : 0;
	if (rc == 0)
		rc = show(q, r);
	om__job_list_reply__free_unpacked(r, NULL);
	return rc;
}

static int iterate(struct omq *q, struct session *s)
{
	struct timespec pause = { q->iterate_ns / OM_NS_PER_S,
				  q->iterate_ns % OM_NS_PER_S };
	char when[32];
	int rc;

	for (;;) {
		if (isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		if (!q->json)
			printf("%s\n", om_format_when((int64_t)time(NULL), when,
						      sizeof(when)));
		rc = query(q, s);
		if (rc == CLI_USAGE || say_finish(CLI_OK) != CLI_OK)
			return rc ? rc : CLI_FAILED;
		nanosleep(&pause, NULL);
	}
}

/* ---- options as a whole */

static int settle(struct omq *q, char **operand, struct om_error *err)
{
	const char *format = q->format ? q->format : q->wide ? LONG : USUAL;

	for (; *operand; operand++)
		if (filter_add_ids(&q->filter, *operand, err) < 0)
			return -EINVAL;
	q->detail = filter_has_ids(&q->filter) && !q->format && !q->wide &&
		    !q->steps && !q->start;
	if (q->start) {
		format = "job_id,partition,user,priority,start,reason_text";
		if (filter_add_state(&q->filter, OM__JOB_STATE__PENDING, err) < 0)
			return -EINVAL;
	}
	if (!filter_has_ids(&q->filter) && hide_finished(&q->filter, err) < 0)
		return -ENOMEM;
	q->fields = jobfield_parse_list(format, q->field, FIELDS_MAX, err);
	return q->fields < 0 ? q->fields : 0;
}

static int run(struct omq *q, char **operand)
{
	struct om_error err = OM_ERROR_INIT;
	struct session s;
	int rc;

	if (settle(q, operand, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	rc = session_open(&s, &q->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	if (q->why)
		rc = omq_why(&s, q->why, q->json);
	else if (q->iterate_ns)
		rc = iterate(q, &s);
	else
		rc = query(q, &s);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omq q = { .detail = false };
	const struct cli_group groups[] = {
		{ "Which jobs", filter_options, &q.filter },
		{ "What of them", shown_options, &q },
		{ "Always", cli_common_options, &q.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	c.group = groups;
	filter_init(&q.filter);
	first = cli_begin(&c, &q.common, argc, argv, &rc);
	if (first >= 0)
		rc = say_finish(run(&q, argv + first));
	filter_fini(&q.filter);
	return rc;
}
