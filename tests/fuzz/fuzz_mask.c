/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cluster masks and feature constraints: text that any user may send. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sched/policy/feature.h"
#include "sched/policy/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_mask(const char *text, const struct om_node *n)
{
	struct om_mask mask = OM_MASK_INIT;

	if (om_mask_parse(&mask, text, NULL) >= 0)
		om_mask_allows(&mask, n);
	om_mask_fini(&mask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *feature[] = { "a", "bigmem" };
	const struct om_node n = { .name = "n1", .feature = feature,
				   .features = 2 };
	struct om_feature_expr *e;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_mask(text, &n);
	e = om_feature_parse(text, NULL);
	if (e)
		om_feature_match(e, &n);
	om_feature_destroy(e);
	free(text);
	return 0;
}
