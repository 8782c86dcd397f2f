/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration: defaults, every kind of key, every kind of mistake. */
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/conf/config.h"

#define ROOT "controller_user = root\n"

static struct om_config *parse(const char *text, struct om_error *err)
{
	om_error_clear(err);
	return om_config_parse("t.conf", text, strlen(text), err);
}

static struct om_config *good(const char *text)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c = parse(text, &err);

	if (!c)
		fail_msg("'%s' refused: %s", text, err.text);
	return c;
}

/* text must be refused with exactly this error. */
static void bad(const char *text, const char *expected)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c = parse(text, &err);

	om_config_destroy(c);
	assert_null(c);
	assert_string_equal(err.text, expected);
	assert_true(err.code < 0);
}

static void nothing_given_is_a_cluster_of_one(void **state)
{
	struct om_config *c = good(ROOT);

	(void)state;
	assert_string_equal(c->cluster_name, "openmosix");
	assert_string_equal(c->controller, "localhost");
	assert_int_equal(c->controller_uid, 0);
	assert_int_equal(c->controller_port, 7461);
	assert_int_equal(c->node_port, 7462);
	assert_null(c->munge_socket);
	assert_string_equal(c->state_dir, "/var/lib/openmosix");
	assert_string_equal(c->run_dir, "/run/openmosix");
	assert_string_equal(c->spool_dir, "/var/spool/openmosix");
	assert_string_equal(c->log_level, "info");
	assert_null(c->node_name);
	assert_null(c->prolog);
	assert_int_equal(c->hook_timeout_s, 300);
	assert_int_equal(c->kill_wait_s, 30);
	assert_int_equal(c->node_timeout_s, 300);
	assert_int_equal(c->seal, OM_SEAL_AUTO);
	assert_int_equal(c->auth, OM_AUTHMODE_MUNGE);
	assert_false(c->allow_root_jobs);
	assert_int_equal(c->max_jobs, 1000000);
	assert_int_equal(c->max_array, 100001);
	assert_int_equal(c->nodes, 0);
	assert_int_equal(c->partitions, 1);
	assert_string_equal(c->partition[0].name, "main");
	assert_string_equal(c->partition[0].nodes, "all");
	assert_true(c->partition[0].is_default);
	assert_int_equal(c->partition[0].mode, OM_PART_EXCLUSIVE);
	assert_true(c->partition[0].max_time_s == OM_DURATION_UNLIMITED);
	assert_true(c->partition[0].default_time_s == OM_DURATION_UNLIMITED);
	assert_int_equal(c->partition[0].oversubscribe, 1);
	om_config_destroy(c);
}

static void every_top_key_reaches_its_field(void **state)
{
	struct om_config *c = good(
		"# a comment\n"
		"cluster_name = oak   // another\n"
		"controller = head.example.org:7000\n"
		"controller_user = \"root\" /* and\n one more */\n"
		"controller_port = 7000\nnode_port = 7001\n"
		"munge_socket = /run/m.sock\n"
		"state_dir = /s\nrun_dir = /r\nspool_dir = '/sp ool'\n"
		"log_level = debug\ncgroup_root = a/b\nnode_name = n1\n"
		"prolog = /etc/p\nepilog = /etc/e\n"
		"hook_timeout = 90s\nkill_wait = 0s\nnode_timeout = 1:0:0\n"
		"task_network = 10.1.0.0/16\nmpi_interface = eth0\n"
		"seal = always\nauth = munge\nallow_root_jobs = on\n"
		"max_jobs = 7\nmax_array = 8\n"
		"admins = { ann, bob }\noperators = {}\noperators += carl\n");

	(void)state;
	assert_string_equal(c->cluster_name, "oak");
	assert_string_equal(c->controller, "head.example.org:7000");
	assert_int_equal(c->controller_port, 7000);
	assert_int_equal(c->node_port, 7001);
	assert_string_equal(c->munge_socket, "/run/m.sock");
	assert_string_equal(c->state_dir, "/s");
	assert_string_equal(c->run_dir, "/r");
	assert_string_equal(c->spool_dir, "/sp ool");
	assert_string_equal(c->log_level, "debug");
	assert_string_equal(c->cgroup_root, "a/b");
	assert_string_equal(c->node_name, "n1");
	assert_string_equal(c->prolog, "/etc/p");
	assert_string_equal(c->epilog, "/etc/e");
	assert_int_equal(c->hook_timeout_s, 90);
	assert_int_equal(c->kill_wait_s, 0);
	assert_int_equal(c->node_timeout_s, 3600);
	assert_string_equal(c->task_network, "10.1.0.0/16");
	assert_string_equal(c->mpi_interface, "eth0");
	assert_int_equal(c->seal, OM_SEAL_ALWAYS);
	assert_true(c->allow_root_jobs);
	assert_int_equal(c->max_jobs, 7);
	assert_int_equal(c->max_array, 8);
	assert_int_equal(c->admins.n, 2);
	assert_string_equal(c->admins.v[1], "bob");
	assert_int_equal(c->operators.n, 1);
	assert_string_equal(c->operators.v[0], "carl");
	om_config_destroy(c);
}

