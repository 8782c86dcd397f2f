/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * omcluster: a cluster of virtual nodes on this machine. The verbs that bring
 * it up and down are in cluster/life.c; this is the command line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/control.h"
#include "cli/cluster/life.h"
#include "cli/cluster/link.h"
#include "cli/cluster/node.h"
#include "cli/cluster/place.h"
#include "cli/cluster/report.h"
#include "cli/common/options.h"
#include "cli/common/say.h"
#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"

struct omcluster {
	struct cli_common common;
	const char *name;
	struct spec spec;
	const char *user;
	bool json;
	struct cluster cluster;
};

typedef int verb_fn(struct omcluster *o, int argc, char **argv);

struct verb {
	const char *name;
	verb_fn *run;
	const char *usage, *help;
	const struct cli_option *options;	/* NULL: none of its own */
	bool in_order, operands;
};

#define AT(f) offsetof(struct omcluster, f)

static int add_text(void *target, const struct cli_option *o,
		    const char *value, struct om_error *err)
{
	if (om_strvec_add((struct om_strvec *)((char *)target + o->at),
			  value) < 0)
		return om_fail_nomem(err);
	return 0;
}

static int set_node(void *target, const struct cli_option *o,
		    const char *value, struct om_error *err)
{
	struct omcluster *c = target;
	char text[128];

	snprintf(text, sizeof(text), "%s=%.100s", o->name, value);
	return spec_node_parse(text, &c->spec.all, err);
}

static const struct cli_option common_options[] = {
	{ "name", 0, "NAME", "which cluster, where there are several",
	  cli_set_string, AT(name), NULL },
	{ "help", 'h', NULL, "print this and exit", cli_set_true,
	  AT(common.help), NULL },
	{ "version", 'V', NULL, "print the version and exit", cli_set_true,
	  AT(common.version), NULL },
	{ "om-complete", 0, NULL, NULL, cli_set_true, AT(common.list), NULL },
	{ 0 },
};

static const struct cli_option up_options[] = {
	{ "cpus", 0, "C", "processors of each node (default: the machine's, "
	  "shared among the nodes)", set_node, 0, NULL },
	{ "cpu-share", 0, "PERCENT", "processor time of each node, in percent "
	  "of one processor of the machine", set_node, 0, NULL },
	{ "memory", 0, "SIZE", "memory of each node, like 2G", set_node, 0,
	  NULL },
	{ "node", 0, "NODE:KEY=VALUE,...", "the same for one node, like "
	  "n2:cpu-share=50,memory=2G; may be repeated", add_text,
	  AT(spec.node), NULL },
	{ "network", 0, "A.B.C.0/24", "network of the nodes (default: "
	  "10.90.0.0/24)", cli_set_string, AT(spec.network), NULL },
	{ "state", 0, "DIR", "where omctld keeps its state; not removed by "
	  "down (default: the cluster's own folder)", cli_set_string,
	  AT(spec.state_dir), "dir" },
	{ "share", 0, "DIR", "a folder below /tmp, /run or /dev/shm that nodes "
	  "see too; may be repeated", add_text, AT(spec.share), "dir" },
	{ "no-wait", 0, NULL, "do not wait until the nodes have registered",
	  cli_set_true, AT(spec.no_wait), NULL },
	{ 0 },
};

static const struct cli_option status_options[] = {
	{ "json", 0, NULL, "print JSON", cli_set_true, AT(json), NULL },
	{ 0 },
};

static const struct cli_option exec_options[] = {
	{ "user", 'u', "USER", "run the command as this user", cli_set_string,
	  AT(user), "user" },
	{ 0 },
};

static int fail(const struct om_error *err)
{
	say_fail(err);
	return CLI_FAILED;
}

/* ---- verbs about the whole cluster */

static void print_how_to_go_on(const struct cluster *c)
{
	const char *name = c->name;

	printf("\nUse it:   eval \"$(omcluster env%s%s)\"; omsub --help\n"
	       "Look in:  omcluster exec%s%s n1 -- bash\n"
	       "Stop it:  omcluster down%s%s\n", *name ? " --name=" : "", name,
	       *name ? " --name=" : "", name, *name ? " --name=" : "", name);
}

static int run_up(struct omcluster *o, int argc, char **argv)
{
	struct om_error err = OM_ERROR_INIT;
	struct cluster *c = &o->cluster;
	int rc;

	if (argc > 1)
		return say_error("more than one operand"), CLI_USAGE;
	if (argc == 1 && life_parse_count(argv[0], &o->spec, &err) < 0)
		return say_fail(&err), CLI_USAGE;
	rc = life_up(&o->spec, c, &err);
	if (rc < 0)
		return say_fail(&err), rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	if (rc == 0)
		printf("The cluster is up already.\n");
	rc = report_table(c, &err);
	if (rc < 0)
		return fail(&err);
	print_how_to_go_on(c);
	return CLI_OK;
}

