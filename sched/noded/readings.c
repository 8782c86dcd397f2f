/* SPDX-License-Identifier: GPL-3.0-or-later */
/* readings: load, memory, network and disk; see readings.h. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/guests.h"
#include "sched/noded/readings.h"

#define SMOOTH_S 5.0
#define DISK_TICKS 30		/* a disk fills slowly */
#define MIB (UINT64_C(1) << 20)

struct values {
	double load, guest, local, idle;
	uint64_t mem, rx, tx, disk;
};

struct counters {	/* as the kernel counts, since boot */
	uint64_t own_us, guest_us, idle_ticks, rx, tx;
};

struct readings {
	const struct cgroup_tree *tree;
	const struct om_clock *clock;
	const char *spool_dir;
	struct guests *guests;
	int meminfo, stat, netdev;
	bool virtual, fresh;
	unsigned ticks, cpus;
	int64_t at_ns;
	struct counters last;
	struct values now, sent;
};

/* The numbers of namespaces the kernel begins with (PROC_PID_INIT_INO). */
static bool in_pid_namespace(void)
{
	char text[64];
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return strcmp(text, "pid:[4026531836]") != 0;
}

static int open_proc(const char *path, struct om_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? om_fail_errno(err, "cannot open '%s'", path) : fd;
}

/* From its beginning; what does not fit is left out. */
static const char *read_proc(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

struct readings *readings_create(const struct cgroup_tree *tree,
				 const struct om_clock *clock,
				 const char *spool_dir, struct om_error *err)
{
	struct readings *r = calloc(1, sizeof(*r));

	if (!r) {
		om_fail_nomem(err);
		return NULL;
	}
	r->tree = tree;
	r->clock = clock;
	r->spool_dir = spool_dir;
	r->virtual = in_pid_namespace();
	r->cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	r->meminfo = open_proc("/proc/meminfo", err);
	r->stat = open_proc("/proc/stat", err);
	r->netdev = open_proc("/proc/net/dev", err);
	r->guests = guests_create();
	if (!r->guests)
		om_fail_nomem(err);
	if (r->meminfo < 0 || r->stat < 0 || r->netdev < 0 || !r->guests) {
		readings_destroy(r);
		return NULL;
	}
	readings_reset(r);
	return r;
}

void readings_destroy(struct readings *r)
{
	if (!r)
		return;
	om_cleanup_fd(&r->meminfo);
	om_cleanup_fd(&r->stat);
	om_cleanup_fd(&r->netdev);
	guests_destroy(r->guests);
	free(r);
}

void readings_reset(struct readings *r)
{
	r->fresh = true;
}

/* ------------------------------------------------------------ each by itself */

static uint64_t read_mem(const struct readings *r, const struct cgroup_own *own)
{
	char buf[512];
	const char *p = strstr(read_proc(r->meminfo, buf, sizeof(buf)),
			       "MemAvailable:");
	unsigned long long kib = 0;
	uint64_t free_bytes, left;

	if (!p || sscanf(p, "MemAvailable: %llu", &kib) != 1)
		return 0;
	free_bytes = (uint64_t)kib << 10;
	if (!own->mem_limit)
		return free_bytes;
	left = own->mem_limit > own->mem_used ?
	       own->mem_limit - own->mem_used : 0;
	return left < free_bytes ? left : free_bytes;
}

static void read_net(const struct readings *r, struct counters *c)
{
	char buf[8192], *line, *save = NULL;

	read_proc(r->netdev, buf, sizeof(buf));
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		unsigned long long rx, tx;

		if (!colon)
			continue;	/* the two lines of headings */
		while (*line == ' ')
			line++;
		if (!strncmp(line, "lo:", 3))
			continue;
		if (sscanf(colon + 1, "%llu %*u %*u %*u %*u %*u %*u %*u %llu",
			   &rx, &tx) == 2) {
			c->rx += rx;
			c->tx += tx;
		}
	}
}