static void node_blocks_name_many_and_add_up(void **state)
{
	struct om_config *c = good(ROOT
		"node \"n[1-3]\" { address = \"10.0.0.[1-3]\" cpus = 4\n"
		" memory = 64G speed = 1.5 features = {ib, big}\n"
		" load_limit = 8 load_limit_local = 2.5 load_limit_guest = 3}\n"
		"node n2 { cpus = 8 }\n"
		"node gw { memory = 512 }\n");

	(void)state;
	assert_int_equal(c->nodes, 4);
	assert_string_equal(c->node[1].name, "n2");
	assert_string_equal(c->node[1].address, "10.0.0.2");
	assert_int_equal(c->node[0].cpus, 4);
	assert_int_equal(c->node[1].cpus, 8);
	assert_int_equal(c->node[1].memory, UINT64_C(64) << 30);
	assert_true(c->node[2].speed == 1.5);
	assert_string_equal(c->node[2].features.v[1], "big");
	assert_true(c->node[2].load_limit == 8.0);
	assert_true(c->node[2].load_limit_local == 2.5);
	assert_true(c->node[2].load_limit_guest == 3.0);
	assert_string_equal(c->node[3].name, "gw");
	assert_null(c->node[3].address);
	assert_int_equal(c->node[3].memory, 512 << 20);
	om_config_destroy(c);
}

static void partitions_take_their_keys(void **state)
{
	struct om_config *c = good(ROOT
		"partition \"fast\" { nodes = \"n[1-2],n7\" priority = -5\n"
		" max_time = 7-00:00:00 default_time = 90\n"
		" allow_users = {ann} allow_groups = {staff, guests} }\n"
		"partition \"open\" { default = yes mode = shared\n"
		" default_mem_per_cpu = 2G }\n"
		"partition \"wide\" { mode = shared oversubscribe = 9 }\n");
	const struct om_conf_partition *p = c->partition;

	(void)state;
	assert_int_equal(c->partitions, 3);
	assert_string_equal(p[0].nodes, "n[1-2],n7");
	assert_int_equal(p[0].priority, -5);
	assert_int_equal(p[0].max_time_s, 7 * 86400);
	assert_int_equal(p[0].default_time_s, 5400);
	assert_int_equal(p[0].allow_groups.n, 2);
	assert_false(p[0].is_default);
	assert_true(p[1].is_default);
	assert_int_equal(p[1].mode, OM_PART_SHARED);
	assert_int_equal(p[1].oversubscribe, 4);
	assert_int_equal(p[1].default_mem_per_cpu, UINT64_C(2) << 30);
	assert_int_equal(p[2].oversubscribe, 9);
	om_config_destroy(c);
}

static void unknown_key_names_the_nearest(void **state)
{
	(void)state;
	bad("\n\ncontroler = x\n", "t.conf:3: unknown key 'controler', did you mean 'controller'?");
	bad("partitoin main {}\n", "t.conf:1: unknown key 'partitoin', did you mean 'partition'?");
	bad("node n1 {\n cpu = 3\n}\n", "t.conf:2: unknown key 'cpu', did you mean 'cpus'?");
	bad("xyzzyxyzzy = 3\n", "t.conf:1: unknown key 'xyzzyxyzzy'; openmosix.conf(5) lists all keys");
	bad("cpus = 3\n", "t.conf:1: 'cpus' is a key of a node block, not of this place");
	bad("node n1 { controller = a }\n", "t.conf:1: 'controller' is a key of no block, to be given outside of all");
}

