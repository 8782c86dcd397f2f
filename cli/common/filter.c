/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/common/filter.h"
#include "cli/common/states.h"
#include "lib/base/cleanup.h"
#include "lib/base/hostlist.h"
#include "lib/base/idset.h"
#include "lib/base/str.h"

void filter_init(struct filter *f)
{
	*f = (struct filter){ .uid = NULL };
	om__job_filter__init(&f->msg);
}

static void free_tasks(Om__JobFilter *m)
{
	for (size_t i = 0; i < m->n_array_task; i++) {
		free(m->array_task[i]->tasks);
		free(m->array_task[i]);
	}
	free(m->array_task);
}

void filter_fini(struct filter *f)
{
	om_strvec_fini(&f->name);
	om_strvec_fini(&f->partition);
	om_strvec_fini(&f->node);
	om_strvec_fini(&f->account);
	free(f->uid);
	free(f->msg.job_id);
	free(f->msg.state);
	free_tasks(&f->msg);
}

/* ---- ids */

static int add_range(Om__JobFilter *m, uint64_t first, uint64_t last,
		     struct om_error *err)
{
	size_t n = m->n_job_id;
	uint64_t *ids;

	if (last - first >= FILTER_IDS - n)
		return om_fail(err, -EINVAL, "more than %d jobs named",
			       FILTER_IDS);
	ids = realloc(m->job_id, (n + (size_t)(last - first) + 1) *
			      sizeof(*ids));
	if (!ids)
		return om_fail_nomem(err);
	m->job_id = ids;
	for (uint64_t id = first; id <= last; id++)
		ids[n++] = id;
	m->n_job_id = n;
	return 0;
}

static int add_tasks(Om__JobFilter *m, uint64_t array, const char *tasks,
		     struct om_error *err)
{
	struct om_idset set = OM_IDSET_INIT;
	Om__ArrayTask **list, *t;
	int rc;

	rc = om_idset_parse(&set, tasks, UINT32_MAX, FILTER_IDS, err);
	om_idset_fini(&set);
	if (rc < 0)
		return rc;
	list = realloc(m->array_task, (m->n_array_task + 1) * sizeof(*list));
	if (!list)
		return om_fail_nomem(err);
	m->array_task = list;
	t = malloc(sizeof(*t));
	if (!t)
		return om_fail_nomem(err);
	om__array_task__init(t);
	t->array_id = array;
	t->tasks = strdup(tasks);
	if (!t->tasks) {
		free(t);
		return om_fail_nomem(err);
	}
	list[m->n_array_task++] = t;
	return 0;
}

/* One of "12", "12-15", "123_7", "123_[5-9,11]"; the text is cut up. */
static int add_id(Om__JobFilter *m, char *text, struct om_error *err)
{
	char *low = strchr(text, '_'), *dash = strchr(text, '-');
	uint64_t first, last;

	if (low) {
		size_t len = strlen(low + 1);

		*low++ = '\0';
		if (len > 2 && low[0] == '[' && low[len - 1] == ']') {
			low[len - 1] = '\0';
			low++;
		}
		if (om_parse_u64(text, 1, INT64_MAX, &first) < 0 || !*low)
			goto bad;
		return add_tasks(m, first, low, err);
	}
	if (dash)
		*dash++ = '\0';
	if (om_parse_u64(text, 1, INT64_MAX, &first) < 0)
		goto bad;
	last = first;
	if (dash && om_parse_u64(dash, first, INT64_MAX, &last) < 0)
		goto bad;
	return add_range(m, first, last, err);
bad:
	return om_fail(err, -EINVAL, "not a job: write 12, 12-15, 123_7 or "
		       "123_[5-9]");
}

/* The next comma that is not inside brackets, or the end. */
static char *item_end(char *s)
{
	bool inside = false;

	for (; *s && (inside || *s != ','); s++) {
		if (*s == '[')
			inside = true;
		else if (*s == ']')
			inside = false;
	}
	return s;
}

