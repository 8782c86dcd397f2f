/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster/folder.h"
#include "lib/base/cleanup.h"
#include "lib/base/io.h"

#define READ_MAX 65536
#define DEPTH_MAX 100

static int make_one(const char *path, mode_t mode, struct om_error *err)
{
	if (mkdir(path, mode) == 0) {
		/* mkdir minds the umask; what was asked for is meant */
		if (chmod(path, mode) < 0)
			return om_fail_errno(err, "cannot set the mode of '%s'",
					     path);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	return om_fail_errno(err, "cannot make the folder '%s'", path);
}

int folder_make(const char *path, mode_t mode, struct om_error *err)
{
	char part[PATH_MAX];
	struct stat st;
	int rc;

	if (strlen(path) >= sizeof(part))
		return om_fail(err, -ENAMETOOLONG, "path too long");
	strcpy(part, path);
	for (char *slash = strchr(part + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		rc = make_one(part, 0755, err);
		if (rc < 0)
			return rc;
		*slash = '/';
	}
	rc = make_one(part, mode, err);
	if (rc < 0)
		return rc;
	if (stat(part, &st) < 0 || !S_ISDIR(st.st_mode))
		return om_fail(err, -ENOTDIR, "'%s' is no folder", part);
	return 0;
}

int folder_make_owned(const char *path, mode_t mode, uid_t uid, gid_t gid,
		      struct om_error *err)
{
	om_autofd int fd = -1;
	int rc = folder_make(path, mode, err);

	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return om_fail_errno(err, "cannot hand '%s' over to uid %u",
				     path, uid);
	return 0;
}

static int write_file(const char *path, int flags, const char *text,
		      mode_t mode, struct om_error *err)
{
	om_autofd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags,
				mode);

	if (fd < 0)
		return om_fail_errno(err, "cannot open '%s'", path);
	if ((flags & O_CREAT) && fchmod(fd, mode) < 0)
		return om_fail_errno(err, "cannot set the mode of '%s'", path);
	errno = -om_write_all(fd, text, strlen(text));
	if (errno)
		return om_fail_errno(err, "cannot write '%s'", path);
	return 0;
}

int folder_write(const char *path, const char *text, mode_t mode,
		 struct om_error *err)
{
	char fresh[PATH_MAX + 8];
	int rc;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	rc = write_file(fresh, O_CREAT | O_EXCL, text, mode, err);
	if (rc < 0)
		return rc;
	if (rename(fresh, path) < 0)
		return om_fail_errno(err, "cannot put '%s' in place", path);
	return 0;
}

int folder_rewrite(const char *path, const char *text, mode_t mode,
		   struct om_error *err)
{
	return write_file(path, O_CREAT | O_TRUNC, text, mode, err);
}

int folder_poke(const char *path, const char *text, struct om_error *err)
{
	return write_file(path, 0, text, 0, err);
}

int folder_read(const char *path, char **ret_text, struct om_error *err)
{
	om_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	om_autofree char *text = malloc(READ_MAX + 1);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return om_fail_errno(err, "cannot open '%s'", path);
	if (!text)
		return om_fail_nomem(err);
	do {
		n = read(fd, text + len, READ_MAX - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return om_fail_errno(err, "cannot read '%s'", path);
	text[len] = '\0';
	*ret_text = om_take(text);
	return 0;
}

static int remove_at(int parent, const char *name, dev_t dev, unsigned depth);

/* fd is taken. */
static int empty_folder(int fd, dev_t dev, unsigned depth)
{
	om_autodir DIR *d = fdopendir(fd);
	struct dirent *e;
	int rc = 0, one;

	if (!d) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		one = remove_at(dirfd(d), e->d_name, dev, depth + 1);
		if (one < 0)
			rc = one;
	}
	return rc;
}

static int remove_at(int parent, const char *name, dev_t dev, unsigned depth)
{
	struct stat st;
	int fd, rc;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_dev != dev) {
		close(fd);
		return -EXDEV;
	}
	rc = empty_folder(fd, dev, depth);
	if (rc < 0)
		return rc;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int folder_remove(const char *path, struct om_error *err)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 :
			om_fail_errno(err, "cannot look at '%s'", path);
	rc = remove_at(AT_FDCWD, path, st.st_dev, 0);
	if (rc < 0)
		return om_fail(err, rc, "cannot remove '%s': %s", path,
			       strerror(-rc));
	return 0;
}