static void a_bad_value_says_what_is_expected(void **state)
{
	(void)state;
	bad("\ncontroller_port = 99999\n", "t.conf:2: controller_port = 99999: expected a whole number from 1 to 65535");
	bad("controller_port = 12x", "t.conf:1: controller_port = 12x: expected a whole number from 1 to 65535");
	bad("max_jobs = -1", "t.conf:1: max_jobs = -1: expected a whole number from 1 to 4294967295");
	bad("kill_wait = 30", "t.conf:1: kill_wait = 30: expected a time with its unit like 30s or 5min, from 0s to 7d");
	bad("hook_timeout = unlimited", "t.conf:1: hook_timeout = unlimited: expected a time with its unit like 30s or 5min, from 1s to 7d");
	bad("seal = maybe", "t.conf:1: seal = maybe: expected one of auto, always, never");
	bad("allow_root_jobs = perhaps", "t.conf:1: allow_root_jobs = perhaps: expected yes or no");
	bad("state_dir = var", "t.conf:1: state_dir = var: expected a path that begins with '/'");
	bad("cluster_name = \"\"", "t.conf:1: cluster_name = \"\": expected a name of letters, digits, '-', '_' and '.', 63 at most");
	bad("cgroup_root = a/../b", "t.conf:1: cgroup_root = a/../b: expected a path without '..', below each cgroup hierarchy");
	bad("task_network = 10.0.0.0/33", "t.conf:1: task_network = 10.0.0.0/33: expected a network like 10.98.0.0/16");
	bad("controller = \"a b\"", "t.conf:1: controller = a b: expected host, host:port or [address]:port");
	bad("controller = h:0", "t.conf:1: controller = h:0: expected host, host:port or [address]:port");
	bad("log_level = loud", "t.conf:1: log_level = loud: expected one of error, warn, info, debug");
	bad("admins = {ann,\n \"a b\tc\", \"\x01\"}", "t.conf:2: a control character in a string");
	bad("node n1 {\nmemory = lots\n}", "t.conf:2: memory = lots: expected a size like 512M or 64G");
	bad("node n1 { speed = -1 }", "t.conf:1: speed = -1: expected a number from 0 to 1000, like 1.5");
	bad("partition p { max_time = soon }", "t.conf:1: max_time = soon: expected a time like 90 (minutes), 1:30:00, 7-00:00:00 or unlimited");
	bad("partition p { nodes = \"n[1\" }", "t.conf:1: nodes = n[1: expected all, or a list of nodes like n[1-4],login");
#ifndef OM_AUTH_NONE
	bad("auth = none", "t.conf:1: auth = none: expected munge; none needs a test build (configure --enable-auth-none)");
#endif
}

static void what_does_not_fit_together_is_refused(void **state)
{
	(void)state;
	bad(ROOT "partition a {}\npartition b {}\n", "t.conf: no partition is the default: write default = yes into one of them, for example \"a\"");
	bad(ROOT "partition a { default = yes }\npartition b { default = yes }\n", "t.conf: partitions \"a\" and \"b\" both say default = yes: one must be the default");
	bad(ROOT "partition a {}\npartition a {}\n", "t.conf:3: a second block \"a\"");
	bad(ROOT "partition \"a b\" {}\n", "t.conf:2: partition \"a b\": expected a name of letters, digits, '-', '_' and '.'");
	bad(ROOT "partition a { default_time = 20 max_time = 10 }\n", "t.conf:2: partition \"a\": default_time is over max_time");
	bad(ROOT "partition a { oversubscribe = 3 }\n", "t.conf:2: partition \"a\": oversubscribe needs mode = shared");
	bad(ROOT "node \"n[1-4]\" { address = 10.0.0.1 }\n", "t.conf:2: address = 10.0.0.1: expected as many addresses as nodes, 4, like 10.0.0.[1-4]");
	bad(ROOT "node \"n[4\" {}\n", "t.conf:2: 'n[4' is not a list of nodes like n[1-4],login");
	bad(ROOT "node \"a[1-60000]\" {}\nnode \"b[1-60000]\" {}\n", "t.conf:3: over 65536 names in the node blocks");
	bad(ROOT "node_port = 7461\n", "t.conf: controller_port and node_port are both 7461");
	bad("controller_user = no-such-user-7\n", "t.conf: controller_user 'no-such-user-7' does not exist: make it with systemd-sysusers or 'useradd --system --no-create-home no-such-user-7', or set controller_user");
}

