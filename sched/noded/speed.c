/* SPDX-License-Identifier: GPL-3.0-or-later */
/* speed: a short benchmark of one processor; see speed.h. */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/speed.h"

#define MEM_BYTES (4u << 20)	/* beyond a usual L2 */
#define REPEATS 8		/* the best counts: others were disturbed */
#define STEP 0.05		/* differences below are noise, not speed */

/* Rounds a millisecond of each kernel on the reference. */
static const double reference[3] = { 300.0, 121.0, 0.20 };

struct kernel {
	/* Runs so many rounds; the result keeps the compiler honest. */
	uint64_t (*run)(unsigned rounds, void *mem);
	unsigned rounds;
	double weight;	/* memory less: neighbours disturb it most */
};

static uint64_t integer(unsigned rounds, void *mem)
{
	uint64_t x = 88172645463325252u, sum = 0;

	(void)mem;
	for (unsigned i = 0; i < rounds; i++)
		for (unsigned k = 0; k < 1000; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			sum += x % 1021 < 510 ? x >> 5 : x & 0xff;
		}
	return sum;
}

static uint64_t floating(unsigned rounds, void *mem)
{
	double a = 1.0, b = 0.5, sum = 0;

	(void)mem;
	for (unsigned i = 0; i < rounds; i++)
		for (unsigned k = 1; k <= 1000; k++) {
			a = a * 1.0000001 + b / k;
			b = b * 0.9999999 + 0.0000001 * a;
			sum += a * b;
		}
	return (uint64_t)fabs(fmod(sum, 1e6));
}

/* A walk in steps that no prefetcher follows, reading and writing. */
static uint64_t memory(unsigned rounds, void *mem)
{
	uint32_t *p = mem;
	uint32_t n = MEM_BYTES / sizeof(*p), at = 0;

	for (unsigned i = 0; i < rounds; i++)
		for (uint32_t k = 0; k < n / 16; k++) {
			p[at] += k;
			at = (at * 1664525u + 1013904223u + p[at] % 7) % n;
		}
	return at;
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static volatile uint64_t sink;

/* Rounds a millisecond, the best of some tries of a few milliseconds. */
static double rate(const struct kernel *k, void *mem)
{
	double best = 0;

	for (int i = 0; i < REPEATS; i++) {
		double start = cpu_ms(), took;

		sink += k->run(k->rounds, mem);
		took = cpu_ms() - start;
		if (took > 0 && k->rounds / took > best)
			best = k->rounds / took;
	}
	return best;
}

static int benchmark(double *ret, struct om_error *err)
{
	static const struct kernel kernels[3] = {
		{ integer, 1500, 0.4 }, { floating, 700, 0.4 },
		{ memory, 1, 0.2 },
	};
	om_autofree void *mem = calloc(1, MEM_BYTES);
	double product = 1;

	if (!mem)
		return om_fail_nomem(err);
	for (int i = 0; i < 3; i++) {
		double r = rate(kernels + i, mem);

		om_log_debug("speed kernel=%d rounds_per_ms=%.2f", i, r);
		product *= pow(r / reference[i], kernels[i].weight);
	}
	*ret = STEP * round(product / STEP);
	if (!(*ret > 0.001 && *ret < 1000))
		return om_fail(err, -ERANGE, "measured speed %g is absurd",
			       *ret);
	return 0;
}

/* The key names the reference too: a new one makes old figures worthless. */
static void make_key(char *key, size_t size, const char *model)
{
	char boot[64] = "";
	om_autofile FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f && !fgets(boot, sizeof(boot), f))
		boot[0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	snprintf(key, size, "%s|%s|%s", boot, model, OM_SPEED_REFERENCE);
}

static bool read_cache(int dirfd, const char *key, double *ret)
{
	int fd = openat(dirfd, "speed", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	om_autofile FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	char line[512];
	double value;

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, key) || fscanf(f, "%lf", &value) != 1 ||
	    !(value > 0.001 && value < 1000))
		return false;
	*ret = value;
	return true;
}

static void write_cache(int dirfd, const char *key, double value)
{
	int fd = openat(dirfd, "speed", O_WRONLY | O_CREAT | O_TRUNC |
			O_NOFOLLOW | O_CLOEXEC, 0600);

	/* Not kept: it is measured anew the next time. */
	if (fd < 0 || dprintf(fd, "%s\n%.4f\n", key, value) < 0)
		om_log_warn("cannot keep the measured speed: %s",
			    strerror(errno));
	if (fd >= 0)
		close(fd);
}

int speed_measure(const char *dir, const char *model, double *ret,
		  struct om_error *err)
{
	om_autofd int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char key[512];
	int rc;

	if (dirfd < 0)
		return om_fail_errno(err, "cannot open '%s'", dir);
	make_key(key, sizeof(key), model);
	if (read_cache(dirfd, key, ret))
		return 0;
	rc = benchmark(ret, err);
	if (rc < 0)
		return rc;
	write_cache(dirfd, key, *ret);
	return 0;
}
