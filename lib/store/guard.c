/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * guard: owner, modes and the lock.
 *
 * The lock is a file of its own: SQLite's locks are POSIX record locks, which
 * a process loses when it closes any descriptor of the file. For the same
 * reason the store's file is opened here only before SQLite has it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/guard.h"

static int check_owner(const char *path, const struct stat *st,
		       struct om_error *err)
{
	if (st->st_uid == geteuid())
		return 0;
	return om_fail(err, -EPERM,
		       "%.200s belongs to uid %u, not to the user of omctld, uid %u (chown -R)",
		       path, st->st_uid, geteuid());
}

static int check_folder(const char *path, struct om_error *err)
{
	const char *slash = strrchr(path, '/');
	om_autofree char *dir = NULL;
	struct stat st;
	int rc;

	if (slash == path)
		dir = strdup("/");
	else
		dir = slash ? strndup(path, (size_t)(slash - path)) :
			      strdup(".");
	if (!dir)
		return om_fail_nomem(err);
	if (stat(dir, &st) < 0)
		return om_fail_errno(err, "cannot use folder '%.200s'", dir);
	if (!S_ISDIR(st.st_mode))
		return om_fail(err, -ENOTDIR, "'%.200s' is not a folder", dir);
	rc = check_owner(dir, &st, err);
	if (rc < 0)
		return rc;
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return om_fail(err, -EPERM,
			       "folder %.200s can be written by others than its owner (chmod 0700)",
			       dir);
	return 0;
}

static int sync_folder(const char *path, struct om_error *err)
{
	const char *slash = strrchr(path, '/');
	om_autofree char *dir = slash ?
		strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	om_autofd int fd = -1;

	if (!dir)
		return om_fail_nomem(err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return om_fail_errno(err, "cannot sync folder '%.200s'", dir);
	return 0;
}

static int make_file(const char *path, struct om_error *err)
{
	om_autofd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				0600);

	if (fd < 0)
		return om_fail_errno(err, "cannot make '%.200s'", path);
	return sync_folder(path, err);
}

static int check_file(const char *path, struct om_error *err)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			return om_fail_errno(err, "cannot use '%.200s'", path);
		return make_file(path, err);
	}
	if (!S_ISREG(st.st_mode))
		return om_fail(err, -EINVAL, "'%.200s' is not a regular file",
			       path);
	rc = check_owner(path, &st, err);
	if (rc < 0)
		return rc;
	/* It holds scripts and environments: nothing for others to read. */
	if (st.st_mode & 077)
		return om_fail(err, -EPERM,
			       "%.200s is open to others than its owner, mode %04o (chmod 0600)",
			       path, st.st_mode & 07777);
	return 0;
}

/* Who holds the lock, as it wrote itself; for the message only. */
static int fail_locked(int fd, const char *path, struct om_error *err)
{
	char who[32] = "";
	ssize_t n = pread(fd, who, sizeof(who) - 1, 0);

	who[n > 0 ? strspn(who, "0123456789") : 0] = '\0';
	return om_fail(err, -EBUSY,
		       "%.200s is in use by process %s: another omctld runs on it",
		       path, *who ? who : "unknown");
}

static int take_lock(const char *path, struct om_error *err)
{
	om_autofree char *lock = NULL;
	om_autofd int fd = -1;

	if (asprintf(&lock, "%s.lock", path) < 0) {
		lock = NULL;
		return om_fail_nomem(err);
	}
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return om_fail_errno(err, "cannot open '%.200s'", lock);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return fail_locked(fd, path, err);
		return om_fail_errno(err, "cannot lock '%.200s'", lock);
	}
	/* A full disk must not keep us out: the text is only a courtesy. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	return om_take_fd(&fd);
}

int store_guard(const char *path, struct om_error *err)
{
	om_autofd int lock = -1;
	int rc = check_folder(path, err);

	if (rc < 0)
		return rc;
	lock = take_lock(path, err);
	if (lock < 0)
		return lock;
	rc = check_file(path, err);
	if (rc < 0)
		return rc;
	return om_take_fd(&lock);
}
