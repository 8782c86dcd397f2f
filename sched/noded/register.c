/* SPDX-License-Identifier: GPL-3.0-or-later */
/* register: what a node tells of itself; see register.h. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "sched/noded/register.h"
#include "sched/noded/speed.h"
#include "sched/noded/topology.h"

struct registration {
	uint8_t boot_id[16];
	uint64_t session;
	double speed;
	struct topology topology;
	char *address;
	const struct om_conf_node *conf;	/* NULL: not in the file */
};

static int read_boot_id(uint8_t id[16], struct om_error *err)
{
	om_autofd int fd = open("/proc/sys/kernel/random/boot_id",
				O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t digits = 0;

	if (n < 0)
		return om_fail_errno(err, "cannot read the boot's id");
	memset(id, 0, 16);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char *hex = "0123456789abcdef";
		const char *at = text[i] == '-' ? NULL : strchr(hex, text[i]);

		if (!at)
			continue;
		id[digits / 2] |= (uint8_t)((at - hex) << (digits % 2 ? 0 : 4));
		digits++;
	}
	return digits == 32 ? 0 : om_fail(err, -EPROTO,
					  "the boot's id is malformed");
}

static const struct om_conf_node *find_conf(const struct om_config *c,
					    const char *name)
{
	for (size_t i = 0; i < c->nodes; i++)
		if (om_str_eq(c->node[i].name, name))
			return c->node + i;
	return NULL;
}

static int measure(struct registration *r, struct noded *n,
		   struct om_error *err)
{
	int rc = topology_read(&r->topology, n->place.tree, r->conf, err);

	if (rc < 0)
		return rc;
	if (r->conf && r->conf->speed > 0) {
		r->speed = r->conf->speed;
		return 0;
	}
	rc = speed_measure(n->place.node_dir, r->topology.cpu_model, &r->speed,
			   err);
	if (rc < 0)
		return rc;
	/* A quota below the processors told makes each of them slower. */
	if (r->topology.quota > 0 && r->topology.quota < r->topology.cpus)
		r->speed *= r->topology.quota / r->topology.cpus;
	return 0;
}

struct registration *registration_create(struct noded *n, struct om_error *err)
{
	struct registration *r = calloc(1, sizeof(*r));

	if (!r) {
		om_fail_nomem(err);
		return NULL;
	}
	r->conf = find_conf(n->conf, n->place.name);
	if (getrandom(&r->session, sizeof(r->session), 0) !=
	    sizeof(r->session)) {
		om_fail_errno(err, "cannot draw a random number");
		goto fail;
	}
	r->address = strdup(r->conf && r->conf->address ? r->conf->address :
			    n->place.name);
	if (!r->address) {
		om_fail_nomem(err);
		goto fail;
	}
	if (read_boot_id(r->boot_id, err) < 0 || measure(r, n, err) < 0)
		goto fail;
	return r;
fail:
	registration_destroy(r);
	return NULL;
}

void registration_destroy(struct registration *r)
{
	if (!r)
		return;
	topology_fini(&r->topology);
	free(r->address);
	free(r);
}

/* Growing lists for the message; what they point to is borrowed. */
struct lists {
	Om__StepOnNode *step;
	Om__StepOnNode **steps;
	uint64_t *jobs;
	size_t n_step, n_jobs, cap_jobs;
	bool nomem;
};

static void add_step(struct lists *l, uint64_t job, uint32_t step,
		     uint32_t inc, Om__StepExit *e)
{
	Om__StepOnNode *s = l->step + l->n_step;

	om__step_on_node__init(s);
	s->job_id = job;
	s->step_id = step;
	s->incarnation = inc;
	s->exit = e;
	l->steps[l->n_step++] = s;
}

static void add_exit(void *arg, Om__StepExit *e)
{
	add_step(arg, e->job_id, e->step_id, e->incarnation, e);
}

static void add_job(void *arg, uint64_t job)
{
	struct lists *l = arg;

	for (size_t i = 0; i < l->n_jobs; i++)
		if (l->jobs[i] == job)
			return;
	if (l->n_jobs == l->cap_jobs) {
		size_t cap = l->cap_jobs ? 2 * l->cap_jobs : 64;
		uint64_t *p = realloc(l->jobs, cap * sizeof(*p));

		if (!p) {
			l->nomem = true;
			return;
		}
		l->jobs = p;
		l->cap_jobs = cap;
	}
	l->jobs[l->n_jobs++] = job;
}

static size_t count_steps(struct noded *n)
{
	size_t count = outbox_count(n->outbox);
	struct njob *j, *next;
	struct nstep *s;

	HASH_ITER(hh, n->jobs, j, next)
		DL_FOREACH(j->steps, s)
			count++;
	return count;
}

static int fill_lists(struct lists *l, struct noded *n, struct om_error *err)
{
	size_t count = count_steps(n) + 1;
	struct njob *j, *next;
	struct nstep *s;

	l->step = calloc(count, sizeof(*l->step));
	l->steps = calloc(count, sizeof(*l->steps));
	if (!l->step || !l->steps)
		return om_fail_nomem(err);
	HASH_ITER(hh, n->jobs, j, next) {
		add_job(l, j->id);
		DL_FOREACH(j->steps, s)
			add_step(l, j->id, s->id, j->inc, NULL);
	}
	outbox_each(n->outbox, add_exit, l);
	if (cgroup_jobs(n->place.tree, add_job, l, err) < 0)
		return err->code;
	return l->nomem ? om_fail_nomem(err) : 0;
}

static void fill_self(const struct registration *r, const struct noded *n,
		      Om__NodeRegister *m)
{
	m->name = n->place.name;
	m->boot_id.data = (uint8_t *)r->boot_id;
	m->boot_id.len = sizeof(r->boot_id);
	m->session = r->session;
	m->has_speed = true;
	m->speed = r->speed;
	m->version = (char *)PACKAGE_VERSION;
	m->address = r->address;
	m->has_port = true;
	m->port = n->conf->node_port;
	if (r->conf) {
		m->feature = r->conf->features.v;
		m->n_feature = r->conf->features.n;
	}
}

int registration_send(struct registration *r, struct noded *n,
		      struct om_conn *c, struct om_error *err)
{
	Om__NodeRegister m = OM__NODE_REGISTER__INIT;
	Om__Topology t;
	struct lists l = { 0 };
	int rc = fill_lists(&l, n, err);

	if (rc == 0) {
		fill_self(r, n, &m);
		topology_fill(&r->topology, &t);
		m.topology = &t;
		m.step = l.steps;
		m.n_step = l.n_step;
		m.jobs = l.jobs;
		m.n_jobs = l.n_jobs;
		rc = om_conn_send(c, OM_MSG_NODE_REGISTER, 1, &m.base);
		if (rc < 0)
			om_fail(err, rc, "cannot register: %s", strerror(-rc));
	}
	free(l.step);
	free(l.steps);
	free(l.jobs);
	return rc;
}
