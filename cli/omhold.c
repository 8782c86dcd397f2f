/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omhold, omrelease, omrequeue: one verb each, chosen when compiled. */
#include "cli/common/control.h"
#include "cli/common/say.h"

#ifndef VERB
#define VERB HOLD
#define VERB_NAME "omhold"
#define VERB_SUMMARY "Keeps waiting jobs from starting until omrelease."
#endif

#define JOIN(a, b) a##b
#define VERB_ENUM(v) JOIN(OM__JOB_VERB__, v)

struct omhold {
	struct cli_common common;
	struct filter filter;
};

static const struct cli_command command = {
	.name = VERB_NAME,
	.usage = { "[OPTION]... JOB...", "[OPTION]..." },
	.summary = VERB_SUMMARY " A JOB is 12, 12-15, 123_7 or 123_[5-9].",
	.operands = "job",
};

static int run(struct omhold *o, char **operand)
{
	struct om_error err = OM_ERROR_INIT;
	struct control control;
	struct session s;
	int rc = 0;

	for (; *operand && rc == 0; operand++)
		rc = filter_add_ids(&o->filter, *operand, &err);
	if (rc == 0 && filter_is_empty(&o->filter))
		rc = om_fail(&err, -EINVAL, "which jobs?\nname them, or write "
			     VERB_NAME " --me for all of yours");
	if (rc < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	rc = session_open(&s, &o->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	control_init(&control, &s, VERB_ENUM(VERB));
	rc = control_run(&control, &o->filter);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omhold o = { .common = { NULL } };
	const struct cli_group groups[] = {
		{ "Which jobs", filter_options, &o.filter },
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
