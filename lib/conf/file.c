/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* file: reads configuration files that can be trusted, and finds them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/conf/file.h"

static int check_trust(const char *path, const struct stat *st,
		       struct om_error *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return om_fail(err, -EPERM,
			       "%.200s belongs to uid %u: it must belong to root or to who reads it (chown root %.100s)",
			       path, st->st_uid, path);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return om_fail(err, -EPERM,
			       "%.200s can be written by %s: nobody but its owner may (chmod go-w %.100s)",
			       path, st->st_mode & S_IWOTH ? "everyone" :
			       "its group", path);
	return 0;
}

static int read_all(int fd, const char *path, char *buf, size_t size,
		    struct om_error *err)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, size - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return om_fail_errno(err, "cannot read '%.200s'", path);
	if (len == size)
		return om_fail(err, -EFBIG, "%.200s grew while it was read, or is over %u bytes long",
			       path, CONF_FILE_MAX);
	buf[len] = '\0';
	if (strlen(buf) != len)
		return om_fail(err, -EINVAL,
			       "%.200s holds NUL bytes: is this a text file?",
			       path);
	return 0;
}

char *conf_file_read(const char *path, struct om_error *err)
{
	/* O_NONBLOCK: a FIFO must not hang us before it is refused. */
	om_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	om_autofree char *buf = NULL;
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0) {
		om_fail_errno(err, "cannot open '%.200s'", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		om_fail(err, -EINVAL, "'%.200s' is not a regular file", path);
		return NULL;
	}
	if (check_trust(path, &st, err) < 0)
		return NULL;
	/* It may grow meanwhile: the buffer's size is what counts. */
	size = (st.st_size < CONF_FILE_MAX ? (size_t)st.st_size :
					     CONF_FILE_MAX) + 1;
	buf = malloc(size);
	if (!buf) {
		om_fail_nomem(err);
		return NULL;
	}
	if (read_all(fd, path, buf, size, err) < 0)
		return NULL;
	return om_take(buf);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_conf(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && !strcmp(name + len - 5, ".conf");
}

static int open_conf_d(const char *path, DIR **ret, struct om_error *err)
{
	om_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return om_fail_errno(err, "cannot open '%.200s'", path);
	rc = check_trust(path, &st, err);
	if (rc < 0)
		return rc;
	*ret = fdopendir(fd);
	if (!*ret)
		return om_fail_errno(err, "cannot read '%.200s'", path);
	om_take_fd(&fd);
	return 0;
}

int conf_file_list(const char *path, struct om_strvec *files,
		   struct om_error *err)
{
	const char *slash = strrchr(path, '/');
	om_autofree char *dir = NULL;
	om_autodir DIR *d = NULL;
	struct dirent *e;
	int rc;

	if (asprintf(&dir, "%.*s/conf.d", slash ? (int)(slash - path) : 1,
		     slash ? path : ".") < 0) {
		dir = NULL;
		return om_fail_nomem(err);
	}
	rc = open_conf_d(dir, &d, err);
	if (rc < 0 || !d)
		return rc;
	while (errno = 0, (e = readdir(d))) {
		if (is_conf(e->d_name) &&
		    om_strvec_addf(files, "%s/%s", dir, e->d_name) < 0)
			return om_fail_nomem(err);
	}
	if (errno)
		return om_fail_errno(err, "cannot read '%.200s'", dir);
	if (files->n)
		qsort(files->v, files->n, sizeof(*files->v), by_name);
	return 0;
}
