/* SPDX-License-Identifier: GPL-3.0-or-later */
/* taskio: files of tasks; see taskio.h. */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/noded/taskio.h"

static const char *given(const char *s, const char *otherwise)
{
	return s && *s ? s : otherwise;
}

static const char *out_pattern(const struct taskio_spec *s,
			       const struct pattern_values *v)
{
	return given(s->out, v->array ? "om-%A_%a.out" : "om-%j.out");
}

bool taskio_per_task(const struct taskio_spec *s)
{
	return pattern_per_task(given(s->in, "")) ||
	       pattern_per_task(given(s->out, "")) ||
	       pattern_per_task(given(s->err, ""));
}

/*
 * There a path may name who opens it, and be allowed because he does:
 * /proc/self/maps would tell where root's daemon has its memory.
 */
static int refuse_proc(int fd, const char *path, struct om_error *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return om_fail_errno(err, "cannot look at '%s'", path);
	if (fs.f_type == PROC_SUPER_MAGIC)
		return om_fail(err, -EACCES, "cannot open '%s': files of /proc are no input or output of a job",
			       path);
	return 0;
}

/*
 * O_NONBLOCK lets the open of a FIFO that nobody reads fail at once instead
 * of holding up the step for ever; the tasks get a blocking descriptor.
 */
static int open_path(const char *path, int flags, struct om_error *err)
{
	om_autofd int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				0666);
	int now;

	if (fd < 0)
		return om_fail_errno(err, "cannot open '%s'", path);
	if (refuse_proc(fd, path, err) < 0)
		return -EACCES;
	now = fcntl(fd, F_GETFL);
	if (now < 0 || fcntl(fd, F_SETFL, now & ~O_NONBLOCK) < 0)
		return om_fail_errno(err, "cannot set up '%s'", path);
	return om_take_fd(&fd);
}

static int open_output(const struct taskio_spec *s, const char *pattern,
		       const char *path, struct om_error *err)
{
	int flags = O_WRONLY | O_CREAT;
	bool shared = s->many_nodes && !pattern_per_node(pattern);

	/* One file for several nodes: nobody may write at a stale offset. */
	if (s->append || shared)
		flags |= O_APPEND;
	if (!s->append && (!shared || s->first_node))
		flags |= O_TRUNC;
	return open_path(path, flags, err);
}

static int open_all(const struct taskio_spec *s, const struct pattern_values *v,
		    struct taskio_files *f, struct om_error *err)
{
	om_autofree char *in = pattern_expand(given(s->in, "/dev/null"), v,
					      err);
	om_autofree char *out = pattern_expand(out_pattern(s, v), v, err);
	om_autofree char *e = NULL;

	if (!in || !out)
		return err->code;
	f->in = open_path(in, O_RDONLY, err);
	if (f->in < 0)
		return f->in;
	f->out = open_output(s, out_pattern(s, v), out, err);
	if (f->out < 0)
		return f->out;
	f->err = f->out;
	if (!s->err || !*s->err)
		return 0;
	e = pattern_expand(s->err, v, err);
	if (!e)
		return err->code;
	if (strcmp(e, out))
		f->err = open_output(s, s->err, e, err);
	return f->err < 0 ? f->err : 0;
}

int taskio_open(const struct taskio_spec *s, const struct pattern_values *v,
	       const struct asuser *user, struct taskio_files *ret,
	       struct om_error *err)
{
	struct taskio_files f = TASKIO_FILES_INIT;
	int rc = asuser_begin(user, err);

	if (rc < 0)
		return rc;
	/* The files' mode is the umask's business, which is the job's now. */
	rc = open_all(s, v, &f, err);
	asuser_end();
	if (rc < 0) {
		taskio_close(&f);
		return rc;
	}
	*ret = f;
	return 0;
}

void taskio_say(int fd, const char *line)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (write(fd, line, strlen(line)) < 0)
		om_log_warn("cannot write to a job's output: %s",
			    strerror(errno));
}

void taskio_close(struct taskio_files *f)
{
	if (f->err == f->out)
		f->err = -1;
	om_cleanup_fd(&f->in);
	om_cleanup_fd(&f->out);
	om_cleanup_fd(&f->err);
	f->in = f->out = f->err = -1;
}
