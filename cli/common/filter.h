/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * filter: which jobs a command means, from its options and operands.
 *
 * Every option may hold a list, whose members are alternatives; all options
 * together must hold. The protocol takes one value of a kind in a question:
 * lists are narrowed down here, or asked about one after the other.
 */
#ifndef OM_CLI_COMMON_FILTER_H
#define OM_CLI_COMMON_FILTER_H

#include "cli/common/options.h"
#include "lib/base/strvec.h"
#include "lib/proto/openmosix.pb-c.h"

#define FILTER_IDS 65536	/* in one question */

struct filter {
	Om__JobFilter msg;		/* as the controller is asked */
	struct om_strvec name, partition, node, account;
	uint32_t *uid;
	size_t uids;
	bool all_states;		/* -t all */
};

void filter_init(struct filter *f);
void filter_fini(struct filter *f);
/* Target: struct filter. */
extern const struct cli_option filter_options[];

/* "12" "12-15" "123_7" "123_[5-9]" and lists of them. */
int filter_add_ids(struct filter *f, const char *text, struct om_error *err);
bool filter_has_ids(const struct filter *f);
/* Nothing at all was asked for. */
bool filter_is_empty(const struct filter *f);
int filter_add_state(struct filter *f, Om__JobState s, struct om_error *err);

/* Sets msg to ask for as much as one question can. */
void filter_prepare(struct filter *f);
/* Does an answer to that question hold what msg could not say? */
bool filter_matches(const struct filter *f, const Om__JobInfo *j);

/* Calls fn with msg set to each combination of the lists; stops at an
 * answer other than 0, which is returned. */
typedef int filter_fn(void *arg, const Om__JobFilter *msg);
int filter_each(struct filter *f, filter_fn *fn, void *arg);

#endif
