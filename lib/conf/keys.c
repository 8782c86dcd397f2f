/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * keys: every key of openmosix.conf, in one table: where its field is, what
 * it takes, what it is without a file. Everything else reads this table.
 */
#include <arpa/inet.h>
#include <config.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "lib/base/hostlist.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/conf/config.h"

#define TIMEOUT_MAX (7 * 86400)		/* a week */
#define RUN_DIR_MAX 80			/* leaves room for a socket's name */

static const char *const seal_words[] = { "auto", "always", "never", NULL };
static const char *const auth_words[] = { "munge", "none", NULL };
static const char *const mode_words[] = { "exclusive", "shared", NULL };

static const char *check_name(const char *s)
{
	return om_hostname_check(s) == 0 ? NULL :
		"a name of letters, digits, '-', '_' and '.', 63 at most";
}

static const char *check_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if (isspace((unsigned char)*p) || !isprint((unsigned char)*p))
			return "names without spaces";
	return *s ? NULL : "names that are not empty";
}

static const char *check_controller(const char *s)
{
	static const char expected[] = "host, host:port or [address]:port";
	const char *colon = strrchr(s, ':');
	char host[INET6_ADDRSTRLEN + OM_HOSTNAME_MAX];
	struct in6_addr in6;
	uint32_t port;
	size_t len = colon && !strchr(colon, ']') ? (size_t)(colon - s) :
						    strlen(s);

	if (s[len] == ':' && om_parse_u32(s + len + 1, 1, 65535, &port) < 0)
		return expected;
	if (len >= sizeof(host))
		return expected;
	memcpy(host, s, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, &in6) == 1 ? NULL : expected;
	}
	return om_hostname_check(host) == 0 ? NULL : expected;
}

static const char *check_path(const char *s)
{
	return *s == '/' && strlen(s) < PATH_MAX ? NULL :
		"a path that begins with '/'";
}

static const char *check_run_dir(const char *s)
{
	return *s == '/' && strlen(s) <= RUN_DIR_MAX ? NULL :
		"a path that begins with '/', of 80 characters at most";
}

/* Identities that anyone can claim are for builds that test, never a slip. */
static const char *check_auth(const char *s)
{
#ifdef OM_AUTH_NONE
	(void)s;
	return NULL;
#else
	return strcasecmp(s, "none") ? NULL :
		"munge; none needs a test build (configure --enable-auth-none)";
#endif
}

static const char *check_log_level(const char *s)
{
	return om_log_level_parse(s) >= 0 ? NULL :
		"one of error, warn, info, debug";
}

static const char *check_cgroup(const char *s)
{
	static const char expected[] = "a path without '..', below each cgroup hierarchy";

	if (!*s || *s == '/' || strlen(s) > 200)
		return expected;
	for (const char *p = s; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
			return expected;
	}
	return NULL;
}

