/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cgroup_file: small files of a group and walks over nested groups. */
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/cgroup_private.h"

int cgroup_read(int dirfd, const char *name, char *buf, size_t size)
{
	om_autofd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return (int)n;
}

int cgroup_read_u64(int dirfd, const char *name, uint64_t *ret)
{
	char buf[64];
	int rc = cgroup_read(dirfd, name, buf, sizeof(buf));

	return rc < 0 ? rc : om_parse_u64(buf, 0, UINT64_MAX, ret);
}

int cgroup_read_key(int dirfd, const char *name, const char *key,
		    uint64_t *ret)
{
	char buf[4096], *line, *save = NULL;
	size_t len = strlen(key);
	int rc = cgroup_read(dirfd, name, buf, sizeof(buf));

	if (rc < 0)
		return rc;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, key, len) && line[len] == ' ')
			return om_parse_u64(line + len + 1, 0, UINT64_MAX,
					    ret);
	return -ENOENT;
}

int cgroup_write(int dirfd, const char *name, const char *text)
{
	om_autofd int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int walk_children(int dirfd, cgroup_walk_fn *fn, void *arg)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	om_autodir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		if (copy >= 0)
			close(copy);
		return rc;
	}
	while (rc == 0 && (e = readdir(dir))) {
		om_autofd int fd = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		fd = openat(dirfd, e->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)	/* removed meanwhile: nothing to walk */
			rc = cgroup_walk(fd, fn, arg);
	}
	return rc;
}

int cgroup_walk(int dirfd, cgroup_walk_fn *fn, void *arg)
{
	int rc = walk_children(dirfd, fn, arg);

	return rc ? rc : fn(arg, dirfd);
}
