/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal: omnoded's memory across restarts; see journal.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "sched/noded/journal.h"

#define RECORD_MAX (1u << 20)
#define LONG_BYTES (4 << 20)
#define BOOT_MAX 160

struct journal {
	int dirfd, fd;
	off_t size, base;	/* base: after the last rewrite */
	char boot[BOOT_MAX];
	struct om_buf out;
};

static int read_text(const char *path, char *buf, size_t size)
{
	om_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* When process 1 of our PID namespace began: field 22 of its stat. */
static int init_start(char start[24])
{
	char stat[1024];
	const char *p;
	int rc = read_text("/proc/1/stat", stat, sizeof(stat));

	if (rc < 0)
		return rc;
	p = strrchr(stat, ')');		/* the end of field 2 */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -EPROTO;
	snprintf(start, 24, "%.*s", (int)strcspn(p + 1, " \n"), p + 1);
	return 0;
}

/*
 * A boot and a PID namespace of it: what no process outlives. The namespace's
 * number is used again, but not together with the same start of its init.
 */
static int find_boot(char *boot, struct om_error *err)
{
	char id[64], ns[64], start[24];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1);

	if (n < 0)
		return om_fail_errno(err, "cannot read /proc/self/ns/pid");
	ns[n] = '\0';
	if (read_text("/proc/sys/kernel/random/boot_id", id, sizeof(id)) < 0 ||
	    init_start(start) < 0)
		return om_fail(err, -EIO, "cannot tell this boot from others by /proc");
	snprintf(boot, BOOT_MAX, "%.36s %s %s", id, ns, start);
	return 0;
}

int journal_add(struct journal *j, const Om__NodeRecord *r,
		struct om_error *err)
{
	size_t len = om__node_record__get_packed_size(r);
	uint32_t be = htonl((uint32_t)len);

	if (om_buf_reserve(&j->out, sizeof(be) + len) < 0)
		return om_fail_nomem(err);
	om_buf_add(&j->out, &be, sizeof(be));
	om__node_record__pack(r, (uint8_t *)j->out.data + j->out.tail);
	om_buf_commit(&j->out, len);
	return 0;
}

int journal_add_packed(struct journal *j, const void *record, size_t len,
		       struct om_error *err)
{
	uint32_t be = htonl((uint32_t)len);

	if (om_buf_reserve(&j->out, sizeof(be) + len) < 0)
		return om_fail_nomem(err);
	om_buf_add(&j->out, &be, sizeof(be));
	om_buf_add(&j->out, record, len);
	return 0;
}

int journal_flush(struct journal *j, struct om_error *err)
{
	size_t len = om_buf_len(&j->out);
	int rc;

	if (!len)
		return 0;
	rc = om_write_all(j->fd, om_buf_str(&j->out), len);
	om_buf_reset(&j->out);
	if (rc == 0) {
		j->size += (off_t)len;
		return 0;
	}
	/* Half a record would hide all that follow it. */
	if (ftruncate(j->fd, j->size) < 0 ||
	    lseek(j->fd, j->size, SEEK_SET) < 0)
		om_log_error("journal of the node is damaged: %s",
			     strerror(errno));
	return om_fail(err, rc, "cannot write the node's journal: %s",
		       strerror(-rc));
}

static int add_head(struct journal *j, struct om_error *err)
{
	Om__NodeRecord r = OM__NODE_RECORD__INIT;

	r.has_boot = true;
	r.boot.data = (uint8_t *)j->boot;
	r.boot.len = strlen(j->boot);
	return journal_add(j, &r, err) < 0 ? err->code : journal_flush(j, err);
}

static bool same_boot(const struct journal *j, const Om__NodeRecord *r)
{
	return r->has_boot && r->boot.len == strlen(j->boot) &&
	       !memcmp(r->boot.data, j->boot, r->boot.len);
}

/* Bytes of the record at p, 0 if it is not whole. */
static size_t take_record(struct journal *j, const uint8_t *p, size_t len,
			  bool first, journal_fn *fn, void *arg)
{
	Om__NodeRecord *r;
	uint32_t n;
	bool good;

	if (len < sizeof(n))
		return 0;
	memcpy(&n, p, sizeof(n));
	n = ntohl(n);
	if (n > RECORD_MAX || len - sizeof(n) < n)
		return 0;
	r = om__node_record__unpack(NULL, n, p + sizeof(n));
	if (!r)
		return 0;
	good = !first || same_boot(j, r);
	if (good && !first)
		fn(arg, r);
	om__node_record__free_unpacked(r, NULL);
	return good ? sizeof(n) + n : 0;
}

static int replay(struct journal *j, journal_fn *fn, void *arg,
		  struct om_error *err)
{
	struct stat st;
	om_autofree uint8_t *data = NULL;
	size_t at = 0, n;
	ssize_t len;

	if (fstat(j->fd, &st) < 0)
		return om_fail_errno(err, "cannot look at the node's journal");
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return om_fail_nomem(err);
	len = pread(j->fd, data, (size_t)st.st_size, 0);
	if (len < 0)
		return om_fail_errno(err, "cannot read the node's journal");
	while ((n = take_record(j, data + at, (size_t)len - at, at == 0, fn,
				arg)) > 0)
		at += n;
	j->size = (off_t)at;
	if (ftruncate(j->fd, j->size) < 0 ||
	    lseek(j->fd, j->size, SEEK_SET) < 0)
		return om_fail_errno(err, "cannot cut the node's journal");
	return at == 0 ? add_head(j, err) : 0;
}

struct journal *journal_open(const char *dir, journal_fn *fn, void *arg,
			     struct om_error *err)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j) {
		om_fail_nomem(err);
		return NULL;
	}
	j->fd = -1;
	j->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dirfd >= 0)
		j->fd = openat(j->dirfd, "journal", O_RDWR | O_CREAT |
			       O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0) {
		om_fail_errno(err, "cannot open '%s/journal'", dir);
		journal_close(j);
		return NULL;
	}
	if (find_boot(j->boot, err) < 0 || replay(j, fn, arg, err) < 0) {
		journal_close(j);
		return NULL;
	}
	return j;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	om_cleanup_fd(&j->dirfd);
	om_cleanup_fd(&j->fd);
	om_buf_fini(&j->out);
	free(j);
}

bool journal_is_long(const struct journal *j)
{
	return j->size > LONG_BYTES && j->size > 4 * j->base;
}

int journal_rewrite_begin(struct journal *j, struct om_error *err)
{
	int fd = journal_flush(j, err) < 0 ? -1 :
		 openat(j->dirfd, "journal.new", O_RDWR | O_CREAT | O_TRUNC |
			O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return om_fail_errno(err, "cannot write the journal anew");
	close(j->fd);
	j->fd = fd;
	j->size = 0;
	return add_head(j, err);
}

int journal_rewrite_end(struct journal *j, struct om_error *err)
{
	if (journal_flush(j, err) < 0)
		return err->code;
	if (renameat(j->dirfd, "journal.new", j->dirfd, "journal") < 0)
		return om_fail_errno(err, "cannot replace the journal");
	j->base = j->size;
	return 0;
}
