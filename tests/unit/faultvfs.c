/* SPDX-License-Identifier: GPL-3.0-or-later */
/* faultvfs: passes everything to the real VFS, except what is to fail. */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/faultvfs.h"

struct file {
	sqlite3_file base;
	char *name;		/* NULL: a temporary file */
	sqlite3_file *real;
};

/* A write that was not synced: what was there before. */
struct undo {
	struct undo *next;	/* the one before */
	char *name;
	sqlite3_int64 at, size;	/* size: of the file before */
	int len;
	unsigned char old[];
};

static struct {
	sqlite3_vfs vfs, *real;
	pthread_mutex_t lock;
	enum fault fault;
	unsigned at, count;
	struct undo *undo;
} g = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct file *of(sqlite3_file *f)
{
	return (struct file *)f;
}

#define REAL(f) (of(f)->real)

/* Counts an operation; true: it fails. */
static bool strikes(void)
{
	bool bad;

	pthread_mutex_lock(&g.lock);
	g.count++;
	bad = g.fault != FAULT_NONE && g.count >= g.at;
	pthread_mutex_unlock(&g.lock);
	return bad;
}

static void remember(struct file *f, sqlite3_int64 at, int len)
{
	struct undo *u;

	if (!f->name || g.fault != FAULT_CRASH)
		return;
	u = calloc(1, sizeof(*u) + (size_t)len);
	u->name = strdup(f->name);
	u->at = at;
	u->len = len;
	f->real->pMethods->xFileSize(f->real, &u->size);
	f->real->pMethods->xRead(f->real, u->old, len, at);
	pthread_mutex_lock(&g.lock);
	u->next = g.undo;
	g.undo = u;
	pthread_mutex_unlock(&g.lock);
}

static void free_undo(struct undo *u)
{
	free(u->name);
	free(u);
}

/* f's writes are on the platter. */
static void settle(const char *name)
{
	struct undo **p = &g.undo, *u;

	pthread_mutex_lock(&g.lock);
	while ((u = *p) != NULL) {
		if (!name || !strcmp(u->name, name)) {
			*p = u->next;
			free_undo(u);
		} else {
			p = &u->next;
		}
	}
	pthread_mutex_unlock(&g.lock);
}

static int x_write(sqlite3_file *f, const void *data, int len,
		   sqlite3_int64 at)
{
	remember(of(f), at, len);
	if (!strikes())
		return REAL(f)->pMethods->xWrite(REAL(f), data, len, at);
	/* A full disk takes a part first, as write(2) does. */
	if (g.fault == FAULT_FULL && len > 1)
		REAL(f)->pMethods->xWrite(REAL(f), data, len / 2, at);
	return g.fault == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return strikes() ? SQLITE_IOERR_TRUNCATE :
	       REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	int rc;

	if (strikes())
		return SQLITE_IOERR_FSYNC;
	rc = REAL(f)->pMethods->xSync(REAL(f), flags);
	if (rc == SQLITE_OK && of(f)->name)
		settle(of(f)->name);
	return rc;
}

static int x_close(sqlite3_file *f)
{
	int rc = REAL(f)->pMethods->xClose(REAL(f));

	free(of(f)->name);
	return rc;
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}
static int x_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), ret);
}
static int x_lock(sqlite3_file *f, int how)
{
	return REAL(f)->pMethods->xLock(REAL(f), how);
}
static int x_unlock(sqlite3_file *f, int how)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), how);
}
static int x_reserved(sqlite3_file *f, int *ret)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}
static int x_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int x_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int x_device(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int x_shm_map(sqlite3_file *f, int page, int size, int extend,
		     void volatile **ret)
{
	return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, ret);
}
static int x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}
static void x_shm_barrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int x_shm_unmap(sqlite3_file *f, int drop)
{
	return REAL(f)->pMethods->xShmUnmap(REAL(f), drop);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, .xClose = x_close, .xRead = x_read, .xWrite = x_write,
	.xTruncate = x_truncate, .xSync = x_sync, .xFileSize = x_size,
	.xLock = x_lock, .xUnlock = x_unlock, .xCheckReservedLock = x_reserved,
	.xFileControl = x_control, .xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device, .xShmMap = x_shm_map,
	.xShmLock = x_shm_lock, .xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		  int flags, int *out)
{
	struct file *mine = of(f);
	int rc;

	(void)vfs;
	mine->base.pMethods = NULL;
	mine->real = (sqlite3_file *)(mine + 1);
	rc = g.real->xOpen(g.real, name, mine->real, flags, out);
	if (!mine->real->pMethods)
		return rc;
	mine->name = name ? strdup(name) : NULL;
	mine->base.pMethods = &methods;
	return rc;
}

/* The log's removal at a clean close: an operation too. */
static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (strikes())
		return SQLITE_IOERR_DELETE;
	settle(name);
	return g.real->xDelete(g.real, name, sync);
}

void faultvfs_install(void)
{
	if (g.real)
		return;
	g.real = sqlite3_vfs_find(NULL);
	g.vfs = *g.real;
	g.vfs.pNext = NULL;
	g.vfs.zName = "fault";
	g.vfs.szOsFile = (int)sizeof(struct file) + g.real->szOsFile;
	g.vfs.xOpen = x_open;
	g.vfs.xDelete = x_delete;
	sqlite3_vfs_register(&g.vfs, 1);
}

void faultvfs_arm(enum fault fault, unsigned at)
{
	settle(NULL);
	g.fault = fault;
	g.at = at;
	g.count = 0;
}

unsigned faultvfs_count(void)
{
	return g.count;
}

static void put_back(const struct undo *u)
{
	int fd = open(u->name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;		/* removed since */
	if (u->at < u->size &&
	    pwrite(fd, u->old, (size_t)(u->at + u->len < u->size ? u->len :
					u->size - u->at), u->at) < 0)
		abort();
	if (u->at + u->len > u->size && ftruncate(fd, u->size) < 0)
		abort();
	close(fd);
}

void faultvfs_crash(unsigned seed)
{
	struct undo *u;
	bool last = true;

	while ((u = g.undo) != NULL) {
		g.undo = u->next;
		if (seed == 0 || last || rand_r(&seed) % 2)
			put_back(u);
		last = false;
		free_undo(u);
	}
	g.fault = FAULT_NONE;
}

void faultvfs_fini(void)
{
	settle(NULL);
}
