/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uuid/uuid.h>

#include "cli/common/say.h"
#include "cli/common/session.h"
#include "cli/common/submit.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

int submit_init(struct submit *s, struct jobspec *j, const struct launch *l,
		struct om_error *err)
{
	om__submit__init(&s->msg);
	uuid_generate_random(s->uuid);
	s->msg.uuid = (ProtobufCBinaryData){ sizeof(s->uuid), s->uuid };
	s->msg.spec = &j->spec;
	return launch_pack(l, &s->msg.launch, err);
}

void submit_fini(struct submit *s)
{
	free(s->msg.launch.data);
	s->msg.launch.data = NULL;
}

void submit_say_notes(const Om__Submitted *answer)
{
	for (size_t i = 0; i < answer->n_note; i++)
		say_note("%s", answer->note[i]);
}

void submit_print_estimate(const Om__Submitted *answer)
{
	int64_t start = answer->start_ns / OM_NS_PER_S;
	char when[32];

	if (!answer->has_start_ns)
		printf("could run, but when cannot be told");
	else if (start <= (int64_t)time(NULL) + 1)
		printf("would start now");
	else
		printf("would start at %s",
		       om_format_when(start, when, sizeof(when)));
	if (answer->nodelist && *answer->nodelist)
		printf(" on %s", answer->nodelist);
	putchar('\n');
}

int submit_exit_code(Om__JobState state, unsigned code, unsigned signal)
{
	if (signal)
		return 128 + (int)(signal & 127);
	if (code)
		return (int)(code & 255);
	return state == OM__JOB_STATE__COMPLETED ? 0 : CLI_FAILED;
}
