/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * treap: an ordered tree with a value at each node and, for every subtree,
 * the least value in it, so that "the first in order after here whose value
 * is at most x" takes O(log n) however many in between are over x.
 *
 * Nodes are embedded by their owners. Order is (key, id), ids are unique in a
 * tree. Balance comes from a hash of the id: no clock, no random source.
 */
#ifndef OM_SCHED_POLICY_TREAP_H
#define OM_SCHED_POLICY_TREAP_H

#include <stdint.h>

struct om_treap {
	struct om_treap *left, *right;
	int64_t key;
	uint64_t id;
	uint64_t value, least;
};

/* key, id and value are set by the caller and fixed while it is inside. */
void om_treap_insert(struct om_treap **root, struct om_treap *n);
void om_treap_remove(struct om_treap **root, struct om_treap *n);
/* Changes the value of a node inside. */
void om_treap_set(struct om_treap **root, struct om_treap *n, uint64_t value);

struct om_treap *om_treap_first(struct om_treap *root);
/* The first after (key, id) with value <= max, or NULL. */
struct om_treap *om_treap_after(struct om_treap *root, int64_t key, uint64_t id,
				uint64_t max);

#endif
