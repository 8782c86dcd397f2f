/* SPDX-License-Identifier: GPL-3.0-or-later */
/* intern: one copy of each string that many jobs share, counted. */
#ifndef OM_SCHED_MODEL_INTERN_H
#define OM_SCHED_MODEL_INTERN_H

struct om_intern;

struct om_intern *om_intern_create(void);
void om_intern_destroy(struct om_intern *in);
/* A counted copy; NULL for NULL and for "", or without memory. */
const char *om_intern_get(struct om_intern *in, const char *s);
/* One more reference to a string that om_intern_get returned, or NULL. */
const char *om_intern_ref(const char *s);
/* Gives one back; NULL is nothing. */
void om_intern_put(struct om_intern *in, const char *s);

#endif
