/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * step_setup: from an order to running tasks.
 *
 * A list of named steps of which the first error wins; whatever was made until
 * then is taken back, so that a failed launch leaves nothing on the node.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "sched/noded/hostfile.h"
#include "sched/noded/launch.h"
#include "sched/noded/script.h"
#include "sched/noded/step_private.h"

struct setup {
	char *hosts_dir;	/* of the hostfiles */
	char *program;		/* path to execute */
	char **argv;
	cpu_set_t cpus;
	bool bound;
	int into, join[CGROUP_JOIN_MAX], joins;
};

void step_job_name(const struct step *s, char *buf, size_t size)
{
	if (s->req->array_id)
		snprintf(buf, size, "%" PRIu64 "_%u", s->req->array_id,
			 s->req->array_index);
	else
		snprintf(buf, size, "%" PRIu64, s->req->job_id);
}

static int unpack(struct step *s, struct om_error *err)
{
	s->launch = om__launch__unpack(NULL, s->req->launch.len,
				       s->req->launch.data);
	if (!s->launch)
		return om_fail(err, -EPROTO, "the launch of the job is malformed");
	if (!s->req->tasks || s->req->tasks > 65536)
		return om_fail(err, -EPROTO, "%u tasks cannot be started on a node",
			       s->req->tasks);
	if (!s->launch->has_script && !s->launch->n_argv)
		return om_fail(err, -EPROTO, "neither a script nor a command was given");
	s->task = calloc(s->req->tasks, sizeof(*s->task));
	return s->task ? 0 : om_fail_nomem(err);
}

/* From here on the daemon has the user's groups and the job's umask. */
static int take_user(struct step *s, struct om_error *err)
{
	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups as they came");

	s->user = (struct asuser){
		.uid = s->req->uid,
		.gid = s->req->gid,
		.name = s->who->name,
		.home = s->who->home,
		.shell = s->who->shell,
		.group = s->who->group,
		.groups = s->who->n_group,
	};
	if (s->user.uid == 0 && !s->place->conf->allow_root_jobs)
		return om_fail(err, -EPERM, "jobs of root are not allowed on %s (allow_root_jobs)",
			       s->place->name);
	umask(s->launch->umask & 0777);
	return asuser_init(&s->user, err);
}

static const char *bound_cpus(const struct step *s)
{
	const Om__Allocation *a = s->req->job_allocation;
	int i = taskenv_index(a, s->place->name);

	return i >= 0 && (size_t)i < a->n_cpu_list ? a->cpu_list[i] : NULL;
}

static int make_group(struct step *s, struct setup *u, struct om_error *err)
{
	struct cgroup_limits limits = {
		.mem = s->req->mem,
		.cpu_list = bound_cpus(s),
	};
	int rc = 0;

	if (limits.cpu_list && *limits.cpu_list) {
		rc = launch_cpus(limits.cpu_list, &u->cpus, err);
		u->bound = true;
	}
	if (rc == 0)
		rc = cgroup_step_create(s->place->tree, s->req->job_id,
					s->req->step_id, &limits, &s->group,
					err);
	if (rc == 0)
		rc = u->joins = cgroup_group_join(&s->group, &u->into,
						  u->join, err);
	/* Limits are the node's to keep: without them nothing starts here. */
	return rc < 0 ? -EHOSTDOWN : 0;
}

/* What fails for want of the node's own means is no fault of the job. */
static int blame_node(int rc, struct om_error *err)
{
	switch (rc) {
	case -ENOSPC:
	case -EROFS:
	case -EIO:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -EAGAIN:
		err->code = -EHOSTDOWN;
		return -EHOSTDOWN;
	default:
		return rc;
	}
}

static int enter_cwd(struct step *s, struct om_error *err)
{
	const char *cwd = s->launch->cwd && *s->launch->cwd ?
			  s->launch->cwd : s->user.home;
	int rc = asuser_begin(&s->user, err);

	if (rc < 0)
		return rc;
	if (chdir(cwd ? cwd : "/") < 0)
		rc = om_fail_errno(err, "cannot chdir to '%s' on %s",
				   cwd ? cwd : "/", s->place->name);
	asuser_end();
	return rc;
}

/* Arguments of the user follow the program's own name. */
static int make_argv(struct step *s, struct setup *u, struct om_error *err)
{
	Om__Launch *l = s->launch;
	size_t skip = l->has_script ? 0 : 1;

	u->argv = calloc(l->n_argv + 2, sizeof(*u->argv));
	if (!u->argv)
		return om_fail_nomem(err);
	u->argv[0] = skip ? l->argv[0] : u->program;
	for (size_t i = skip; i < l->n_argv; i++)
		u->argv[i + 1 - skip] = l->argv[i];
	return 0;
}

static int put_script(struct step *s, struct setup *u, struct om_error *err)
{
	const ProtobufCBinaryData *text = &s->launch->script;
	int rc = script_check(text->data, text->len, err);

	if (rc < 0)
		return rc;
	rc = script_put(s->place->spool_fd, s->req->job_id, text->data,
			text->len, &s->user, err);
	if (rc < 0)
		return blame_node(rc, err);
	if (asprintf(&u->program, "%s/job/%" PRIu64 "/script",
		     s->place->conf->spool_dir, s->req->job_id) < 0)
		return om_fail_nomem(err);
	return 0;
}

static int put_hostfiles(struct step *s, struct setup *u, struct om_error *err)
{
	u->hosts_dir = hostfile_make(s->place, s->req, &s->user, err);
	return u->hosts_dir ? 0 : blame_node(err->code, err);
}

