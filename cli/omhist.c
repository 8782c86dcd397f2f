/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omhist: the accounting: every job there ever was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/common/filter.h"
#include "cli/common/jobdetail.h"
#include "cli/common/jobfields.h"
#include "cli/common/json.h"
#include "cli/common/say.h"
#include "cli/common/session.h"
#include "cli/omhist_summary.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define USUAL "job_id,name,user,partition,cpus,state,exit,start,time,cpu," \
	      "max_rss,moves,nodelist"
#define LONG "job_id,name,user,account,partition,tasks,cpus,nodes,state,exit," \
	     "submit,start,end,wait,time,time_limit,user_cpu,system_cpu," \
	     "max_rss,moves,freeze,restarts,nodelist"
#define FIELDS_MAX 40
#define PAGE 5000

struct omhist {
	struct cli_common common;
	struct filter filter;
	int64_t since_ns, until_ns;	/* 0: not given */
	bool all, steps, noheader, json, wide, summary;
	const char *format;
	uint32_t limit;
	const struct jobfield *field[FIELDS_MAX];
	int fields;
	uint64_t shown;
	int64_t now_ns;
	struct table table;
	struct omhist_summary sums;
};

#define AT(f) offsetof(struct omhist, f)

/* As om_parse_when, and "now-2days". */
static int set_when(void *target, const struct cli_option *o,
		    const char *value, struct om_error *err)
{
	int64_t now = (int64_t)time(NULL), s;
	char plus[64];

	if (om_str_starts(value, "now-")) {
		snprintf(plus, sizeof(plus), "now+%s", value + 4);
		if (om_parse_when(plus, now, &s) < 0 || s - now > now)
			return om_fail(err, -EINVAL,
				       "not a point in time such as now-2days");
		*(int64_t *)((char *)target + o->at) = (now - (s - now)) *
						       OM_NS_PER_S;
		return 0;
	}
	/* Here a bare time of day is one that has passed. */
	if (om_parse_when(value, now, &s) < 0 || s > INT64_MAX / OM_NS_PER_S)
		return om_fail(err, -EINVAL, "not a point in time such as "
			       "now-2days, 2026-11-22 or 16:00");
	if (s > now && !strchr(value, '-') && !strchr(value, '+'))
		s -= 86400;
	*(int64_t *)((char *)target + o->at) = s * OM_NS_PER_S;
	return 0;
}

static const struct cli_option time_options[] = {
	{ "since", 'S', "WHEN", "jobs that ended or ran after this: now-2days, "
	  "2026-11-22T08:00; default: midnight", set_when, AT(since_ns), NULL },
	{ "until", 'E', "WHEN", "jobs that began before this", set_when,
	  AT(until_ns), NULL },
	{ "all", 'a', NULL, "whenever they were", cli_set_true, AT(all), NULL },
	{ "limit", 0, "N", "at most so many", cli_set_u32, AT(limit), NULL },
	{ 0 },
};

