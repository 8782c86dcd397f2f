/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jobinfo: filling and packing JobInfo. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/proto/types.h"
#include "sched/ctld/jobinfo.h"

static const char *const dependency_names[] = {
	"after", "afterok", "afterany", "afternotok", "singleton",
};

static int fill_dependency(struct jobinfo *ji, const struct om_job *j)
{
	struct om_buf b = OM_BUF_INIT;
	int rc = 0;

	for (uint32_t i = 0; i < j->deps && rc == 0; i++) {
		const struct om_dependency *d = j->dep + i;

		rc = om_buf_addf(&b, "%s%s", i ? "," : "",
				 (unsigned)d->kind < 5 ?
					 dependency_names[d->kind] : "?");
		if (rc == 0 && d->job_id)
			rc = om_buf_addf(&b, ":%llu",
					 (unsigned long long)d->job_id);
	}
	if (rc < 0) {
		om_buf_fini(&b);
		return rc;
	}
	ji->info.dependency = ji->dependency = om_buf_steal(&b);
	return ji->dependency ? 0 : -ENOMEM;
}

static int fill_steps(struct jobinfo *ji, const struct om_job *j)
{
	const struct om_step *s;
	size_t n = 0;

	LL_FOREACH(j->alloc->step, s)
		n++;
	if (n == 0)
		return 0;
	ji->step = calloc(n, sizeof(*ji->step));
	ji->steps = calloc(n, sizeof(*ji->steps));
	if (!ji->step || !ji->steps)
		return -ENOMEM;
	ji->info.step = ji->steps;
	LL_FOREACH(j->alloc->step, s) {
		struct jobinfo_step *to = ji->step + ji->info.n_step;

		if (om_step_info(s, &to->info, &to->usage) < 0)
			return -ENOMEM;
		ji->steps[ji->info.n_step++] = &to->info;
	}
	return 0;
}

/* What a job that waits cannot have is left out: half of a long list is
 * made of it, and decoding is what costs most there. */
static void fill_pending(struct jobinfo *ji, const struct om_job *j)
{
	Om__JobInfo *i = &ji->info;

	i->priority = om_sched_priority(j, om_wall_ns(om_clock_system()));
	if (!j->restarts)
		i->usage = NULL;
	i->has_start_ns = j->start_ns != 0;
	i->has_end_ns = j->end_ns != 0;
	i->has_exit_code = i->has_exit_signal = 0;
	i->has_restarts = j->restarts != 0;
	i->has_nodes = i->nodes != 0;
	i->has_mem = i->mem != 0;
	i->has_load_limit = i->load_limit > 0;
	i->has_migrate = i->migrate != OM__MIGRATE_MODE__AUTO;
	i->has_kind = i->kind != OM__JOB_KIND__BATCH;
}

int jobinfo_init(struct jobinfo *ji, const struct om_job *j, bool steps)
{
	int rc = om_job_info(j, &ji->info, &ji->usage);

	ji->step = NULL;
	ji->steps = NULL;
	ji->dependency = NULL;
	if (j->state == OM__JOB_STATE__PENDING)
		fill_pending(ji, j);
	if (rc == 0 && j->deps)
		rc = fill_dependency(ji, j);
	if (rc == 0 && steps && j->alloc)
		rc = fill_steps(ji, j);
	if (rc < 0)
		jobinfo_fini(ji);
	return rc;
}

void jobinfo_fini(struct jobinfo *ji)
{
	for (size_t i = 0; i < ji->info.n_step; i++)
		om_step_info_fini(&ji->step[i].info);
	free(ji->step);
	free(ji->steps);
	free(ji->dependency);
	ji->step = NULL;
	ji->steps = NULL;
	ji->dependency = NULL;
	ji->info.n_step = 0;
	om_job_info_fini(&ji->info);
}

void jobinfo_send(struct peer *p, uint32_t id, const struct om_job *j)
{
	struct jobinfo ji;

	if (jobinfo_init(&ji, j, true) < 0) {
		peer_doom(p, "out of memory for its messages");
		return;
	}
	peer_send(p, OM_MSG_JOB_INFO, id, &ji.info.base);
	jobinfo_fini(&ji);
}

/* Fields 1 (with a length) and 2 (a number) in protobuf's wire form. */
#define TAG_JOB 0x0a
#define TAG_NEXT 0x10

static int append_tag(struct om_buf *out, uint8_t tag, uint64_t n)
{
	uint8_t head[12] = { tag };
	size_t used = 1;

	for (; n >= 0x80; n >>= 7)
		head[used++] = (uint8_t)(n | 0x80);
	head[used++] = (uint8_t)n;
	return om_buf_add(out, head, used);
}

int jobinfo_append_next(struct om_buf *out, uint64_t next_id)
{
	return append_tag(out, TAG_NEXT, next_id);
}

void jobinfo_send_list(struct peer *p, uint32_t id, const struct om_buf *body)
{
	size_t len = om_buf_len(body);
	uint32_t head[3] = { htonl((uint32_t)len),
			     htonl(OM_MSG_JOB_LIST_REPLY), htonl(id) };
	struct om_error err = OM_ERROR_INIT;
	struct om_buf frame = OM_BUF_INIT;

	if (len > om_msg_lookup(OM_MSG_JOB_LIST_REPLY)->max_bytes) {
		om_fail(&err, -EMSGSIZE, "more jobs than fit into one answer\n"
			"ask for fewer: by user, state, or with a limit");
		peer_fail(p, id, -EMSGSIZE, &err);
		return;
	}
	_Static_assert(sizeof(head) == OM_FRAME_HEADER, "a frame's header");
	if (om_buf_add(&frame, head, sizeof(head)) < 0 ||
	    om_buf_add(&frame, om_buf_str(body), len) < 0)
		peer_doom(p, "out of memory for its messages");
	else
		peer_send_raw(p, om_buf_str(&frame), om_buf_len(&frame));
	om_buf_fini(&frame);
}

int jobinfo_append_info(struct om_buf *out, const Om__JobInfo *info)
{
	size_t len = om__job_info__get_packed_size(info), room;
	char *to;

	if (append_tag(out, TAG_JOB, len) < 0)
		return -ENOMEM;
	to = om_buf_space(out, len, &room);
	if (!to)
		return -ENOMEM;
	om__job_info__pack(info, (uint8_t *)to);
	om_buf_commit(out, len);
	return 0;
}

int jobinfo_append(struct om_buf *out, const struct om_job *j, bool steps)
{
	struct jobinfo ji;
	int rc = jobinfo_init(&ji, j, steps);

	if (rc < 0)
		return rc;
	rc = jobinfo_append_info(out, &ji.info);
	jobinfo_fini(&ji);
	return rc;
}

void jobinfo_exit(const struct om_job *j, uint32_t *ret_code,
		  uint32_t *ret_signal)
{
	const struct om_step *s, *batch = NULL;
	uint32_t worst = 0;

	*ret_code = *ret_signal = 0;
	if (!j->alloc)
		return;
	LL_FOREACH(j->alloc->step, s)
		if (s->id == OM_STEP_BATCH)
			batch = s;
	LL_FOREACH(j->alloc->step, s) {
		uint32_t rank = s->exit_signal ? 128 + s->exit_signal :
						 s->exit_code;

		/* The script speaks for the job, if there is one. */
		if ((batch && s != batch) || s->daemons || rank <= worst)
			continue;
		worst = rank;
		*ret_code = s->exit_code;
		*ret_signal = s->exit_signal;
	}
}
