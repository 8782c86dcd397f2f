/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "cli/common/say.h"
#include "cli/common/session.h"
#include "lib/base/clock.h"

/* --timeout, else $OM_TIMEOUT, else what the client takes by itself. */
static int find_timeout(const struct cli_common *c, int64_t *ret,
			struct om_error *err)
{
	static const struct cli_option plain = { .at = 0 };
	const char *env = getenv("OM_TIMEOUT");
	int64_t ns = c->timeout_ns;

	if (!ns && env && *env &&
	    cli_set_duration_ns(&ns, &plain, env, err) < 0)
		return om_wrap(err, -EINVAL, "OM_TIMEOUT=%s", env);
	*ret = ns ? ns : 60 * OM_NS_PER_S;
	return 0;
}

int session_open(struct session *s, const struct cli_common *c,
		 struct om_error *err)
{
	*s = (struct session){ NULL };
	if (find_timeout(c, &s->timeout_ns, err) < 0)
		return -EINVAL;
	s->config = om_config_load(c->config, err);
	if (s->config)
		s->client = om_client_create(s->config, err);
	if (!s->client) {
		session_close(s);
		return err->code ? err->code : -EIO;
	}
	om_client_set_timeout(s->client, s->timeout_ns);
	return 0;
}

void session_close(struct session *s)
{
	om_client_destroy(s->client);
	om_config_destroy(s->config);
	*s = (struct session){ NULL };
}

int session_ask(struct session *s, enum om_msg type, const void *msg,
		enum om_msg expect, void *ret_body)
{
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *body = NULL;
	int rc = om_client_call(s->client, type, msg, expect, &body, &err);

	if (rc < 0) {
		say_fail(&err);
		return -om_client_exit_code(rc);
	}
	*(ProtobufCMessage **)ret_body = body;
	return 0;
}
