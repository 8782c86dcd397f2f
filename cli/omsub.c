/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * omsub: submits a batch script. Made to start fast: no locale, no loop, few
 * libraries, one connection with one message each way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/jobspec.h"
#include "cli/common/launch.h"
#include "cli/common/say.h"
#include "cli/common/script.h"
#include "cli/common/session.h"
#include "cli/common/submit.h"
#include "lib/base/buf.h"
#include "lib/base/cleanup.h"

struct omsub {
	struct cli_common common;
	struct jobspec job;
	const char *wrap;
	bool wait, test_only, parsable, quiet;
	const char *script;	/* NULL: --wrap or standard input */
	char *words;		/* of the #OM lines */
	struct om_buf text;
};

#define AT(f) offsetof(struct omsub, f)

static const struct cli_option source_options[] = {
	{ "wrap", 0, "COMMAND", "run this shell command instead of a script",
	  cli_set_string, AT(wrap), NULL },
	{ 0 },
};

static const struct cli_option action_options[] = {
	{ "wait", 'W', NULL, "wait for the job's end; exit with its exit code",
	  cli_set_true, AT(wait), NULL },
	{ "test-only", 0, NULL, "submit nothing; tell when and where it would "
	  "start", cli_set_true, AT(test_only), NULL },
	{ "parsable", 0, NULL, "print the job's number only", cli_set_true,
	  AT(parsable), NULL },
	{ "quiet", 'Q', NULL, "print nothing but errors", cli_set_true,
	  AT(quiet), NULL },
	{ 0 },
};

#define GROUPS 10

/* Those that #OM lines may hold come first; returns how many they are. */
static int fill_groups(struct omsub *o, struct cli_group g[GROUPS])
{
	int n = 0;

	g[n++] = (struct cli_group){ "What the job needs", jobspec_resources,
				     &o->job };
	g[n++] = (struct cli_group){ "What it is called", jobspec_naming,
				     &o->job };
	g[n++] = (struct cli_group){ "When it starts and ends", jobspec_start,
				     &o->job };
	g[n++] = (struct cli_group){ "How often it runs", jobspec_batch,
				     &o->job };
	g[n++] = (struct cli_group){ "How its script runs", jobspec_process,
				     &o->job };
	g[n++] = (struct cli_group){ "Where it may move", jobspec_moving,
				     &o->job };
	g[n++] = (struct cli_group){ "What omsub does", action_options, o };
	g[n++] = (struct cli_group){ "Instead of a script", source_options, o };
	g[n++] = (struct cli_group){ "Always", cli_common_options, &o->common };
	g[n] = (struct cli_group){ NULL };
	return n - 2;
}

static const struct cli_command command = {
	.name = "omsub",
	.usage = { "[OPTION]... SCRIPT [ARGUMENT]...",
		   "[OPTION]... --wrap=COMMAND",
		   "[OPTION]... < SCRIPT" },
	.summary = "Submits a batch script. Options may also stand in its head, in "
		   "lines that begin with #OM; the command line counts more.",
	.operands = "file",
	.in_order = true,
};

/* ---- options and script */

static int read_source(struct omsub *o, struct om_error *err)
{
	if (o->wrap) {
		if (om_buf_addf(&o->text, "#!/bin/sh\n# Made by omsub --wrap.\n%s\n",
				o->wrap) < 0)
			return om_fail_nomem(err);
		return 0;
	}
	if (!o->script && isatty(STDIN_FILENO))
		say_note("reading the script from the terminal; end it with Ctrl-D");
	return script_read(o->script, &o->text, err);
}

static const char *source_name(const struct omsub *o)
{
	return o->script ? o->script : o->wrap ? "--wrap" : "standard input";
}

static void tell_foreign_lines(const char *text)
{
	unsigned line = script_find_line(text, "#SBATCH");

	if (line)
		say_note("line %u: #SBATCH lines are not read; write #OM", line);
}

/* The script's options first, then argv once more: it counts more. */
static int apply_all(struct omsub *o, int argc, char **argv,
		     struct om_error *err)
{
	struct cli_group groups[GROUPS];
	struct cli_command c = command;
	int in_script = fill_groups(o, groups), rc;

	c.group = groups;
	groups[in_script].option = NULL;
	rc = script_directives(&c, source_name(o), om_buf_str(&o->text),
			       &o->words, err);
	if (rc < 0)
		return rc;
	fill_groups(o, groups);
	rc = cli_parse(&c, argc, argv, err);
	return rc < 0 ? rc : jobspec_complete(&o->job, err);
}

