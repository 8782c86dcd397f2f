/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random clusters and job mixes, judged by rules written down here once more
 * and without any index: what starts may start there, what could start does,
 * and a single task goes to the cheapest node of all.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utlist.h>

#include "sched/policy/sched.h"
#include "tests/unit/model_fixture.h"

#define CLUSTERS 150
#define TURNS 60
#define NODES_MAX 9

struct world {
	uint64_t seed;
	uint32_t nodes;
	bool prices;			/* a shared cluster: prices decide */
	uint32_t starts, priced;
};

/* ---- the rules */
static bool has_feature(const struct om_node *n, const char *feature)
{
	for (uint32_t i = 0; i < n->features; i++)
		if (!strcmp(n->feature[i], feature))
			return true;
	return false;
}

/* Masks as mask_text below makes them: one entry after the other. */
static bool mask_lets(const char *mask, const struct om_node *n)
{
	char copy[256], *p = copy, *word;
	bool allowed = false, any_allow = false, denied = false;

	if (!mask)
		return true;
	snprintf(copy, sizeof(copy), "%s", mask);
	while ((word = strsep(&p, ","))) {
		bool deny = *word == '!', hit;

		word += deny;
		hit = *word == '@' ? has_feature(n, word + 1) :
				     !strcmp(word, n->name);
		denied |= deny && hit;
		any_allow |= !deny;
		allowed |= !deny && hit;
	}
	return !denied && (allowed || !any_allow);
}

static bool may_use(const struct om_job *j, const struct om_node *n)
{
	const struct om_request *r = j->req;

	if (!n->up || n->drain || n->block)
		return false;
	if (r->partition && !strcmp(r->partition, "odd") &&
	    (n->name[1] - '0') % 2 == 0)
		return false;
	if (r->exclude && !strcmp(r->exclude, n->name))
		return false;
	if (r->constraint && !has_feature(n, r->constraint))
		return false;
	return mask_lets(r->cluster_mask, n);
}

static double guests(const struct om_node *n)
{
	return fmax(n->load_guest, n->cpus_alloc);
}

static double load(const struct om_node *n)
{
	return fmax(n->load, n->load_local + guests(n));
}

static const struct om_conf_partition *part_of(const struct fix *f,
					       const struct om_job *j)
{
	for (size_t i = 0; i < f->config.partitions; i++)
		if (j->req->partition &&
		    !strcmp(f->part[i].name, j->req->partition))
			return f->part + i;
	return f->part;
}

/* May k tasks of j run on n, one coming after the other? */
static bool may_run(const struct fix *f, const struct om_job *j,
		    const struct om_node *n, uint32_t k)
{
	const struct om_conf_partition *p = part_of(f, j);
	const struct om_request *r = j->req;
	uint64_t cpus = (uint64_t)n->cpus *
			(p->mode == OM_PART_SHARED ? p->oversubscribe : 1);
	uint64_t take = (uint64_t)k * r->cpus_per_task;
	double before = (double)(k - 1) * r->cpus_per_task;

	if (!may_use(j, n) || n->exclusive || (r->exclusive && n->jobs))
		return false;
	if (n->cpus_alloc + take > cpus)
		return false;
	if (r->mem_per_node && n->mem_alloc + r->mem_per_node > n->memory)
		return false;
	if (r->mem_per_cpu && n->mem_alloc + r->mem_per_cpu * take > n->memory)
		return false;
	if (r->tasks_per_node && k > r->tasks_per_node)
		return false;
	if (n->load_limit > 0 && load(n) + before > n->load_limit)
		return false;
	if (n->load_limit_guest > 0 && guests(n) + before > n->load_limit_guest)
		return false;
	if (n->load_limit_local > 0 && n->load_local > n->load_limit_local)
		return false;
	return !(r->load_limit > 0 && load(n) + before > r->load_limit);
}

static uint32_t fit(const struct fix *f, const struct om_job *j,
		    const struct om_node *n)
{
	uint32_t k = 0;

	while (k < j->req->tasks && may_run(f, j, n, k + 1))
		k++;
	return k;
}

