/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mask: parser and test of cluster masks. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "sched/policy/mask.h"

#define MASK_TEXT_MAX 65536

bool om_node_has_feature(const struct om_node *n, const char *name)
{
	for (uint32_t i = 0; i < n->features; i++)
		if (strcmp(n->feature[i], name) == 0)
			return true;
	return false;
}

static int add_entry(struct om_mask *mask, const char *entry,
		     struct om_error *err)
{
	bool deny = *entry == '!';
	const char *what = entry + deny;

	if (*what == '@') {
		/* A feature is spelled like a host's name. */
		if (om_hostname_check(what + 1) < 0)
			return om_fail(err, -EINVAL,
				       "'%.80s' is no feature: @name expected",
				       entry);
		if (om_strvec_add(deny ? &mask->deny_feature :
					 &mask->allow_feature, what + 1) < 0)
			return om_fail_nomem(err);
		return 0;
	}
	if (!*what)
		return om_fail(err, -EINVAL, "an entry is empty");
	return om_names_add(deny ? &mask->deny : &mask->allow, what, err);
}

/* Cuts the entry that *p points to off and moves *p behind its comma; NULL
 * after the last. Commas in brackets do not separate. */
static char *next_entry(char **p)
{
	char *start = *p, *q = start;
	int depth = 0;

	if (!start)
		return NULL;
	for (; *q && (*q != ',' || depth > 0); q++)
		depth += (*q == '[') - (*q == ']');
	*p = *q ? q + 1 : NULL;
	*q = '\0';
	return start;
}

int om_mask_parse(struct om_mask *mask, const char *text, struct om_error *err)
{
	om_autofree char *copy = NULL;
	char *p, *entry;
	int rc;

	if (strlen(text) > MASK_TEXT_MAX)
		return om_fail(err, -ERANGE, "cluster mask is over %d bytes",
			       MASK_TEXT_MAX);
	p = copy = strdup(text);
	if (!copy)
		return om_fail_nomem(err);
	while ((entry = next_entry(&p))) {
		rc = add_entry(mask, entry, err);
		if (rc < 0)
			return om_wrap(err, rc, "cluster mask '%.80s'", text);
	}
	return 0;
}

static bool has_any(const struct om_node *n, const struct om_strvec *feature)
{
	for (size_t i = 0; i < feature->n; i++)
		if (om_node_has_feature(n, feature->v[i]))
			return true;
	return false;
}

bool om_mask_allows(const struct om_mask *mask, const struct om_node *n)
{
	if (om_names_has(&mask->deny, n->name) ||
	    has_any(n, &mask->deny_feature))
		return false;
	if (mask->allow.list.n == 0 && mask->allow_feature.n == 0)
		return true;
	return om_names_has(&mask->allow, n->name) ||
	       has_any(n, &mask->allow_feature);
}

void om_mask_fini(struct om_mask *mask)
{
	om_names_fini(&mask->allow);
	om_names_fini(&mask->deny);
	om_strvec_fini(&mask->allow_feature);
	om_strvec_fini(&mask->deny_feature);
}
