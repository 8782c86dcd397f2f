/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * move: when a running task is better off on another node.
 *
 * A cost is what a task spoils for the cluster each second that it runs. A
 * task that ran t seconds is expected to run about t more, so a move pays if
 * what is saved in that time is more than what the move costs:
 *
 *   (present - elsewhere) * rest > present * (transfer + freeze)
 *                                  + elsewhere * share of forwarded calls * rest
 *
 * Divided by rest this is the inequality of the paper, present - elsewhere >
 * price, with the price below. Nothing here is decided about which tasks to
 * look at; that is the policy's.
 */
#ifndef OM_SCHED_ECON_MOVE_H
#define OM_SCHED_ECON_MOVE_H

#include <stdbool.h>
#include <stdint.h>

struct om_econ_move {
	double bytes;		/* to send */
	double rate;		/* measured, bytes a second; 0: no link */
	double freeze_s;	/* expected pause */
	double ran_s;		/* how long the task has run */
	double calls;		/* a second, that would be forwarded home */
	double call_s;		/* what one of them takes */
};

/* Both costs, so that a decision explains itself. */
struct om_econ_offer {
	double present;		/* relief of its node if the task left */
	double elsewhere;	/* marginal cost there */
	double price;		/* of the move */
};

/* Seconds that the move takes, pause included. */
double om_econ_move_seconds(const struct om_econ_move *mv);
double om_econ_move_price(const struct om_econ_move *mv, double present,
			  double elsewhere);
/* present - elsewhere > price: strictly, so two equal nodes never trade. */
bool om_econ_move_pays(const struct om_econ_offer *o);
/* False while a task that moved at last_ns has to stay; 0: it never moved. */
bool om_econ_move_cooled(int64_t last_ns, int64_t now_ns, int64_t cool_ns);

#endif
