/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes the parsers of what people write: lists, sizes, times, signals. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_lists(const char *text)
{
	struct om_idset set = OM_IDSET_INIT, again = OM_IDSET_INIT;
	struct om_strvec names = OM_STRVEC_INIT;
	struct om_error err = OM_ERROR_INIT;
	char *back;

	if (om_idset_parse(&set, text, 1000000, 1000, &err) == 0) {
		back = om_idset_format(&set);
		if (back && om_idset_parse(&again, back, 1000000, 1000, &err) < 0)
			abort();
		if (back && om_idset_size(&again) != om_idset_size(&set))
			abort();
		free(back);
	}
	om_idset_fini(&set);
	om_idset_fini(&again);
	om_hostlist_expand(text, &names, &err);
	om_strvec_fini(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	uint64_t u;
	int64_t i;
	double d;

	if (size > 4096)
		return 0;
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_lists(text);
	om_parse_size(text, 1 << 20, &u);
	om_parse_u64(text, 0, UINT64_MAX, &u);
	om_parse_duration(text, &i);
	om_parse_when(text, INT64_C(1795336676), &i);
	om_parse_positive(text, &d);
	om_parse_signal(text);
	free(text);
	return 0;
}