static const struct cli_option shown_options[] = {
	{ "format", 'o', "FIELDS", "these columns, such as "
	  "job_id,state,exit,cpu", cli_set_string, AT(format), NULL },
	{ "long", 'l', NULL, "more columns", cli_set_true, AT(wide), NULL },
	{ "steps", 's', NULL, "the steps of each job", cli_set_true, AT(steps),
	  NULL },
	{ "summary", 0, NULL, "sums for each user, and in all", cli_set_true,
	  AT(summary), NULL },
	{ "noheader", 0, NULL, "no headings", cli_set_true, AT(noheader),
	  NULL },
	{ "json", 0, NULL, "as JSON", cli_set_true, AT(json), NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omhist",
	.usage = { "[OPTION]...", "[OPTION]... JOB..." },
	.summary = "Shows the history of jobs: how they ended and what they used. "
		   "Every job is there from its submission on, for ever.",
	.operands = "job",
};

/* ---- pages */

static int take_page(struct omhist *h, const Om__JobListReply *r)
{
	int rc = 0;

	for (size_t i = 0; i < r->n_job && rc == 0; i++) {
		Om__JobInfo *j = r->job[i];

		if (!filter_matches(&h->filter, j) ||
		    (h->limit && h->shown == h->limit))
			continue;
		h->shown++;
		if (h->summary)
			rc = omhist_summary_add(&h->sums, j, h->now_ns);
		else if (h->json)
			json_list_item(json_job(j, h->now_ns));
		else if (h->steps)
			rc = jobdetail_step_rows(&h->table, &j, 1, h->now_ns);
		else
			rc = jobfield_rows(&h->table, h->field, h->fields, &j, 1,
					   h->now_ns);
	}
	return rc;
}

static uint32_t page_size(const struct omhist *h)
{
	uint64_t left = h->limit ? h->limit - h->shown : PAGE;

	return left < PAGE ? (uint32_t)left : PAGE;
}

/* All pages; 0 or an exit code. */
static int fetch(struct omhist *h, struct session *s)
{
	Om__JobList msg = OM__JOB_LIST__INIT;
	Om__JobListReply *reply;
	int rc;

	filter_prepare(&h->filter);
	msg.filter = &h->filter.msg;
	msg.has_steps = true;
	msg.steps = h->steps || h->json;
	msg.filter->has_limit = true;
	do {
		msg.filter->limit = page_size(h);
		rc = session_ask(s, OM_MSG_HISTORY, &msg, OM_MSG_JOB_LIST_REPLY,
				 &reply);
		if (rc < 0)
			return -rc;
		rc = take_page(h, reply);
		msg.filter->has_after_id = reply->has_next_id;
		msg.filter->after_id = reply->next_id;
		om__job_list_reply__free_unpacked(reply, NULL);
		if (rc < 0) {
			say_error("out of memory");
			return CLI_FAILED;
		}
	} while (msg.filter->has_after_id && msg.filter->after_id &&
		 (!h->limit || h->shown < h->limit));
	return 0;
}

/* ---- */

static void begin_output(struct omhist *h)
{
	h->now_ns = om_wall_ns(om_clock_system());
	table_init(&h->table);
	if (h->steps)
		jobdetail_step_columns(&h->table);
	else
		jobfield_columns(&h->table, h->field, h->fields);
	if (h->json && !h->summary)
		json_list_begin("jobs");
}

static void end_output(struct omhist *h)
{
	if (h->summary)
		omhist_summary_print(&h->sums, h->json, !h->noheader);
	else if (h->json)
		json_list_end();
	else
		table_print(&h->table, !h->noheader);
}

static int settle(struct omhist *h, char **operand, struct om_error *err)
{
	int64_t midnight;
	int rc = 0;

	for (; *operand && rc == 0; operand++)
		rc = filter_add_ids(&h->filter, *operand, err);
	if (rc < 0)
		return rc;
	if (!h->since_ns && !h->all && !filter_has_ids(&h->filter)) {
		om_parse_when("midnight", (int64_t)time(NULL), &midnight);
		h->since_ns = (midnight - 86400) * OM_NS_PER_S;
	}
	if (h->until_ns && h->until_ns < h->since_ns)
		return om_fail(err, -EINVAL, "--until is before --since");
	h->filter.msg.has_since_ns = h->since_ns != 0;
	h->filter.msg.since_ns = h->since_ns;
	h->filter.msg.has_until_ns = h->until_ns != 0;
	h->filter.msg.until_ns = h->until_ns;
	h->fields = jobfield_parse_list(h->format ? h->format :
					h->wide ? LONG : USUAL, h->field,
					FIELDS_MAX, err);
	return h->fields < 0 ? h->fields : 0;
}

static int run(struct omhist *h, char **operand)
{
	struct om_error err = OM_ERROR_INIT;
	struct session s;
	int rc;

	if (settle(h, operand, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	rc = session_open(&s, &h->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	begin_output(h);
	rc = fetch(h, &s);
	if (rc == 0)
		end_output(h);
	if (rc == 0 && filter_has_ids(&h->filter) && !h->shown) {
		say_error("there is no such job");
		rc = CLI_FAILED;
	}
	table_fini(&h->table);
	omhist_summary_fini(&h->sums);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omhist h = { .all = false };
	const struct cli_group groups[] = {
		{ "Which jobs", filter_options, &h.filter },
		{ "Of what time", time_options, &h },
		{ "What of them", shown_options, &h },
		{ "Always", cli_common_options, &h.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	c.group = groups;
	filter_init(&h.filter);
	first = cli_begin(&c, &h.common, argc, argv, &rc);
	if (first >= 0)
		rc = say_finish(run(&h, argv + first));
	filter_fini(&h.filter);
	return rc;
}
