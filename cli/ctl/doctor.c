/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/json.h"
#include "cli/common/say.h"
#include "cli/ctl/doctor.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define PATIENCE_NS (3 * OM_NS_PER_S)

__attribute__((format(printf, 4, 0)))
static void add(struct doctor *d, enum finding_kind kind, const char *subject,
		const char *fmt, va_list ap)
{
	struct finding *f;
	char text[sizeof(f->text) + sizeof(f->cure)];
	size_t len;

	if (d->findings == FINDINGS_MAX)
		return;
	f = &d->finding[d->findings++];
	f->kind = kind;
	f->subject = subject;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strcspn(text, "\n");
	snprintf(f->text, sizeof(f->text), "%.*s", (int)len, text);
	om_str_copy(f->cure, sizeof(f->cure), text[len] ? text + len + 1 : "");
	f->cure[strcspn(f->cure, "\n")] = '\0';
}

#define ADD(kind)                               \
	do {                                    \
		va_list ap;                     \
		va_start(ap, fmt);              \
		add(d, kind, subject, fmt, ap); \
		va_end(ap);                     \
	} while (0)

void doctor_ok(struct doctor *d, const char *subject, const char *fmt, ...)
{
	ADD(FINDING_OK);
}

void doctor_note(struct doctor *d, const char *subject, const char *fmt, ...)
{
	ADD(FINDING_NOTE);
}

void doctor_fault(struct doctor *d, const char *subject, const char *fmt, ...)
{
	ADD(FINDING_FAULT);
}

static const char *const kinds[] = {
	[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_FAULT] = "fault",
};

static void print_text(const struct doctor *d)
{
	for (int i = 0; i < d->findings; i++) {
		const struct finding *f = &d->finding[i];

		printf("%-6s %-12s %s\n", kinds[f->kind], f->subject, f->text);
		if (f->cure[0])
			printf("%-6s %-12s   cure: %s\n", "", "", f->cure);
	}
}

static void print_json(const struct doctor *d)
{
	json_list_begin("findings");
	for (int i = 0; i < d->findings; i++) {
		const struct finding *f = &d->finding[i];

		json_list_item(json_pack("{s:s, s:s, s:o, s:o}",
			"kind", kinds[f->kind], "subject", f->subject,
			"text", json_text(f->text), "cure", json_text(f->cure)));
	}
	json_list_end();
}

static int count_faults(const struct doctor *d)
{
	int n = 0;

	for (int i = 0; i < d->findings; i++)
		n += d->finding[i].kind == FINDING_FAULT;
	return n;
}

static void examine(struct doctor *d)
{
	doctor_config(d);
	doctor_user(d);
	doctor_munge(d);
	doctor_folders(d);
	doctor_kernel(d);
	doctor_topology(d);
	doctor_controller(d);
	doctor_nodes(d);
	doctor_mpi(d);
}

int doctor_run(const struct cli_common *c, bool json)
{
	struct cli_common common = *c;
	struct doctor *d = calloc(1, sizeof(*d));
	int faults;

	if (!d) {
		say_error("out of memory");
		return CLI_FAILED;
	}
	if (!common.timeout_ns && !getenv("OM_TIMEOUT"))
		common.timeout_ns = PATIENCE_NS;
	d->common = &common;
	examine(d);
	faults = count_faults(d);
	if (json)
		print_json(d);
	else
		print_text(d);
	if (!json)
		printf("\n%d fault%s found.\n", faults, faults == 1 ? "" : "s");
	session_close(&d->session);
	free(d);
	return faults ? CLI_FAILED : CLI_OK;
}