int filter_add_ids(struct filter *f, const char *text, struct om_error *err)
{
	om_autofree char *copy = strdup(text);
	char *p = copy;
	int rc = 0;

	if (!copy)
		return om_fail_nomem(err);
	while (rc == 0 && p) {
		char *end = item_end(p), *next = *end ? end + 1 : NULL;

		*end = '\0';
		rc = add_id(&f->msg, p, err);
		p = next;
	}
	return rc < 0 ? om_wrap(err, -EINVAL, "'%.60s'", text) : 0;
}

bool filter_has_ids(const struct filter *f)
{
	return f->msg.n_job_id || f->msg.n_array_task;
}

bool filter_is_empty(const struct filter *f)
{
	return !filter_has_ids(f) && !f->uids && !f->msg.n_state &&
	       !f->name.n && !f->partition.n && !f->node.n && !f->account.n;
}

/* ---- options */

#define SETTER(name)                                                         \
	static int name(void *target, const struct cli_option *o,            \
			const char *value, struct om_error *err)

SETTER(set_ids)
{
	(void)o;
	return filter_add_ids(target, value, err);
}

static int add_uid(struct filter *f, uint32_t uid, struct om_error *err)
{
	uint32_t *list = realloc(f->uid, (f->uids + 1) * sizeof(*list));

	if (!list)
		return om_fail_nomem(err);
	f->uid = list;
	list[f->uids++] = uid;
	return 0;
}

static int add_user(struct filter *f, const char *word, struct om_error *err)
{
	struct passwd *pw = getpwnam(word);
	uint32_t uid;

	if (pw)
		return add_uid(f, pw->pw_uid, err);
	if (om_parse_u32(word, 0, UINT32_MAX - 1, &uid) < 0)
		return om_fail(err, -EINVAL, "there is no user '%.60s'", word);
	return add_uid(f, uid, err);
}

typedef int word_fn(struct filter *f, const char *word, struct om_error *err);

/* Does fn to each word of a list that commas part. */
static int each_word(struct filter *f, const char *value, word_fn *fn,
		     struct om_error *err)
{
	om_autofree char *copy = strdup(value);
	char *rest = copy, *word;
	int rc = 0;

	if (!copy)
		return om_fail_nomem(err);
	while (rc == 0 && (word = strsep(&rest, ",")))
		rc = fn(f, word, err);
	return rc;
}

SETTER(set_users)
{
	(void)o;
	return each_word(target, value, add_user, err);
}

SETTER(set_me)
{
	(void)o;
	(void)value;
	return add_uid(target, getuid(), err);
}

int filter_add_state(struct filter *f, Om__JobState s, struct om_error *err)
{
	size_t n = f->msg.n_state;
	Om__JobState *list = realloc(f->msg.state, (n + 1) * sizeof(*list));

	if (!list)
		return om_fail_nomem(err);
	f->msg.state = list;
	list[n] = s;
	f->msg.n_state = n + 1;
	return 0;
}

static int add_state(struct filter *f, const char *word, struct om_error *err)
{
	int state;

	if (!strcasecmp(word, "all")) {
		f->all_states = true;
		return 0;
	}
	state = state_parse(word, err);
	return state < 0 ? state : filter_add_state(f, (Om__JobState)state, err);
}

SETTER(set_states)
{
	(void)o;
	return each_word(target, value, add_state, err);
}

SETTER(set_words)
{
	struct om_strvec *list = (void *)((char *)target + o->at);
	om_autofree char *copy = strdup(value);
	char *rest = copy, *word;

	while (copy && (word = strsep(&rest, ","))) {
		if (!*word)
			return om_fail(err, -EINVAL, "the list has an empty word");
		if (om_strvec_add(list, word) < 0)
			return om_fail_nomem(err);
	}
	return copy ? 0 : om_fail_nomem(err);
}

SETTER(set_nodes)
{
	struct filter *f = target;

	(void)o;
	return om_hostlist_expand(value, &f->node, err) < 0 ? -EINVAL : 0;
}

