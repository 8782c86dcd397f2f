/* SPDX-License-Identifier: GPL-3.0-or-later */
/* users: uid to name and groups, cached; see users.h. */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/base/cleanup.h"
#include "sched/noded/users.h"

#define KEEP_NS (60 * OM_NS_PER_S)
#define PASSWD_MAX (1 << 20)
#define GROUPS_MAX 65536

struct entry {
	struct user user;
	int64_t until_ns;	/* monotonic */
	UT_hash_handle hh;
};

struct question;

struct users {
	struct om_loop *loop;
	struct question *asked;		/* under way */
	struct om_workers *workers;	/* made by the first question */
	struct entry *known;		/* by uid */
};

struct question {
	struct users *users;
	uid_t uid;
	struct user answer;
	struct om_error err;
	users_fn *fn;
	void *arg;
	UT_hash_handle hh;
};

static void user_fini(struct user *u)
{
	free(u->name);
	free(u->home);
	free(u->shell);
	free(u->group);
}

static void entry_free(struct users *u, struct entry *e)
{
	HASH_DEL(u->known, e);
	user_fini(&e->user);
	free(e);
}

struct users *users_create(struct om_loop *loop)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u)
		u->loop = loop;
	return u;
}

void users_destroy(struct users *u)
{
	struct entry *e, *next;

	if (!u)
		return;
	om_workers_destroy(u->workers);
	HASH_ITER(hh, u->known, e, next)
		entry_free(u, e);
	free(u);
}

const struct user *users_find(struct users *u, uid_t uid)
{
	struct entry *e;

	HASH_FIND(hh, u->known, &uid, sizeof(uid), e);
	if (e && om_mono_ns(om_loop_clock(u->loop)) > e->until_ns) {
		entry_free(u, e);
		e = NULL;
	}
	return e ? &e->user : NULL;
}

/* ------------------------------------------------- in the worker's thread */

static int find_groups(struct user *u, struct om_error *err)
{
	int n = 64;

	for (;;) {
		int room = n;
		gid_t *p = realloc(u->group, (size_t)n * sizeof(*p));

		if (!p)
			return om_fail_nomem(err);
		u->group = p;
		if (getgrouplist(u->name, u->gid, p, &n) >= 0)
			break;
		if (n <= room)
			n = room * 2;
		if (n > GROUPS_MAX)
			return om_fail(err, -E2BIG, "user %s is in too many groups",
				       u->name);
	}
	u->groups = (size_t)n;
	return 0;
}

static int copy_passwd(struct user *u, const struct passwd *pw,
		       struct om_error *err)
{
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	u->name = strdup(pw->pw_name);
	u->home = strdup(pw->pw_dir ? pw->pw_dir : "/");
	u->shell = strdup(pw->pw_shell && *pw->pw_shell ? pw->pw_shell :
			  "/bin/sh");
	if (!u->name || !u->home || !u->shell)
		return om_fail_nomem(err);
	return find_groups(u, err);
}

static int find_user(struct user *u, uid_t uid, struct om_error *err)
{
	struct passwd pw, *found = NULL;
	om_autofree char *buf = NULL;
	size_t size = 4096;
	int rc;

	do {
		char *bigger = realloc(buf, size);

		if (!bigger)
			return om_fail_nomem(err);
		buf = bigger;
		rc = getpwuid_r(uid, &pw, buf, size, &found);
		size *= 2;
	} while (rc == ERANGE && size <= PASSWD_MAX);
	if (!found)
		return om_fail(err, rc ? -rc : -ENOENT,
			       "user id %u is not known on this node%s%s", uid,
			       rc ? ": " : "", rc ? strerror(rc) : "");
	return copy_passwd(u, found, err);
}

static void look_up(void *arg)
{
	struct question *q = arg;

	find_user(&q->answer, q->uid, &q->err);
}

/* ------------------------------------------------------------ in the loop */

static const struct user *keep(struct users *u, struct user *answer)
{
	struct entry *e;

	HASH_FIND(hh, u->known, &answer->uid, sizeof(answer->uid), e);
	if (e)
		entry_free(u, e);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->user = *answer;
	*answer = (struct user){ 0 };
	e->until_ns = om_mono_ns(om_loop_clock(u->loop)) + KEEP_NS;
	HASH_ADD(hh, u->known, user.uid, sizeof(e->user.uid), e);
	return &e->user;
}

static void answered(void *arg)
{
	struct question *q = arg;
	const struct user *user = NULL;

	HASH_DEL(q->users->asked, q);
	if (!q->err.code) {
		user = keep(q->users, &q->answer);
		if (!user)
			om_fail_nomem(&q->err);
	}
	q->fn(q->arg, q->uid, user, &q->err);
	user_fini(&q->answer);
	free(q);
}

int users_ask(struct users *u, uid_t uid, users_fn *fn, void *arg,
	      struct om_error *err)
{
	struct question *q;
	int rc;

	HASH_FIND(hh, u->asked, &uid, sizeof(uid), q);
	if (q)
		return 0;
	if (!u->workers) {
		u->workers = om_workers_create(u->loop, 1, err);
		if (!u->workers)
			return err->code;
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return om_fail_nomem(err);
	q->users = u;
	q->uid = uid;
	q->fn = fn;
	q->arg = arg;
	rc = om_work_submit(u->workers, look_up, answered, q);
	if (rc < 0) {
		free(q);
		return om_fail(err, rc, "cannot ask for a user: %s",
			       strerror(-rc));
	}
	HASH_ADD(hh, u->asked, uid, sizeof(q->uid), q);
	return 0;
}

bool user_in_group(const struct user *u, gid_t gid)
{
	if (u->gid == gid)
		return true;
	for (size_t i = 0; i < u->groups; i++)
		if (u->group[i] == gid)
			return true;
	return false;
}
