/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Any two texts, split at the first newline, as OM_NODELIST and
 * OM_SLOTS_PER_NODE. What is accepted must keep the promises of alloc_env.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmix-plugin/mca/common/alloc_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(const struct om_alloc_env *alloc)
{
	assert(alloc->nnodes >= 1 && alloc->nnodes <= OM_ALLOC_MAX_NODES);
	for (unsigned i = 0; i < alloc->nnodes; i++) {
		size_t len = strlen(alloc->names[i]);

		assert(len >= 1 && len <= OM_ALLOC_MAX_NAME);
		assert(alloc->slots[i] <= OM_ALLOC_MAX_SLOTS);
	}
	assert(om_alloc_env_find(alloc, alloc->names[alloc->nnodes - 1]) ==
	       (int)alloc->nnodes - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct om_alloc_error err = { "" };
	struct om_alloc_env alloc = { 0 };
	unsigned number;
	char *text, *slots;
	int rc;

	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	slots = strchr(text, '\n');
	if (slots)
		*slots++ = '\0';
	else
		slots = text + size;
	rc = om_alloc_env_parse(text, slots, &alloc, &err);
	if (rc == 0)
		check_result(&alloc);
	else
		assert(alloc.nnodes == 0 && err.text[0]);
	om_alloc_env_fini(&alloc);
	if (om_alloc_env_number(slots, 1000, &number) == 0)
		assert(number <= 1000);
	free(text);
	return 0;
}
