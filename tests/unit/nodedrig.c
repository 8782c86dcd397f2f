/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodedrig: see nodedrig.h. */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/net/addr.h"
#include "tests/unit/nodedrig.h"

#define DEADLINE_NS (20 * OM_NS_PER_S)

static ProtobufCMessage *copy_of(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	om_autofree uint8_t *p = malloc(n + 1);

	protobuf_c_message_pack(m, p);
	return protobuf_c_message_unpack(m->descriptor, NULL, n, p);
}

static void acknowledge(struct rig *r, const Om__StepExit *e)
{
	Om__StepAck m = OM__STEP_ACK__INIT;

	m.job_id = e->job_id;
	m.step_id = e->step_id;
	m.incarnation = e->incarnation;
	rig_send(r, OM_MSG_STEP_ACK, &m.base);
}

static void take_exit(struct rig *r, const Om__StepExit *e)
{
	assert_true(r->n_exits < 2048);
	r->exits[r->n_exits++] = (Om__StepExit *)copy_of(&e->base);
	if (!r->silent)
		acknowledge(r, e);
}

static void take_register(struct rig *r, const Om__NodeRegister *m)
{
	Om__NodeAccepted a = OM__NODE_ACCEPTED__INIT;

	if (r->registered)
		om__node_register__free_unpacked(r->registered, NULL);
	r->registered = (Om__NodeRegister *)copy_of(&m->base);
	r->n_registered++;
	a.report_ms = 100;
	a.cluster = (char *)"rig";
	rig_send(r, OM_MSG_NODE_ACCEPTED, &a.base);
	for (size_t i = 0; i < m->n_step; i++)
		if (m->step[i]->exit)
			take_exit(r, m->step[i]->exit);
}

static void pong(struct om_conn *c, uint32_t id)
{
	Om__PingReply m = OM__PING_REPLY__INIT;

	m.cluster = m.version = (char *)"rig";
	om_conn_send(c, OM_MSG_PING_REPLY, id, &m.base);
}

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct rig *r = arg;

	(void)c;
	switch (type) {
	case OM_MSG_NODE_REGISTER:
		take_register(r, (const Om__NodeRegister *)body);
		break;
	case OM_MSG_STEP_STARTED:
		assert_true(r->n_started < 2048);
		r->started[r->n_started++] = (Om__StepStarted *)copy_of(body);
		break;
	case OM_MSG_STEP_EXIT:
		take_exit(r, (const Om__StepExit *)body);
		break;
	case OM_MSG_JOB_CLEAN:
		assert_true(r->n_clean < 2048);
		r->clean[r->n_clean++] = (Om__JobClean *)copy_of(body);
		break;
	case OM_MSG_NODE_REPORT:
		r->n_reports++;
		r->report = *(const Om__NodeReport *)body;
		break;
	case OM_MSG_PING:
		pong(c, id);
		break;
	default:
		fail_msg("unexpected message %d", type);
	}
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct rig *r = arg;

	(void)err;
	if (r->node == c)
		r->node = NULL;
	om_conn_destroy(c);
}

static const struct om_conn_handler handler = {
	.message = on_message,
	.closed = on_closed,
};

static void on_accept(void *arg, struct om_conn *c)
{
	struct rig *r = arg;

	if (r->deaf) {
		om_conn_destroy(c);
		return;
	}
	om_conn_destroy(r->node);
	r->node = c;
	om_conn_set_handler(c, &handler, r);
}

/* --------------------------------------------------------------- start, stop */

static void write_conf(struct rig *r, const char *extra)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/om.conf", r->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "controller = \"127.0.0.1\"\ncontroller_port = %u\n"
		"controller_user = \"root\"\nmunge_socket = \"%s\"\n"
		"run_dir = \"%s/run\"\nspool_dir = \"%s/spool\"\n"
		"state_dir = \"%s/state\"\ncgroup_root = \"om-rig-%d\"\n"
		"kill_wait = \"1s\"\nnode_timeout = \"5s\"\nlog_level = \"%s\"\n%s\n",
		r->port, r->munged.socket, r->dir, r->dir, r->dir,
		(int)getpid(), getenv("RIG_DEBUG") ? "debug" : "warn", extra ? extra : "");
	fclose(f);
}

void rig_noded_start(struct rig *r)
{
	char conf[128];
	const char *dir = getenv("OM_BUILDDIR") ? getenv("OM_BUILDDIR") : ".";
	char path[PATH_MAX];

	snprintf(conf, sizeof(conf), "%s/om.conf", r->dir);
	snprintf(path, sizeof(path), "%s/omnoded", dir);
	r->noded = fork();
	assert_true(r->noded >= 0);
	if (r->noded == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, "omnoded", "-c", conf, "--name", RIG_NODE, NULL);
		_exit(127);
	}
}

