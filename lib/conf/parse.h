/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* parse: text of configuration files into a struct om_config. */
#ifndef OM_CONF_PARSE_H
#define OM_CONF_PARSE_H

#include "lib/conf/config.h"

struct conf_parser;

struct conf_parser *conf_parser_create(struct om_error *err);
void conf_parser_destroy(struct conf_parser *p);

/*
 * Adds a file's text, which is changed; name stands for the file in errors.
 * What a later file gives replaces what an earlier one gave. -EINVAL, -ENOMEM.
 */
int conf_parser_add(struct conf_parser *p, const char *name, char *text,
		    struct om_error *err);

/* Puts what was given over what c holds. Defaults are the caller's. */
int conf_parser_apply(struct conf_parser *p, struct om_config *c,
		      struct om_error *err);

/* Sets every key of a section to its default in base, which is zeroed. */
int conf_set_defaults(const char *section, void *base, struct om_error *err);

#endif
