/* SPDX-License-Identifier: GPL-3.0-or-later */
/* board: a binary heap of nodes with positions; see board.h. */
#include <stdlib.h>

#include "sched/policy/board.h"
#include "sched/policy/place.h"

#define NONE UINT32_MAX

void om_board_fini(struct om_board *b)
{
	free(b->heap);
	free(b->pos);
	free(b->price);
	*b = (struct om_board){ .valid = false };
}

static bool better(const struct om_board *b, uint32_t x, uint32_t y)
{
	return om_place_better(b->price[x], x, b->price[y], y);
}

static void put(struct om_board *b, uint32_t i, uint32_t at)
{
	b->heap[i] = at;
	b->pos[at] = i;
}

static void sift_up(struct om_board *b, uint32_t i)
{
	uint32_t at = b->heap[i];

	while (i > 0 && better(b, at, b->heap[(i - 1) / 2])) {
		put(b, i, b->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(b, i, at);
}

static void sift_down(struct om_board *b, uint32_t i)
{
	uint32_t at = b->heap[i];

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < b->count &&
		    better(b, b->heap[child + 1], b->heap[child]))
			child++;
		if (child >= b->count || !better(b, b->heap[child], at))
			break;
		put(b, i, b->heap[child]);
		i = child;
	}
	put(b, i, at);
}

static void leave(struct om_board *b, uint32_t at)
{
	uint32_t i = b->pos[at], last = b->heap[--b->count];

	b->pos[at] = NONE;
	if (last == at)
		return;
	put(b, i, last);
	sift_up(b, i);
	sift_down(b, b->pos[last]);
}

static bool may_go(const struct om_where *w, const struct om_room *room,
		   const struct om_ask *a, uint32_t at)
{
	if (!om_where_has(w, at) || !om_room_fit(room + at, a, NULL))
		return false;
	return w->required_count == 0 || w->required[0] == at;
}

static void update_one(struct om_board *b, const struct om_market_view *v,
		       const struct om_ask *a, const struct om_where *w,
		       uint32_t at)
{
	if (!may_go(w, v->room, a, at)) {
		if (b->pos[at] != NONE)
			leave(b, at);
		return;
	}
	b->price[at] = om_room_price(v->room + at, v->market, a, 1, 1);
	if (b->pos[at] == NONE)
		put(b, b->count++, at);
	sift_up(b, b->pos[at]);
	sift_down(b, b->pos[at]);
}

static int resize(struct om_board *b, uint32_t nodes)
{
	if (nodes <= b->nodes)
		return 0;
	om_board_fini(b);
	b->heap = calloc(nodes, sizeof(*b->heap));
	b->pos = calloc(nodes, sizeof(*b->pos));
	b->price = calloc(nodes, sizeof(*b->price));
	if (!b->heap || !b->pos || !b->price) {
		om_board_fini(b);
		return -ENOMEM;
	}
	b->nodes = nodes;
	return 0;
}

static int build(struct om_board *b, const struct om_market_view *v,
		 const struct om_ask *a, const struct om_where *w)
{
	if (resize(b, v->rooms) < 0)
		return -ENOMEM;
	b->count = 0;
	for (uint32_t at = 0; at < b->nodes; at++) {
		b->pos[at] = NONE;
		if (at >= v->rooms || !may_go(w, v->room, a, at))
			continue;
		b->price[at] = om_room_price(v->room + at, v->market, a, 1, 1);
		put(b, b->count++, at);
	}
	for (uint32_t i = b->count / 2; i-- > 0;)
		sift_down(b, i);
	b->seen = v->log->next;
	b->prices = v->generation;
	b->valid = true;
	return 0;
}

int om_board_update(struct om_board *b, const struct om_market_view *v,
		    const struct om_ask *a, const struct om_where *w)
{
	if (w->missing || w->required_count > 1) {
		b->count = 0;
		b->valid = false;
		return 0;
	}
	if (!b->valid || b->nodes < v->rooms || b->prices != v->generation ||
	    v->log->next - b->seen > v->log->size)
		return build(b, v, a, w);
	for (; b->seen < v->log->next; b->seen++)
		update_one(b, v, a, w, v->log->at[b->seen % v->log->size]);
	return 0;
}

bool om_board_top(const struct om_board *b, uint32_t *ret_at,
		  double *ret_price)
{
	if (b->count == 0)
		return false;
	*ret_at = b->heap[0];
	*ret_price = b->price[b->heap[0]];
	return true;
}
