/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_store: durable events a second, against the disk itself.
 *
 *   bench_store [FOLDER]
 *
 * Each figure is set beside a bare loop of write and fdatasync of the same
 * number of bytes at a time, in the same folder and in turns with it: a disk
 * that others use too is slow for both. Then the free running store: as many
 * events as a loop can append, batches as they form.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/store.h"

#define SECONDS 2		/* of the free run */
#define TURNS 15
#define TURN_SECONDS 0.15

static const struct om_clock *wall;

struct bench {
	char dir[200];
	struct om_loop *loop;
	struct om_store *store;
	Om__Event ev;
	size_t event_bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static void on_durable(void *arg, uint64_t seq)
{
	(void)arg;
	(void)seq;
}

static void on_failed(void *arg, const struct om_error *err)
{
	(void)arg;
	die(err->text);
}

/* A usual event: a job is submitted. */
static void make_event(struct bench *b)
{
	static Om__EvSubmitted sub = OM__EV_SUBMITTED__INIT;
	static Om__JobSpec spec = OM__JOB_SPEC__INIT;
	static uint8_t uuid[16];

	spec.name = "a-usual-name";
	spec.has_tasks = true;
	spec.tasks = 4;
	sub.job_id = 123456;
	sub.uid = sub.gid = 1000;
	sub.uuid = (ProtobufCBinaryData){ sizeof(uuid), uuid };
	sub.spec = &spec;
	sub.user = "somebody";
	sub.cwd = "/home/somebody/some/folder";
	sub.std_out = "/home/somebody/some/folder/job-%j.out";
	b->ev = (Om__Event)OM__EVENT__INIT;
	b->ev.at_ns = INT64_C(1700000000000000000);
	b->ev.what_case = OM__EVENT__WHAT_SUBMITTED;
	b->ev.submitted = &sub;
	b->event_bytes = om__event__get_packed_size(&b->ev);
}

static double seconds(int64_t from)
{
	return (double)(om_mono_ns(wall) - from) / 1e9;
}

static void append(struct bench *b, unsigned n)
{
	struct om_error err = OM_ERROR_INIT;

	while (n--)
		if (om_store_append(b->store, &b->ev, &err) < 0)
			die(err.text);
}

/* Events a second when every n of them wait for the disk. */
static double store_rate(struct bench *b, unsigned n)
{
	int64_t t = om_mono_ns(wall);
	double events = 0;

	while (seconds(t) < TURN_SECONDS) {
		append(b, n);
		om_store_flush(b->store);
		while (om_store_durable(b->store) < om_store_last(b->store)) {
			om_loop_turn(b->loop, OM_NS_PER_S, NULL);
			om_store_flush(b->store);
		}
		events += n;
	}
	return events / seconds(t);
}

/* The same bytes with write and fdatasync, and nothing else. */
static double bare_rate(struct bench *b, unsigned n)
{
	size_t len = b->event_bytes * n;
	om_autofree char *bytes = calloc(1, len);
	char path[256];
	om_autofd int fd = -1;
	double events = 0;
	int64_t t;

	snprintf(path, sizeof(path), "%s/bare", b->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || !bytes)
		die("cannot write the bare file");
	for (t = om_mono_ns(wall); seconds(t) < TURN_SECONDS; events += n)
		if (write(fd, bytes, len) != (ssize_t)len || fdatasync(fd) < 0)
			die("cannot write the bare file");
	unlink(path);
	return events / seconds(t);
}

/* A loop that always has something to say: batches as they form. */
static void free_running(struct bench *b)
{
	uint64_t first = om_store_last(b->store);
	struct rusage before, after;
	int64_t t = om_mono_ns(wall);
	double cpu, events;

	getrusage(RUSAGE_SELF, &before);
	while (seconds(t) < SECONDS) {
		if (om_store_last(b->store) < om_store_durable(b->store) + 20000)
			append(b, 20);
		om_store_flush(b->store);
		om_loop_turn(b->loop, 0, NULL);
	}
	getrusage(RUSAGE_SELF, &after);
	events = (double)(om_store_durable(b->store) - first);
	cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
	      (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
	      (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
	      (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
	printf("free running         %9.0f events/s  %5.1f us of processor an event (and what spinning took)\n",
	       events / seconds(t), cpu / events * 1e6);
}

static int by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* The middle of all turns. */
static void compare(struct bench *b, unsigned n)
{
	double bare[TURNS], store[TURNS], ratio[TURNS];

	for (int i = 0; i < TURNS; i++) {
		bare[i] = bare_rate(b, n);
		store[i] = store_rate(b, n);
		ratio[i] = store[i] / bare[i];
	}
	qsort(bare, TURNS, sizeof(double), by_size);
	qsort(store, TURNS, sizeof(double), by_size);
	qsort(ratio, TURNS, sizeof(double), by_size);
	printf("%4u a commit        %9.0f events/s  bare write+fdatasync %9.0f  ratio %.2f\n",
	       n, store[TURNS / 2], bare[TURNS / 2], ratio[TURNS / 2]);
}

/* How long an event waits while a large snapshot is written. */
static void during_snapshot(struct bench *b)
{
	Om__Snapshot rec = OM__SNAPSHOT__INIT;
	Om__Setting setting = OM__SETTING__INIT;
	char value[900];
	double worst = 0, sum = 0;
	int64_t begin;
	unsigned n = 0;

	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	setting.key = "key";
	setting.value = value;
	rec.what_case = OM__SNAPSHOT__WHAT_SETTING;
	rec.setting = &setting;
	begin = om_mono_ns(wall);
	if (om_store_snapshot_begin(b->store, NULL) < 0)
		die("cannot begin a snapshot");
	for (int i = 0; i < 100000; i++)
		om_store_snapshot_add(b->store, &rec, NULL);
	om_store_snapshot_end(b->store, NULL);
	printf("snapshot of 100,000  %9.0f ms to gather\n",
	       seconds(begin) * 1e3);
	while (om_store_snapshot_begin(b->store, NULL) == -EBUSY) {
		int64_t t = om_mono_ns(wall);
		double waited;

		append(b, 1);
		om_store_flush(b->store);
		while (om_store_durable(b->store) < om_store_last(b->store)) {
			om_loop_turn(b->loop, OM_NS_PER_S, NULL);
			om_store_flush(b->store);
		}
		waited = seconds(t);
		sum += waited;
		n++;
		if (waited > worst)
			worst = waited;
	}
	printf("while it is written  %9.1f ms a lone event, %.1f ms the worst, %.0f ms in all\n",
	       sum / n * 1e3, worst * 1e3, seconds(begin) * 1e3);
}

int main(int argc, char **argv)
{
	struct bench b = { .store = NULL };
	struct om_store_config c = { .durable_fn = on_durable,
				     .failed_fn = on_failed, .arg = &b };
	struct om_error err = OM_ERROR_INIT;
	char path[256];

	wall = om_clock_system();
	snprintf(b.dir, sizeof(b.dir), "%.150s/om-bench-store-XXXXXX",
		 argc > 1 ? argv[1] : "/var/tmp");
	if (!mkdtemp(b.dir))
		die("cannot make a folder");
	b.loop = om_loop_create(&err);
	snprintf(path, sizeof(path), "%s/state.db", b.dir);
	c.path = path;
	c.loop = b.loop;
	b.store = b.loop ? om_store_open(&c, &err) : NULL;
	if (!b.store)
		die(err.text);
	make_event(&b);
	printf("events of %zu bytes\n", b.event_bytes);
	compare(&b, 1);
	compare(&b, 10);
	compare(&b, 100);
	free_running(&b);
	during_snapshot(&b);
	om_store_close(b.store);
	om_loop_destroy(b.loop);
	snprintf(path, sizeof(path), "rm -rf %s", b.dir);
	return system(path) != 0;
}