static void broken_syntax_has_its_line(void **state)
{
	(void)state;
	bad("\nprolog = \"/a\nepilog = b\n", "t.conf:2: a string has no closing quote");
	bad("a\n/* for ever\n", "t.conf:2: the comment that begins here has no end (*/)");
	bad("prolog = ${HOME}", "t.conf:1: environment variables (${...}) are not replaced here, write the value");
	bad("prolog = \"/${HOME}\"", "t.conf:1: environment variables (${...}) are not replaced here, write the value");
	bad("prolog = \"/\\101\"", "t.conf:1: in a string, only \\\\ and the quote can follow a backslash");
	bad("node|n1 = 3", "t.conf:1: '|', '\\', '(' and ')' stand in quotes only");
	bad("\x02", "t.conf:1: a control character: is this a text file?");
	bad("node_name\nnode_port = 3", "t.conf:2: 'node_name' needs '=' and a value");
	bad("partition a { nodes = n1,n2 }", "t.conf:1: unexpected ',' (values with spaces, commas, = or braces stand in quotes)");
	bad("\npartition a {\n\n", "t.conf:2: this '{' has no '}'");
	bad("partition a {\n allow_users = {b\n}\n", "t.conf:1: this '{' has no '}'");
	bad("partition a { nodes = {b{c}}}\n", "t.conf:1: no '{' can stand here");
	bad("\n}\n", "t.conf:2: this '}' has no '{'");
	bad("partition {}\n", "t.conf:1: missing title for section 'partition'");
	bad("seal =", "t.conf:1: premature end of file");
	/* And the next text is read as if nothing had been. */
	om_config_destroy(good(ROOT));
}

static void an_empty_value_unsets_what_is_unset_by_default(void **state)
{
	struct om_config *c = good(ROOT "prolog = /a\nprolog = \"\"\n");

	(void)state;
	assert_null(c->prolog);
	om_config_destroy(c);
}

/* ---- files */
struct dir {
	char path[64], conf[96], conf_d[96];
};

static void write_file(const char *path, const char *text, mode_t mode)
{
	om_autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static int make_dir(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	strcpy(d->path, "/tmp/om-test-config-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->conf, sizeof(d->conf), "%s/o.conf", d->path);
	snprintf(d->conf_d, sizeof(d->conf_d), "%s/conf.d", d->path);
	*state = d;
	return 0;
}

static int drop_dir(void **state)
{
	struct dir *d = *state;
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", d->path);
	assert_int_equal(system(cmd), 0);
	free(d);
	return 0;
}

static void conf_d_is_read_in_order_after_the_file(void **state)
{
	struct om_error err = OM_ERROR_INIT;
	struct dir *d = *state;
	struct om_config *c;
	char path[128];

	write_file(d->conf, ROOT "max_jobs = 1\nmax_array = 1\n"
		   "admins = {a}\nnode n1 { cpus = 1 }\n", 0644);
	assert_int_equal(mkdir(d->conf_d, 0755), 0);
	snprintf(path, sizeof(path), "%s/20-b.conf", d->conf_d);
	write_file(path, "max_jobs = 3\nadmins += {b}", 0644);
	snprintf(path, sizeof(path), "%s/10-a.conf", d->conf_d);
	write_file(path, "max_jobs = 2\nnode_port = 9\nnode n2 {}", 0644);
	snprintf(path, sizeof(path), "%s/30-c.conf.bak", d->conf_d);
	write_file(path, "this is not read", 0644);
	c = om_config_load(d->conf, &err);
	if (!c)
		fail_msg("%s", err.text);
	assert_string_equal(c->path, d->conf);
	assert_int_equal(c->max_jobs, 3);
	assert_int_equal(c->max_array, 1);
	assert_int_equal(c->node_port, 9);
	assert_int_equal(c->admins.n, 2);
	assert_int_equal(c->nodes, 2);
	assert_true(om_config_given(c, om_config_key_find("", "node_port")));
	assert_false(om_config_given(c, om_config_key_find("", "seal")));
	om_config_destroy(c);

	snprintf(path, sizeof(path), "%s/40-d.conf", d->conf_d);
	write_file(path, "\nmax_job = 2\n", 0644);
	assert_null(om_config_load(d->conf, &err));
	assert_non_null(strstr(err.text, "/conf.d/40-d.conf:2: unknown key 'max_job', did you mean 'max_jobs'?"));
}

static void refused(const char *path, const char *part)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c = om_config_load(path, &err);

	om_config_destroy(c);
	assert_null(c);
	if (!strstr(err.text, part))
		fail_msg("'%s' does not say '%s'", err.text, part);
}

static void a_file_others_could_have_written_is_refused(void **state)
{
	struct dir *d = *state;
	char path[128];

	write_file(d->conf, ROOT, 0664);
	refused(d->conf, "can be written by its group");
	write_file(d->conf, ROOT, 0602);
	refused(d->conf, "can be written by everyone");
	write_file(d->conf, ROOT, 0644);
	om_config_destroy(om_config_load(d->conf, NULL));

	assert_int_equal(mkdir(d->conf_d, 0755), 0);
	assert_int_equal(chmod(d->conf_d, 0775), 0);
	refused(d->conf, "can be written by its group");
	assert_int_equal(chmod(d->conf_d, 0755), 0);
	snprintf(path, sizeof(path), "%s/x.conf", d->conf_d);
	write_file(path, "", 0666);
	refused(d->conf, "x.conf can be written by everyone");
	if (geteuid() != 0)
		return;
	write_file(path, "", 0644);
	assert_int_equal(chown(path, 12345, 0), 0);
	refused(d->conf, "belongs to uid 12345");
}

static void what_is_no_text_file_is_refused(void **state)
{
	struct dir *d = *state;
	om_autofd int fd = -1;

	refused(d->conf, "cannot open");
	refused(d->path, "not a regular file");
	assert_int_equal(mkfifo(d->conf, 0600), 0);
	refused(d->conf, "not a regular file");
	assert_int_equal(unlink(d->conf), 0);
	fd = open(d->conf, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "a\0b", 3), 3);
	refused(d->conf, "NUL bytes");
	assert_int_equal(ftruncate(fd, (4 << 20) + 1), 0);
	refused(d->conf, "over 4194304 bytes");
}

