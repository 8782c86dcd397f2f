/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * parse: libconfuse reads the text, om_config_keys says what it may hold.
 *
 * To libconfuse every value is a string. A callback checks each where its
 * file and line are known; when all files are read, what was given is set,
 * block by block. libconfuse's lexer is global, so one text at a time.
 */
#include <confuse.h>
#include <libintl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/str.h"
#include "lib/conf/parse.h"
#include "lib/conf/scan.h"

struct conf_parser {
	cfg_t *cfg;
	cfg_opt_t *top, *node, *partition;	/* what cfg is made from */
};

/* libconfuse's callbacks have no argument: where their first error goes. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static struct om_error *reading_err;

static const char *section_of(cfg_t *cfg)
{
	return strcmp(cfg->name, "root") ? cfg->name : "";
}

static int fail_at(cfg_t *cfg, struct om_error *err, int rc)
{
	return om_wrap(err, rc, "%.150s:%d", cfg->filename, cfg->line);
}

/* Is fmt this message of libconfuse's, perhaps translated? */
static bool says(const char *fmt, const char *message)
{
	return !strcmp(fmt, message) ||
	       !strcmp(fmt, dgettext("confuse", message));
}

/* What libconfuse says, in our words where ours say more. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct om_error *err = reading_err;
	const char *word = "";
	char text[200];
	va_list copy;

	if (err->code)
		return;
	va_copy(copy, ap);
	vsnprintf(text, sizeof(text), fmt, copy);
	va_end(copy);
	if (strstr(fmt, "%s"))
		word = va_arg(ap, const char *);
	if (says(fmt, "no such option '%s'"))
		om_config_key_unknown(section_of(cfg), word, err);
	else if (says(fmt, "found duplicate title '%s'"))
		om_fail(err, -EINVAL, "a second block \"%.60s\"", word);
	else if (says(fmt, "missing equal sign after option '%s'"))
		om_fail(err, -EINVAL, "'%.60s' needs '=' and a value", word);
	else if (says(fmt, "unexpected token '%s'"))
		om_fail(err, -EINVAL, "unexpected '%.60s' (values with spaces, commas, = or braces stand in quotes)", word);
	else
		om_fail(err, -EINVAL, "%s", text);
	fail_at(cfg, err, -EINVAL);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value,
		    void *result)
{
	const struct om_config_key *k = om_config_key_find(section_of(cfg),
							   opt->name);

	if (om_config_key_set(k, NULL, value, reading_err) < 0) {
		fail_at(cfg, reading_err, -EINVAL);
		return -1;
	}
	*(const char **)result = value;
	return 0;
}

/* libconfuse's option table of a section; room for more entries at its end. */
static cfg_opt_t *make_opts(const char *section, size_t more, cfg_opt_t **end)
{
	const cfg_opt_t none = CFG_END();
	const struct om_config_key *k;
	cfg_opt_t *opts, *o;
	size_t n = more + 1;

	for (k = om_config_keys; k->name; k++)
		n += !strcmp(k->section, section);
	o = opts = calloc(n, sizeof(*opts));
	if (!opts)
		return NULL;
	for (k = om_config_keys; k->name; k++) {
		const cfg_opt_t one = CFG_STR_CB(k->name, NULL, CFGF_NODEFAULT,
						 on_value);
		const cfg_opt_t list = CFG_STR_LIST_CB(k->name, NULL,
						       CFGF_NODEFAULT,
						       on_value);

		if (!strcmp(k->section, section))
			*o++ = k->type == OM_KEY_LIST ? list : one;
	}
	for (size_t i = 0; i <= more; i++)
		o[i] = none;
	*end = o;
	return opts;
}

struct conf_parser *conf_parser_create(struct om_error *err)
{
	struct conf_parser *p = calloc(1, sizeof(*p));
	const int flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	cfg_opt_t *end = NULL, *ignore;

	if (!p)
		goto nomem;
	p->top = make_opts("", 2, &end);
	p->node = make_opts("node", 0, &ignore);
	p->partition = make_opts("partition", 0, &ignore);
	if (!p->top || !p->node || !p->partition)
		goto nomem;
	end[0] = (cfg_opt_t)CFG_SEC("node", p->node, flags);
	end[1] = (cfg_opt_t)CFG_SEC("partition", p->partition, flags);
	p->cfg = cfg_init(p->top, CFGF_NONE);
	if (!p->cfg)
		goto nomem;
	cfg_set_error_function(p->cfg, on_error);
	return p;
nomem:
	om_fail_nomem(err);
	conf_parser_destroy(p);
	return NULL;
}

void conf_parser_destroy(struct conf_parser *p)
{
	if (!p)
		return;
	if (p->cfg)
		cfg_free(p->cfg);
	free(p->top);
	free(p->node);
	free(p->partition);
	free(p);
}

