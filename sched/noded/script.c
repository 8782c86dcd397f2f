/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * script: a job's folder in the spool; see script.h.
 *
 * The folder is root's, and its user may only pass through: so nobody else has
 * put there, moved there or linked what root writes over, lists or removes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/cleanup.h"
#include "lib/base/io.h"
#include "sched/noded/script.h"
#include "sched/noded/spare.h"

#define LOOK 512	/* bytes of a script that are looked at */

static void folder_name(uint64_t job, char name[24])
{
	snprintf(name, 24, "%" PRIu64, job);
}

/* Only what is really beneath, and no link on the way. */
static int open_beneath(int dirfd, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int check_ours(int fd, const char *path, struct om_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return om_fail_errno(err, "cannot look at '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return om_fail(err, -EPERM,
			       "'%s' and what is in it must belong to root and "
			       "not be writable by others (owner %u, mode %04o)",
			       path, st.st_uid, st.st_mode & 07777);
	return 0;
}

int script_spool_open(const char *spool_dir, struct om_error *err)
{
	om_autofd int top = -1, fd = -1;

	if (mkdir(spool_dir, 0755) < 0 && errno != EEXIST)
		return om_fail_errno(err, "cannot make '%s'", spool_dir);
	top = open(spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return om_fail_errno(err, "cannot open '%s'", spool_dir);
	if (check_ours(top, spool_dir, err) < 0)
		return -EPERM;
	if ((mkdirat(top, "job", 0755) < 0 && errno != EEXIST) ||
	    (mkdirat(top, "hosts", 0755) < 0 && errno != EEXIST))
		return om_fail_errno(err, "cannot make the folders of '%s'", spool_dir);
	fd = open_beneath(top, "job", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return om_fail(err, fd, "cannot open '%s/job': %s", spool_dir,
			       strerror(-fd));
	return check_ours(fd, spool_dir, err) < 0 ? -EPERM : om_take_fd(&fd);
}

int script_check(const void *text, size_t len, struct om_error *err)
{
	const char *p = text;

	if (len == 0)
		return om_fail(err, -ENOEXEC, "the batch script is empty");
	if (memchr(p, '\0', len < LOOK ? len : LOOK))
		return om_fail(err, -ENOEXEC,
			       "the batch script is not a text but a program or "
			       "data; put its name into a script, or use --wrap");
	if (len < 3 || p[0] != '#' || p[1] != '!')
		return om_fail(err, -ENOEXEC,
			       "the batch script does not begin with #! and an "
			       "interpreter, for example #!/bin/sh");
	return 0;
}

int script_folder(int spool_fd, uint64_t job, struct om_error *err)
{
	char name[24];
	om_autofd int fd = -1;
	bool made;

	folder_name(job, name);
	made = mkdirat(spool_fd, name, SCRIPT_FOLDER_MODE) == 0;
	if (!made && errno != EEXIST)
		return om_fail_errno(err, "cannot make the job's folder '%s' in the spool",
				     name);
	fd = open_beneath(spool_fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return om_fail(err, fd, "cannot open the spool folder '%s': %s",
			       name, strerror(-fd));
	/* The mode must not depend on the job's umask. */
	if (made && fchmod(fd, SCRIPT_FOLDER_MODE) < 0)
		return om_fail_errno(err, "cannot set the mode of the spool folder '%s'",
				     name);
	return check_ours(fd, name, err) < 0 ? -EPERM : om_take_fd(&fd);
}

static int write_new(int folder_fd, const char *name, const void *text,
		     size_t len, const struct script_owner *to)
{
	om_autofd int fd = -1;
	int rc;

	/* What a requeued job left; its new script must not share the inode
	 * with an old one that is still executed. */
	if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = open_beneath(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	rc = om_write_all(fd, text, len);
	/* Whole before its user can have it. */
	if (rc == 0 && (fchown(fd, to->uid, to->gid) < 0 ||
			fchmod(fd, to->mode) < 0))
		rc = -errno;
	return rc;
}

int script_write(int folder_fd, const char *name, const void *text, size_t len,
		 const struct script_owner *to, struct om_error *err)
{
	int rc = write_new(folder_fd, name, text, len, to);

	if (rc < 0)
		return om_fail(err, rc, "cannot write the job's file '%s' in the spool: %s",
			       name, strerror(-rc));
	return 0;
}

/* A spare one's script; 0 if it cannot be had and must be made anew. */
static int write_over(int folder_fd, const void *text, size_t len)
{
	om_autofd int fd = open_beneath(folder_fd, SCRIPT_NAME, O_WRONLY, 0);
	int rc;

	if (fd < 0)
		return 0;
	rc = om_write_all(fd, text, len);
	if (rc == 0 && ftruncate(fd, (off_t)len) < 0)
		rc = -errno;
	return rc < 0 ? rc : 1;
}

int script_put(int spool_fd, uint64_t job, const void *text, size_t len,
	       const struct asuser *user, struct om_error *err)
{
	struct script_owner to = { user->uid, user->gid, SCRIPT_MODE };
	om_autofd int fd = -1;
	char name[24];
	int rc = 0, spare;

	folder_name(job, name);
	spare = spare_take(spool_fd, name, job, user->uid);
	fd = script_folder(spool_fd, job, err);
	if (fd < 0)
		return fd;
	if (spare) {
		rc = asuser_begin(user, err);
		if (rc < 0)
			return rc;
		rc = write_over(fd, text, len);
		asuser_end();
	}
	if (rc < 0)
		return om_fail(err, rc, "cannot write the job's script in the spool: %s",
			       strerror(-rc));
	return rc ? 0 : script_write(fd, SCRIPT_NAME, text, len, &to, err);
}

static int remove_entries(int fd)
{
	int copy = open_beneath(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	om_autodir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!dir)
		return copy < 0 ? copy : -errno;
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* All there is are files that were written by script_write. */
static int remove_folder(int dirfd, const char *name)
{
	om_autofd int fd = -1;
	int rc;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	fd = open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	rc = remove_entries(fd);
	if (rc == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

/* The script first: as a rule it is all there is, and no listing is needed. */
int script_remove(int spool_fd, uint64_t job, struct om_error *err)
{
	char path[40];
	int rc;

	folder_name(job, path);
	if (spare_keep(spool_fd, path, job))
		return 0;
	strcat(path, "/" SCRIPT_NAME);
	/* A last component that is a link is removed, not followed; the
	 * folder above it is root's name for it. */
	unlinkat(spool_fd, path, 0);
	path[strlen(path) - strlen("/" SCRIPT_NAME)] = '\0';
	rc = remove_folder(spool_fd, path);
	if (rc < 0)
		return om_fail(err, rc, "cannot remove the spool folder '%s': %s",
			       path, strerror(-rc));
	return 0;
}
