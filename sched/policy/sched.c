/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sched: making, remaking and telling the scheduler; see sched.h. */
#include <stdlib.h>
#include <string.h>

#include "sched/policy/sched.h"

static void free_parts(struct om_part *part, uint32_t parts)
{
	for (uint32_t i = 0; i < parts; i++)
		om_part_fini(part + i);
	free(part);
}

static int make_parts(const struct om_config *config, struct om_part **ret,
		      struct om_error *err)
{
	struct om_part *part = calloc(config->partitions + 1, sizeof(*part));
	int rc = part ? 0 : om_fail_nomem(err);
	bool has_default = false;

	for (size_t i = 0; rc == 0 && i < config->partitions; i++) {
		rc = om_part_init(part + i, config->partition + i,
				  (uint32_t)i, err);
		has_default |= part[i].is_default;
	}
	if (rc < 0) {
		if (part)
			free_parts(part, (uint32_t)config->partitions);
		return rc;
	}
	if (!has_default && config->partitions)
		part[0].is_default = true;
	*ret = part;
	return 0;
}

static void clear(struct om_sched *s)
{
	om_queue_clear(s);
	om_nodes_fini(s);
	free_parts(s->part, s->parts);
	s->part = NULL;
	s->parts = 0;
	s->load_limits = 0;
}

/* Everything that is derived from the model. */
static int fill(struct om_sched *s, struct om_error *err)
{
	memset(&s->market, 0, sizeof(s->market));	/* counts as nodes come */
	s->market_generation++;
	s->epoch++;
	s->work = s->freed = s->ended = true;
	s->lost = false;
	om_nodes_look_all(s);
	if (s->lost || om_queue_fill(s) < 0) {
		s->lost = true;
		return om_fail_nomem(err);
	}
	return 0;
}

struct om_sched *om_sched_create(const struct om_config *config,
				 struct om_model *m, struct om_error *err)
{
	struct om_sched *s = calloc(1, sizeof(*s));

	if (!s) {
		om_fail_nomem(err);
		return NULL;
	}
	s->m = m;
	if (om_sched_reconfigure(s, config, err) < 0) {
		om_sched_destroy(s);
		return NULL;
	}
	return s;
}

void om_sched_destroy(struct om_sched *s)
{
	if (!s)
		return;
	clear(s);
	om_buf_fini(&s->key);
	free(s);
}

int om_sched_reconfigure(struct om_sched *s, const struct om_config *config,
			 struct om_error *err)
{
	struct om_part *part;
	int rc = make_parts(config, &part, err);

	if (rc < 0)
		return rc;	/* the old ones stay */
	clear(s);
	s->part = part;
	s->parts = (uint32_t)config->partitions;
	s->oversubscribe = 0;
	for (uint32_t i = 0; i < s->parts; i++)
		if (part[i].oversubscribe > s->oversubscribe)
			s->oversubscribe = part[i].oversubscribe;
	return fill(s, err);
}

int om_sched_rebuild(struct om_sched *s, struct om_error *err)
{
	om_queue_clear(s);
	om_nodes_fini(s);
	for (uint32_t i = 0; i < s->parts; i++) {
		s->part[i].free_cpus = 0;
		om_reservation_fini(&s->part[i].resv);
	}
	return fill(s, err);
}

void om_sched_set_member(struct om_sched *s, om_member_fn *fn, void *arg)
{
	s->member = fn;
	s->member_arg = arg;
}

void om_sched_node_changed(struct om_sched *s, struct om_node *n)
{
	om_nodes_look(s, n->index);
	/* Whose cpus were freed is not known from the sums. */
	if (s->mixed)
		s->rescan = true;
}

void om_sched_resources_freed(struct om_sched *s)
{
	s->rescan = s->ended = true;
}

struct om_place om_sched_place(const struct om_sched *s, bool held)
{
	return (struct om_place){
		.room = s->room,
		.rooms = s->rooms,
		.hold = held ? s->hold : NULL,
		.market = &s->market,
		.open = s->open,
	};
}

struct om_market_view om_sched_view(const struct om_sched *s)
{
	return (struct om_market_view){
		.room = s->room,
		.rooms = s->rooms,
		.market = &s->market,
		.generation = s->market_generation,
		.log = &s->log,
	};
}
