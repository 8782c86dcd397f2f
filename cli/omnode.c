/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omnode: the nodes: listed, shown, drained, set. */
#include <stdio.h>
#include <string.h>

#include "cli/common/json.h"
#include "cli/common/nodetable.h"
#include "cli/common/say.h"
#include "cli/common/session.h"
#include "lib/base/buf.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"

struct omnode {
	struct cli_common common;
	const char *reason;
	bool wait, json, noheader;
};

#define AT(f) offsetof(struct omnode, f)

static const struct cli_option options[] = {
	{ "reason", 'r', "TEXT", "drain: why, told to everyone who asks",
	  cli_set_string, AT(reason), NULL },
	{ "wait", 0, NULL, "drain: return when no job is left on the nodes",
	  cli_set_true, AT(wait), NULL },
	{ "json", 0, NULL, "list, show: as JSON", cli_set_true, AT(json), NULL },
	{ "noheader", 0, NULL, "list: no headings", cli_set_true, AT(noheader),
	  NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omnode",
	.usage = { "[OPTION]... [list [NODES]]",
		   "[OPTION]... show NODES",
		   "[OPTION]... drain NODES --reason=TEXT | undrain NODES",
		   "[OPTION]... set NODES KEY=VALUE... | remove NODES" },
	.summary = "Lists the nodes and changes their state. NODES is a list such "
		   "as n[1-4],n7; drain keeps new work away and lets what runs "
		   "finish or move.",
	.operands = "list|show|drain|undrain|set|remove",
};

/* ---- looking */

static int list_nodes(struct omnode *o, struct session *s, char **operand,
		      bool detail)
{
	Om__NodeList msg = OM__NODE_LIST__INIT;
	Om__NodeListReply *reply;
	int rc;

	msg.nodes = operand[0];
	rc = session_ask(s, OM_MSG_NODE_LIST, &msg, OM_MSG_NODE_LIST_REPLY,
			 &reply);
	if (rc < 0)
		return -rc;
	if (!reply->n_node && operand[0]) {
		say_error("there is no node %s", operand[0]);
		rc = CLI_FAILED;
	} else if (o->json) {
		json_list_begin("nodes");
		for (size_t i = 0; i < reply->n_node; i++)
			json_list_item(json_node(reply->node[i]));
		json_list_end();
	} else if (detail) {
		nodetable_print_detail(reply);
	} else {
		nodetable_print(reply, !o->noheader);
	}
	om__node_list_reply__free_unpacked(reply, NULL);
	return rc;
}

static int do_list(struct omnode *o, struct session *s, char **operand)
{
	return list_nodes(o, s, operand, false);
}

static int do_show(struct omnode *o, struct session *s, char **operand)
{
	return list_nodes(o, s, operand, true);
}

/* ---- changing */

static int control(struct session *s, Om__NodeControl *msg)
{
	Om__Reply *reply;
	int rc = session_ask(s, OM_MSG_NODE_CONTROL, msg, OM_MSG_REPLY, &reply);

	if (rc < 0)
		return -rc;
	if (reply->text && *reply->text)
		printf("%s\n", reply->text);
	om__reply__free_unpacked(reply, NULL);
	return CLI_OK;
}

static int do_drain(struct omnode *o, struct session *s, char **operand)
{
	Om__NodeControl msg = OM__NODE_CONTROL__INIT;

	if (!o->reason) {
		say_error("drain needs a reason");
		say_hint("omnode drain %s --reason='disk replaced'", operand[0]);
		return CLI_USAGE;
	}
	msg.verb = OM__NODE_VERB__NODE_DRAIN;
	msg.nodes = operand[0];
	msg.reason = (char *)o->reason;
	msg.has_wait = msg.wait = o->wait;
	if (o->wait)
		om_client_set_timeout(s->client, INT64_MAX / 4);
	return control(s, &msg);
}

static int simple(struct session *s, Om__NodeVerb verb, char **operand)
{
	Om__NodeControl msg = OM__NODE_CONTROL__INIT;

	msg.verb = verb;
	msg.nodes = operand[0];
	return control(s, &msg);
}

static int do_undrain(struct omnode *o, struct session *s, char **operand)
{
	(void)o;
	return simple(s, OM__NODE_VERB__NODE_UNDRAIN, operand);
}

static int do_remove(struct omnode *o, struct session *s, char **operand)
{
	(void)o;
	return simple(s, OM__NODE_VERB__NODE_REMOVE, operand);
}

static int do_set(struct omnode *o, struct session *s, char **operand)
{
	Om__NodeControl msg = OM__NODE_CONTROL__INIT;

	(void)o;
	msg.verb = OM__NODE_VERB__NODE_SET;
	msg.nodes = operand[0];
	msg.set = operand + 1;
	for (; operand[msg.n_set + 1]; msg.n_set++) {
		if (strchr(operand[msg.n_set + 1], '='))
			continue;
		say_error("'%s' is not KEY=VALUE", operand[msg.n_set + 1]);
		return CLI_USAGE;
	}
	if (!msg.n_set) {
		say_error("set what?");
		say_hint("omnode set %s load-limit=1.5", operand[0]);
		return CLI_USAGE;
	}
	return control(s, &msg);
}

static const struct verb {
	const char *name;
	int (*run)(struct omnode *o, struct session *s, char **operand);
	int min, max;		/* operands after it */
} verbs[] = {
	{ "list", do_list, 0, 1 },
	{ "show", do_show, 1, 1 },
	{ "drain", do_drain, 1, 1 },
	{ "undrain", do_undrain, 1, 1 },
	{ "set", do_set, 1, 1000 },
	{ "remove", do_remove, 1, 1 },
	{ NULL },
};

static const struct verb *find_verb(const char *word)
{
	const char *names[8] = { NULL };
	const char *near;
	int n = 0;

	for (const struct verb *v = verbs; v->name; v++) {
		if (!strcmp(v->name, word))
			return v;
		names[n++] = v->name;
	}
	say_error("unknown command '%s'", word);
	near = om_str_nearest(word, names);
	say_hint(near ? "did you mean %s?" : "'omnode --help' lists them", near);
	return NULL;
}

static int check_operands(const struct verb *v, int n, char **operand,
			  struct om_error *err)
{
	struct om_strvec names = OM_STRVEC_INIT;
	int rc;

	if (n < v->min)
		return om_fail(err, -EINVAL, "%s needs NODES, such as n[1-4]",
			       v->name);
	if (n > v->max)
		return om_fail(err, -EINVAL, "'%s' is one word too many\n"
			       "join nodes by ',' as in n1,n2", operand[v->max]);
	if (n == 0)
		return 0;
	rc = om_hostlist_expand(operand[0], &names, err);
	om_strvec_fini(&names);
	return rc;
}

static int run(struct omnode *o, int n, char **operand)
{
	const struct verb *v = find_verb(n ? operand[0] : "list");
	struct om_error err = OM_ERROR_INIT;
	struct session s;
	int rc;

	if (!v)
		return CLI_USAGE;
	operand += n > 0;
	if (check_operands(v, n > 0 ? n - 1 : 0, operand, &err) < 0) {
		say_fail(&err);
		return CLI_USAGE;
	}
	rc = session_open(&s, &o->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	rc = v->run(o, &s, operand);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omnode o = { .reason = NULL };
	const struct cli_group groups[] = {
		{ "Options", options, &o },
		{ "Always", cli_common_options, &o.common },
		{ NULL },
	};
	struct cli_command c = command;
	int first, rc;

	c.group = groups;
	first = cli_begin(&c, &o.common, argc, argv, &rc);
	if (first >= 0)
		rc = say_finish(run(&o, argc - first, argv + first));
	return rc;
}
