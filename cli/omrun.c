/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omrun: runs a command on the cluster as if it ran here. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/say.h"
#include "cli/run/run.h"
#include "lib/base/str.h"

#define AT(f) offsetof(struct run_options, f)
#define JOB(f) offsetof(struct jobspec, f)

static const struct cli_option process_options[] = {
	{ "chdir", 'D', "DIR", "run there; default: the current folder",
	  cli_set_string, JOB(chdir), "dir" },
	{ "output", 'o', "FILE", "standard output of the tasks, written here; "
	  "%t task, %n %N node, %j job, %s step; none: nowhere", cli_set_string,
	  JOB(std_out), "file" },
	{ "error", 'e', "FILE", "standard error; default: with the output",
	  cli_set_string, JOB(std_err), "file" },
	{ "export", 0, "LIST", "environment to take along: ALL (default), NONE, "
	  "or NAME,NAME=VALUE,...", cli_set_string, JOB(export), "ALL|NONE" },
	{ 0 },
};

static int set_job(void *target, const struct cli_option *o,
		   const char *value, struct om_error *err)
{
	struct run_options *r = target;

	(void)o;
	if (om_parse_u64(value, 1, INT64_MAX, &r->inside) < 0)
		return om_fail(err, -EINVAL, "not a job's number");
	return 0;
}

static const struct cli_option run_options[] = {
	{ "input", 'i', "WHAT", "who gets the standard input: a task's number "
	  "(default 0), all, none; or a file, for all", cli_set_string,
	  AT(input), "file" },
	{ "label", 'l', NULL, "put the task's number before each line",
	  cli_set_true, AT(label), NULL },
	{ "unbuffered", 'u', NULL, "write output as it comes, not in lines",
	  cli_set_true, AT(unbuffered), NULL },
	{ "pty", 0, NULL, "give the command a terminal, for shells and "
	  "editors", cli_set_true, AT(pty), NULL },
	{ "kill-on-bad-exit", 'K', NULL, "end all tasks when one ends with an "
	  "exit code other than 0", cli_set_true, AT(kill_on_bad_exit), NULL },
	{ "job", 0, "JOB", "run in this job of yours, from anywhere; default: "
	  "the job we are in", set_job, 0, "job" },
	{ "overlap", 0, NULL, "inside a job: share processors with its other "
	  "steps", cli_set_true, AT(overlap), NULL },
	{ "daemons", 0, NULL, "inside a job: one process on each node of "
	  "--nodelist, in its order; what mpirun uses", cli_set_true,
	  AT(daemons), NULL },
	{ "quiet", 'Q', NULL, "no remarks", cli_set_true, AT(quiet), NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omrun",
	.usage = { "[OPTION]... COMMAND [ARGUMENT]..." },
	.summary = "Runs a command on the cluster, its input, output, signals and "
		   "exit code passed through. Inside a job it starts a step in "
		   "the job's nodes; outside, it waits for nodes first.",
	.operands = "command",
	.in_order = true,
};

/* mpirun starts us with descriptors closed; nothing else may get 0 to 2. */
static int fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	for (fd = 0; fd <= STDERR_FILENO; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	}
	return 0;
}

static int find_job(struct run_options *o, struct om_error *err)
{
	const char *id = getenv("OM_JOB_ID");

	if (o->inside || !id || !*id)
		return 0;
	if (om_parse_u64(id, 1, INT64_MAX, &o->inside) < 0)
		return om_fail(err, -EINVAL, "OM_JOB_ID=%.40s is not a job's "
			       "number\nto run outside of a job: unset OM_JOB_ID",
			       id);
	return 0;
}

/* What only makes sense when nodes are waited for. */
static void tell_unused(const struct run_options *o)
{
	const Om__JobSpec *s = &o->job.spec;
	const char *option = s->partition ? "--partition" :
			     s->has_begin_ns ? "--begin" :
			     s->n_dependency ? "--dependency" :
			     s->has_hold ? "--hold" :
			     s->account ? "--account" :
			     s->has_exclusive ? "--exclusive" :
			     s->has_time_limit_s ? "--time" :
			     s->cluster_mask ? "--cluster-mask" : NULL;

	if (o->inside && option && !o->quiet)
		say_note("%s has no effect inside job %llu", option,
			 (unsigned long long)o->inside);
}

static int settle(struct run_options *o, struct om_error *err)
{
	Om__JobSpec *s = &o->job.spec;
	const char *slash;
	int rc = find_job(o, err);

	if (rc == 0)
		rc = jobspec_complete(&o->job, err);
	if (rc < 0)
		return rc;
	if (!o->words)
		return om_fail(err, -EINVAL, "which command?\n"
			       "write omrun [OPTION]... COMMAND");
	if (o->daemons && (!o->inside || !s->nodelist))
		return om_fail(err, -EINVAL,
			       "--daemons works inside a job and needs --nodelist");
	if (o->pty && s->tasks > 1)
		return om_fail(err, -EINVAL, "--pty is for one task, not %u",
			       s->tasks);
	if (!s->name) {
		slash = strrchr(o->command[0], '/');
		s->name = slash && slash[1] ? (char *)slash + 1 : o->command[0];
	}
	tell_unused(o);
	return 0;
}

static int run(struct run_options *o)
{
	struct om_error err = OM_ERROR_INIT;

	if (settle(o, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	return run_main(o);
}

int main(int argc, char **argv)
{
	struct run_options o = { .input = NULL };
	const struct cli_group groups[] = {
		{ "What it needs", jobspec_resources, &o.job },
		{ "What it is called", jobspec_naming, &o.job },
		{ "When it starts and ends", jobspec_start, &o.job },
		{ "How it runs", process_options, &o.job },
		{ "How it is connected", run_options, &o },
		{ "Where it may move", jobspec_moving, &o.job },
		{ "Always", cli_common_options, &o.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	if (fill_descriptors() < 0)
		return CLI_FAILED;
	c.group = groups;
	jobspec_init(&o.job, OM__JOB_KIND__COMMAND);
	first = cli_begin(&c, &o.common, argc, argv, &rc);
	if (first >= 0) {
		o.command = argv + first;
		o.words = argc - first;
		rc = say_finish(run(&o));
	}
	jobspec_fini(&o.job);
	return rc;
}