int conf_parser_add(struct conf_parser *p, const char *name, char *text,
		    struct om_error *err)
{
	struct om_error local = OM_ERROR_INIT;
	om_autofile FILE *f = NULL;
	int rc = conf_scan(name, text, err);

	if (rc < 0)
		return rc;
	f = fmemopen(text, strlen(text), "r");
	if (!f)
		return om_fail_errno(err, "cannot read '%.200s'", name);
	free(p->cfg->filename);
	p->cfg->filename = strdup(name);
	if (!p->cfg->filename)
		return om_fail_nomem(err);
	pthread_mutex_lock(&reading);
	reading_err = &local;
	rc = cfg_parse_fp(p->cfg, f);
	reading_err = NULL;
	pthread_mutex_unlock(&reading);
	if (rc == CFG_SUCCESS)
		return 0;
	if (!local.code)
		om_fail(&local, -EINVAL, "%.150s:%d: this is not understood",
			name, p->cfg->line);
	if (err)
		*err = local;
	return local.code;
}

int conf_set_defaults(const char *section, void *base, struct om_error *err)
{
	const struct om_config_key *k;
	int rc = 0;

	for (k = om_config_keys; k->name && rc == 0; k++)
		if (k->def && !strcmp(k->section, section))
			rc = om_config_key_set(k, base, k->def, err);
	return rc;
}

/* Puts a list's words together again: the table's setter takes one text. */
static char *join(cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);
	size_t len = 1;
	char *text, *at;

	for (unsigned i = 0; i < n; i++)
		len += strlen(cfg_opt_getnstr(opt, i)) + 1;
	text = at = malloc(len);
	if (!text)
		return NULL;
	*text = '\0';
	for (unsigned i = 0; i < n; i++) {
		at = stpcpy(at, cfg_opt_getnstr(opt, i));
		at = stpcpy(at, i + 1 < n ? "," : "");
	}
	return text;
}

static bool is_given(const cfg_opt_t *opt)
{
	return opt && (opt->flags & CFGF_MODIFIED);
}

static int apply_keys(cfg_t *cfg, void *base, struct om_error *err)
{
	const char *section = section_of(cfg);
	const struct om_config_key *k;

	for (k = om_config_keys; k->name; k++) {
		om_autofree char *text = NULL;
		cfg_opt_t *opt;
		int rc;

		if (strcmp(k->section, section))
			continue;
		opt = cfg_getopt(cfg, k->name);
		if (!is_given(opt))
			continue;
		text = join(opt);
		if (!text)
			return om_fail_nomem(err);
		rc = om_config_key_set(k, base, text, err);
		if (rc < 0)
			return fail_at(cfg, err, rc);
	}
	return 0;
}

static uint64_t given_mask(cfg_t *cfg)
{
	const struct om_config_key *k;
	uint64_t mask = 0;

	for (k = om_config_keys; k->name && !*k->section; k++)
		if (is_given(cfg_getopt(cfg, k->name)))
			mask |= UINT64_C(1) << (k - om_config_keys);
	return mask;
}

/* ---- node blocks: one entry a name, blocks that overlap add up */
struct seen {
	UT_hash_handle hh;
	size_t at;		/* in c->node */
	char name[];
};

struct node_work {
	struct om_config *c;
	struct seen *seen;
	size_t names, cap;
	struct om_error *err;
};

static struct om_conf_node *add_node(struct node_work *w, const char *name)
{
	struct om_config *c = w->c;
	size_t len = strlen(name);
	struct seen *s;

	HASH_FIND(hh, w->seen, name, len, s);
	if (s)
		return &c->node[s->at];
	if (c->nodes == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 16;
		struct om_conf_node *node = realloc(c->node,
						    cap * sizeof(*node));

		if (!node)
			return NULL;
		c->node = node;
		w->cap = cap;
	}
	s = malloc(sizeof(*s) + len + 1);
	if (!s)
		return NULL;
	memcpy(s->name, name, len + 1);
	s->at = c->nodes;
	HASH_ADD_KEYPTR(hh, w->seen, s->name, len, s);
	c->node[c->nodes] = (struct om_conf_node){ .name = strdup(name) };
	return c->node[c->nodes].name ? &c->node[c->nodes++] : NULL;
}

/* "10.0.0.[1-4]" gives each of a block's nodes its own. */
static int split_address(cfg_t *sec, size_t n, struct om_strvec *ret,
			 struct om_error *err)
{
	const char *text = cfg_getstr(sec, "address");
	int rc = 0;

