/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/common/jobdetail.h"
#include "cli/common/jobfields.h"
#include "cli/common/jobid.h"
#include "cli/common/states.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/proto/types.h"

/* In the order of interest; those without a value are left out. */
static const char *const order[] = {
	"job_id", "name", "kind", "user", "state", "reason", "reason_text",
	"exit", "partition", "account", "comment", "tasks", "cpus", "mem",
	"nodes", "nodelist", "priority", "dependency", "submit", "eligible",
	"start", "end", "time", "time_limit", "wait", "restarts", "cpu",
	"max_rss", "moves", "freeze", "chdir", "output", "submit_host",
	"cluster_mask", "load_limit", "migrate",
};

static void print_field(const struct jobfield *f, const Om__JobInfo *j,
			int64_t now_ns, struct table *t)
{
	size_t before = om_buf_len(&t->text);

	om_buf_adds(&t->text, f->name);
	om_buf_addc(&t->text, ':');
	table_cell_done(t);
	before = om_buf_len(&t->text);
	f->text(j, now_ns, &t->text);
	if (om_buf_len(&t->text) == before)
		om_buf_addc(&t->text, '-');
	table_cell_done(t);
}

static bool has_value(const struct jobfield *f, const Om__JobInfo *j,
		      int64_t now_ns)
{
	struct om_buf b = OM_BUF_INIT;
	bool any;

	f->text(j, now_ns, &b);
	any = om_buf_len(&b) > 0;
	om_buf_fini(&b);
	return any;
}

void jobdetail_print(Om__JobInfo *j, int64_t now_ns)
{
	struct table t;

	table_init(&t);
	table_column(&t, "", false);
	table_column(&t, "", false);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct jobfield *f = jobfield_find(order[i], NULL);

		if (f && has_value(f, j, now_ns))
			print_field(f, j, now_ns, &t);
	}
	table_print(&t, false);
	table_fini(&t);
	if (!j->n_step)
		return;
	table_init(&t);
	putchar('\n');
	jobdetail_step_columns(&t);
	if (jobdetail_step_rows(&t, &j, 1, now_ns) == 0)
		table_print(&t, true);
	table_fini(&t);
}

/* ---- steps */

static void add_step_id(struct table *t, const Om__JobInfo *j, uint32_t step)
{
	jobid_add(j, &t->text);
	if (step == OM_STEP_BATCH) {
		om_buf_adds(&t->text, ".batch");
	} else {
		om_buf_addc(&t->text, '.');
		jobid_add_u64(&t->text, step);
	}
}

static int add_step(struct table *t, const Om__JobInfo *j,
		    const Om__StepInfo *s, int64_t now_ns)
{
	bool over = state_is_over(s->state);
	int64_t end = over ? s->end_ns : now_ns;
	char text[40];
	int rc;

	add_step_id(t, j, s->step_id);
	rc = table_cell_done(t);
	rc |= table_cell(t, s->name);
	rc |= table_cell(t, state_name(s->state));
	rc |= table_cellf(t, "%u", s->tasks);
	rc |= table_cell(t, s->start_ns <= 0 ? NULL :
			 om_format_duration((end - s->start_ns) / OM_NS_PER_S,
					    text, sizeof(text)));
	if (over)
		snprintf(text, sizeof(text), "%u:%u", s->exit_code,
			 s->exit_signal);
	rc |= table_cell(t, over ? text : NULL);
	rc |= table_cell(t, s->usage ? om_format_size(s->usage->max_rss, text,
						      sizeof(text)) : NULL);
	rc |= table_cell(t, s->nodelist);
	return rc ? -ENOMEM : 0;
}

void jobdetail_step_columns(struct table *t)
{
	table_column(t, "STEP", false);
	table_column(t, "NAME", false);
	table_column(t, "STATE", false);
	table_column(t, "TASKS", true);
	table_column(t, "TIME", true);
	table_column(t, "EXIT", true);
	table_column(t, "MAXRSS", true);
	table_column(t, "NODELIST", false);
}

int jobdetail_step_rows(struct table *t, Om__JobInfo *const *job, size_t jobs,
			int64_t now_ns)
{
	int rc = 0;

	for (size_t k = 0; k < jobs && rc == 0; k++)
		for (size_t i = 0; i < job[k]->n_step && rc == 0; i++)
			rc = add_step(t, job[k], job[k]->step[i], now_ns);
	return rc;
}
