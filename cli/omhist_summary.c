/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/jobfields.h"
#include "cli/common/json.h"
#include "cli/omhist_summary.h"
#include "lib/base/str.h"

static struct omhist_sum *find(struct omhist_summary *s, const char *user)
{
	struct omhist_sum *list;

	for (size_t i = 0; i < s->users; i++)
		if (!strcmp(s->user[i].user, user))
			return s->user + i;
	list = realloc(s->user, (s->users + 1) * sizeof(*list));
	if (!list)
		return NULL;
	s->user = list;
	list += s->users++;
	*list = (struct omhist_sum){ .jobs = 0 };
	om_str_copy(list->user, sizeof(list->user), user);
	return list;
}

int omhist_summary_add(struct omhist_summary *s, const Om__JobInfo *j,
		       int64_t now_ns)
{
	struct omhist_sum *u = find(s, j->user ? j->user : "-");
	int64_t elapsed = jobfield_elapsed(j, now_ns);

	if (!u)
		return -ENOMEM;
	u->jobs++;
	switch (j->state) {
	case OM__JOB_STATE__COMPLETED:
		u->completed++;
		break;
	case OM__JOB_STATE__FAILED:
		u->failed++;
		break;
	case OM__JOB_STATE__CANCELLED:
		u->cancelled++;
		break;
	default:
		u->other++;
	}
	if (elapsed > 0)
		u->core_s += (double)elapsed * j->cpus;
	if (j->usage) {
		u->cpu_s += (double)(j->usage->user_us +
				     j->usage->system_us) / 1e6;
		u->moves += j->usage->moves;
	}
	return 0;
}

static void add(struct omhist_sum *to, const struct omhist_sum *u)
{
	to->jobs += u->jobs;
	to->completed += u->completed;
	to->failed += u->failed;
	to->cancelled += u->cancelled;
	to->other += u->other;
	to->core_s += u->core_s;
	to->cpu_s += u->cpu_s;
	to->moves += u->moves;
}

static struct omhist_sum total_of(const struct omhist_summary *s)
{
	struct omhist_sum total = { .user = "total" };

	for (size_t i = 0; i < s->users; i++)
		add(&total, s->user + i);
	return total;
}

static json_t *to_json(const struct omhist_sum *u)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I}",
		"user", u->user, "jobs", (json_int_t)u->jobs,
		"completed", (json_int_t)u->completed,
		"failed", (json_int_t)u->failed,
		"cancelled", (json_int_t)u->cancelled,
		"other", (json_int_t)u->other,
		"cpus_held_s", u->core_s, "cpu_s", u->cpu_s,
		"moves", (json_int_t)u->moves);
}

static void print_json(const struct omhist_summary *s)
{
	struct omhist_sum total = total_of(s);
	json_t *list = json_array();

	for (size_t i = 0; i < s->users; i++)
		json_array_append_new(list, to_json(s->user + i));
	json_print(json_pack("{s:o, s:o}", "users", list, "total",
			     to_json(&total)));
}

static void add_row(struct table *t, const struct omhist_sum *u)
{
	table_cell(t, u->user);
	table_cellf(t, "%llu", (unsigned long long)u->jobs);
	table_cellf(t, "%llu", (unsigned long long)u->completed);
	table_cellf(t, "%llu", (unsigned long long)u->failed);
	table_cellf(t, "%llu", (unsigned long long)u->cancelled);
	table_cellf(t, "%llu", (unsigned long long)u->other);
	table_cellf(t, "%.2f", u->core_s / 3600);
	table_cellf(t, "%.2f", u->cpu_s / 3600);
	table_cellf(t, "%.0f%%", u->core_s > 0 ? 100 * u->cpu_s / u->core_s : 0);
	table_cellf(t, "%llu", (unsigned long long)u->moves);
}

void omhist_summary_print(const struct omhist_summary *s, bool json,
			  bool header)
{
	static const char *const heads[] = {
		"JOBS", "COMPLETED", "FAILED", "CANCELLED", "OTHER",
		"CPU-HOURS-HELD", "CPU-HOURS-USED", "USED", "MOVES",
	};
	struct omhist_sum total = total_of(s);
	struct table t;

	if (json) {
		print_json(s);
		return;
	}
	table_init(&t);
	table_column(&t, "USER", false);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		table_column(&t, heads[i], true);
	for (size_t i = 0; i < s->users; i++)
		add_row(&t, s->user + i);
	add_row(&t, &total);
	table_print(&t, header);
	table_fini(&t);
}

void omhist_summary_fini(struct omhist_summary *s)
{
	free(s->user);
	*s = (struct omhist_summary){ NULL };
}
