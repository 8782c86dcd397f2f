/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run/output.h"
#include "lib/base/cleanup.h"

#define LINE_MAX_BYTES (64u << 10)	/* longer lines are written in parts */

/* A file that tasks' output goes to; several tasks may share it. */
struct file {
	char *path;
	int fd;
	struct file *next;
};

/* One stream of one task. */
struct lane {
	struct om_buf part;		/* a line that has not ended yet */
	struct file *file;		/* NULL: not opened, or ours */
};

struct output {
	const struct output_config *config;
	struct outlet *ours[2];		/* standard output, error */
	struct lane *lane;		/* 2 for each task */
	struct file *files;
	int label_width;
};

/* ---- files */

static void expand_one(const struct output_config *c, char letter,
		       uint32_t rank, struct om_buf *b)
{
	const struct passwd *pw;

	switch (letter) {
	case 'j': case 'A':
		om_buf_addf(b, "%llu", (unsigned long long)c->job);
		break;
	case 's':
		om_buf_addf(b, "%u", c->step);
		break;
	case 't':
		om_buf_addf(b, "%u", rank);
		break;
	case 'n':
		om_buf_addf(b, "%u", c->node_index[rank]);
		break;
	case 'N':
		om_buf_adds(b, c->node[rank]);
		break;
	case 'x':
		om_buf_adds(b, c->name ? c->name : "");
		break;
	case 'u':
		pw = getpwuid(getuid());
		om_buf_adds(b, pw ? pw->pw_name : "");
		break;
	case '%':
		om_buf_addc(b, '%');
		break;
	default:
		om_buf_addc(b, '%');
		if (letter)
			om_buf_addc(b, letter);
	}
}

char *output_expand(const struct output_config *c, const char *pattern,
		    uint32_t rank)
{
	struct om_buf b = OM_BUF_INIT;

	for (; *pattern; pattern++) {
		if (*pattern != '%') {
			om_buf_addc(&b, *pattern);
			continue;
		}
		expand_one(c, pattern[1], rank, &b);
		pattern += pattern[1] != '\0';
	}
	return om_buf_steal(&b);
}

static struct file *open_file(struct output *o, const char *path,
			      struct om_error *err)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND |
		    (o->config->append ? 0 : O_TRUNC);
	struct file *f;

	for (f = o->files; f; f = f->next)
		if (!strcmp(f->path, path))
			return f;
	f = calloc(1, sizeof(*f));
	if (f)
		f->path = strdup(path);
	if (!f || !f->path) {
		free(f);
		om_fail_nomem(err);
		return NULL;
	}
	f->fd = open(path, flags, 0666);
	if (f->fd < 0) {
		om_fail_errno(err, "cannot open '%.300s'", path);
		free(f->path);
		free(f);
		return NULL;
	}
	f->next = o->files;
	o->files = f;
	return f;
}

static const char *pattern_of(const struct output *o, uint32_t stream)
{
	const struct output_config *c = o->config;

	return stream == 2 && c->err ? c->err : c->out ? c->out : NULL;
}

static int find_file(struct output *o, struct lane *l, uint32_t rank,
		     uint32_t stream, struct om_error *err)
{
	const char *pattern = pattern_of(o, stream);
	om_autofree char *path = NULL;

	if (!pattern || l->file)
		return 0;
	if (!strcmp(pattern, "none"))
		pattern = "/dev/null";
	path = output_expand(o->config, pattern, rank);
	if (!path)
		return om_fail_nomem(err);
	l->file = open_file(o, path, err);
	return l->file ? 0 : err->code;
}

