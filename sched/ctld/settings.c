/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings: show, set, reload, ping. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <config.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "sched/ctld/access.h"
#include "sched/ctld/clients.h"
#include "sched/ctld/settings.h"

#define KEYS_MAX 256

static bool is_top(const struct om_config_key *k)
{
	return k->section[0] == '\0';
}

int settings_overlay(const struct om_model *m, struct om_config *config,
		     struct om_error *err)
{
	for (const struct om_config_key *k = om_config_keys; k->name; k++) {
		const char *value = is_top(k) ? om_model_setting(m, k->name) :
						NULL;
		int rc = value && k->live ?
				 om_config_key_set(k, config, value, err) : 0;

		if (rc < 0)
			return om_wrap(err, rc, "%s, set at run time", k->name);
	}
	return 0;
}

/* What only a restart may change keeps its value, and that is said. */
static int keep_fixed(const struct om_config *old, struct om_config *fresh,
		      struct om_error *err)
{
	for (const struct om_config_key *k = om_config_keys; k->name; k++) {
		om_autofree char *was = NULL, *is = NULL;
		int rc;

		if (!is_top(k) || k->live)
			continue;
		was = om_config_key_format(k, old);
		is = om_config_key_format(k, fresh);
		if (!was || !is)
			return om_fail_nomem(err);
		if (!strcmp(was, is))
			continue;
		om_log_warn("needs a restart to change key=%s old=\"%s\" new=\"%s\"",
			    k->name, was, is);
		rc = *was ? om_config_key_set(k, fresh, was, err) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_over(struct omctld *c, struct om_config *fresh,
		     struct om_error *err)
{
	struct access *access;
	int rc = settings_overlay(c->model, fresh, err);

	if (rc == 0)
		rc = keep_fixed(c->config, fresh, err);
	if (rc < 0)
		return rc;
	access = access_create(fresh, err);
	if (!access)
		return -ENOMEM;
	rc = om_sched_reconfigure(c->sched, fresh, err);
	if (rc < 0) {
		access_destroy(access);
		return rc;
	}
	access_destroy(c->access);
	c->access = access;
	om_config_destroy(c->config);
	c->config = fresh;
	om_log_set_level((enum om_log_level)om_log_level_parse(fresh->log_level));
	return 0;
}

int settings_reload(struct omctld *c, struct om_error *err)
{
	struct om_config *fresh = om_config_load(c->config_path, err);
	int rc;

	if (!fresh)
		return err && err->code < 0 ? err->code : -EINVAL;
	rc = take_over(c, fresh, err);
	if (rc < 0)
		om_config_destroy(fresh);
	else
		om_log_info("configuration read file=%s",
			    fresh->path ? fresh->path : "none");
	return rc;
}

/* ---------------------------------------------------------------------- show */

static void fill_setting(struct omctld *c, const struct om_config_key *k,
			 char *value, Om__Setting *s)
{
	om__setting__init(s);
	s->key = (char *)(uintptr_t)k->name;
	s->value = value ? value : (char *)(uintptr_t)"";
	s->help = (char *)(uintptr_t)k->help;
	s->source = (char *)(uintptr_t)(
		om_model_setting(c->model, k->name) ? "runtime" :
		om_config_given(c->config, k) ? "file" : "default");
}

void settings_show(struct omctld *c, struct peer *p, uint32_t id,
		   const ProtobufCMessage *body)
{
	const char *key = ((const Om__ConfigShow *)body)->key;
	Om__ConfigShowReply m = OM__CONFIG_SHOW_REPLY__INIT;
	struct om_error err = OM_ERROR_INIT;
	Om__Setting setting[KEYS_MAX], *list[KEYS_MAX];
	char *value[KEYS_MAX];

	if (!peer_may(p, id, ACT_CONFIG_SHOW))
		return;
	for (const struct om_config_key *k = om_config_keys;
	     k->name && m.n_setting < KEYS_MAX; k++) {
		if (!is_top(k) || (key && *key && strcmp(key, k->name)))
			continue;
		value[m.n_setting] = om_config_key_format(k, c->config);
		fill_setting(c, k, value[m.n_setting], setting + m.n_setting);
		list[m.n_setting] = setting + m.n_setting;
		m.n_setting++;
	}
	m.setting = list;
	if (m.n_setting == 0)
		peer_fail(p, id, om_config_key_unknown("", key, &err), &err);
	else
		peer_send(p, OM_MSG_CONFIG_SHOW_REPLY, id, &m.base);
	for (size_t i = 0; i < m.n_setting; i++)
		free(value[i]);
}

/* ----------------------------------------------------------------------- set */

static int check_setting(const Om__Setting *s, struct om_error *err)
{
	const struct om_config_key *k = om_config_key_find("", s->key);

	if (!k)
		return om_config_key_unknown("", s->key, err);
	if (!k->live)
		return om_fail(err, -EINVAL,
			       "%s can only be set in the file and needs a restart",
			       s->key);
	if (!*s->value)
		return 0;
	return om_config_key_set(k, NULL, s->value, err);
}

static int apply_settings(struct omctld *c, const Om__ConfigSet *m,
			  struct om_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < m->n_setting && rc == 0; i++)
		rc = check_setting(m->setting[i], err);
	for (size_t i = 0; i < m->n_setting && rc == 0; i++) {
		Om__EvSetting e = OM__EV_SETTING__INIT;

		e.key = m->setting[i]->key;
		e.value = *m->setting[i]->value ? m->setting[i]->value : NULL;
		rc = EMIT(c, SETTING, setting, &e, err);
	}
	return rc;
}

void settings_set(struct omctld *c, struct peer *p, uint32_t id,
		  const ProtobufCMessage *body)
{
	const Om__ConfigSet *m = (const Om__ConfigSet *)body;
	struct om_error err = OM_ERROR_INIT;
	int rc = 0;

	if (!peer_may(p, id, m->n_setting ? ACT_CONFIG_SET : ACT_CONFIG_RELOAD))
		return;
	if (m->n_setting > KEYS_MAX)
		rc = om_fail(&err, -E2BIG, "%zu settings at once",
			     m->n_setting);
	if (rc == 0)
		rc = apply_settings(c, m, &err);
	if (rc == 0)
		rc = settings_reload(c, &err);
	if (rc < 0)
		peer_fail(p, id, rc, &err);
	else
		peer_ok(p, id, m->n_setting);
}

/* ---------------------------------------------------------------------- ping */

static uint64_t resident_bytes(void)
{
	om_autofile FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long size, resident;

	if (!f || fscanf(f, "%llu %llu", &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void settings_ping(struct omctld *c, struct peer *p, uint32_t id,
		   const ProtobufCMessage *body)
{
	Om__PingReply m = OM__PING_REPLY__INIT;

	(void)body;
	if (!peer_may(p, id, ACT_PING))
		return;
	m.cluster = c->config->cluster_name;
	m.version = (char *)(uintptr_t)PACKAGE_VERSION;
	m.started_ns = c->started_ns;
	m.has_nodes = m.has_nodes_up = m.has_jobs_pending = 1;
	m.has_jobs_running = m.has_events = m.has_rss = m.has_now_ns = 1;
	for (uint32_t i = 0; i < c->model->nodes; i++) {
		m.nodes += c->model->node[i] != NULL;
		m.nodes_up += c->model->node[i] && c->model->node[i]->up;
	}
	m.jobs_pending = c->model->jobs_pending;
	m.jobs_running = c->model->jobs_active;
	m.events = journal_events(c->journal);
	m.rss = resident_bytes();
	m.now_ns = ctld_wall(c);
	peer_send(p, OM_MSG_PING_REPLY, id, &m.base);
}
