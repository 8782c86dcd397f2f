/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * launch: is a packed Launch one that a node can start? The controller keeps
 * and forwards the bytes; it looks into them here only, at submit.
 */
#include <stdbool.h>
#include <string.h>

#include "sched/ctld/spec.h"

#define SCRIPT_MAX (4u << 20)
#define STRINGS_MAX 65536u	/* argv and environment entries */
#define PATH_LIMIT 4096u
#define LIMITS_MAX 32u
#define HOST_MAX 255u		/* it is kept as long as the job is known */

/* Reads a varint; the bytes used, or 0 if it is cut off or too long. */
static size_t varint(const uint8_t *p, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < 10; i++) {
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80)) {
			*ret = v;
			return i + 1;
		}
	}
	return 0;
}

/*
 * Fields of the message, before it is unpacked: two bytes of an empty string
 * cost fifty decoded, so that a small message could take much memory. 0 if it
 * is malformed.
 */
static size_t count_fields(const uint8_t *p, size_t len)
{
	size_t fields = 0, used;
	uint64_t tag, n;

	while (len > 0) {
		used = varint(p, len, &tag);
		p += used;
		len -= used;
		if (!used || ((tag & 7) != 0 && (tag & 7) != 2))
			return 0;
		used = varint(p, len, &n);
		p += used;
		len -= used;
		if (!used || ((tag & 7) == 2 && n > len))
			return 0;
		if ((tag & 7) == 2) {
			p += n;
			len -= n;
		}
		fields++;
	}
	return fields;
}

static int check_script(const ProtobufCBinaryData *s, struct om_error *err)
{
	const char *text = (const char *)s->data;

	if (s->len > SCRIPT_MAX)
		return om_fail(err, -EINVAL,
			       "the script has %zu bytes, at most %u are allowed",
			       s->len, SCRIPT_MAX);
	if (s->len < 3 || text[0] != '#' || text[1] != '!')
		return om_fail(err, -EINVAL,
			       "this is no batch script: its first line must name an interpreter\n"
			       "begin it with #!/bin/sh, or use --wrap='COMMAND'");
	if (memchr(text, '\0', s->len))
		return om_fail(err, -EINVAL,
			       "this is no batch script: it holds NUL bytes, so is a program or data\n"
			       "omsub --wrap='PROGRAM' runs a program");
	for (size_t i = 2; i < s->len && text[i] != '\n'; i++) {
		if (text[i] != '\r')
			continue;
		return om_fail(err, -EINVAL,
			       "the script has line ends of DOS (CR LF), which no interpreter is found by\n"
			       "sed -i 's/\\r$//' SCRIPT");
	}
	return 0;
}

/* starts: something is started by it, so it must say where. */
static int check_paths(const Om__Launch *l, bool starts, struct om_error *err)
{
	const char *const path[] = { l->std_in, l->std_out, l->std_err };

	if ((starts && !l->cwd) ||
	    (l->cwd && (l->cwd[0] != '/' || strlen(l->cwd) >= PATH_LIMIT)))
		return om_fail(err, -EINVAL,
			       "the working directory must begin with '/' and have at most %u characters",
			       PATH_LIMIT - 1);
	for (size_t i = 0; i < 3; i++)
		if (path[i] && strlen(path[i]) >= PATH_LIMIT)
			return om_fail(err, -EINVAL,
				       "a path of input or output has over %u characters",
				       PATH_LIMIT - 1);
	return 0;
}

static int check_lists(const Om__Launch *l, struct om_error *err)
{
	for (size_t i = 0; i < l->n_env; i++)
		if (!strchr(l->env[i], '=') || l->env[i][0] == '=')
			return om_fail(err, -EINVAL,
				       "environment entry %zu is not NAME=VALUE",
				       i);
	if (l->n_limit > LIMITS_MAX)
		return om_fail(err, -EINVAL, "%zu resource limits, at most %u",
			       l->n_limit, LIMITS_MAX);
	if (l->submit_host && strlen(l->submit_host) > HOST_MAX)
		return om_fail(err, -EINVAL,
			       "the name of the submitting host has over %u characters",
			       HOST_MAX);
	if (l->umask > 0777)
		return om_fail(err, -EINVAL, "umask %o is over 777", l->umask);
	return 0;
}

static int unpack(const ProtobufCBinaryData *packed, Om__Launch **ret,
		  struct om_error *err)
{
	size_t fields = count_fields(packed->data, packed->len);

	if (packed->len && !fields)
		return om_fail(err, -EPROTO, "the launch message is malformed");
	if (fields > STRINGS_MAX)
		return om_fail(err, -E2BIG,
			       "%zu arguments and environment entries, at most %u",
			       fields, STRINGS_MAX);
	*ret = om__launch__unpack(NULL, packed->len, packed->data);
	if (!*ret)
		return om_fail(err, -EPROTO, "the launch message is malformed");
	return 0;
}

static int check(const Om__Launch *l, bool starts, struct om_error *err)
{
	int rc = check_paths(l, starts, err);

	return rc < 0 ? rc : check_lists(l, err);
}

static int finish(int rc, Om__Launch *l, Om__Launch **ret)
{
	if (rc < 0)
		om__launch__free_unpacked(l, NULL);
	else
		*ret = l;
	return rc;
}

int launch_check(const ProtobufCBinaryData *packed, Om__JobKind kind,
		 Om__Launch **ret, struct om_error *err)
{
	Om__Launch *l;
	int rc = unpack(packed, &l, err);

	if (rc < 0)
		return rc;
	/* Of an allocation nothing is started: all may be left out. */
	rc = check(l, kind == OM__JOB_KIND__BATCH, err);
	if (rc == 0 && kind == OM__JOB_KIND__BATCH)
		rc = check_script(&l->script, err);
	return finish(rc, l, ret);
}

int launch_check_step(const ProtobufCBinaryData *packed, Om__Launch **ret,
		      struct om_error *err)
{
	Om__Launch *l;
	int rc = unpack(packed, &l, err);

	if (rc < 0)
		return rc;
	rc = check(l, true, err);
	if (rc == 0 && (l->n_argv == 0 || !*l->argv[0]))
		rc = om_fail(err, -EINVAL, "the step names no command");
	if (rc == 0 && l->has_script)
		rc = om_fail(err, -EINVAL, "a step has a command, no script");
	return finish(rc, l, ret);
}
