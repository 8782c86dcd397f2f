/* SPDX-License-Identifier: GPL-3.0-or-later */
/* omctl: the controller and its configuration; and what is wrong with a
 * set-up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/json.h"
#include "cli/common/say.h"
#include "cli/common/session.h"
#include "cli/common/table.h"
#include "cli/ctl/doctor.h"
#include "config.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

struct omctl {
	struct cli_common common;
	bool json, noheader, wide;
};

#define AT(f) offsetof(struct omctl, f)

static const struct cli_option options[] = {
	{ "json", 0, NULL, "show, ping, doctor: as JSON", cli_set_true,
	  AT(json), NULL },
	{ "long", 'l', NULL, "show: with what each key means", cli_set_true,
	  AT(wide), NULL },
	{ "noheader", 0, NULL, "show: no headings", cli_set_true, AT(noheader),
	  NULL },
	{ 0 },
};

static const struct cli_command command = {
	.name = "omctl",
	.usage = { "[OPTION]... show [KEY]",
		   "[OPTION]... set KEY=VALUE... | reload",
		   "[OPTION]... ping | version",
		   "[OPTION]... doctor" },
	.summary = "Shows and changes the controller's configuration while it "
		   "runs; doctor looks for the usual faults of a set-up and names "
		   "the cure of each.",
	.operands = "show|set|reload|ping|version|doctor",
};

/* ---- show */

static void show_table(const struct omctl *o, const Om__ConfigShowReply *r)
{
	struct table t;

	table_init(&t);
	table_column(&t, "KEY", false);
	table_column(&t, "VALUE", false);
	table_column(&t, "SOURCE", false);
	if (o->wide)
		table_column(&t, "MEANING", false);
	for (size_t i = 0; i < r->n_setting; i++) {
		table_cell(&t, r->setting[i]->key);
		table_cell(&t, r->setting[i]->value);
		table_cell(&t, r->setting[i]->source);
		if (o->wide)
			table_cell(&t, r->setting[i]->help);
	}
	table_print(&t, !o->noheader);
	table_fini(&t);
}

static void show_json(const Om__ConfigShowReply *r)
{
	json_list_begin("settings");
	for (size_t i = 0; i < r->n_setting; i++)
		json_list_item(json_pack("{s:o, s:o, s:o, s:o}",
			"key", json_text(r->setting[i]->key),
			"value", json_text(r->setting[i]->value),
			"source", json_text(r->setting[i]->source),
			"help", json_text(r->setting[i]->help)));
	json_list_end();
}

static int do_show(struct omctl *o, struct session *s, char **operand)
{
	Om__ConfigShow msg = OM__CONFIG_SHOW__INIT;
	Om__ConfigShowReply *reply;
	int rc;

	msg.key = operand[0];
	rc = session_ask(s, OM_MSG_CONFIG_SHOW, &msg, OM_MSG_CONFIG_SHOW_REPLY,
			 &reply);
	if (rc < 0)
		return -rc;
	if (o->json)
		show_json(reply);
	else if (msg.key && reply->n_setting == 1 && !o->wide)
		printf("%s\n", reply->setting[0]->value);
	else
		show_table(o, reply);
	om__config_show_reply__free_unpacked(reply, NULL);
	return CLI_OK;
}

/* ---- set */

static int change(struct session *s, const Om__ConfigSet *msg)
{
	Om__Reply *reply;
	int rc = session_ask(s, OM_MSG_CONFIG_SET, msg, OM_MSG_REPLY, &reply);

	if (rc < 0)
		return -rc;
	if (reply->text && *reply->text)
		printf("%s\n", reply->text);
	om__reply__free_unpacked(reply, NULL);
	return CLI_OK;
}

#define SETTINGS_MAX 64

static int do_set(struct omctl *o, struct session *s, char **operand)
{
	Om__ConfigSet msg = OM__CONFIG_SET__INIT;
	Om__Setting setting[SETTINGS_MAX], *list[SETTINGS_MAX];

	(void)o;
	for (; operand[msg.n_setting]; msg.n_setting++) {
		Om__Setting *one = setting + msg.n_setting;
		char *equals = strchr(operand[msg.n_setting], '=');

		if (!equals || equals == operand[msg.n_setting]) {
			say_error("'%s' is not KEY=VALUE",
				  operand[msg.n_setting]);
			return CLI_USAGE;
		}
		*equals = '\0';
		om__setting__init(one);
		one->key = operand[msg.n_setting];
		one->value = equals + 1;
		list[msg.n_setting] = one;
	}
	msg.setting = list;
	return change(s, &msg);
}

