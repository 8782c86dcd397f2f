/* SPDX-License-Identifier: GPL-3.0-or-later */
/* place: single tasks by a scan, gangs by priced layouts; see place.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sched/policy/place.h"

/* Above so many tasks a spread is not tried one by one. */
#define SPREAD_MAX 4096

struct seat {
	uint32_t at;		/* node index */
	uint32_t fit;		/* tasks that fit there */
	uint32_t tasks;		/* given by the layout in work */
	bool required;
	double price;		/* of one task */
};

/* Seats that may be used; the required ones come first. */
struct gang {
	const struct om_place *p;
	const struct om_ask *a;
	struct seat *seat;
	uint32_t seats, cap, required;
	uint32_t few;		/* the least number of nodes that do */
	uint32_t max;		/* the most that are allowed */
	struct seat *best_seat;
	double best_cost;
	bool found;
};

void om_placement_fini(struct om_placement *p)
{
	free(p->share);
	p->share = NULL;
	p->shares = 0;
}

struct om_share om_place_share(const struct om_room *r, const struct om_ask *a,
			       uint32_t tasks)
{
	return (struct om_share){
		.node = (struct om_node *)(uintptr_t)r->node,
		.slots = tasks,
		.cpus = om_room_take_cpus(r, a, tasks),
		.mem = om_room_take_mem(a, tasks),
	};
}

static uint32_t fit_at(const struct om_place *p, const struct om_ask *a,
		       uint32_t at)
{
	return om_room_fit(p->room + at, a, p->hold ? p->hold + at : NULL);
}

static uint64_t open_bits(const struct om_place *p, const struct om_where *w,
			  uint32_t word)
{
	return p->open ? w->bit[word] & p->open[word] : w->bit[word];
}

/* The first node of w at or after *at that has anything free; false if there
 * is none. */
static bool next_node(const struct om_place *p, const struct om_where *w,
		      uint32_t *at)
{
	uint32_t word = *at / 64, words = p->rooms / 64 + 1;
	uint64_t bits;

	if (words > w->words)
		words = w->words;
	if (word >= words)
		return false;
	bits = open_bits(p, w, word) & (~(uint64_t)0 << (*at % 64));
	while (!bits) {
		if (++word >= words)
			return false;
		bits = open_bits(p, w, word);
	}
	*at = word * 64 + (uint32_t)__builtin_ctzll(bits);
	return *at < p->rooms;
}

static int place_one(const struct om_place *p, const struct om_ask *a,
		     const struct om_where *w, struct om_placement *ret)
{
	uint32_t best = UINT32_MAX;
	double cost = 0, price;

	if (w->missing || w->required_count > 1)
		return 0;
	for (uint32_t at = 0; next_node(p, w, &at); at++) {
		if ((w->required_count && at != w->required[0]) ||
		    !fit_at(p, a, at))
			continue;
		price = om_room_price(p->room + at, p->market, a, 1, 1);
		if (best == UINT32_MAX || om_place_better(price, at, cost, best)) {
			best = at;
			cost = price;
		}
	}
	if (best == UINT32_MAX)
		return 0;
	ret->share = malloc(sizeof(*ret->share));
	if (!ret->share)
		return -ENOMEM;
	ret->share[0] = om_place_share(p->room + best, a, 1);
	ret->shares = 1;
	ret->cost = cost;
	return 1;
}

static int by_size(const void *va, const void *vb)
{
	const struct seat *a = va, *b = vb;

	if (a->required != b->required)
		return a->required ? -1 : 1;
	if (a->fit != b->fit)
		return a->fit > b->fit ? -1 : 1;
	return om_place_better(a->price, a->at, b->price, b->at) ? -1 : 1;
}

static int by_price(const void *va, const void *vb)
{
	const struct seat *a = va, *b = vb;

	if (a->required != b->required)
		return a->required ? -1 : 1;
	return om_place_better(a->price, a->at, b->price, b->at) ? -1 : 1;
}

static bool is_required(const struct om_where *w, uint32_t at)
{
	for (uint32_t i = 0; i < w->required_count; i++)
		if (w->required[i] == at)
			return true;
	return false;
}

static void collect(struct gang *g, const struct om_where *w)
{
	for (uint32_t at = 0; g->seats < g->cap && next_node(g->p, w, &at);
	     at++) {
		struct seat s = { .at = at, .fit = fit_at(g->p, g->a, at) };

		if (!s.fit)
			continue;
		s.required = is_required(w, at);
		g->required += s.required;
		g->seat[g->seats++] = s;
	}
}

