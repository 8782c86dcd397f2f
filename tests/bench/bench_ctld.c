/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_ctld: what omctld costs by itself. Its nodes and commands are played
 * in one process, so that its own processor time stands out. Prints one line a
 * figure; gates nothing.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/ctldrig.h"

#define CLIENTS 8

static struct rig rig;
static struct rig_client client[CLIENTS];

static double now(void)
{
	return (double)om_mono_ns(om_clock_system()) / 1e9;
}

/* Processor seconds of omctld so far. */
static double cpu(void)
{
	unsigned long long user, sys;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", rig.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u "
				"%*u %*u %llu %llu", &user, &sys), 2);
	fclose(f);
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static unsigned long rss_kib(void)
{
	unsigned long kib = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", rig.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %lu", &kib);
	fclose(f);
	return kib;
}

struct load {
	struct rig_job job;
	unsigned left, answered;	/* of this client */
	uint64_t last_id;
};

static void on_answer(struct rig_client *c, enum om_msg type, uint32_t id,
		      const ProtobufCMessage *body)
{
	struct load *l = c->arg;

	(void)id;
	assert_int_equal(type, OM_MSG_SUBMITTED);
	l->last_id = ((const Om__Submitted *)body)->job_id;
	l->answered++;
	if (l->left && l->left--)
		rig_send_submit(c, &l->job);
}

struct total {
	struct load *load;
	unsigned wanted;
};

static bool all_answered(void *arg)
{
	struct total *t = arg;
	unsigned n = 0;

	for (int i = 0; i < CLIENTS; i++)
		n += t->load[i].answered;
	return n >= t->wanted;
}

static bool all_over(void *arg)
{
	struct total *t = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < rig.nodes; i++)
		n += rig.node[i].held != NULL;
	return rig.executions >= t->wanted && n == 0;
}

/* n submits by 8 clients, each waiting for its answer before the next. */
static void submits(unsigned n, const struct rig_job *job, bool to_end,
		    const char *what)
{
	struct load load[CLIENTS] = { 0 };
	struct total t = { load, n };
	double begin = now(), used = cpu(), done;

	rig.executions = 0;
	for (int i = 0; i < CLIENTS; i++) {
		load[i].job = *job;
		load[i].left = n / CLIENTS - 1;
		client[i].arg = load + i;
		client[i].on_message = on_answer;
		rig_send_submit(client + i, &load[i].job);
	}
	rig_wait(&rig, all_answered, &t);
	done = now();
	printf("%-34s %8.0f submits/s\n", what, n / (done - begin));
	if (to_end) {
		rig_wait(&rig, all_over, &t);
		printf("%-34s %8.0f jobs/s %8.3f ms omctld's processor time a job\n",
		       what, n / (now() - begin), (cpu() - used) / n * 1e3);
	} else {
		printf("%-34s %8.3f ms omctld's processor time a submit\n", what,
		       (cpu() - used) / n * 1e3);
	}
	for (int i = 0; i < CLIENTS; i++)
		client[i].on_message = NULL;
}

static void array(unsigned n)
{
	struct rig_job job = { 0 };
	struct total t = { NULL, n };
	char text[32];
	double begin, used, answered;

	snprintf(text, sizeof(text), "1-%u", n);
	job.array = text;
	rig.executions = 0;
	used = cpu();
	begin = now();
	rig_submit(client, &job);
	answered = now();
	rig_wait(&rig, all_over, &t);
	printf("array of %-25u %8.1f ms to the answer %8.0f jobs/s %8.3f ms omctld a job\n",
	       n, (answered - begin) * 1e3, n / (now() - begin),
	       (cpu() - used) / n * 1e3);
}

static void held_array(void)
{
	struct rig_job job = { .array = "1-100000", .hold = true };
	double begin = now();
	uint64_t id = rig_submit(client, &job);

	printf("held array of 100000               %8.1f ms to the answer\n",
	       (now() - begin) * 1e3);
	begin = now();
	assert_int_equal(rig_control(client, OM__JOB_VERB__CANCEL, id), 0);
	printf("  cancelled                        %8.1f ms\n",
	       (now() - begin) * 1e3);
}