static int do_reload(struct omctl *o, struct session *s, char **operand)
{
	Om__ConfigSet msg = OM__CONFIG_SET__INIT;

	(void)o;
	(void)operand;
	msg.has_reload = msg.reload = true;
	return change(s, &msg);
}

/* ---- ping, version */

static Om__PingReply *ask_ping(struct session *s, int *ret_exit)
{
	Om__Empty msg = OM__EMPTY__INIT;
	Om__PingReply *reply = NULL;

	*ret_exit = -session_ask(s, OM_MSG_PING, &msg, OM_MSG_PING_REPLY,
				 &reply);
	return reply;
}

static void print_ping(const Om__PingReply *r, double ms)
{
	char since[32], size[24];

	printf("cluster %s: openMosix %s, up since %s, answered in %.1f ms\n",
	       r->cluster, r->version,
	       om_format_when(r->started_ns / OM_NS_PER_S, since,
			      sizeof(since)), ms);
	printf("%u of %u nodes up, %llu jobs wait, %llu run, controller uses %s\n",
	       r->nodes_up, r->nodes, (unsigned long long)r->jobs_pending,
	       (unsigned long long)r->jobs_running,
	       om_format_size(r->rss, size, sizeof(size)));
}

static void print_ping_json(const Om__PingReply *r, double ms)
{
	json_print(json_pack(
		"{s:o, s:o, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:f}",
		"cluster", json_text(r->cluster),
		"version", json_text(r->version),
		"started_time", json_when(r->started_ns),
		"nodes", (int)r->nodes, "nodes_up", (int)r->nodes_up,
		"jobs_pending", (json_int_t)r->jobs_pending,
		"jobs_running", (json_int_t)r->jobs_running,
		"events", (json_int_t)r->events,
		"rss_bytes", (json_int_t)r->rss,
		"answer_ms", ms));
}

static int do_ping(struct omctl *o, struct session *s, char **operand)
{
	const struct om_clock *clock = om_clock_system();
	int64_t before = om_mono_ns(clock);
	Om__PingReply *r;
	double ms;
	int rc;

	(void)operand;
	r = ask_ping(s, &rc);
	if (!r)
		return rc;
	ms = (double)(om_mono_ns(clock) - before) / 1e6;
	if (o->json)
		print_ping_json(r, ms);
	else
		print_ping(r, ms);
	om__ping_reply__free_unpacked(r, NULL);
	return CLI_OK;
}

static int do_version(struct omctl *o, struct session *s, char **operand)
{
	Om__PingReply *r;
	int rc;

	(void)o;
	(void)operand;
	printf("commands %s\n", PACKAGE_VERSION);
	r = ask_ping(s, &rc);
	if (!r)
		return rc;
	printf("controller %s\n", r->version);
	om__ping_reply__free_unpacked(r, NULL);
	return CLI_OK;
}

/* ---- */

static const struct verb {
	const char *name;
	int (*run)(struct omctl *o, struct session *s, char **operand);
	int min, max;		/* operands after it */
} verbs[] = {
	{ "show", do_show, 0, 1 },
	{ "set", do_set, 1, SETTINGS_MAX },
	{ "reload", do_reload, 0, 0 },
	{ "ping", do_ping, 0, 0 },
	{ "version", do_version, 0, 0 },
	{ "doctor", NULL, 0, 0 },
	{ NULL },
};

static const struct verb *find_verb(const char *word)
{
	const char *names[8] = { NULL };
	const char *near;
	int n = 0;

	if (!word) {
		say_error("what is to be done?");
		say_hint("'omctl --help' lists the commands");
		return NULL;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		if (!strcmp(v->name, word))
			return v;
		names[n++] = v->name;
	}
	say_error("unknown command '%s'", word);
	near = om_str_nearest(word, names);
	say_hint(near ? "did you mean %s?" : "'omctl --help' lists them", near);
	return NULL;
}

static int run(struct omctl *o, int n, char **operand)
{
	const struct verb *v = find_verb(operand[0]);
	struct om_error err = OM_ERROR_INIT;
	struct session s;
	int rc;

	if (!v)
		return CLI_USAGE;
	if (n - 1 < v->min || n - 1 > v->max) {
		say_error(n - 1 < v->min ? "%s needs KEY=VALUE" :
			  "too many words after %s", v->name);
		return CLI_USAGE;
	}
	if (!v->run)
		return doctor_run(&o->common, o->json);
	rc = session_open(&s, &o->common, &err);
	if (rc < 0) {
		say_fail(&err);
		return om_client_exit_code(rc);
	}
	rc = v->run(o, &s, operand + 1);
	session_close(&s);
	return rc;
}

int main(int argc, char **argv)
{
	struct omctl o = { .json = false };
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
