/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shell: per-job and per-step data of the process. */
#include <stdlib.h>
#include <utlist.h>

#include "sched/ctld/shell.h"

struct job_shell *shell_get(struct om_job *j)
{
	struct job_shell *s = j->shell;

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->job = s->attach.job = j;
	j->shell = s;
	return s;
}

static void step_free(struct step_shell *s)
{
	waiter_remove(&s->attach.w);
	free(s->confirmed);
	free(s);
}

void shell_drop_steps(struct om_job *j)
{
	struct job_shell *js = shell_of(j);

	while (js && js->step) {
		struct step_shell *s = js->step;

		js->step = s->next;
		step_free(s);
	}
}

void shell_drop(struct om_job *j)
{
	struct job_shell *s = shell_of(j);

	if (!s)
		return;
	shell_drop_steps(j);
	waiter_remove(&s->attach.w);
	om_idset_fini(&s->cancelled);
	free(s);
	j->shell = NULL;
}

struct step_shell *shell_step(const struct om_job *j, uint32_t step_id)
{
	const struct job_shell *js = shell_of(j);
	struct step_shell *s = js ? js->step : NULL;

	while (s && s->id != step_id)
		s = s->next;
	return s;
}

struct step_shell *shell_step_get(struct om_job *j, const struct om_step *step)
{
	struct step_shell *s = shell_step(j, step->id);
	struct job_shell *js = shell_get(j);

	if (s || !js)
		return s;
	s = calloc(1, sizeof(*s));
	if (s)
		s->confirmed = calloc(step->parts, sizeof(*s->confirmed));
	if (!s || !s->confirmed) {
		free(s);
		return NULL;
	}
	s->id = step->id;
	s->parts = step->parts;
	s->attach.job = j;
	s->attach.step = s;
	LL_PREPEND(js->step, s);
	return s;
}

void shell_step_drop(struct om_job *j, uint32_t step_id)
{
	struct step_shell *s = shell_step(j, step_id);

	if (!s)
		return;
	LL_DELETE(shell_of(j)->step, s);
	step_free(s);
}

static void on_gone(struct waiter *w)
{
	struct attach *a = (struct attach *)w;

	/* The job's owner may come back; the tick looks after it. */
	a->lost_ns = om_mono_ns(om_clock_system());
}

void attach_set(struct attach *a, struct peer *p, uint32_t id)
{
	waiter_remove(&a->w);
	a->lost_ns = 0;
	waiter_add(p, &a->w, id, on_gone);
}
