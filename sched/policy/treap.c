/* SPDX-License-Identifier: GPL-3.0-or-later */
/* treap: heap order by hashed id, search order by (key, id). */
#include <stdbool.h>
#include <stddef.h>

#include "sched/policy/treap.h"

/* Invariant: a parent's weight is at least that of its children; depth is
 * then O(log n) as in a tree built in random order. */
static uint64_t weight(const struct om_treap *n)
{
	uint64_t x = n->id + 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static bool before(const struct om_treap *a, int64_t key, uint64_t id)
{
	return a->key != key ? a->key < key : a->id < id;
}

static void update(struct om_treap *n)
{
	n->least = n->value;
	if (n->left && n->left->least < n->least)
		n->least = n->left->least;
	if (n->right && n->right->least < n->least)
		n->least = n->right->least;
}

/* Splits t into what is before (key, id) and the rest. */
static void split(struct om_treap *t, int64_t key, uint64_t id,
		  struct om_treap **ret_before, struct om_treap **ret_rest)
{
	if (!t) {
		*ret_before = *ret_rest = NULL;
		return;
	}
	if (before(t, key, id)) {
		split(t->right, key, id, &t->right, ret_rest);
		*ret_before = t;
	} else {
		split(t->left, key, id, ret_before, &t->left);
		*ret_rest = t;
	}
	update(t);
}

static struct om_treap *merge(struct om_treap *a, struct om_treap *b)
{
	if (!a || !b)
		return a ? a : b;
	if (weight(a) >= weight(b)) {
		a->right = merge(a->right, b);
		update(a);
		return a;
	}
	b->left = merge(a, b->left);
	update(b);
	return b;
}

void om_treap_insert(struct om_treap **root, struct om_treap *n)
{
	struct om_treap *t = *root;

	if (t && weight(t) >= weight(n)) {
		om_treap_insert(before(t, n->key, n->id) ? &t->right : &t->left,
				n);
		update(t);
		return;
	}
	split(t, n->key, n->id, &n->left, &n->right);
	update(n);
	*root = n;
}

void om_treap_remove(struct om_treap **root, struct om_treap *n)
{
	struct om_treap *t = *root;

	if (t == n) {
		*root = merge(n->left, n->right);
		n->left = n->right = NULL;
		return;
	}
	om_treap_remove(before(t, n->key, n->id) ? &t->right : &t->left, n);
	update(t);
}

void om_treap_set(struct om_treap **root, struct om_treap *n, uint64_t value)
{
	struct om_treap *t = *root;

	if (t == n)
		n->value = value;
	else
		om_treap_set(before(t, n->key, n->id) ? &t->right : &t->left,
			     n, value);
	update(t);
}

struct om_treap *om_treap_first(struct om_treap *root)
{
	while (root && root->left)
		root = root->left;
	return root;
}

struct om_treap *om_treap_after(struct om_treap *t, int64_t key, uint64_t id,
				uint64_t max)
{
	struct om_treap *found;

	if (!t || t->least > max)
		return NULL;
	/* (key, id) itself is not after itself. */
	if (before(t, key, id) || (t->key == key && t->id == id))
		return om_treap_after(t->right, key, id, max);
	found = om_treap_after(t->left, key, id, max);
	if (found)
		return found;
	if (t->value <= max)
		return t;
	return om_treap_after(t->right, key, id, max);
}
