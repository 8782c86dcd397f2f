/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omalloc: holds nodes while a command or shell of yours runs here. */
#include <stdlib.h>
#include <string.h>

#include "cli/alloc/alloc.h"
#include "cli/common/say.h"

#define AT(f) offsetof(struct alloc_options, f)

static const struct cli_option alloc_options[] = {
	{ "no-shell", 0, NULL, "run nothing here; print the job's number, and "
	  "keep the nodes until omcancel or ^C", cli_set_true, AT(no_shell),
	  NULL },
	{ "quiet", 'Q', NULL, "no remarks", cli_set_true, AT(quiet), NULL },
	{ 0 },
};

static const struct cli_option process_options[] = {
	{ "chdir", 'D', "DIR", "run the command there", cli_set_string,
	  offsetof(struct jobspec, chdir), "dir" },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omalloc",
	.usage = { "[OPTION]... [COMMAND [ARGUMENT]...]" },
	.summary = "Waits for nodes and then runs COMMAND, or a shell, on this "
		   "machine with the job's environment: mpirun and omrun in it "
		   "use the nodes. The job ends when the command does.",
	.operands = "command",
	.in_order = true,
};

static int run(struct alloc_options *o)
{
	struct om_error err = OM_ERROR_INIT;
	const char *inside = getenv("OM_JOB_ID");

	if (jobspec_complete(&o->job, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	if (o->no_shell && o->command[0]) {
		say_error("--no-shell and a command exclude each other");
		return CLI_USAGE;
	}
	if (!o->job.spec.name)
		o->job.spec.name = (char *)(o->command[0] ? o->command[0] :
					    o->no_shell ? "omalloc" : "shell");
	if (inside && !o->quiet)
		say_note("we are inside job %s already; this makes another one",
			 inside);
	return alloc_main(o);
}

int main(int argc, char **argv)
{
	struct alloc_options o = { .quiet = false };
	const struct cli_group groups[] = {
		{ "What it needs", jobspec_resources, &o.job },
		{ "What it is called", jobspec_naming, &o.job },
		{ "When it starts and ends", jobspec_start, &o.job },
		{ "What runs", process_options, &o.job },
		{ "What omalloc does", alloc_options, &o },
		{ "Where it may move", jobspec_moving, &o.job },
		{ "Always", cli_common_options, &o.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	c.group = groups;
	jobspec_init(&o.job, OM__JOB_KIND__ALLOCATION);
	first = cli_begin(&c, &o.common, argc, argv, &rc);
	if (first >= 0) {
		o.command = argv + first;
		rc = say_finish(run(&o));
	}
	jobspec_fini(&o.job);
	return rc;
}
