/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/common/control.h"
#include "cli/common/say.h"

void control_init(struct control *c, struct session *s, Om__JobVerb verb)
{
	*c = (struct control){ .session = s };
	om__job_control__init(&c->msg);
	c->msg.verb = verb;
}

/* Of an array or a range some may be over, which is no failure as long as
 * there was something left to do it to. */
static void refused(struct control *c, const Om__JobControlReply__Refused *r)
{
	if (r->code == -EALREADY) {
		c->over++;
		return;
	}
	if (c->quiet && (r->code == -ENOENT || r->code == -ESRCH))
		return;
	c->refused++;
	say_error("job %llu: %s", (unsigned long long)r->job_id, r->text);
}

int control_one(struct control *c, const Om__JobFilter *msg)
{
	Om__JobControlReply *reply;
	int rc;

	c->msg.filter = (Om__JobFilter *)msg;
	rc = session_ask(c->session, OM_MSG_JOB_CONTROL, &c->msg,
			 OM_MSG_JOB_CONTROL_REPLY, &reply);
	if (rc < 0)
		return -rc;
	c->done += reply->count;
	for (size_t i = 0; i < reply->n_refused; i++)
		refused(c, reply->refused[i]);
	om__job_control_reply__free_unpacked(reply, NULL);
	return 0;
}

static int each(void *arg, const Om__JobFilter *msg)
{
	return control_one(arg, msg);
}

int control_run(struct control *c, struct filter *f)
{
	int rc = filter_each(f, each, c);

	return rc ? rc : control_result(c, f);
}

int control_result(const struct control *c, const struct filter *f)
{
	if (c->refused)
		return CLI_FAILED;
	if (c->done)
		return CLI_OK;
	if (c->quiet)
		return CLI_OK;
	if (!filter_has_ids(f)) {
		say_note("no job matches");
		return CLI_OK;
	}
	if (c->over == 1)
		say_error("the job is over already");
	else if (c->over)
		say_error("all %llu jobs are over already",
			  (unsigned long long)c->over);
	else
		say_error("there is no such job");
	return CLI_FAILED;
}