static int run_down(struct omcluster *o, int argc, char **argv)
{
	struct om_error err = OM_ERROR_INIT;
	int rc;

	(void)argc;
	(void)argv;
	rc = life_down(&o->cluster, &err);
	if (rc < 0)
		return fail(&err);
	printf(rc ? "The cluster is down.\n" : "No cluster is up.\n");
	return CLI_OK;
}

static int load(struct omcluster *o)
{
	struct om_error err = OM_ERROR_INIT;
	int rc = cluster_load(&o->cluster, &err);

	if (rc == -ENOENT) {
		say_error("no cluster %s%sis up", o->cluster.name,
			  *o->cluster.name ? " " : "");
		say_hint("omcluster up 4%s%s",
			 *o->cluster.name ? " --name=" : "", o->cluster.name);
		return CLI_FAILED;
	}
	return rc < 0 ? fail(&err) : CLI_OK;
}

static int run_status(struct omcluster *o, int argc, char **argv)
{
	struct om_error err = OM_ERROR_INIT;
	int rc = load(o);

	(void)argc;
	(void)argv;
	if (rc != CLI_OK)
		return rc;
	rc = o->json ? report_json(&o->cluster, &err) :
		       report_table(&o->cluster, &err);
	return rc < 0 ? fail(&err) : CLI_OK;
}

static int run_env(struct omcluster *o, int argc, char **argv)
{
	char path[PATH_MAX], bin[PATH_MAX];
	int rc = load(o);

	(void)argc;
	(void)argv;
	if (rc != CLI_OK)
		return rc;
	printf("export OM_CONF='%s'\n",
	       cluster_path(&o->cluster, path, "openmosix.conf"));
	if (place_bin(bin) && strcmp(bin, "/usr/bin") && !strchr(bin, '\''))
		printf("export PATH='%s':\"$PATH\"\n", bin);
	return CLI_OK;
}

/* ---- verbs about nodes */

typedef int node_fn(struct cluster *c, const struct cluster_node *n,
		    struct om_error *err);

/* Calls fn for each node that the operands name; all must be there. */
static int each_node(struct omcluster *o, int argc, char **argv, node_fn *fn)
{
	struct om_strvec names = OM_STRVEC_INIT;
	struct om_error err = OM_ERROR_INIT;
	const struct cluster_node *n;
	int rc = 0;

	for (int i = 0; rc >= 0 && i < argc; i++)
		rc = om_hostlist_expand(argv[i], &names, &err);
	for (size_t i = 0; rc >= 0 && i < names.n; i++)
		if (!cluster_find(&o->cluster, names.v[i]))
			rc = om_fail(&err, -ENOENT, "no node '%s'\nthe nodes "
				     "are n1 to n%zu", names.v[i],
				     o->cluster.nodes);
	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		n = cluster_find(&o->cluster, names.v[i]);
		rc = fn(&o->cluster, n, &err);
	}
	om_strvec_fini(&names);
	return rc < 0 ? fail(&err) : CLI_OK;
}

static int run_nodes(struct omcluster *o, int argc, char **argv, node_fn *fn)
{
	struct om_error err = OM_ERROR_INIT;
	int lock, rc = load(o);

	if (rc != CLI_OK)
		return rc;
	if (argc < 1)
		return say_error("which node?"), CLI_USAGE;
	lock = life_lock(&o->cluster, &err);
	if (lock < 0)
		return fail(&err);
	rc = each_node(o, argc, argv, fn);
	close(lock);
	return rc;
}

static int run_crash(struct omcluster *o, int argc, char **argv)
{
	return run_nodes(o, argc, argv, life_crash);
}

static int run_restart(struct omcluster *o, int argc, char **argv)
{
	return run_nodes(o, argc, argv, life_restart);
}

static int cut(struct cluster *c, const struct cluster_node *n,
	       struct om_error *err)
{
	return link_cable_set(c, n, false, err);
}

static int run_cut(struct omcluster *o, int argc, char **argv)
{
	return run_nodes(o, argc, argv, cut);
}

static int heal(struct cluster *c, const struct cluster_node *n,
		struct om_error *err)
{
	if (!node_pid(c, n))
		return om_fail(err, -ENXIO, "node %s is off, not cut\nomcluster "
			       "restart %s", n->name, n->name);
	return link_cable_set(c, n, true, err);
}

static int run_heal(struct omcluster *o, int argc, char **argv)
{
	return run_nodes(o, argc, argv, heal);
}

static void set_environment(const struct cluster *c)
{
	char path[PATH_MAX], bin[PATH_MAX];
	const char *old = getenv("PATH");
	om_autofree char *text = NULL;

	setenv("OM_CONF", cluster_path(c, path, "openmosix.conf"), 1);
	if (place_bin(bin) &&
	    asprintf(&text, "%s:%s", bin, old ? old : "/usr/bin:/bin") > 0)
		setenv("PATH", text, 1);
}