/* Runnable threads of the machine at this moment, without ourselves. */
static double read_stat(const struct readings *r, struct counters *c)
{
	char buf[16384];
	unsigned long long idle, wait, running = 1;
	const char *p;

	read_proc(r->stat, buf, sizeof(buf));
	if (sscanf(buf, "cpu %*u %*u %*u %llu %llu", &idle, &wait) == 2)
		c->idle_ticks = idle + wait;
	p = strstr(buf, "procs_running");
	if (p)
		sscanf(p, "procs_running %llu", &running);
	return running > 1 ? (double)(running - 1) : 0;
}

static double smooth(double old, double sample, double dt)
{
	double keep = exp(-dt / SMOOTH_S);

	return old * keep + sample * (1 - keep);
}

static double rate(uint64_t now, uint64_t last, double dt)
{
	return now > last && dt > 0 ? (double)(now - last) / dt : 0;
}

/* ---------------------------------------------------------------- together */

static void take_load(struct readings *r, const struct counters *c,
		      const struct cgroup_own *own, double running, double dt)
{
	double guest_cpus = rate(c->guest_us, r->last.guest_us, dt) / 1e6;
	double guest = guests_runnable(r->guests, r->tree, guest_cpus, dt);
	double room = own->cpu_quota > 0 ? own->cpu_quota : r->cpus;
	double used, local;

	if (r->virtual) {
		used = rate(c->own_us, r->last.own_us, dt) / 1e6;
		local = used > guest_cpus ? used - guest_cpus : 0;
		r->now.idle = used < room ? 1 - used / room : 0;
	} else {
		local = running > guest ? running - guest : 0;
		r->now.idle = rate(c->idle_ticks, r->last.idle_ticks, dt) /
			      (double)sysconf(_SC_CLK_TCK) / r->cpus;
		if (r->now.idle > 1)
			r->now.idle = 1;
	}
	r->now.guest = smooth(r->now.guest, guest, dt);
	r->now.local = smooth(r->now.local, local, dt);
	r->now.load = r->now.guest + r->now.local;
}

static void take_disk(struct readings *r)
{
	struct statvfs st;

	if (r->ticks++ % DISK_TICKS == 0 && statvfs(r->spool_dir, &st) == 0)
		r->now.disk = (uint64_t)st.f_bavail * st.f_frsize;
}

static void take_all(struct readings *r)
{
	struct counters c = { 0 };
	struct cgroup_own own;
	int64_t t = om_mono_ns(r->clock);
	double dt = r->at_ns ? (double)(t - r->at_ns) / 1e9 : 0;
	double running;

	cgroup_own_read(r->tree, &own);
	c.own_us = own.cpu_us;
	cgroup_tree_cpu_us(r->tree, &c.guest_us);
	running = read_stat(r, &c);
	read_net(r, &c);
	r->now.mem = read_mem(r, &own);
	if (dt > 0) {
		take_load(r, &c, &own, running, dt);
		r->now.rx = (uint64_t)rate(c.rx, r->last.rx, dt);
		r->now.tx = (uint64_t)rate(c.tx, r->last.tx, dt);
	}
	take_disk(r);
	r->last = c;
	r->at_ns = t;
}

static bool moved(double now, double sent, double least, double share)
{
	double d = fabs(now - sent);

	return d > least && d > share * fabs(sent);
}

#define TELL(field, name, least, share)                                \
	do {                                                           \
		if (r->fresh || moved((double)r->now.field,            \
				      (double)r->sent.field, least,    \
				      share)) {                        \
			m->has_##name = true;                          \
			m->name = r->now.field;                        \
			r->sent.field = r->now.field;                  \
			any = true;                                    \
		}                                                      \
	} while (0)

bool readings_take(struct readings *r, Om__NodeReport *m)
{
	bool any = false;

	om__node_report__init(m);
	take_all(r);
	TELL(load, load, 0.05, 0.05);
	TELL(guest, load_guest, 0.05, 0.05);
	TELL(local, load_local, 0.05, 0.05);
	TELL(idle, idle, 0.05, 0);
	TELL(mem, mem_free, 16.0 * MIB, 0.02);
	TELL(rx, net_rx, 16384, 0.2);
	TELL(tx, net_tx, 16384, 0.2);
	TELL(disk, disk_free, 64.0 * MIB, 0.02);
	r->fresh = false;
	return any;
}