static bool is_registered(struct rig *r, void *arg)
{
	(void)arg;
	assert_int_equal(waitpid(r->noded, NULL, WNOHANG), 0);
	return r->n_registered > 0;
}

static void on_tick(void *arg)
{
	(void)arg;	/* only makes turns come */
}

static void skip_unless_possible(void)
{
	struct passwd *pw = getpwuid(RIG_UID);

	if (geteuid() == 0 && pw && access("/usr/sbin/munged", X_OK) == 0)
		return;
	fputs("SKIP: needs root, munged and a user nobody\n", stderr);
	exit(77);
}

void rig_start(struct rig *r, const char *extra)
{
	struct om_auth_config auth = { .accept_roles = OM_ROLE_NODE,
				       .cluster = "rig" };
	struct om_error err = OM_ERROR_INIT;
	int fd;

	skip_unless_possible();
	*r = (struct rig){ 0 };
	snprintf(r->dir, sizeof(r->dir), "%s/om-rig-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(r->dir));
	chmod(r->dir, 0755);
	snprintf(r->work, sizeof(r->work), "%s/work", r->dir);
	assert_int_equal(mkdir(r->work, 0700), 0);
	assert_int_equal(chown(r->work, RIG_UID, RIG_UID), 0);
	munged_start(&r->munged);
	r->loop = om_loop_create(&err);
	assert_non_null(r->loop);
	r->tick = om_timer_create(r->loop, on_tick, r, &err);
	om_timer_start(r->tick, 0, 5 * OM_NS_PER_MS);
	fd = om_addr_listen("127.0.0.1:0", 0, 16, &err);
	assert_true(fd >= 0);
	r->port = (uint16_t)om_addr_port(fd);
	auth.munge_socket = r->munged.socket;
	r->listener = om_listener_create(r->loop, fd, &auth, on_accept, r,
					 &err);
	assert_non_null(r->listener);
	write_conf(r, extra);
	rig_noded_start(r);
	rig_wait(r, is_registered, NULL, "registration");
}

void rig_noded_stop(struct rig *r, int signo)
{
	int status;

	if (r->noded <= 0)
		return;
	kill(r->noded, signo);
	assert_int_equal(waitpid(r->noded, &status, 0), r->noded);
	if (signo == SIGTERM)
		assert_int_equal(status, 0);
	r->noded = 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* What tests left running goes first. */
static void remove_groups(struct rig *r)
{
	char cmd[512];

	(void)r;
	snprintf(cmd, sizeof(cmd),
		 "for d in $(find /sys/fs/cgroup -type d -name om-rig-%d); do"
		 " [ ! -e $d/cgroup.kill ] || echo 1 > $d/cgroup.kill;"
		 " for try in $(seq 200); do"
		 "  find $d -depth -type d -exec rmdir {} + 2>/dev/null;"
		 "  [ -d $d ] || break; sleep 0.02; done; [ ! -d $d ]; done",
		 (int)getpid());
	if (system(cmd) != 0)
		print_message("groups are left of %s\n", r->dir);
}

void rig_stop(struct rig *r)
{
	if (r->node)
		rig_noded_stop(r, SIGTERM);
	else
		rig_noded_stop(r, SIGKILL);
	om_conn_destroy(r->node);
	om_listener_destroy(r->listener);
	om_timer_destroy(r->tick);
	om_loop_destroy(r->loop);
	rig_forget_started(r);
	for (unsigned i = 0; i < r->n_exits; i++)
		om__step_exit__free_unpacked(r->exits[i], NULL);
	for (unsigned i = 0; i < r->n_clean; i++)
		om__job_clean__free_unpacked(r->clean[i], NULL);
	if (r->registered)
		om__node_register__free_unpacked(r->registered, NULL);
	munged_stop(&r->munged);
	remove_groups(r);
	nftw(r->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ------------------------------------------------------------------- waiting */

void rig_wait(struct rig *r, rig_fn *fn, void *arg, const char *what)
{
	const struct om_clock *clock = om_loop_clock(r->loop);
	int64_t end = om_mono_ns(clock) + DEADLINE_NS;
	struct om_error err = OM_ERROR_INIT;

	while (!fn(r, arg)) {
		if (om_mono_ns(clock) > end)
			fail_msg("waited in vain for %s", what);
		assert_int_equal(om_loop_turn(r->loop, 20 * OM_NS_PER_MS, &err),
				 0);
	}
}

void rig_turn(struct rig *r, int ms)
{
	const struct om_clock *clock = om_loop_clock(r->loop);
	int64_t end = om_mono_ns(clock) + ms * OM_NS_PER_MS;

	while (om_mono_ns(clock) < end)
		om_loop_turn(r->loop, 5 * OM_NS_PER_MS, NULL);
}

Om__StepStarted *rig_started(struct rig *r, uint64_t job)
{
	for (unsigned i = 0; i < r->n_started; i++)
		if (r->started[i]->job_id == job)
			return r->started[i];
	return NULL;
}

Om__StepExit *rig_exit(struct rig *r, uint64_t job)
{
	for (unsigned i = 0; i < r->n_exits; i++)
		if (r->exits[i]->job_id == job)
			return r->exits[i];
	return NULL;
}

Om__JobClean *rig_clean(struct rig *r, uint64_t job)
{
	for (unsigned i = 0; i < r->n_clean; i++)
		if (r->clean[i]->job_id == job)
			return r->clean[i];
	return NULL;
}

void rig_forget_started(struct rig *r)
{
	while (r->n_started)
		om__step_started__free_unpacked(r->started[--r->n_started],
						NULL);
}

static bool has_started(struct rig *r, void *arg)
{
	return rig_started(r, *(uint64_t *)arg);
}

static bool has_exit(struct rig *r, void *arg)
{
	Om__StepStarted *s = rig_started(r, *(uint64_t *)arg);

	if (s && s->code < 0)
		fail_msg("job %" PRIu64 " did not start: %s", s->job_id,
			 s->text);
	return rig_exit(r, *(uint64_t *)arg);
}

static bool has_clean(struct rig *r, void *arg)
{
	return rig_clean(r, *(uint64_t *)arg);
}

Om__StepStarted *rig_wait_started(struct rig *r, uint64_t job)
{
	rig_wait(r, has_started, &job, "StepStarted");
	return rig_started(r, job);
}

Om__StepExit *rig_wait_exit(struct rig *r, uint64_t job)
{
	rig_wait(r, has_exit, &job, "StepExit");
	return rig_exit(r, job);
}

Om__JobClean *rig_wait_clean(struct rig *r, uint64_t job)
{
	rig_wait(r, has_clean, &job, "JobClean");
	return rig_clean(r, job);
}

struct text_in {
	const char *file, *text;
};

static bool has_text(struct rig *r, void *arg)
{
	const struct text_in *t = arg;
	om_autofree char *all = rig_read(r, t->file);

	return strstr(all, t->text);
}

void rig_wait_text(struct rig *r, const char *file, const char *text)
{
	struct text_in t = { file, text };

	rig_wait(r, has_text, &t, text);
}

/* -------------------------------------------------------------------- orders */

void rig_send(struct rig *r, enum om_msg type, const ProtobufCMessage *m)
{
	assert_non_null(r->node);
	assert_int_equal(om_conn_send(r->node, type, 0, m), 0);
}

static int64_t wall_ns(void)
{
	return om_wall_ns(om_clock_system());
}

static void pack_launch(const struct rig_job *j, struct rig *r,
			Om__StepLaunch *m, uint8_t *buf, size_t size)
{
	static char text[65536];
	static char *env[] = { (char *)"PATH=/usr/bin:/bin",
			       (char *)"FROM_USER=yes",
			       (char *)"OM_ARRAY_INDEX=99" };
	Om__ResourceLimit limit = OM__RESOURCE_LIMIT__INIT, *limits = &limit;
	Om__Launch l = OM__LAUNCH__INIT;
	size_t n = 0;

	if (j->script) {
		snprintf(text, sizeof(text), "%s%s", j->raw ? "" :
			 "#!/bin/sh\n", j->script);
		l.has_script = true;
		l.script.data = (uint8_t *)text;
		l.script.len = strlen(text);
	}
	while (j->argv && j->argv[n])
		n++;
	l.argv = (char **)j->argv;
	l.n_argv = n;
	l.env = env;
	l.n_env = 3;
	l.cwd = (char *)(j->cwd ? j->cwd : r->work);
	l.std_out = (char *)j->out;
	l.std_err = (char *)j->err_out;
	l.std_in = (char *)(j->std_in ? j->std_in : j->in);
	l.has_append = true;
	l.append = j->append;
	if (j->limited) {
		limit.resource = j->limit_resource;
		limit.soft = limit.hard = j->limit_value;
		l.limit = &limits;
		l.n_limit = 1;
	}
	if (j->io_port) {
		l.io_host = (char *)"127.0.0.1";
		l.has_io_port = true;
		l.io_port = j->io_port;
		l.has_io_key = true;
		l.io_key.data = (uint8_t *)"01234567890123456789012345678901";
		l.io_key.len = 32;
		l.has_pty = true;
		l.pty = j->pty;
		l.has_pty_rows = l.has_pty_cols = true;
		l.pty_rows = 33;
		l.pty_cols = 77;
	}
	m->launch.len = om__launch__get_packed_size(&l);
	assert_true(m->launch.len <= size);
	om__launch__pack(&l, buf);
	m->launch.data = buf;
}

void rig_launch(struct rig *r, const struct rig_job *j)
{
	static uint8_t buf[1 << 17];
	Om__StepLaunch m = OM__STEP_LAUNCH__INIT;
	Om__Allocation a = OM__ALLOCATION__INIT;
	char *node = (char *)RIG_NODE, *addr = (char *)"127.0.0.1";
	char *cpus_bound = (char *)(j->cpu_list ? j->cpu_list : "");
	uint32_t tasks = j->tasks ? j->tasks : 1;
	uint64_t mem = j->mem;

	a.node = &node;
	a.address = &addr;
	a.cpus = &tasks;
	a.slots = &tasks;
	a.mem = &mem;
	a.cpu_list = &cpus_bound;
	a.n_node = a.n_address = a.n_cpus = a.n_slots = a.n_mem =
		a.n_cpu_list = 1;
	m.job_id = j->id;
	m.step_id = j->argv ? j->step : OM_STEP_BATCH;
	m.incarnation = j->inc ? j->inc : 1;
	m.uid = m.gid = j->root ? 0 : j->uid ? j->uid : RIG_UID;
	m.job_allocation = &a;
	m.has_tasks = m.has_tasks_total = m.has_job_tasks = true;
	m.tasks = m.tasks_total = m.job_tasks = tasks;
	m.has_cpus = true;
	m.cpus = tasks;
	m.name = (char *)"rig/job";
	m.partition = (char *)"main";
	m.has_mem = j->mem > 0;
	m.mem = j->mem;
	m.has_end_ns = j->limit_ms != 0;
	m.end_ns = wall_ns() + j->limit_ms * OM_NS_PER_MS;
	m.has_time_limit_s = j->limit_ms != 0;
	m.time_limit_s = (j->limit_ms + 999) / 1000;
	m.has_warn_signal = m.has_warn_before_s = m.has_warn_batch_only = true;
	m.warn_signal = j->warn_signal;
	m.warn_before_s = j->warn_before_s;
	m.warn_batch_only = j->warn_batch_only;
	m.has_last_of_job = true;
	m.last_of_job = j->last_of_job;
	m.has_array_id = m.has_array_index = j->array_id != 0;
	m.array_id = j->array_id;
	m.array_index = j->array_index;
	pack_launch(j, r, &m, buf, sizeof(buf));
	rig_send(r, OM_MSG_STEP_LAUNCH, &m.base);
}

void rig_kill(struct rig *r, uint64_t job, int signo, Om__JobState why,
	      uint32_t kill_after_ms)
{
	Om__StepKill m = OM__STEP_KILL__INIT;

	m.job_id = job;
	m.signal = (uint32_t)signo;
	m.has_why = why != OM__JOB_STATE__PENDING;
	m.why = why;
	m.has_kill_after_ms = true;
	m.kill_after_ms = kill_after_ms;
	rig_send(r, OM_MSG_STEP_KILL, &m.base);
}

void rig_job_end(struct rig *r, uint64_t job)
{
	Om__JobEnd m = OM__JOB_END__INIT;

	m.job_id = job;
	rig_send(r, OM_MSG_JOB_END, &m.base);
}

/* ------------------------------------------------------------------- looking */

static char *read_file(const char *path)
{
	om_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = calloc(1, 1 << 16);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, (1 << 16) - 1);

	assert_non_null(buf);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

char *rig_read(struct rig *r, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", r->work, file);
	return read_file(path);
}

static int each_process(const char *word, pid_t *ret)
{
	om_autodir DIR *dir = opendir("/proc");
	struct dirent *e;
	int count = 0;

	while (dir && (e = readdir(dir))) {
		char path[300], line[4096];
		om_autofd int fd = -1;
		ssize_t n;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
		for (ssize_t i = 0; i + 1 < n; i++)
			if (!line[i])
				line[i] = ' ';
		line[n > 0 ? n : 0] = '\0';
		if (strstr(line, word)) {
			count++;
			*ret = (pid_t)atoi(e->d_name);
		}
	}
	return count;
}

int rig_count(const char *word)
{
	pid_t pid;

	return each_process(word, &pid);
}

pid_t rig_pid(const char *word)
{
	pid_t pid = 0;

	each_process(word, &pid);
	return pid;
}

bool rig_has_group(struct rig *r, uint64_t job)
{
	char cmd[256];

	(void)r;
	snprintf(cmd, sizeof(cmd),
		 "find /sys/fs/cgroup -type d -path '*om-rig-%d/job_%" PRIu64
		 "*' | grep -q .", (int)getpid(), job);
	return system(cmd) == 0;
}

static pid_t child_of(pid_t parent)
{
	char path[64];
	om_autofree char *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent,
		 (int)parent);
	text = read_file(path);
	return (pid_t)atoi(text);
}

pid_t rig_zygote(struct rig *r)
{
	return child_of(r->noded);
}

pid_t rig_stepd(struct rig *r)
{
	return child_of(rig_zygote(r));
}