static void price_seats(struct gang *g)
{
	for (uint32_t i = 0; i < g->seats; i++)
		g->seat[i].price = om_room_price(g->p->room + g->seat[i].at,
						 g->p->market, g->a, 1,
						 g->a->tasks);
}

/* How many tasks the first n seats hold. */
static uint64_t capacity(const struct gang *g, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += g->seat[i].fit;
	return sum;
}

/*
 * The least number of nodes, with seats ordered by size: the required ones
 * and the largest of the others are as good as any choice can be.
 */
static bool count_few(struct gang *g, const struct om_where *w)
{
	uint32_t least = g->required > g->a->nodes_min ? g->required :
							 g->a->nodes_min;
	uint64_t sum = 0;
	uint32_t n = 0;

	if (w->missing || g->required < w->required_count ||
	    least > g->seats || least > g->max || least > g->a->tasks)
		return false;
	while (n < g->seats && (n < least || sum < g->a->tasks))
		sum += g->seat[n++].fit;
	g->few = n;
	return sum >= g->a->tasks && n <= g->max;
}

/* Tasks to the first n seats: one each, then each filled in turn. */
static bool fill(struct gang *g, uint32_t n)
{
	uint32_t left = g->a->tasks;

	if (n > left)
		return false;
	for (uint32_t i = 0; i < n; i++)
		g->seat[i].tasks = 1;
	left -= n;
	for (uint32_t i = 0; i < n && left; i++) {
		uint32_t more = g->seat[i].fit - 1;

		if (more > left)
			more = left;
		g->seat[i].tasks += more;
		left -= more;
	}
	return left == 0;
}

/* The same number on each as far as it fits: what -N asks for. */
static bool level(struct gang *g, uint32_t n)
{
	uint32_t left = g->a->tasks;
	bool gave = true;

	for (uint32_t i = 0; i < n; i++)
		g->seat[i].tasks = 0;
	while (left && gave) {
		uint32_t open = 0, each;

		for (uint32_t i = 0; i < n; i++)
			open += g->seat[i].tasks < g->seat[i].fit;
		each = open && left > open ? left / open : 1;
		gave = false;
		for (uint32_t i = 0; i < n && left; i++) {
			uint32_t more = g->seat[i].fit - g->seat[i].tasks;

			more = more < each ? more : each;
			more = more < left ? more : left;
			g->seat[i].tasks += more;
			left -= more;
			gave |= more > 0;
		}
	}
	return left == 0;
}

static double layout_cost(const struct gang *g, uint32_t n)
{
	double cost = 0;

	for (uint32_t i = 0; i < n; i++)
		cost += om_room_price(g->p->room + g->seat[i].at, g->p->market,
				      g->a, g->seat[i].tasks, g->a->tasks);
	return cost;
}

/* Keeps the layout of the first n seats if it is the cheapest so far. */
static void offer(struct gang *g, uint32_t n)
{
	double cost = layout_cost(g, n);

	if (g->found && cost >= g->best_cost)
		return;
	for (uint32_t i = 0; i < g->seats; i++)
		if (i >= n)
			g->seat[i].tasks = 0;
	memcpy(g->best_seat, g->seat, g->seats * sizeof(*g->seat));
	g->best_cost = cost;
	g->found = true;
}

static bool hand_out(struct gang *g, uint32_t n)
{
	return g->a->nodes_min > 1 ? level(g, n) : fill(g, n);
}

/* As few nodes as can be, the cheapest that do. */
static void try_few_cheap(struct gang *g)
{
	qsort(g->seat, g->seats, sizeof(*g->seat), by_price);
	if (capacity(g, g->few) >= g->a->tasks && hand_out(g, g->few))
		offer(g, g->few);
}

/* As few nodes, the largest, but the last the cheapest that is enough. */
static void try_few_large(struct gang *g)
{
	uint64_t sum;
	uint32_t last = g->few - 1, pick = last;

	qsort(g->seat, g->seats, sizeof(*g->seat), by_size);
	sum = capacity(g, last);
	for (uint32_t i = last; i < g->seats && last >= g->required; i++)
		if (sum + g->seat[i].fit >= g->a->tasks &&
		    om_place_better(g->seat[i].price, g->seat[i].at,
				    g->seat[pick].price, g->seat[pick].at))
			pick = i;
	if (pick != last) {
		struct seat s = g->seat[last];

		g->seat[last] = g->seat[pick];
		g->seat[pick] = s;
	}
	if (hand_out(g, g->few))
		offer(g, g->few);
}

