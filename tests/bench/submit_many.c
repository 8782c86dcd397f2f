/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * submit_many: fills the queue fast, over several connections with several
 * submits under way on each. For measuring omctld without the price of a
 * process for each submit.
 *
 * One line of output: "JOBS CONNECTIONS WINDOW SECONDS JOBS_PER_S LAST_ID".
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/client/client.h"
#include "lib/conf/config.h"

#define CONNECTIONS_MAX 64
#define ANSWER_NS (120 * OM_NS_PER_S)

static const char default_script[] = "#!/bin/sh\ntrue\n";

struct load {
	uint32_t jobs, connections, window;
	bool hold;
	char *array;			/* NULL: plain jobs */
	const struct om_config *config;
	ProtobufCBinaryData launch;	/* packed */
	_Atomic uint64_t last_id;
};

struct worker {
	struct load *load;
	pthread_t thread;
	uint32_t jobs;
	int rc;
	struct om_error err;
};

static _Noreturn void usage(void)
{
	fprintf(stderr, "Usage: submit_many [-n JOBS] [-c CONNECTIONS] "
		"[-w WINDOW] [-H] [-a ARRAY]\n"
		"-H: held jobs; -w: submits under way on each connection.\n");
	exit(2);
}

static int send_one(struct load *l, struct om_client *c, uint32_t id,
		    struct om_error *err)
{
	Om__JobSpec spec = OM__JOB_SPEC__INIT;
	Om__Submit msg = OM__SUBMIT__INIT;
	uint8_t uuid[16];

	if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
		return om_fail_errno(err, "no random bytes");
	spec.name = "true.sh";
	spec.has_hold = spec.hold = l->hold;
	spec.array = l->array;
	msg.uuid = (ProtobufCBinaryData){ sizeof(uuid), uuid };
	msg.spec = &spec;
	msg.launch = l->launch;
	return om_client_send(c, OM_MSG_SUBMIT, id, &msg.base, err);
}

static int take_answer(struct load *l, struct om_client *c,
		       struct om_error *err)
{
	ProtobufCMessage *body = NULL;
	enum om_msg type;
	uint64_t job;
	uint32_t id;
	int rc = om_client_receive(c, ANSWER_NS, &type, &id, &body, err);

	if (rc < 0)
		return rc;
	if (type == OM_MSG_SUBMITTED) {
		job = ((Om__Submitted *)body)->job_id;
		if (job > atomic_load(&l->last_id))
			atomic_store(&l->last_id, job);
	} else if (type == OM_MSG_REPLY) {
		rc = om_fail(err, ((Om__Reply *)body)->code, "refused: %s",
			     ((Om__Reply *)body)->text);
	} else {
		rc = om_fail(err, -EPROTO, "an answer of type %d", (int)type);
	}
	protobuf_c_message_free_unpacked(body, NULL);
	return rc;
}

static int submit_all(struct worker *w, struct om_client *c)
{
	uint32_t sent = 0, answered = 0;
	int rc = 0;

	while (rc == 0 && answered < w->jobs) {
		while (rc == 0 && sent < w->jobs &&
		       sent - answered < w->load->window)
			rc = send_one(w->load, c, ++sent, &w->err);
		if (rc == 0)
			rc = take_answer(w->load, c, &w->err);
		answered++;
	}
	return rc;
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	struct om_client *c = om_client_create(w->load->config, &w->err);

	w->rc = c ? submit_all(w, c) : w->err.code;
	om_client_destroy(c);
	return NULL;
}

/* What "omsub -o /dev/null" would send from an empty environment. */
static int pack_launch(struct load *l)
{
	char *env[] = { "PATH=/usr/bin:/bin" };
	Om__Launch m = OM__LAUNCH__INIT;

	m.has_script = true;
	m.script.data = (uint8_t *)default_script;
	m.script.len = sizeof(default_script) - 1;
	m.env = env;
	m.n_env = 1;
	m.cwd = "/";
	m.std_out = "/dev/null";
	l->launch.len = om__launch__get_packed_size(&m);
	l->launch.data = malloc(l->launch.len);
	if (!l->launch.data)
		return -ENOMEM;
	om__launch__pack(&m, l->launch.data);
	return 0;
}

static int run_all(struct load *l)
{
	static struct worker w[CONNECTIONS_MAX];
	int rc = 0;

	for (uint32_t i = 0; i < l->connections; i++) {
		w[i].load = l;
		w[i].jobs = l->jobs / l->connections +
			    (i < l->jobs % l->connections);
		if (pthread_create(&w[i].thread, NULL, run_worker, w + i)) {
			fprintf(stderr, "submit_many: no thread\n");
			exit(1);
		}
	}
	for (uint32_t i = 0; i < l->connections; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].rc < 0)
			fprintf(stderr, "submit_many: %s\n",
				om_error_text(&w[i].err));
		rc = rc ? rc : w[i].rc;
	}
	return rc;
}

static void parse(struct load *l, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:c:w:Ha:")) != -1) {
		int rc = 0;

		if (c == 'n')
			rc = om_parse_u32(optarg, 1, 10000000, &l->jobs);
		else if (c == 'c')
			rc = om_parse_u32(optarg, 1, CONNECTIONS_MAX,
					  &l->connections);
		else if (c == 'w')
			rc = om_parse_u32(optarg, 1, 100000, &l->window);
		else if (c == 'H')
			l->hold = true;
		else if (c == 'a')
			l->array = optarg;
		else
			usage();
		if (rc < 0)
			usage();
	}
	if (optind < argc)
		usage();
}

int main(int argc, char **argv)
{
	struct load l = { .jobs = 1000, .connections = 8, .window = 1 };
	const struct om_clock *clock = om_clock_system();
	struct om_error err = OM_ERROR_INIT;
	struct om_config *config;
	double took;
	int rc;

	parse(&l, argc, argv);
	config = om_config_load(NULL, &err);
	if (!config) {
		fprintf(stderr, "submit_many: %s\n", om_error_text(&err));
		return 1;
	}
	l.config = config;
	rc = pack_launch(&l);
	took = -(double)om_mono_ns(clock);
	if (rc == 0)
		rc = run_all(&l);
	took = (took + (double)om_mono_ns(clock)) / 1e9;
	if (rc == 0)
		printf("%u %u %u %.4f %.1f %llu\n", l.jobs, l.connections,
		       l.window, took, l.jobs / took,
		       (unsigned long long)atomic_load(&l.last_id));
	free(l.launch.data);
	om_config_destroy(config);
	return rc < 0;
}