	if (!text || !*text)
		return 0;
	if (strpbrk(text, "[,") && text[0] != '[')
		rc = om_hostlist_expand(text, ret, err);
	else if (om_strvec_add(ret, text) < 0)
		rc = om_fail_nomem(err);
	if (rc < 0)
		return rc;
	if (ret->n != n)
		return om_fail(err, -EINVAL,
			       "address = %.60s: expected as many addresses as nodes, %zu, like 10.0.0.[1-%zu]",
			       text, n, n);
	return 0;
}

static int apply_names(struct node_work *w, cfg_t *sec,
		       const struct om_strvec *names,
		       const struct om_strvec *address)
{
	for (size_t i = 0; i < names->n; i++) {
		struct om_conf_node *node = add_node(w, names->v[i]);
		char *own;
		int rc;

		if (!node)
			return om_fail_nomem(w->err);
		rc = apply_keys(sec, node, w->err);
		if (rc < 0)
			return rc;
		if (!address->n)
			continue;
		own = strdup(address->v[i]);
		if (!own)
			return om_fail_nomem(w->err);
		free(node->address);
		node->address = own;
	}
	return 0;
}

static int apply_node(struct node_work *w, cfg_t *sec)
{
	struct om_strvec names = OM_STRVEC_INIT, address = OM_STRVEC_INIT;
	int rc = om_hostlist_expand(cfg_title(sec), &names, w->err);

	w->names += names.n;
	if (rc == 0 && w->names > OM_CONF_NODES_MAX)
		rc = om_fail(w->err, -ERANGE,
			     "over %d names in the node blocks",
			     OM_CONF_NODES_MAX);
	if (rc == 0)
		rc = split_address(sec, names.n, &address, w->err);
	if (rc < 0)
		fail_at(sec, w->err, rc);
	else
		rc = apply_names(w, sec, &names, &address);
	om_strvec_fini(&names);
	om_strvec_fini(&address);
	return rc;
}

static int apply_nodes(cfg_t *cfg, struct om_config *c, struct om_error *err)
{
	struct node_work w = { .c = c, .err = err };
	struct seen *s, *next;
	int rc = 0;

	for (unsigned i = 0; i < cfg_size(cfg, "node") && rc == 0; i++)
		rc = apply_node(&w, cfg_getnsec(cfg, "node", i));
	HASH_ITER(hh, w.seen, s, next) {
		HASH_DEL(w.seen, s);
		free(s);
	}
	return rc;
}

/* ---- partition blocks */
static int check_partition(cfg_t *sec, struct om_conf_partition *p,
			   struct om_error *err)
{
	bool times = is_given(cfg_getopt(sec, "default_time"));

	if (om_hostname_check(p->name) < 0)
		return om_fail(err, -EINVAL,
			       "partition \"%.60s\": expected a name of letters, digits, '-', '_' and '.'",
			       p->name);
	if (times && p->default_time_s > p->max_time_s)
		return om_fail(err, -EINVAL,
			       "partition \"%s\": default_time is over max_time",
			       p->name);
	if (!times)
		p->default_time_s = p->max_time_s;
	if (!is_given(cfg_getopt(sec, "oversubscribe"))) {
		p->oversubscribe = p->mode == OM_PART_SHARED ? 4 : 1;
	} else if (p->mode != OM_PART_SHARED && p->oversubscribe > 1) {
		return om_fail(err, -EINVAL,
			       "partition \"%s\": oversubscribe needs mode = shared",
			       p->name);
	}
	return 0;
}

static int apply_partition(cfg_t *sec, struct om_conf_partition *p,
			   struct om_error *err)
{
	int rc = conf_set_defaults("partition", p, err);

	p->name = strdup(cfg_title(sec));
	if (!p->name)
		return om_fail_nomem(err);
	if (rc == 0)
		rc = apply_keys(sec, p, err);
	if (rc < 0)
		return rc;
	rc = check_partition(sec, p, err);
	return rc < 0 ? fail_at(sec, err, rc) : 0;
}

static int apply_partitions(cfg_t *cfg, struct om_config *c,
			    struct om_error *err)
{
	unsigned n = cfg_size(cfg, "partition");

	if (!n)
		return 0;
	c->partition = calloc(n, sizeof(*c->partition));
	if (!c->partition)
		return om_fail_nomem(err);
	for (unsigned i = 0; i < n; i++) {
		int rc;

		c->partitions++;
		rc = apply_partition(cfg_getnsec(cfg, "partition", i),
				     &c->partition[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int conf_parser_apply(struct conf_parser *p, struct om_config *c,
		      struct om_error *err)
{
	int rc = apply_keys(p->cfg, c, err);

	c->given = given_mask(p->cfg);
	if (rc == 0)
		rc = apply_nodes(p->cfg, c, err);
	if (rc == 0)
		rc = apply_partitions(p->cfg, c, err);
	return rc;
}