/* Nodes in the order of price, each filled, as many as it takes. */
static void try_cheap(struct gang *g)
{
	uint64_t sum = 0;
	uint32_t n = 0;

	qsort(g->seat, g->seats, sizeof(*g->seat), by_price);
	while (n < g->seats && n < g->max &&
	       (sum < g->a->tasks || n < g->few))
		sum += g->seat[n++].fit;
	if (sum >= g->a->tasks && hand_out(g, n))
		offer(g, n);
}

static double next_price(const struct gang *g, const struct seat *s)
{
	const struct om_room *r = g->p->room + s->at;

	if (s->tasks >= s->fit)
		return HUGE_VAL;
	return om_room_price(r, g->p->market, g->a, s->tasks + 1,
			     g->a->tasks) -
	       (s->tasks ? om_room_price(r, g->p->market, g->a, s->tasks,
					 g->a->tasks) : 0);
}

/* One task after the other to where it is cheapest then. */
static void try_spread(struct gang *g)
{
	uint32_t n = g->seats < g->max ? g->seats : g->max;
	uint32_t left = g->a->tasks;

	n = n < left ? n : left;
	if (g->a->tasks > SPREAD_MAX || n < g->few)
		return;
	qsort(g->seat, g->seats, sizeof(*g->seat), by_price);
	for (uint32_t i = 0; i < n; i++) {
		bool must = i < g->required || i < g->few;

		g->seat[i].tasks = must;
		left -= must;
		g->seat[i].price = next_price(g, g->seat + i);
	}
	while (left) {
		uint32_t best = 0;

		for (uint32_t i = 1; i < n; i++)
			if (g->seat[i].price < g->seat[best].price)
				best = i;
		if (g->seat[best].tasks >= g->seat[best].fit)
			return;		/* those n have not room enough */
		g->seat[best].tasks++;
		g->seat[best].price = next_price(g, g->seat + best);
		left--;
	}
	offer(g, n);
}

static int by_index(const void *va, const void *vb)
{
	const struct seat *a = va, *b = vb;

	return a->at < b->at ? -1 : a->at > b->at;
}

static int hand_over(struct gang *g, struct om_placement *ret)
{
	uint32_t n = 0;

	qsort(g->best_seat, g->seats, sizeof(*g->best_seat), by_index);
	for (uint32_t i = 0; i < g->seats; i++)
		n += g->best_seat[i].tasks > 0;
	ret->share = calloc(n, sizeof(*ret->share));
	if (!ret->share)
		return -ENOMEM;
	ret->shares = 0;
	ret->cost = g->best_cost;
	for (uint32_t i = 0; i < g->seats; i++)
		if (g->best_seat[i].tasks)
			ret->share[ret->shares++] = om_place_share(
				g->p->room + g->best_seat[i].at, g->a,
				g->best_seat[i].tasks);
	return 1;
}

static int place_gang(struct gang *g, const struct om_where *w,
		      struct om_placement *ret)
{
	collect(g, w);
	/* Most often it is plain that there is no room; prices take time. */
	if (capacity(g, g->seats) < g->a->tasks)
		return 0;
	price_seats(g);
	qsort(g->seat, g->seats, sizeof(*g->seat), by_size);
	if (!count_few(g, w))
		return 0;
	/* The second always finds one, so all that fits is placed. */
	try_few_cheap(g);
	if (!g->found || g->a->oversubscribe)
		try_few_large(g);
	if (g->a->oversubscribe && !g->a->exclusive) {
		try_cheap(g);
		try_spread(g);
	}
	return g->found ? hand_over(g, ret) : 0;
}

uint32_t om_place_open(const struct om_place *p, const struct om_where *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->words && i <= p->rooms / 64; i++)
		n += (uint32_t)__builtin_popcountll(open_bits(p, w, i));
	return n;
}

int om_place(const struct om_place *p, const struct om_ask *a,
	     const struct om_where *w, struct om_placement *ret)
{
	struct gang g = {
		.p = p, .a = a,
		.max = a->nodes_max ? a->nodes_max : UINT32_MAX,
	};
	int rc;

	*ret = (struct om_placement){ .share = NULL };
	if (a->tasks == 1)
		return a->nodes_min > 1 ? 0 : place_one(p, a, w, ret);
	g.cap = om_place_open(p, w);
	if (g.cap == 0)
		return 0;
	g.seat = malloc(g.cap * sizeof(*g.seat));
	g.best_seat = malloc(g.cap * sizeof(*g.best_seat));
	rc = g.seat && g.best_seat ? place_gang(&g, w, ret) : -ENOMEM;
	free(g.seat);
	free(g.best_seat);
	return rc;
}