static int write_file(struct file *f, const char *p, size_t len,
		      struct om_error *err)
{
	while (len) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return om_fail_errno(err, "cannot write to '%.300s'",
					     f->path);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- lines */

static int put(struct output *o, struct lane *l, uint32_t stream,
	       const void *data, size_t len, struct om_error *err)
{
	if (l->file)
		return write_file(l->file, data, len, err);
	outlet_write(o->ours[stream - 1], data, len);
	return 0;
}

/* A line, or the part of one, with its label in one piece. */
static int put_line(struct output *o, struct lane *l, uint32_t rank,
		    uint32_t stream, struct om_buf *line, struct om_error *err)
{
	struct om_buf labelled = OM_BUF_INIT;
	int rc;

	if (!o->config->label)
		return put(o, l, stream, om_buf_str(line), om_buf_len(line),
			   err);
	rc = om_buf_addf(&labelled, "%*u: ", o->label_width, rank);
	if (rc == 0)
		rc = om_buf_add(&labelled, om_buf_str(line), om_buf_len(line));
	if (rc == 0)
		rc = put(o, l, stream, om_buf_str(&labelled),
			 om_buf_len(&labelled), err);
	else
		rc = om_fail_nomem(err);
	om_buf_fini(&labelled);
	return rc;
}

static int flush_part(struct output *o, struct lane *l, uint32_t rank,
		      uint32_t stream, bool ends, struct om_error *err)
{
	int rc = 0;

	/* Behind a label the next task's must begin a line. */
	if (om_buf_len(&l->part) && o->config->label && ends &&
	    om_buf_str(&l->part)[om_buf_len(&l->part) - 1] != '\n')
		om_buf_addc(&l->part, '\n');
	if (om_buf_len(&l->part))
		rc = put_line(o, l, rank, stream, &l->part, err);
	om_buf_reset(&l->part);
	return rc;
}

/* Whole lines go out, the rest waits for its end. */
static int add_lines(struct output *o, struct lane *l, uint32_t rank,
		     uint32_t stream, const char *p, size_t len,
		     struct om_error *err)
{
	int rc = 0;

	while (len && rc == 0) {
		const char *end = memchr(p, '\n', len);
		size_t n = end ? (size_t)(end - p) + 1 : len;

		if (om_buf_add(&l->part, p, n) < 0)
			return om_fail_nomem(err);
		if (end || om_buf_len(&l->part) > LINE_MAX_BYTES)
			rc = flush_part(o, l, rank, stream, false, err);
		p += n;
		len -= n;
	}
	return rc;
}

int output_add(struct output *o, uint32_t rank, uint32_t stream,
	       const void *data, size_t len, struct om_error *err)
{
	struct lane *l;
	int rc;

	if (rank >= o->config->tasks || stream < 1 || stream > 2)
		return om_fail(err, -EPROTO, "output of a task %u that is none",
			       rank);
	l = &o->lane[2 * rank + stream - 1];
	rc = find_file(o, l, rank, stream, err);
	if (rc < 0)
		return rc;
	if (!len)
		return flush_part(o, l, rank, stream, true, err);
	if (o->config->direct)
		return put(o, l, stream, data, len, err);
	return add_lines(o, l, rank, stream, data, len, err);
}

size_t output_queued(const struct output *o)
{
	return outlet_queued(o->ours[0]) + outlet_queued(o->ours[1]);
}

/* ---- */

struct output *output_create(struct om_loop *loop,
			     const struct output_config *config, outlet_fn *fn,
			     void *arg, struct om_error *err)
{
	struct output *o = calloc(1, sizeof(*o));
	char digits[16];

	if (!o) {
		om_fail_nomem(err);
		return NULL;
	}
	o->config = config;
	o->label_width = snprintf(digits, sizeof(digits), "%u",
				  config->tasks ? config->tasks - 1 : 0);
	o->lane = calloc(2 * (size_t)config->tasks + 1, sizeof(*o->lane));
	if (!o->lane)
		om_fail_nomem(err);
	for (int i = 0; i < 2 && o->lane; i++)
		o->ours[i] = outlet_create(loop, i + 1, fn, arg, err);
	if (!o->ours[0] || !o->ours[1]) {
		output_destroy(o);
		return NULL;
	}
	return o;
}

void output_destroy(struct output *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; o->lane && i < 2 * o->config->tasks; i++) {
		if (o->ours[0] && o->ours[1])
			flush_part(o, &o->lane[i], i / 2, i % 2 + 1, true,
				   NULL);
		om_buf_fini(&o->lane[i].part);
	}
	outlet_destroy(o->ours[0]);
	outlet_destroy(o->ours[1]);
	while (o->files) {
		struct file *f = o->files;

		o->files = f->next;
		close(f->fd);
		free(f->path);
		free(f);
	}
	free(o->lane);
	free(o);
}