#define AT(f) offsetof(struct filter, f)

const struct cli_option filter_options[] = {
	{ "user", 'u', "LIST", "jobs of these users", set_users, 0, "user" },
	{ "me", 0, NULL, "jobs of mine", set_me, 0, NULL },
	{ "state", 't', "LIST", "in these states: pending, running ... or all",
	  set_states, 0, "state" },
	{ "states", 0, "LIST", NULL, set_states, 0, "state" },
	{ "partition", 'p', "LIST", "in these partitions", set_words,
	  AT(partition), "partition" },
	{ "name", 'n', "LIST", "with these names", set_words, AT(name), NULL },
	{ "job", 'j', "LIST", "these jobs: 12, 12-15, 123_7, 123_[5-9]",
	  set_ids, 0, "job" },
	{ "jobs", 0, "LIST", NULL, set_ids, 0, "job" },
	{ "nodelist", 'w', "NODES", "that have some of these nodes", set_nodes,
	  0, "node" },
	{ "account", 'A', "LIST", "with these accounts", set_words,
	  AT(account), NULL },
	{ 0 },
};

/* ---- asking */

static char *sole(const struct om_strvec *list)
{
	return list->n == 1 ? list->v[0] : NULL;
}

void filter_prepare(struct filter *f)
{
	f->msg.name = sole(&f->name);
	f->msg.partition = sole(&f->partition);
	f->msg.node = sole(&f->node);
	f->msg.account = sole(&f->account);
	f->msg.has_uid = f->uids == 1;
	f->msg.uid = f->uids == 1 ? f->uid[0] : 0;
}

static bool one_of(const struct om_strvec *list, const char *word)
{
	if (list->n < 2)
		return true;	/* the controller looked */
	for (size_t i = 0; i < list->n; i++)
		if (om_str_eq(list->v[i], word))
			return true;
	return false;
}

static bool uid_matches(const struct filter *f, uint32_t uid)
{
	if (f->uids < 2)
		return true;
	for (size_t i = 0; i < f->uids; i++)
		if (f->uid[i] == uid)
			return true;
	return false;
}

static bool nodes_match(const struct filter *f, const char *nodelist)
{
	struct om_strvec names = OM_STRVEC_INIT;
	bool found = f->node.n < 2;

	if (found || !nodelist || om_hostlist_expand(nodelist, &names, NULL) < 0)
		return found;
	for (size_t i = 0; i < names.n && !found; i++)
		found = one_of(&f->node, names.v[i]);
	om_strvec_fini(&names);
	return found;
}

bool filter_matches(const struct filter *f, const Om__JobInfo *j)
{
	return uid_matches(f, j->uid) && one_of(&f->name, j->name) &&
	       one_of(&f->partition, j->partition) &&
	       one_of(&f->account, j->account) && nodes_match(f, j->nodelist);
}

static size_t at_least_one(size_t n)
{
	return n ? n : 1;
}

static char *pick(const struct om_strvec *list, size_t *index)
{
	size_t n = at_least_one(list->n), i = *index % n;

	*index /= n;
	return list->n ? list->v[i] : NULL;
}

int filter_each(struct filter *f, filter_fn *fn, void *arg)
{
	size_t total = at_least_one(f->name.n) * at_least_one(f->partition.n) *
		       at_least_one(f->node.n) * at_least_one(f->account.n) *
		       at_least_one(f->uids);
	int rc = 0;

	for (size_t k = 0; k < total && rc == 0; k++) {
		size_t rest = k;

		f->msg.name = pick(&f->name, &rest);
		f->msg.partition = pick(&f->partition, &rest);
		f->msg.node = pick(&f->node, &rest);
		f->msg.account = pick(&f->account, &rest);
		f->msg.has_uid = f->uids != 0;
		f->msg.uid = f->uids ? f->uid[rest] : 0;
		rc = fn(arg, &f->msg);
	}
	return rc;
}
