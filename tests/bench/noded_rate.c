/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * noded_rate: what a job costs on the node side, without omctld: jobs a second
 * and processor time of omnoded, zygote and step daemons, the script's own not
 * counted. noded_rate [JOBS [AT A TIME]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/nodedrig.h"

/* Milliseconds of processor time: the process alone, its dead children. */
static void cpu_of(pid_t pid, double *self, double *children)
{
	char path[64], line[1024], *p;
	unsigned long u, s, cu, cs;
	double ms = 1000.0 / (double)sysconf(_SC_CLK_TCK);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		exit(1);
	fclose(f);
	p = strrchr(line, ')');
	sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
	       &u, &s, &cu, &cs);
	*self = (double)(u + s) * ms;
	*children = (double)(cu + cs) * ms;
}

static unsigned ended, total, width;
static double script_ms;

static bool feed(struct rig *r, void *arg)
{
	static unsigned sent;
	(void)arg;

	while (r->n_exits > 0) {
		Om__StepExit *e = r->exits[--r->n_exits];

		script_ms += (double)(e->usage->user_us + e->usage->system_us) /
			     1000;
		om__step_exit__free_unpacked(e, NULL);
		ended++;
	}
	while (r->n_started > 0)
		om__step_started__free_unpacked(r->started[--r->n_started],
						NULL);
	while (sent < total && sent - ended < width)
		rig_launch(r, &(struct rig_job){ .id = ++sent,
			   .last_of_job = true, .out = "/dev/null",
			   .script = "true\n" });
	return ended == total;
}

int main(int argc, char **argv)
{
	static struct rig r;
	double n0, n1, z0, z1, c0, c1, wall, none;
	pid_t zygote;
	int64_t t;

	total = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;
	width = argc > 2 ? (unsigned)atoi(argv[2]) : 4;
	rig_start(&r, NULL);
	zygote = rig_zygote(&r);
	cpu_of(r.noded, &n0, &none);
	cpu_of(zygote, &z0, &c0);
	t = om_mono_ns(om_clock_system());
	rig_wait(&r, feed, NULL, "all jobs");
	wall = (double)(om_mono_ns(om_clock_system()) - t) / 1e9;
	cpu_of(r.noded, &n1, &none);
	cpu_of(zygote, &z1, &c1);
	printf("jobs=%u rate=%.0f/s omnoded=%.3f zygote=%.3f stepd=%.3f "
	       "sum=%.3f script=%.3f ms a job\n", total, total / wall,
	       (n1 - n0) / total, (z1 - z0) / total,
	       (c1 - c0 - script_ms) / total,
	       (n1 - n0 + z1 - z0 + c1 - c0 - script_ms) / total,
	       script_ms / total);
	rig_stop(&r);
	return 0;
}
