/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* config: finds the files, reads them, checks the whole. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/str.h"
#include "lib/conf/config.h"
#include "lib/conf/file.h"
#include "lib/conf/parse.h"

static const char *const places[] = {
	OM_SYSCONFDIR "/openmosix/openmosix.conf",
	"/run/openmosix/cluster/openmosix.conf",
};

/* The file to read, or NULL: there is none. *ret_rc < 0: cannot tell. */
static const char *find_file(struct om_error *err, int *ret_rc)
{
	const char *env = getenv("OM_CONF");

	*ret_rc = 0;
	if (env && *env)
		return env;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (access(places[i], F_OK) == 0)
			return places[i];
		/* A file we may not see is not "no file". */
		if (errno != ENOENT && errno != ENOTDIR) {
			*ret_rc = om_fail_errno(err, "cannot look for '%s'",
						places[i]);
			return NULL;
		}
	}
	return NULL;
}

static int add_file(struct conf_parser *p, const char *path,
		    struct om_error *err)
{
	om_autofree char *text = conf_file_read(path, err);

	if (!text)
		return err->code;
	return conf_parser_add(p, path, text, err);
}

static int read_files(struct conf_parser *p, const char *path,
		      struct om_error *err)
{
	struct om_strvec files = OM_STRVEC_INIT;
	int rc = add_file(p, path, err);

	if (rc == 0)
		rc = conf_file_list(path, &files, err);
	for (size_t i = 0; i < files.n && rc == 0; i++)
		rc = add_file(p, files.v[i], err);
	om_strvec_fini(&files);
	return rc;
}

static int default_partition(struct om_config *c, struct om_error *err)
{
	struct om_conf_partition *p = calloc(1, sizeof(*p));

	if (!p)
		return om_fail_nomem(err);
	c->partition = p;
	c->partitions = 1;
	p->name = strdup("main");
	if (!p->name)
		return om_fail_nomem(err);
	return conf_set_defaults("partition", p, err);
}

/* Exactly one; a partition that is alone needs not say so. */
static int check_default(struct om_config *c, struct om_error *err)
{
	const struct om_conf_partition *first = NULL;

	if (c->partitions == 1)
		c->partition[0].is_default = true;
	for (size_t i = 0; i < c->partitions; i++) {
		const struct om_conf_partition *p = &c->partition[i];

		if (!p->is_default)
			continue;
		if (first)
			return om_fail(err, -EINVAL,
				       "partitions \"%s\" and \"%s\" both say default = yes: one must be the default",
				       first->name, p->name);
		first = p;
	}
	if (!first)
		return om_fail(err, -EINVAL,
			       "no partition is the default: write default = yes into one of them, for example \"%s\"",
			       c->partition[0].name);
	return 0;
}

static int find_controller_uid(struct om_config *c, struct om_error *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	int rc = getpwnam_r(c->controller_user, &pw, buf, sizeof(buf), &found);

	if (rc != 0 && rc != ENOENT && rc != ESRCH) {
		errno = rc;
		return om_fail_errno(err, "cannot look up controller_user '%s'",
				     c->controller_user);
	}
	if (!found)
		return om_fail(err, -ENOENT,
			       "controller_user '%s' does not exist: make it with systemd-sysusers or 'useradd --system --no-create-home %s', or set controller_user",
			       c->controller_user, c->controller_user);
	c->controller_uid = found->pw_uid;
	return 0;
}

static int check_whole(struct om_config *c, struct om_error *err)
{
	int rc = c->partitions ? 0 : default_partition(c, err);

	if (rc == 0)
		rc = check_default(c, err);
	if (rc == 0 && c->controller_port == c->node_port)
		rc = om_fail(err, -EINVAL,
			     "controller_port and node_port are both %u",
			     c->node_port);
	if (rc == 0)
		rc = find_controller_uid(c, err);
	return rc;
}

/* Fills c from the parser; name is where it came from, NULL: nowhere. */
static int build(struct om_config *c, struct conf_parser *p, const char *name,
		 struct om_error *err)
{
	int rc = conf_set_defaults("", c, err);

	if (rc == 0)
		rc = conf_parser_apply(p, c, err);
	if (rc < 0)
		return rc;
	rc = check_whole(c, err);
	if (rc < 0)
		return om_wrap(err, rc, "%.150s", name ? name :
			       "no configuration file, so defaults");
	return 0;
}

static struct om_config *finish(struct om_config *c, int rc)
{
	if (rc < 0) {
		om_config_destroy(c);
		return NULL;
	}
	return c;
}

struct om_config *om_config_load(const char *path, struct om_error *err)
{
	struct om_error local = OM_ERROR_INIT;
	struct om_config *c = calloc(1, sizeof(*c));
	struct conf_parser *p = NULL;
	int rc = 0;

	if (!err)
		err = &local;
	if (!c)
		rc = om_fail_nomem(err);
	if (rc == 0 && !path)
		path = find_file(err, &rc);
	if (rc == 0) {
		p = conf_parser_create(err);
		rc = p ? 0 : -ENOMEM;
	}
	if (rc == 0 && path) {
		c->path = strdup(path);
		rc = c->path ? read_files(p, path, err) : om_fail_nomem(err);
	}
	if (rc == 0)
		rc = build(c, p, path, err);
	conf_parser_destroy(p);
	return finish(c, rc);
}

struct om_config *om_config_parse(const char *name, const char *text,
				  size_t len, struct om_error *err)
{
	om_autofree char *copy = strndup(text, len);
	struct om_config *c = calloc(1, sizeof(*c));
	struct conf_parser *p = conf_parser_create(err);
	int rc = p ? 0 : -ENOMEM;

	if (rc == 0 && (!copy || !c))
		rc = om_fail_nomem(err);
	if (rc == 0)
		rc = conf_parser_add(p, name, copy, err);
	if (rc == 0)
		rc = build(c, p, name, err);
	conf_parser_destroy(p);
	return finish(c, rc);
}

static void free_keys(const char *section, void *base)
{
	const struct om_config_key *k;

	for (k = om_config_keys; k->name; k++) {
		void *field = (char *)base + k->offset;

		if (strcmp(k->section, section))
			continue;
		if (k->type == OM_KEY_STRING)
			free(*(char **)field);
		else if (k->type == OM_KEY_LIST)
			om_strvec_fini(field);
	}
}

void om_config_destroy(struct om_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nodes; i++) {
		free_keys("node", &c->node[i]);
		free(c->node[i].name);
	}
	for (size_t i = 0; i < c->partitions; i++) {
		free_keys("partition", &c->partition[i]);
		free(c->partition[i].name);
	}
	free_keys("", c);
	free(c->node);
	free(c->partition);
	free(c->path);
	free(c);
}

char *om_config_controller_addr(const struct om_config *c)
{
	const char *bracket = strrchr(c->controller, ']');
	struct stat st;
	char *text;
	int len;

	if (asprintf(&text, "unix:%s/omctld.sock", c->run_dir) < 0)
		return NULL;
	if (stat(text + 5, &st) == 0 && S_ISSOCK(st.st_mode))
		return text;
	free(text);
	if (strrchr(bracket ? bracket : c->controller, ':'))
		return strdup(c->controller);
	len = asprintf(&text, "%s:%u", c->controller, c->controller_port);
	return len < 0 ? NULL : text;
}