static bool is_network(const char *s)
{
	const char *slash = strchr(s, '/');
	char addr[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	uint32_t bits;

	if (!slash || (size_t)(slash - s) >= sizeof(addr))
		return false;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	if (inet_pton(AF_INET, addr, &in6) == 1)
		return om_parse_u32(slash + 1, 0, 32, &bits) == 0;
	return inet_pton(AF_INET6, addr, &in6) == 1 &&
	       om_parse_u32(slash + 1, 0, 128, &bits) == 0;
}

static const char *check_network(const char *s)
{
	return is_network(s) ? NULL : "a network like 10.98.0.0/16";
}

static const char *check_interface(const char *s)
{
	if (is_network(s))
		return NULL;
	return om_hostname_check(s) == 0 && strlen(s) < 16 ? NULL :
		"a network like 10.77.0.0/24, or an interface's name";
}

static const char *check_nodes(const char *s)
{
	struct om_strvec names = OM_STRVEC_INIT;
	int rc = 0;

	if (strcmp(s, "all"))
		rc = om_hostlist_expand(s, &names, NULL);
	om_strvec_fini(&names);
	return rc < 0 ? "all, or a list of nodes like n[1-4],login" : NULL;
}

static const char *check_address(const char *s)
{
	return check_word(s) ? "host names or addresses, as many as nodes, "
			       "like 10.0.0.[1-4]" : NULL;
}

#define TOP(f) .section = "", .name = #f, .offset = offsetof(struct om_config, f)
#define TIMEOUT(f) .section = "", .name = #f, .type = OM_KEY_TIMEOUT, \
	.offset = offsetof(struct om_config, f##_s), .max = TIMEOUT_MAX
#define NODE(f) .section = "node", .name = #f, .live = true, \
	.offset = offsetof(struct om_conf_node, f)
#define PART(n, f) .section = "partition", .name = #n, .live = true, \
	.offset = offsetof(struct om_conf_partition, f)

const struct om_config_key om_config_keys[] = {
{ TOP(cluster_name), .def = "openmosix", .check = check_name,
  .help = "name of the cluster, in prompts and accounting" },
{ TOP(controller), .def = "localhost", .check = check_controller,
  .help = "host where omctld runs, or host:port" },
{ TOP(controller_user), .def = "openmosix", .check = check_name,
  .help = "user omctld runs as; commands talk to no one else" },
{ TOP(controller_port), .type = OM_KEY_PORT, .def = "7461",
  .help = "TCP port of omctld" },
{ TOP(node_port), .type = OM_KEY_PORT, .def = "7462",
  .help = "TCP port of omnoded" },
{ TOP(munge_socket), .check = check_run_dir,
  .help = "munged's socket, where it is not munge's default" },
{ TOP(state_dir), .def = "/var/lib/openmosix", .check = check_path,
  .help = "omctld's event log and history, omnoded's measurements" },
{ TOP(run_dir), .def = "/run/openmosix", .check = check_run_dir,
  .help = "sockets and pid files" },
{ TOP(spool_dir), .def = "/var/spool/openmosix", .check = check_path,
  .help = "scripts and files of running jobs, on each node" },
{ TOP(log_level), .def = "info", .check = check_log_level, .live = true,
  .help = "least important messages logged: error, warn, info, debug" },
{ TOP(cgroup_root), .def = "openmosix", .check = check_cgroup,
  .help = "cgroup of all jobs, below each hierarchy" },
{ TOP(node_name), .check = check_name,
  .help = "name of this node, where it is not the host's" },
{ TOP(prolog), .check = check_path, .live = true,
  .help = "program run by root on each node before a job" },
{ TOP(epilog), .check = check_path, .live = true,
  .help = "program run by root on each node after a job" },
{ TIMEOUT(hook_timeout), .def = "5min", .min = 1, .live = true,
  .help = "longest run of prolog or epilog; then it is killed and failed" },
{ TIMEOUT(kill_wait), .def = "30s", .live = true,
  .help = "time between SIGTERM and SIGKILL at the end of a job" },
{ TIMEOUT(node_timeout), .def = "5min", .min = 5, .live = true,
  .help = "silence after which a node is down and its jobs are lost" },
{ TOP(task_network), .def = "10.98.0.0/16", .check = check_network,
  .help = "network for the addresses of movable ranks" },
{ TOP(mpi_interface), .check = check_interface, .live = true,
  .help = "network or interface MPI is told to use" },
{ TOP(seal), .type = OM_KEY_CHOICE, .choice = seal_words, .def = "auto",
  .help = "encrypt connections: auto (what is private), always, never" },
{ TOP(auth), .type = OM_KEY_CHOICE, .choice = auth_words, .def = "munge",
  .check = check_auth,
  .help = "who proves identities: munge; none is for test builds" },
{ TOP(allow_root_jobs), .type = OM_KEY_BOOL, .def = "no", .live = true,
  .help = "may root submit jobs" },
{ TOP(max_jobs), .type = OM_KEY_U32, .def = "1000000", .min = 1,
  .max = UINT32_MAX, .live = true,
  .help = "jobs that are not over, at most; an array counts as one" },
{ TOP(max_array), .type = OM_KEY_U32, .def = "100001", .min = 1,
  .max = 10000000, .live = true, .help = "tasks in one array, at most" },
{ TOP(admins), .type = OM_KEY_LIST, .check = check_word, .live = true,
  .help = "users who may do everything, besides root" },
{ TOP(operators), .type = OM_KEY_LIST, .check = check_word, .live = true,
  .help = "users who may handle all jobs and drain nodes" },

{ NODE(address), .check = check_address,
  .help = "where the node is reached; default: its name" },
{ NODE(cpus), .type = OM_KEY_U32, .def = "0", .max = 65536,
  .help = "processors to use; 0: as many as it reports" },
{ NODE(memory), .type = OM_KEY_SIZE, .def = "0",
  .help = "memory to use (64G; a bare number is MiB); 0: as reported" },
{ NODE(speed), .type = OM_KEY_NUMBER, .def = "0", .max = 1000,
  .help = "speed of a processor, reference 1.0; 0: as measured" },
{ NODE(features), .type = OM_KEY_LIST, .check = check_name,
  .help = "words that --constraint can ask for" },
{ NODE(load_limit), .type = OM_KEY_NUMBER, .def = "0", .max = 1000000,
  .help = "no guests come while the load is above; 0: no limit" },
{ NODE(load_limit_local), .type = OM_KEY_NUMBER, .def = "0", .max = 1000000,
  .help = "the same for load that is not the cluster's" },
{ NODE(load_limit_guest), .type = OM_KEY_NUMBER, .def = "0", .max = 1000000,
  .help = "the same for load that is the cluster's" },

{ PART(nodes, nodes), .def = "all", .check = check_nodes,
  .help = "its nodes: all, or a list like n[1-4],login" },
{ PART(default, is_default), .type = OM_KEY_BOOL, .def = "no",
  .help = "where jobs go that name no partition" },
{ PART(mode, mode), .type = OM_KEY_CHOICE, .choice = mode_words,
  .def = "exclusive",
  .help = "exclusive: processors of its own for each job; shared: by price" },
{ PART(priority, priority), .type = OM_KEY_I32, .def = "0",
  .min = -1000000, .max = 1000000,
  .help = "added to the priority of its jobs" },
{ PART(max_time, max_time_s), .type = OM_KEY_DURATION, .def = "unlimited",
  .min = 1, .help = "longest time limit a job may ask for" },
{ PART(default_time, default_time_s), .type = OM_KEY_DURATION, .min = 1,
  .def = "unlimited",
  .help = "time limit of jobs that ask for none; default: max_time" },
{ PART(oversubscribe, oversubscribe), .type = OM_KEY_U32, .def = "1",
  .min = 1, .max = 1024,
  .help = "mode shared: tasks a processor, at most (then 4 if not given)" },
{ PART(default_mem_per_cpu, default_mem_per_cpu), .type = OM_KEY_SIZE,
  .def = "0",
  .help = "memory for each processor of jobs that ask for none; 0: no limit" },
{ PART(allow_users, allow_users), .type = OM_KEY_LIST, .check = check_word,
  .help = "only these users and allow_groups; none given: everyone" },
{ PART(allow_groups, allow_groups), .type = OM_KEY_LIST, .check = check_word,
  .help = "only members of these groups and allow_users" },
{ .name = NULL },
};

const struct om_config_key *om_config_key_find(const char *section,
					       const char *name)
{
	const struct om_config_key *k;

	for (k = om_config_keys; k->name; k++)
		if (!strcmp(k->section, section) && !strcmp(k->name, name))
			return k;
	return NULL;
}

/* The one other section that has this key, or NULL. */
static const char *other_section(const char *name)
{
	const struct om_config_key *k;

	for (k = om_config_keys; k->name; k++)
		if (!strcmp(k->name, name))
			return k->section;
	return NULL;
}

int om_config_key_unknown(const char *section, const char *name,
			  struct om_error *err)
{
	const char *words[80] = { NULL };
	const char *other = other_section(name), *nearest;
	const struct om_config_key *k;
	size_t n = 0;

	if (other)
		return om_fail(err, -ENOENT,
			       *other ? "'%.60s' is a key of a %s block, not of this place" :
			       "'%.60s' is a key of no block, to be given outside of all%s",
			       name, other);
	for (k = om_config_keys; k->name; k++)
		if (!strcmp(k->section, section) && n < 77)
			words[n++] = k->name;
	if (!*section) {
		words[n++] = "node";
		words[n++] = "partition";
	}
	nearest = om_str_nearest(name, words);
	if (nearest)
		return om_fail(err, -ENOENT,
			       "unknown key '%.60s', did you mean '%s'?", name,
			       nearest);
	return om_fail(err, -ENOENT,
		       "unknown key '%.60s'; openmosix.conf(5) lists all keys",
		       name);
}

bool om_config_given(const struct om_config *c, const struct om_config_key *k)
{
	size_t i = (size_t)(k - om_config_keys);

	return i < 64 && !*k->section && (c->given >> i & 1);
}