/* Is there any choice of nodes for j? All subsets are tried. */
static bool could_start(const struct fix *f, const struct om_job *j)
{
	const struct om_request *r = j->req;
	uint32_t most = r->nodes_max ? r->nodes_max : NODES_MAX;

	for (uint32_t set = 1; set < 1u << f->m->nodes; set++) {
		uint32_t nodes = (uint32_t)__builtin_popcount(set), sum = 0;
		bool ok = nodes >= r->nodes_min && nodes <= most &&
			  nodes <= r->tasks;

		for (uint32_t i = 0; ok && i < f->m->nodes; i++) {
			uint32_t k = set >> i & 1 ? fit(f, j, f->m->node[i]) : 0;

			sum += k;
			ok = !(set >> i & 1) || k > 0;
			if (!(set >> i & 1) && r->nodelist &&
			    !strcmp(r->nodelist, f->m->node[i]->name))
				ok = false;
		}
		if (ok && sum >= r->tasks)
			return true;
	}
	return false;
}

/* ---- judging a start */
static void judge_price(const struct fix *f, const struct om_job *j,
			const struct om_placement *p)
{
	struct world *w = f->arg;
	struct om_room room = { .cpus_own = 0 };
	struct om_ask a;
	double chosen, price;

	om_ask_of(om_sched_part(f->s, j->req->partition), j->req, &a);
	om_room_read(&room, p->share[0].node);
	chosen = om_room_price(&room, &f->s->market, &a, 1, 1);
	for (uint32_t i = 0; i < f->m->nodes; i++) {
		const struct om_node *n = f->m->node[i];

		if (!may_run(f, j, n, 1) ||
		    (j->req->nodelist && strcmp(j->req->nodelist, n->name)))
			continue;
		om_room_read(&room, n);
		price = om_room_price(&room, &f->s->market, &a, 1, 1);
		if (price < chosen)
			fail_msg("job %llu went to %s for %.17g, %s costs %.17g",
				 (unsigned long long)j->id,
				 p->share[0].node->name, chosen, n->name, price);
	}
	w->priced++;
}

static void judge(struct fix *f, struct om_job *j, const struct om_placement *p)
{
	const struct om_request *r = j->req;
	struct world *w = f->arg;
	uint32_t tasks = 0;
	bool named = !r->nodelist;

	w->starts++;
	assert_true(p->shares >= r->nodes_min && p->shares >= 1);
	assert_true(!r->nodes_max || p->shares <= r->nodes_max);
	for (uint32_t i = 0; i < p->shares; i++) {
		const struct om_share *s = p->share + i;

		if (!may_run(f, j, s->node, s->slots))
			fail_msg("job %llu may not have %u tasks on %s",
				 (unsigned long long)j->id, s->slots,
				 s->node->name);
		assert_int_equal(s->cpus, r->exclusive ? s->node->cpus :
					  s->slots * r->cpus_per_task);
		assert_true(s->mem == (r->mem_per_node ? r->mem_per_node :
			r->mem_per_cpu * r->cpus_per_task * s->slots));
		tasks += s->slots;
		named |= r->nodelist && !strcmp(r->nodelist, s->node->name);
		assert_true(i == 0 || p->share[i - 1].node->index <
				      s->node->index);
	}
	assert_int_equal(tasks, r->tasks);
	assert_true(named);
	if (w->prices && r->tasks == 1)
		judge_price(f, j, p);
}

/* After a turn: nothing that waits could start, as far as its partition's
 * rules let it pass those ahead of it. */
static void judge_rest(struct fix *f)
{
	struct om_job *j, *head[FIX_PARTS] = { NULL };
	bool shared = f->part[0].mode == OM_PART_SHARED;

	DL_FOREACH(f->m->pending, j) {
		size_t p = (size_t)(part_of(f, j) - f->part);

		if (om_queue_array_full(j))
			continue;
		if (shared && could_start(f, j))
			fail_msg("job %llu could start and does not",
				 (unsigned long long)j->id);
		if (!head[p] || om_queue_key(j) < om_queue_key(head[p]))
			head[p] = j;
	}
	/* With one partition nothing is promised to anybody before its head. */
	if (!shared && f->config.partitions == 1 && head[0])
		assert_false(could_start(f, head[0]));
}