static void set_defaults(struct omsub *o)
{
	Om__JobSpec *s = &o->job.spec;
	const char *slash = o->script ? strrchr(o->script, '/') : NULL;

	if (!s->name)
		s->name = (char *)(slash ? slash + 1 : o->script ? o->script :
				   o->wrap ? "wrap" : "stdin");
	if (!o->job.std_out)
		o->job.std_out = s->array ? "om-%A_%a.out" : "om-%j.out";
}

/* ---- submitting */

static int wait_for(struct session *s, uint64_t job_id)
{
	Om__JobWait msg = OM__JOB_WAIT__INIT;
	Om__JobInfo *info;
	int rc;

	msg.job_id = job_id;
	/* The job may take weeks and the controller be away meanwhile. */
	om_client_set_timeout(s->client, INT64_MAX / 4);
	rc = session_ask(s, OM_MSG_JOB_WAIT, &msg, OM_MSG_JOB_INFO, &info);
	if (rc < 0)
		return -rc;
	rc = submit_exit_code(info->state, info->exit_code, info->exit_signal);
	om__job_info__free_unpacked(info, NULL);
	return rc;
}

static void print_answer(const struct omsub *o, const Om__Submitted *answer)
{
	unsigned long long id = answer->job_id;

	submit_say_notes(answer);
	if (o->test_only)
		submit_print_estimate(answer);
	else if (o->parsable)
		printf("%llu\n", id);
	else if (!o->quiet)
		printf("Submitted job %llu\n", id);
	fflush(stdout);
}

static int send(struct omsub *o, struct submit *submit)
{
	struct om_error err = OM_ERROR_INIT;
	Om__Submitted *answer;
	struct session s;
	int rc;

	rc = session_open(&s, &o->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	rc = session_ask(&s, OM_MSG_SUBMIT, &submit->msg, OM_MSG_SUBMITTED,
			 &answer);
	if (rc < 0) {
		session_close(&s);
		return -rc;
	}
	print_answer(o, answer);
	if (o->wait && !o->test_only)
		rc = wait_for(&s, answer->job_id);
	om__submitted__free_unpacked(answer, NULL);
	session_close(&s);
	return rc;
}

static int submit_script(struct omsub *o, int arguments, char **argument)
{
	struct om_error err = OM_ERROR_INIT;
	struct launch launch;
	struct submit submit;
	int rc;

	set_defaults(o);
	rc = launch_init(&launch, &o->job, false, &err);
	if (rc == 0) {
		launch.msg.has_script = true;
		launch.msg.script.data = (uint8_t *)om_buf_str(&o->text);
		launch.msg.script.len = om_buf_len(&o->text);
		launch.msg.argv = argument;
		launch.msg.n_argv = (size_t)arguments;
		rc = submit_init(&submit, &o->job, &launch, &err);
	}
	if (rc < 0) {
		launch_fini(&launch);
		say_fail(&err);
		return rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	}
	submit.msg.has_test_only = submit.msg.test_only = o->test_only;
	rc = send(o, &submit);
	submit_fini(&submit);
	launch_fini(&launch);
	return rc;
}

static int run(struct omsub *o, int argc, char **argv, int first)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	o->script = o->wrap ? NULL : argv[first];
	if (o->wrap && argv[first]) {
		say_error("--wrap and a script ('%s') exclude each other",
			  argv[first]);
		return CLI_USAGE;
	}
	rc = read_source(o, &err);
	if (rc == 0)
		rc = script_check(source_name(o), om_buf_str(&o->text),
				  om_buf_len(&o->text), &err);
	if (rc < 0) {
		say_fail(&err);
		return CLI_FAILED;
	}
	tell_foreign_lines(om_buf_str(&o->text));
	if (apply_all(o, argc, argv, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	first += o->script != NULL;
	return submit_script(o, argc - first, argv + first);
}

int main(int argc, char **argv)
{
	struct cli_group groups[GROUPS];
	struct cli_command c = command;
	struct omsub o = { .text = OM_BUF_INIT };
	int first, rc;

	/* Once to judge the options and find the script; run() begins anew
	 * with the script's own options. */
	jobspec_init(&o.job, OM__JOB_KIND__BATCH);
	fill_groups(&o, groups);
	c.group = groups;
	first = cli_begin(&c, &o.common, argc, argv, &rc);
	jobspec_fini(&o.job);
	if (first < 0)
		return rc;
	jobspec_init(&o.job, OM__JOB_KIND__BATCH);
	rc = run(&o, argc, argv, first);
	jobspec_fini(&o.job);
	om_buf_fini(&o.text);
	free(o.words);
	return say_finish(rc);
}