struct listing {
	size_t jobs;
	bool done;
};

static void on_list(struct rig_client *c, enum om_msg type, uint32_t id,
		    const ProtobufCMessage *body)
{
	struct listing *l = c->arg;

	(void)id;
	assert_int_equal(type, OM_MSG_JOB_LIST_REPLY);
	l->jobs = ((const Om__JobListReply *)body)->n_job;
	l->done = true;
}

static bool is_listed(void *arg)
{
	return ((struct listing *)arg)->done;
}

static void list(const char *what)
{
	Om__JobList m = OM__JOB_LIST__INIT;
	Om__JobFilter f = OM__JOB_FILTER__INIT;
	Om__JobState pending = OM__JOB_STATE__PENDING;
	struct listing l = { 0 };
	double begin = now(), used = cpu();

	f.state = &pending;
	f.n_state = 1;
	m.filter = &f;
	client->arg = &l;
	client->on_message = on_list;
	om_conn_send(client->conn, OM_MSG_JOB_LIST, ++client->next_id, &m.base);
	rig_wait(&rig, is_listed, &l);
	client->on_message = NULL;
	printf("%-34s %8.1f ms for %zu jobs, decoded; %.0f ms of it omctld\n",
	       what, (now() - begin) * 1e3, l.jobs, (cpu() - used) * 1e3);
}

static void restart(int signo)
{
	double begin;

	for (int i = 0; i < CLIENTS; i++)
		rig_client_close(client + i);
	rig_ctld_end(&rig, signo);
	begin = now();
	rig_ctld_start(&rig);
	for (int i = 0; i < CLIENTS; i++)
		rig_client_connect(&rig, client + i);
	printf("restart after signal %-2d            %8.1f ms to the first connection\n",
	       signo, (now() - begin) * 1e3);
}

static int by_value(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

static bool has_run(void *arg)
{
	return rig.executions > *(unsigned *)arg;
}

static void latency(void)
{
	double ms[101];

	for (int i = 0; i < 101; i++) {
		unsigned before = rig.executions;
		double begin = now();

		rig_send_submit(client, &(struct rig_job){ 0 });
		rig_wait(&rig, has_run, &before);
		ms[i] = (now() - begin) * 1e3;
		rig_turns(&rig, 5 * OM_NS_PER_MS);
	}
	qsort(ms, 101, sizeof(*ms), by_value);
	printf("submit to start, idle              %8.2f ms median %8.2f ms most\n",
	       ms[50], ms[100]);
}

static void bench(void **state)
{
	struct rig_job held = { .hold = true };
	unsigned long before;
	double idle;

	(void)state;
	rig_start(&rig, 4, "log_level = warn");
	for (int i = 0; i < CLIENTS; i++)
		rig_client_connect(&rig, client + i);
	latency();
	for (int i = 0; i < CLIENTS; i++)
		client[i].in = NULL;
	submits(5000, &(struct rig_job){ 0 }, true, "single jobs, 8 clients");
	array(5000);
	held_array();
	before = rss_kib();
	submits(50000, &held, false, "50,000 held");
	list("omq");
	submits(50000, &held, false, "50,000 more");
	printf("100,000 pending                    %8lu KiB resident, %.0f bytes a job\n",
	       rss_kib(), (double)(rss_kib() - before) * 1024 / 100000);
	restart(SIGKILL);
	restart(SIGTERM);
	restart(SIGKILL);
	printf("resident after restart             %8lu KiB\n", rss_kib());
	submits(1000, &(struct rig_job){ 0 }, true, "1,000 beside 100,000 pending");
	idle = cpu();
	rig_turns(&rig, 5 * OM_NS_PER_S);
	printf("idle for 5 s                       %8.2f %% of a core\n",
	       (cpu() - idle) / 5 * 100);
	for (int i = 0; i < CLIENTS; i++)
		rig_client_close(client + i);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bench) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