static void the_environment_names_the_file(void **state)
{
	struct dir *d = *state;
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c;

	write_file(d->conf, ROOT "cluster_name = envy\n", 0600);
	setenv("OM_CONF", d->conf, 1);
	c = om_config_load(NULL, &err);
	assert_non_null(c);
	assert_string_equal(c->cluster_name, "envy");
	om_config_destroy(c);
	unlink(d->conf);
	assert_null(om_config_load(NULL, &err));
	assert_non_null(strstr(err.text, "cannot open"));
	unsetenv("OM_CONF");
}

static void the_controller_is_found_by_its_socket_or_port(void **state)
{
	struct dir *d = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	om_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[256], expected[160];
	struct om_config *c;
	char *addr;

	snprintf(text, sizeof(text), ROOT "run_dir = %s\n"
		 "controller = head\ncontroller_port = 77\n", d->path);
	c = good(text);
	addr = om_config_controller_addr(c);
	assert_string_equal(addr, "head:77");
	free(addr);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.90s/omctld.sock",
		 d->path);
	assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
	addr = om_config_controller_addr(c);
	snprintf(expected, sizeof(expected), "unix:%s/omctld.sock", d->path);
	assert_string_equal(addr, expected);
	free(addr);
	om_config_destroy(c);

	c = good(ROOT "run_dir = /none\ncontroller = \"[::1]:9\"\n");
	addr = om_config_controller_addr(c);
	assert_string_equal(addr, "[::1]:9");
	free(addr);
	om_config_destroy(c);
	c = good(ROOT "run_dir = /none\ncontroller = \"[::1]\"\n");
	addr = om_config_controller_addr(c);
	assert_string_equal(addr, "[::1]:7461");
	free(addr);
	om_config_destroy(c);
}

/* ---- the table */
static void every_default_reads_back_as_itself(void **state)
{
	const struct om_config_key *k;

	(void)state;
	for (k = om_config_keys; k->name; k++) {
		union {
			struct om_config c;
			struct om_conf_node n;
			struct om_conf_partition p;
		} base = { 0 }, again = { 0 };
		om_autofree char *text = NULL, *text2 = NULL;

		assert_true(strlen(k->help) > 10 && strlen(k->help) < 72);
		assert_int_equal(om_config_key_set(k, &base, k->def ? k->def :
						   "", NULL), 0);
		text = om_config_key_format(k, &base);
		assert_non_null(text);
		assert_int_equal(om_config_key_set(k, &again, text, NULL), 0);
		text2 = om_config_key_format(k, &again);
		assert_string_equal(text, text2);
		if (k->type == OM_KEY_STRING) {
			free(*(char **)((char *)&base + k->offset));
			free(*(char **)((char *)&again + k->offset));
		}
	}
	assert_true(om_config_key_find("node", "cpus") != NULL);
	assert_null(om_config_key_find("", "cpus"));
}