static int make_env(struct step *s, struct setup *u, struct om_error *err)
{
	struct taskenv_spec spec = {
		.place = s->place,
		.req = s->req,
		.launch = s->launch,
		.user = &s->user,
		.hosts_dir = u->hosts_dir,
	};

	s->env = taskenv_create(&spec, err);
	return s->env ? 0 : err->code;
}

static int find_program(struct step *s, struct setup *u, struct om_error *err)
{
	if (s->launch->has_script)
		return put_script(s, u, err);
	u->program = launch_find(s->launch->argv[0],
				 taskenv_get(s->env, "PATH"), &s->user, err);
	return u->program ? 0 : err->code;
}

static void set_spec(struct step *s)
{
	const Om__StepLaunch *r = s->req;
	const Om__Allocation *a = r->step_allocation ? r->step_allocation :
						       r->job_allocation;

	s->spec = (struct taskio_spec){
		.in = s->launch->std_in,
		.out = s->launch->std_out,
		.err = s->launch->std_err,
		.append = s->launch->append,
		.first_node = r->node_index == 0,
		.many_nodes = r->step_id != OM_STEP_BATCH && a->n_node > 1,
	};
}

static int open_files(struct step *s, uint32_t i, struct taskio_files *f,
		      struct om_error *err)
{
	struct pattern_values v = {
		.job = s->req->job_id,
		.array = s->req->array_id,
		.index = s->req->array_index,
		.step = s->req->step_id,
		.node_index = s->req->node_index,
		.rank = s->req->first_rank + i,
		.name = s->req->name,
		.user = s->user.name,
		.node = s->place->name,
	};

	return taskio_open(&s->spec, &v, &s->user, f, err);
}

static int open_stdio(struct step *s, struct setup *u, struct om_error *err)
{
	(void)u;
	if (s->launch->io_port)
		return step_stream_create(s, err);
	set_spec(s);
	return open_files(s, 0, &s->files, err);
}

static int start_task(struct step *s, struct setup *u, uint32_t i,
		      const struct taskio_files *f, int tty,
		      struct om_error *err)
{
	struct step_task *t = s->task + i;
	struct launch_task l = {
		.path = u->program,
		.argv = u->argv,
		.in = f->in,
		.out = f->out,
		.err = f->err,
		.tty = tty,
		.user = &s->user,
		.launch = s->launch,
		.into = u->into,
		.join = u->join,
		.joins = u->joins,
		.cpus = u->bound ? &u->cpus : NULL,
		.oom_adjust = s->place->oom_shielded,
	};

	t->rank = s->req->first_rank + i;
	l.envp = taskenv_of(s->env, t->rank, i);
	t->pid = launch_start(&l, err);
	if (t->pid < 0)
		return (int)t->pid;
	s->alive++;
	return 0;
}

static int start_one(struct step *s, struct setup *u, uint32_t i,
		     struct om_error *err)
{
	struct taskio_files f = TASKIO_FILES_INIT;
	int tty = -1, rc;

	if (s->stream) {
		rc = step_stream_open(s, i, &f, &tty, err);
		if (rc == 0)
			rc = start_task(s, u, i, &f, tty, err);
		step_stream_started(s, &f, tty);
		return rc;
	}
	if (i == 0 || !taskio_per_task(&s->spec))
		return start_task(s, u, i, &s->files, -1, err);
	rc = open_files(s, i, &f, err);
	if (rc == 0)
		rc = start_task(s, u, i, &f, -1, err);
	taskio_close(&f);
	return rc;
}

static int start_tasks(struct step *s, struct setup *u, struct om_error *err)
{
	int rc = step_limit_create(s, err);

	for (uint32_t i = 0; i < s->req->tasks && rc == 0; i++)
		rc = start_one(s, u, i, err);
	return rc;
}

/* Whoever looks into the output file finds the reason there too. */
static void tell_in_file(struct step *s, const struct om_error *err)
{
	char job[48], line[OM_ERROR_TEXT_MAX + 96];

	if (s->files.err < 0)
		return;
	step_job_name(s, job, sizeof(job));
	snprintf(line, sizeof(line), "openmosix: job %s not started: %s\n",
		 job, om_error_text(err));
	taskio_say(s->files.err, line);
}

/* Nobody waits for these tasks any more, so their end is waited for here. */
static void undo(struct step *s, const struct om_error *err)
{
	tell_in_file(s, err);
	if (s->group.fd >= 0) {
		cgroup_group_kill(&s->group, NULL);
		for (uint32_t i = 0; s->task && i < s->req->tasks; i++)
			if (s->task[i].pid > 0)
				waitpid(s->task[i].pid, NULL, 0);
		cgroup_step_remove(s->place->tree, s->req->job_id,
				   s->req->step_id, NULL);
		cgroup_group_close(&s->group);
	}
	taskio_close(&s->files);
}

static void setup_fini(struct setup *u)
{
	for (int i = 0; i < u->joins; i++)
		close(u->join[i]);
	free(u->hosts_dir);
	free(u->program);
	free(u->argv);
}

int step_setup(struct step *s, struct om_error *err)
{
	struct setup u = { .into = -1 };
	int rc = unpack(s, err);

	if (rc == 0)
		rc = take_user(s, err);
	if (rc == 0)
		rc = make_group(s, &u, err);
	if (rc == 0)
		rc = enter_cwd(s, err);
	if (rc == 0)
		rc = open_stdio(s, &u, err);
	if (rc == 0)
		rc = put_hostfiles(s, &u, err);
	if (rc == 0)
		rc = make_env(s, &u, err);
	if (rc == 0)
		rc = find_program(s, &u, err);
	if (rc == 0)
		rc = make_argv(s, &u, err);
	if (rc == 0)
		rc = start_tasks(s, &u, err);
	if (rc < 0)
		undo(s, err);
	setup_fini(&u);
	return rc;
}