static void judge_nodes(const struct fix *f)
{
	for (uint32_t i = 0; i < f->m->nodes; i++) {
		const struct om_node *n = f->m->node[i];

		assert_true(n->mem_alloc <= n->memory);
		assert_true(n->cpus_alloc <= (uint64_t)n->cpus *
			    (f->part[0].mode == OM_PART_SHARED ?
				     f->part[0].oversubscribe : 1));
		assert_true(!n->exclusive || n->jobs == 1);
	}
}

/* ---- making things happen */
static uint32_t rnd(struct world *w, uint32_t below)
{
	return fix_random(&w->seed, below);
}

static void make_nodes(struct fix *f, struct world *w)
{
	static const char *const features[] = { NULL, "a", "b", "a,b" };
	char name[32];

	w->nodes = 1 + rnd(w, NODES_MAX - 2);
	for (uint32_t i = 1; i <= w->nodes; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		fix_node(f, name, 1 + rnd(w, 8), (1 + rnd(w, 8)) * FIX_G,
			 0.5 + rnd(w, 4) * 0.5, features[rnd(w, 4)]);
	}
}

static const char *mask_text(struct world *w, char *buf, size_t size)
{
	uint32_t a = 1 + rnd(w, w->nodes), b = 1 + rnd(w, w->nodes);

	switch (rnd(w, 4)) {
	case 0: snprintf(buf, size, "n%u,n%u", a, b); break;
	case 1: snprintf(buf, size, "!n%u", a); break;
	case 2: snprintf(buf, size, "@a,n%u,!n%u", a, b); break;
	default: snprintf(buf, size, "!@b"); break;
	}
	return buf;
}

static void submit(struct fix *f, struct world *w)
{
	Om__JobSpec spec = fix_spec(1, 1 + rnd(w, 2));
	char mask[64], name[16], out[16];

	if (rnd(w, 2))
		spec.tasks = 1 + rnd(w, 8);
	if (rnd(w, 4) == 0) {
		spec.has_nodes_min = spec.has_nodes_max = true;
		spec.nodes_min = 1 + rnd(w, spec.tasks < 3 ? spec.tasks : 3);
		spec.nodes_max = rnd(w, 2) ? spec.nodes_min + rnd(w, 3) : 0;
	}
	spec.has_tasks_per_node = rnd(w, 6) == 0;
	spec.tasks_per_node = 1 + rnd(w, 3);
	spec.has_mem_per_node = rnd(w, 3) == 0;
	spec.mem_per_node = (1 + rnd(w, 4)) * FIX_G;
	spec.has_mem_per_cpu = !spec.has_mem_per_node && rnd(w, 4) == 0;
	spec.mem_per_cpu = (1 + rnd(w, 4)) * FIX_G / 2;
	spec.has_exclusive = spec.exclusive = rnd(w, 12) == 0;
	spec.has_load_limit = rnd(w, 8) == 0;
	spec.load_limit = rnd(w, 60) / 10.0;
	spec.has_priority = rnd(w, 4) == 0;
	spec.priority = (int32_t)rnd(w, 10) - 5;
	spec.has_time_limit_s = rnd(w, 4) > 0;
	spec.time_limit_s = 10 + rnd(w, 1000);
	if (rnd(w, 6) == 0)
		spec.cluster_mask = (char *)(uintptr_t)mask_text(w, mask,
								 sizeof(mask));
	if (rnd(w, 8) == 0)
		spec.constraint = rnd(w, 2) ? "a" : "b";
	if (rnd(w, 8) == 0) {
		snprintf(out, sizeof(out), "n%u", 1 + rnd(w, w->nodes));
		spec.exclude = out;
	}
	if (rnd(w, 10) == 0) {
		snprintf(name, sizeof(name), "n%u", 1 + rnd(w, w->nodes));
		spec.nodelist = name;
	}
	if (f->config.partitions > 1 && rnd(w, 2))
		spec.partition = "odd";
	if (rnd(w, 10) == 0) {
		spec.array = "0-6";
		spec.has_array_limit = rnd(w, 2);
		spec.array_limit = 1 + rnd(w, 3);
	}
	fix_submit(f, &spec);
}

static struct om_job *pick(struct om_job *list, uint32_t k)
{
	struct om_job *j;