static void a_refused_value_leaves_the_field(void **state)
{
	struct om_config *c = good(ROOT "admins = {a, b}\n");
	const struct om_config_key *k = om_config_key_find("", "admins");
	struct om_error err = OM_ERROR_INIT;

	(void)state;
	assert_int_equal(om_config_key_set(k, c, "x,\x01", &err), -EINVAL);
	assert_int_equal(c->admins.n, 2);
	assert_int_equal(om_config_key_set(k, c, "x, y,z", &err), 0);
	assert_int_equal(c->admins.n, 3);
	k = om_config_key_find("", "seal");
	assert_int_equal(om_config_key_set(k, c, "x", &err), -EINVAL);
	assert_int_equal(c->seal, OM_SEAL_AUTO);
	om_config_destroy(c);
}

/* The man page documents every key, and no key that is not there. */
static char *read_text(const char *name)
{
	const char *src = getenv("srcdir");
	om_autofree char *path = NULL;
	char *text = calloc(1, 1 << 18);
	om_autofile FILE *f = NULL;

	assert_true(asprintf(&path, "%s/%s", src ? src : ".", name) > 0);
	f = fopen(path, "re");
	if (!f)
		fail_msg("cannot open %s", path);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	return text;
}

static void the_man_page_lists_every_key(void **state)
{
	om_autofree char *man = read_text("doc/man/openmosix.conf.5.rst");
	const struct om_config_key *k;
	size_t documented = 0, keys = 0;

	(void)state;
	for (k = om_config_keys; k->name; k++) {
		char head[80];

		keys++;
		snprintf(head, sizeof(head), "\n**%s** = ", k->name);
		if (!strstr(man, head))
			fail_msg("openmosix.conf.5.rst has no entry for '%s' (%s)",
				 k->name, k->section);
	}
	for (char *p = man; (p = strstr(p, "\n**")); ) {
		char *end = strchr(++p, '\n');
		char *equals = strstr(p, "** = ");

		documented += equals && equals < end;
	}
	assert_int_equal(documented, keys);
}

/* The sample parses as it is, and with every commented key brought to life. */
static void the_sample_file_is_valid(void **state)
{
	om_autofree char *text = read_text("etc/openmosix.conf");
	const struct om_config_key *k;

	(void)state;
	for (k = om_config_keys; k->name; k++)
		if (!*k->section && !strstr(text, k->name))
			fail_msg("etc/openmosix.conf does not mention %s",
				 k->name);
	for (char *p = text; *p; p = strchr(p, '\n') + 1) {
		char *user = strstr(p, "#controller_user = openmosix");

		if (user == p)
			memcpy(p, " controller_user = root     ", 28);
		else if (p[0] == '#' && p[1] != ' ' && p[1] != '\n')
			p[0] = ' ';
	}
	om_config_destroy(good(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_a_cluster_of_one),
		cmocka_unit_test(every_top_key_reaches_its_field),
		cmocka_unit_test(node_blocks_name_many_and_add_up),
		cmocka_unit_test(partitions_take_their_keys),
		cmocka_unit_test(unknown_key_names_the_nearest),
		cmocka_unit_test(a_bad_value_says_what_is_expected),
		cmocka_unit_test(what_does_not_fit_together_is_refused),
		cmocka_unit_test(broken_syntax_has_its_line),
		cmocka_unit_test(an_empty_value_unsets_what_is_unset_by_default),
		cmocka_unit_test_setup_teardown(conf_d_is_read_in_order_after_the_file, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_file_others_could_have_written_is_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(what_is_no_text_file_is_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(the_environment_names_the_file, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(the_controller_is_found_by_its_socket_or_port, make_dir, drop_dir),
		cmocka_unit_test(every_default_reads_back_as_itself),
		cmocka_unit_test(a_refused_value_leaves_the_field),
		cmocka_unit_test(the_man_page_lists_every_key),
		cmocka_unit_test(the_sample_file_is_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
