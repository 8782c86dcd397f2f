/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outbox: StepExits, kept and told again until omctld acknowledges them. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "sched/noded/noded.h"

struct key {
	uint64_t job;
	uint32_t step, inc;	/* no padding: it is hashed as bytes */
};

struct letter {
	struct key key;
	Om__StepExit *msg;
	UT_hash_handle hh;
};

struct outbox {
	struct noded *noded;
	struct letter *letters;
};

struct outbox *outbox_create(struct noded *n)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o)
		o->noded = n;
	return o;
}

static void letter_free(struct outbox *o, struct letter *l)
{
	HASH_DEL(o->letters, l);
	om__step_exit__free_unpacked(l->msg, NULL);
	free(l);
}

void outbox_destroy(struct outbox *o)
{
	struct letter *l, *next;

	if (!o)
		return;
	HASH_ITER(hh, o->letters, l, next)
		letter_free(o, l);
	free(o);
}

static struct letter *find(struct outbox *o, uint64_t job, uint32_t step,
			   uint32_t inc)
{
	struct key key = { .job = job, .step = step, .inc = inc };
	struct letter *l;

	HASH_FIND(hh, o->letters, &key, sizeof(key), l);
	return l;
}

static struct letter *letter_of(const Om__StepExit *e)
{
	size_t len = om__step_exit__get_packed_size(e);
	om_autofree uint8_t *p = malloc(len);
	struct letter *l = calloc(1, sizeof(*l));

	if (p && l) {
		om__step_exit__pack(e, p);
		l->msg = om__step_exit__unpack(NULL, len, p);
	}
	if (!l || !l->msg) {
		free(l);
		return NULL;
	}
	l->key = (struct key){ .job = e->job_id, .step = e->step_id,
			       .inc = e->incarnation };
	return l;
}

void outbox_put(struct outbox *o, const Om__StepExit *e, bool journaled)
{
	struct letter *l = find(o, e->job_id, e->step_id, e->incarnation);
	Om__NodeRecord r = OM__NODE_RECORD__INIT;

	if (l)
		letter_free(o, l);
	if (!journaled) {
		r.exit = (Om__StepExit *)e;
		noded_journal(o->noded, &r);
	}
	l = letter_of(e);
	if (l)
		HASH_ADD(hh, o->letters, key, sizeof(l->key), l);
	else	/* the journal has it still */
		om_log_error("out of memory: a step's end is told once only");
	ctldlink_send(o->noded->ctld, OM_MSG_STEP_EXIT, &e->base);
}

bool outbox_resend(struct outbox *o, uint64_t job, uint32_t step, uint32_t inc)
{
	struct letter *l = find(o, job, step, inc);

	if (l)
		ctldlink_send(o->noded->ctld, OM_MSG_STEP_EXIT, &l->msg->base);
	return l;
}

void outbox_ack(struct outbox *o, const Om__StepAck *a, bool journaled)
{
	struct letter *l = find(o, a->job_id, a->step_id, a->incarnation);
	Om__NodeRecord r = OM__NODE_RECORD__INIT;

	if (!l)
		return;
	letter_free(o, l);
	if (journaled)
		return;
	r.ack = (Om__StepAck *)a;
	noded_journal(o->noded, &r);
	memory_tidy(o->noded);
}

size_t outbox_count(const struct outbox *o)
{
	return HASH_COUNT(o->letters);
}

void outbox_each(struct outbox *o, void (*fn)(void *arg, Om__StepExit *e),
		 void *arg)
{
	struct letter *l, *next;

	HASH_ITER(hh, o->letters, l, next)
		fn(arg, l->msg);
}
