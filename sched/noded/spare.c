/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spare: see spare.h. Every doubt about a folder means that it is not kept. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "sched/noded/script.h"
#include "sched/noded/spare.h"

#define SPARES 32		/* of each user */
#define TRIES 4			/* with half of them there, one finds one */
#define SCRIPT_MAX 65536	/* a larger one is not worth its room */

/* Step daemons do this side by side: each job looks at places of its own. */
static void spare_name(uid_t uid, uint64_t job, unsigned try, char name[32])
{
	snprintf(name, 32, "spare-%u-%u", uid,
		 (unsigned)((job + try * 13) % SPARES));
}

int spare_take(int spool_fd, const char *name, uint64_t job, uid_t uid)
{
	char spare[32];

	for (unsigned i = 0; i < TRIES; i++) {
		spare_name(uid, job, i, spare);
		if (renameat2(spool_fd, spare, spool_fd, name,
			      RENAME_NOREPLACE) == 0)
			return 1;
		if (errno != ENOENT)
			return 0;
	}
	return 0;
}

static bool only_script_in(int fd)
{
	union {
		struct dirent64 first;
		char bytes[512];
	} buf;
	bool found = false;
	ssize_t n;

	/* All entries of such a folder fit at once; the next call says so. */
	n = getdents64(fd, buf.bytes, sizeof(buf.bytes));
	for (ssize_t at = 0; at < n;) {
		const struct dirent64 *e = (void *)(buf.bytes + at);

		at += e->d_reclen;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (strcmp(e->d_name, SCRIPT_NAME))
			return false;
		found = true;
	}
	return found && getdents64(fd, buf.bytes, sizeof(buf.bytes)) == 0;
}

static bool is_fit(int fd, uid_t *ret_uid)
{
	struct stat folder, file;

	if (fstat(fd, &folder) < 0 || folder.st_uid != geteuid() ||
	    (folder.st_mode & 07777) != SCRIPT_FOLDER_MODE || !only_script_in(fd) ||
	    fstatat(fd, SCRIPT_NAME, &file, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret_uid = file.st_uid;
	return S_ISREG(file.st_mode) && file.st_nlink == 1 &&
	       file.st_size <= SCRIPT_MAX &&
	       (file.st_mode & 07777) == SCRIPT_MODE;
}

int spare_keep(int spool_fd, const char *name, uint64_t job)
{
	om_autofd int fd = openat(spool_fd, name, O_RDONLY | O_DIRECTORY |
				  O_NOFOLLOW | O_CLOEXEC);
	char spare[32];
	uid_t uid;

	if (fd < 0 || !is_fit(fd, &uid))
		return 0;
	for (unsigned i = 0; i < TRIES; i++) {
		spare_name(uid, job, i, spare);
		if (renameat2(spool_fd, name, spool_fd, spare,
			      RENAME_NOREPLACE) == 0)
			return 1;
		if (errno != EEXIST && errno != ENOTEMPTY)
			return 0;
	}
	return 0;
}