static int run_exec(struct omcluster *o, int argc, char **argv)
{
	struct om_strvec names = OM_STRVEC_INIT;
	struct om_error err = OM_ERROR_INIT;
	struct cgroups cg;
	int rc = load(o), worst = 0, at = 1;

	if (rc != CLI_OK)
		return rc;
	if (argc > 1 && strcmp(argv[1], "--") == 0)
		at = 2;
	if (argc <= at)
		return say_error("which node, and what?"), CLI_USAGE;
	set_environment(&o->cluster);
	rc = om_hostlist_expand(argv[0], &names, &err);
	if (rc >= 0)
		rc = cgroups_find(&cg, &err);
	for (size_t i = 0; rc >= 0 && i < names.n; i++) {
		struct cluster_node *n = cluster_find(&o->cluster, names.v[i]);

		rc = n ? node_exec(&o->cluster, n, &cg, o->user, argv + at,
				   &err) :
			 om_fail(&err, -ENOENT, "no node '%s'", names.v[i]);
		worst = rc > worst ? rc : worst;
	}
	om_strvec_fini(&names);
	return rc < 0 ? fail(&err) : worst;
}

/* ---- command line */

static const struct verb verbs[] = {
	{ "up", run_up, "[N] [OPTION]...", "brings up a cluster of N virtual "
	  "nodes, or adds what is missing", up_options, false, true },
	{ "down", run_down, "", "ends every process of it and removes all that "
	  "it made", NULL, false, false },
	{ "status", run_status, "[--json]", "shows the nodes", status_options,
	  false, false },
	{ "exec", run_exec, "[--user=USER] NODE[,NODE] -- COMMAND...", "runs a "
	  "command in a node", exec_options, true, true },
	{ "crash", run_crash, "NODE...", "as if the node's power had gone",
	  NULL, false, true },
	{ "restart", run_restart, "NODE...", "boots a node again", NULL, false,
	  true },
	{ "cut", run_cut, "NODE...", "pulls the node's network cable", NULL,
	  false, true },
	{ "heal", run_heal, "NODE...", "puts the cable back", NULL, false,
	  true },
	{ "env", run_env, "", "prints what makes commands use it, for eval",
	  NULL, false, false },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	printf("Usage: omcluster VERB [OPTION]...\n"
	       "Runs a whole cluster on this machine, in namespaces.\n\n"
	       "Verbs:\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-9s %s\n", verbs[i].name, verbs[i].help);
	printf("\n'omcluster VERB --help' tells the options of one; see also "
	       "omcluster(8).\n");
}

/* For the completion; see print_list in options.c. */
static void print_verbs(void)
{
	printf("operands - ");
	for (size_t i = 0; i < VERBS; i++)
		printf("%s%s", i ? "|" : "", verbs[i].name);
	printf("\n");
}

static int run_verb(const struct verb *v, struct omcluster *o, int argc,
		    char **argv)
{
	struct om_error err = OM_ERROR_INIT;
	char name[32];
	struct cli_group groups[3] = { { "Options", common_options, o } };
	struct cli_command command = {
		.name = name, .usage = { v->usage }, .summary = v->help,
		.operands = v->operands ? "node" : NULL,
		.in_order = v->in_order, .group = groups,
	};
	int first, ret;

	snprintf(name, sizeof(name), "omcluster %s", v->name);
	if (v->options) {
		groups[1] = groups[0];
		groups[0] = (struct cli_group){ "What to do", v->options, o };
	}
	first = cli_begin(&command, &o->common, argc, argv, &ret);
	if (first < 0)
		return ret;
	if (!v->operands && argc > first)
		return say_error("'%s' takes no operand", v->name), CLI_USAGE;
	if (cluster_init(&o->cluster, o->name, &err) < 0)
		return say_fail(&err), CLI_USAGE;
	if (geteuid() != 0 && v->run != run_status && v->run != run_env) {
		say_error("%s needs root: namespaces, links and cgroups are "
			  "its to make", v->name);
		return CLI_FAILED;
	}
	ret = v->run(o, argc - first, argv + first);
	cluster_fini(&o->cluster);
	return say_finish(ret);
}

int main(int argc, char **argv)
{
	static struct omcluster o;

	say_init("omcluster");
	if (argc < 2 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		print_help();
		return argc < 2 ? CLI_USAGE : say_finish(CLI_OK);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("omcluster (openMosix) %s\n", life_version());
		return say_finish(CLI_OK);
	}
	if (strcmp(argv[1], "--om-complete") == 0) {
		print_verbs();
		return say_finish(CLI_OK);
	}
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run_verb(verbs + i, &o, argc - 1, argv + 1);
	say_error("no verb '%s'", argv[1]);
	say_hint("omcluster --help");
	return CLI_USAGE;
}