	DL_FOREACH(list, j)
		if (k-- == 0)
			return j;
	return NULL;
}

static void disturb(struct fix *f, struct world *w)
{
	struct om_node *n = f->m->node[rnd(w, w->nodes)];
	char name[32];

	snprintf(name, sizeof(name), "%s", n->name);
	switch (rnd(w, 8)) {
	case 0: fix_node_state(f, name, rnd(w, 4) > 0, rnd(w, 4) == 0); break;
	case 1: fix_node_set(f, name, rnd(w, 4) ? "block=no" : "block=yes"); break;
	case 2: fix_node_set(f, name, rnd(w, 2) ? "load-limit=0" :
						  "load-limit=2.5"); break;
	case 3: fix_node_set(f, name, rnd(w, 2) ? "load-limit-local=0" :
						  "load-limit-local=1"); break;
	case 4: fix_node_set(f, name, rnd(w, 2) ? "load-limit-guest=0" :
						  "load-limit-guest=3"); break;
	case 5:
		n->load_local = rnd(w, 30) / 10.0;
		n->load = n->load_local + rnd(w, 30) / 10.0;
		break;
	case 6: n->mem_free = rnd(w, 2) ? n->memory / (1 + rnd(w, 9)) : 0; break;
	default: n->net_rx = rnd(w, 200) * 1000000; break;
	}
	om_sched_node_changed(f->s, n);
}

static void one_event(struct fix *f, struct world *w)
{
	uint32_t what = rnd(w, 10);
	struct om_job *j = NULL;

	if (what < 4) {
		submit(f, w);
		return;
	}
	if (what < 8)
		j = pick(f->m->active, rnd(w, 12));
	else if (what == 8)
		j = pick(f->m->pending, rnd(w, 12));
	if (j) {
		fix_finish(f, j, what == 8 ? OM__JOB_STATE__CANCELLED :
					     OM__JOB_STATE__COMPLETED);
		if (what == 8 && om_job_is_array(j) && j->pending.count)
			fail_msg("an array kept pending tasks");
		return;
	}
	disturb(f, w);
}

static void live(enum om_partition_mode mode, bool two, uint64_t seed)
{
	struct world w = { .seed = seed, .prices = mode == OM_PART_SHARED };

	for (int c = 0; c < CLUSTERS; c++) {
		struct fix f;

		fix_init(&f, mode);
		f.part[0].oversubscribe = 1 + rnd(&w, 3);
		if (two)
			fix_partition(&f, "odd", "n[1,3,5,7,9]", mode,
				      (int32_t)rnd(&w, 2))->oversubscribe =
				f.part[0].oversubscribe;
		f.on_start = judge;
		f.arg = &w;
		make_nodes(&f, &w);
		fix_sched(&f);
		for (int t = 0; t < TURNS; t++) {
			for (uint32_t e = rnd(&w, 4); e > 0; e--)
				one_event(&f, &w);
			f.now_ns += rnd(&w, 100) * FIX_S;
			if (rnd(&w, 40) == 0)
				om_sched_reconfigure(f.s, &f.config, NULL);
			fix_run_all(&f);
			judge_nodes(&f);
			judge_rest(&f);
		}
		fix_fini(&f);
	}
	print_message("%u starts, %u of them priced\n", w.starts, w.priced);
	assert_true(w.starts > CLUSTERS * 10);
	assert_true(!w.prices || w.priced > CLUSTERS * 5);
}

static void a_shared_cluster_keeps_every_rule(void **state)
{
	(void)state;
	live(OM_PART_SHARED, false, fix_seed(__func__, 1));
}

static void an_exclusive_cluster_keeps_every_rule(void **state)
{
	(void)state;
	live(OM_PART_EXCLUSIVE, false, fix_seed(__func__, 2));
}

static void overlapping_partitions_keep_every_rule(void **state)
{
	uint64_t seed = fix_seed(__func__, 3);

	(void)state;
	live(OM_PART_SHARED, true, seed);
	live(OM_PART_EXCLUSIVE, true, seed + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_cluster_keeps_every_rule),
		cmocka_unit_test(an_exclusive_cluster_keeps_every_rule),
		cmocka_unit_test(overlapping_partitions_keep_every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
