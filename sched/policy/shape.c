/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shape: classes of jobs that need the same; see sched.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sched/policy/sched.h"

#define IDLE_MAX 64
/* Memory for boards, in nodes: 24 bytes each. */
#define BOARD_NODES 262144

void om_ask_of(const struct om_part *p, const struct om_request *r,
	       struct om_ask *ret)
{
	memset(ret, 0, sizeof(*ret));	/* its bytes are a hash's key */
	ret->tasks = r->tasks ? r->tasks : 1;
	if (ret->tasks < r->nodes_min)
		ret->tasks = r->nodes_min;
	ret->nodes_min = r->nodes_min;
	ret->nodes_max = r->nodes_max;
	ret->cpus_per_task = r->cpus_per_task ? r->cpus_per_task : 1;
	ret->tasks_per_node = r->tasks_per_node;
	ret->mem_per_node = r->mem_per_node;
	ret->mem_per_cpu = r->mem_per_cpu;
	ret->load_limit = isfinite(r->load_limit) && r->load_limit > 0 ?
				  r->load_limit : 0;
	ret->oversubscribe = p->oversubscribe;
	ret->exclusive = r->exclusive;
}

int om_where_get(struct om_sched *s, struct om_part *p,
		 const struct om_request *r, struct om_where **ret,
		 struct om_error *err)
{
	struct om_where *w;
	int rc;

	if (om_where_key(&s->key, p, r) < 0)
		return om_fail_nomem(err);
	HASH_FIND(hh, s->wheres, om_buf_str(&s->key), om_buf_len(&s->key), w);
	if (w) {
		w->refs++;
		*ret = w;
		return 0;
	}
	rc = om_where_create(p, r, &w, err);
	if (rc < 0)
		return rc;
	if (om_where_read(w, s->m) < 0) {
		om_where_destroy(w);
		return om_fail_nomem(err);
	}
	HASH_ADD_KEYPTR(hh, s->wheres, w->key, w->key_len, w);
	*ret = w;
	return 0;
}

void om_where_put(struct om_sched *s, struct om_where *w)
{
	if (!w || --w->refs > 0)
		return;
	HASH_DEL(s->wheres, w);
	om_where_destroy(w);
}

static void drop_board(struct om_sched *s, struct om_shape *sh)
{
	if (!sh->has_board)
		return;
	om_board_fini(&sh->board);
	sh->has_board = false;
	for (uint32_t i = 0; i < s->boards; i++)
		if (s->board_of[i] == sh) {
			s->board_of[i] = s->board_of[--s->boards];
			return;
		}
}

int om_shape_board(struct om_sched *s, struct om_shape *sh)
{
	uint32_t max = BOARD_NODES / (s->rooms + 1) + 4;
	struct om_market_view v = om_sched_view(s);

	if (max > OM_BOARDS)
		max = OM_BOARDS;
	if (!sh->has_board) {
		while (s->boards >= max) {
			struct om_shape *old = s->board_of[0];

			for (uint32_t i = 1; i < s->boards; i++)
				if (s->board_of[i]->board_used < old->board_used)
					old = s->board_of[i];
			drop_board(s, old);
		}
		s->board_of[s->boards++] = sh;
		sh->has_board = true;
	}
	sh->board_used = ++s->board_clock;
	return om_board_update(&sh->board, &v, &sh->key.ask, sh->where);
}

static void idle_add(struct om_sched *s, struct om_shape *sh)
{
	sh->next_idle = NULL;
	sh->prev_idle = s->idle_last;
	if (s->idle_last)
		s->idle_last->next_idle = sh;
	else
		s->idle_first = sh;
	s->idle_last = sh;
	s->idle++;
}

static void idle_remove(struct om_sched *s, struct om_shape *sh)
{
	if (sh->prev_idle)
		sh->prev_idle->next_idle = sh->next_idle;
	else
		s->idle_first = sh->next_idle;
	if (sh->next_idle)
		sh->next_idle->prev_idle = sh->prev_idle;
	else
		s->idle_last = sh->prev_idle;
	s->idle--;
}

int om_shape_get(struct om_sched *s, struct om_part *p,
		 const struct om_request *r, struct om_shape **ret,
		 struct om_error *err)
{
	struct om_shape_key key;
	struct om_where *w;
	struct om_shape *sh;
	int rc = om_where_get(s, p, r, &w, err);

