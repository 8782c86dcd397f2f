/* SPDX-License-Identifier: GPL-3.0-or-later */
/* feature: recursive descent into postfix form, run on a stack of bits. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sched/policy/feature.h"
#include "sched/policy/mask.h"

#define TEXT_MAX 4096
#define DEPTH_MAX 32		/* brackets in each other */

struct item {
	enum { ITEM_NAME, ITEM_AND, ITEM_OR } kind;
	const char *name;
};

struct om_feature_expr {
	size_t items;
	struct item *item;	/* postfix; never deeper than its length */
	bool *stack;
	char *text;		/* storage of the names */
};

struct parser {
	struct om_feature_expr *e;
	const char *whole;
	char *p;		/* into e->text, names get their NUL here */
	char held;		/* the character that a NUL replaced */
	int depth;
	struct om_error *err;
};

static char peek(const struct parser *ps)
{
	return ps->held ? ps->held : *ps->p;
}

static void eat(struct parser *ps)
{
	ps->held = 0;
	ps->p++;
}

static int bad(struct parser *ps, const char *what)
{
	return om_fail(ps->err, -EINVAL, "constraint '%.80s': %s at '%.20s'",
		       ps->whole, what, ps->whole + (ps->p - ps->e->text));
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.-:+=/", c));
}

static void push(struct parser *ps, struct item it)
{
	ps->e->item[ps->e->items++] = it;
}

static int parse_or(struct parser *ps);

static int parse_name(struct parser *ps)
{
	const char *start = ps->p;
	char *end;

	if (!is_name(peek(ps)) || ps->held)
		return bad(ps, "a feature's name is missing");
	while (is_name(*ps->p))
		ps->p++;
	end = ps->p;
	push(ps, (struct item){ .kind = ITEM_NAME, .name = start });
	if (*ps->p == '*') {
		eat(ps);
		if (!isdigit((unsigned char)*ps->p))
			return bad(ps, "a count is missing");
		while (isdigit((unsigned char)*ps->p))
			ps->p++;
	}
	/* With a count in between, the NUL takes the place of '*'. */
	if (end == ps->p)
		ps->held = *ps->p;
	*end = '\0';
	return 0;
}

static int parse_primary(struct parser *ps)
{
	char open = peek(ps);
	int rc;

	if (open != '(' && open != '[')
		return parse_name(ps);
	if (++ps->depth > DEPTH_MAX)
		return bad(ps, "too many brackets");
	eat(ps);
	rc = parse_or(ps);
	if (rc < 0)
		return rc;
	if (peek(ps) != (open == '(' ? ')' : ']'))
		return bad(ps, "a bracket is not closed");
	eat(ps);
	ps->depth--;
	return 0;
}

static int parse_and(struct parser *ps)
{
	int rc = parse_primary(ps);

	while (rc == 0 && peek(ps) == '&') {
		eat(ps);
		rc = parse_primary(ps);
		push(ps, (struct item){ .kind = ITEM_AND });
	}
	return rc;
}

static int parse_or(struct parser *ps)
{
	int rc = parse_and(ps);

	while (rc == 0 && peek(ps) == '|') {
		eat(ps);
		rc = parse_and(ps);
		push(ps, (struct item){ .kind = ITEM_OR });
	}
	return rc;
}

struct om_feature_expr *om_feature_parse(const char *text,
					 struct om_error *err)
{
	struct parser ps = { .whole = text, .err = err };
	size_t len = strlen(text);
	int rc;

	if (len > TEXT_MAX) {
		om_fail(err, -EINVAL, "constraint is over %d bytes", TEXT_MAX);
		return NULL;
	}
	ps.e = calloc(1, sizeof(*ps.e));
	if (ps.e) {
		/* A name or operator takes a character at least, and an
		 * operator that lacks its second operand is pushed too. */
		ps.e->item = calloc(len + 2, sizeof(*ps.e->item));
		ps.e->stack = calloc(len + 2, sizeof(*ps.e->stack));
		ps.e->text = strdup(text);
	}
	if (!ps.e || !ps.e->item || !ps.e->stack || !ps.e->text) {
		om_fail_nomem(err);
		om_feature_destroy(ps.e);
		return NULL;
	}
	ps.p = ps.e->text;
	rc = parse_or(&ps);
	if (rc == 0 && peek(&ps))
		rc = bad(&ps, "'&' or '|' is missing");
	if (rc < 0) {
		om_feature_destroy(ps.e);
		return NULL;
	}
	return ps.e;
}

bool om_feature_match(const struct om_feature_expr *e,
		      const struct om_node *n)
{
	size_t top = 0;

	for (size_t i = 0; i < e->items; i++) {
		const struct item *it = e->item + i;

		if (it->kind == ITEM_NAME) {
			e->stack[top++] = om_node_has_feature(n, it->name);
			continue;
		}
		top--;
		if (it->kind == ITEM_AND)
			e->stack[top - 1] &= e->stack[top];
		else
			e->stack[top - 1] |= e->stack[top];
	}
	return e->stack[0];
}

void om_feature_destroy(struct om_feature_expr *e)
{
	if (!e)
		return;
	free(e->item);
	free(e->stack);
	free(e->text);
	free(e);
}
