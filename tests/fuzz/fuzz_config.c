/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text as a configuration: an error or a struct, and nothing leaks. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/conf/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct om_error err = OM_ERROR_INIT;
	struct om_config *c = om_config_parse("fuzz", (const char *)data, size,
					      &err);

	if (!c && (!err.code || !err.text[0]))
		abort();	/* refused without a reason */
	om_config_destroy(c);
	return 0;
}