	if (rc < 0)
		return rc;
	memset(&key, 0, sizeof(key));
	om_ask_of(p, r, &key.ask);
	key.where = w;
	HASH_FIND(hh, s->shapes, &key, sizeof(key), sh);
	if (sh) {
		om_where_put(s, w);
		if (sh->entries++ == 0)
			idle_remove(s, sh);
		*ret = sh;
		return 0;
	}
	sh = calloc(1, sizeof(*sh));
	if (!sh) {
		om_where_put(s, w);
		return om_fail_nomem(err);
	}
	memcpy(&sh->key, &key, sizeof(key));
	sh->part = p;
	sh->where = w;
	sh->entries = 1;
	s->load_limits += key.ask.load_limit > 0;
	HASH_ADD(hh, s->shapes, key, sizeof(key), sh);
	*ret = sh;
	return 0;
}

void om_shape_put(struct om_sched *s, struct om_shape *sh)
{
	/* Not freed at once: the next job is often like this one, and a
	 * scheduling turn may still look at it. */
	if (--sh->entries == 0)
		idle_add(s, sh);
}

void om_shape_trim(struct om_sched *s, uint32_t keep)
{
	while (s->idle > keep) {
		struct om_shape *sh = s->idle_first;

		idle_remove(s, sh);
		if (sh->blocked)
			om_shape_unblock(s, sh);
		drop_board(s, sh);
		s->load_limits -= sh->key.ask.load_limit > 0;
		HASH_DEL(s->shapes, sh);
		om_where_put(s, sh->where);
		free(sh);
	}
}

struct om_entry *om_shape_first(const struct om_shape *sh)
{
	return (struct om_entry *)om_treap_first(sh->jobs);
}

static uint64_t need_of(const struct om_shape *sh)
{
	return sh->blocked ? OM_BLOCKED :
	       (uint64_t)sh->key.ask.tasks * sh->key.ask.cpus_per_task;
}

/* Puts the shape where its first job belongs. */
static void relist(struct om_shape *sh)
{
	struct om_treap *first = om_treap_first(sh->jobs);

	if (sh->listed && first && sh->order.key == first->key &&
	    sh->order.id == first->id)
		return;
	if (sh->listed)
		om_treap_remove(&sh->part->shapes, &sh->order);
	sh->listed = first != NULL;
	if (!first)
		return;
	sh->order.key = first->key;
	sh->order.id = first->id;
	sh->order.value = need_of(sh);
	om_treap_insert(&sh->part->shapes, &sh->order);
}

void om_shape_add(struct om_sched *s, struct om_shape *sh, struct om_entry *e)
{
	om_treap_insert(&sh->jobs, &e->order);
	sh->part->ready++;
	/* A promise kept longer jobs back; this one may be short enough. */
	if (sh->blocked && sh->behind)
		om_shape_unblock(s, sh);
	relist(sh);
	s->work |= !sh->blocked;
}

void om_shape_remove(struct om_sched *s, struct om_shape *sh,
		     struct om_entry *e)
{
	s->head_gone |= e->promised;
	om_treap_remove(&sh->jobs, &e->order);
	sh->part->ready--;
	relist(sh);
}

void om_shape_block(struct om_sched *s, struct om_shape *sh, bool behind)
{
	sh->behind = behind;
	if (sh->blocked)
		return;
	sh->blocked = true;
	if (sh->listed)
		om_treap_set(&sh->part->shapes, &sh->order, OM_BLOCKED);
	sh->next_blocked = s->blocked;
	sh->blocked_from = &s->blocked;
	if (sh->next_blocked)
		sh->next_blocked->blocked_from = &sh->next_blocked;
	s->blocked = sh;
}

void om_shape_unblock(struct om_sched *s, struct om_shape *sh)
{
	if (!sh->blocked)
		return;
	*sh->blocked_from = sh->next_blocked;
	if (sh->next_blocked)
		sh->next_blocked->blocked_from = sh->blocked_from;
	sh->blocked = sh->behind = false;
	if (sh->listed)
		om_treap_set(&sh->part->shapes, &sh->order, need_of(sh));
	s->work |= sh->listed;
}
