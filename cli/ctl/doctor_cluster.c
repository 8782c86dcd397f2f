/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor_cluster: what the controller and its nodes tell. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl/doctor.h"
#include "config.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SKEW_NS (5 * OM_NS_PER_S)	/* munge refuses beyond minutes */

static int64_t wall(void)
{
	return om_wall_ns(om_clock_system());
}

/* ---- controller */

static void check_clock(struct doctor *d, const Om__PingReply *r,
			int64_t before, int64_t after)
{
	int64_t diff = r->now_ns - (before + after) / 2;
	double s = (double)diff / 1e9;

	if (!r->has_now_ns)
		return;
	if (diff > SKEW_NS || diff < -SKEW_NS)
		doctor_fault(d, "clock", "the controller's clock is %.1f s %s ours\n"
			     "apt-get install chrony (or systemd-timesyncd) on both",
			     s < 0 ? -s : s, s > 0 ? "ahead of" : "behind");
	else
		doctor_ok(d, "clock", "the controller's clock and ours differ by "
			  "%.3f s", s < 0 ? -s : s);
}

static void tell_unreachable(struct doctor *d, int rc,
			     const struct om_error *err)
{
	const char *cure = "systemctl start omctld, and look at journalctl -u "
			   "omctld (omcluster: omcluster up)";
	char text[sizeof(err->text)];

	if (rc == -EACCES || rc == -EPERM)
		cure = "the munge key and the uid of controller_user must be the "
		       "same on both machines";
	om_str_copy(text, sizeof(text), om_error_text(err));
	text[strcspn(text, "\n")] = '\0';
	doctor_fault(d, "controller", "%.200s\n%s", text, cure);
	d->have_client = false;
}

void doctor_controller(struct doctor *d)
{
	Om__Empty msg = OM__EMPTY__INIT;
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *body = NULL;
	int64_t before = wall();
	Om__PingReply *r;
	int rc;

	if (!d->have_client)
		return;
	rc = om_client_call(d->session.client, OM_MSG_PING, &msg.base,
			    OM_MSG_PING_REPLY, &body, &err);
	if (rc < 0) {
		tell_unreachable(d, rc, &err);
		return;
	}
	r = (Om__PingReply *)body;
	doctor_ok(d, "controller", "cluster %s answers, openMosix %s", r->cluster,
		  r->version);
	if (strcmp(r->version, PACKAGE_VERSION))
		doctor_note(d, "controller", "its version is %s, these commands are "
			    "%s\ninstall the same version everywhere", r->version,
			    PACKAGE_VERSION);
	check_clock(d, r, before, wall());
	om__ping_reply__free_unpacked(r, NULL);
}

/* ---- nodes */

static bool is_down(const Om__NodeInfo *n)
{
	return !strncmp(n->state, "down", 4) || !strcmp(n->state, "unknown");
}

static void check_node(struct doctor *d, const Om__NodeInfo *n)
{
	char since[32] = "never";

	if (n->seen_ns > 0)
		om_format_when(n->seen_ns / OM_NS_PER_S, since, sizeof(since));
	if (is_down(n))
		doctor_fault(d, "nodes", "%s is %s (last seen %s)%s%.100s\n"
			     "on %s: systemctl start omnoded, and look at "
			     "journalctl -u omnoded", n->name, n->state, since,
			     n->reason ? ": " : "", n->reason ? n->reason : "",
			     n->name);
	else if (n->drain)
		doctor_note(d, "nodes", "%s is drained: %.100s\nomnode undrain %s",
			    n->name, n->reason ? n->reason : "no reason given",
			    n->name);
	if (n->version && strcmp(n->version, PACKAGE_VERSION))
		doctor_note(d, "nodes", "%s runs openMosix %s, we are %s\ninstall "
			    "the same version everywhere", n->name, n->version,
			    PACKAGE_VERSION);
}

static uint32_t count_up(const Om__NodeListReply *r)
{
	uint32_t up = 0;

	for (size_t i = 0; i < r->n_node; i++)
		up += !is_down(r->node[i]);
	return up;
}

/* MPI daemons look each other up by name; a name that means 127.x to its
 * own host is told to others as their own. */
static void check_own_name(struct doctor *d)
{
	struct addrinfo hints = { .ai_family = AF_INET,
				  .ai_socktype = SOCK_STREAM }, *list;
	char host[256] = "";
	uint32_t addr;

	gethostname(host, sizeof(host) - 1);
	if (getaddrinfo(host, NULL, &hints, &list)) {
		doctor_note(d, "names", "this host's name '%s' has no address\n"
			    "add it to /etc/hosts or DNS", host);
		return;
	}
	addr = ntohl(((struct sockaddr_in *)(void *)list->ai_addr)
			     ->sin_addr.s_addr);
	freeaddrinfo(list);
	if (addr >> 24 == 127)
		doctor_note(d, "names", "this host's name '%s' means 127.x here: MPI "
			    "over several nodes will fail\nin /etc/hosts give it the "
			    "address that the other nodes use", host);
	else
		doctor_ok(d, "names", "this host is '%s'", host);
}

void doctor_nodes(struct doctor *d)
{
	Om__NodeList msg = OM__NODE_LIST__INIT;
	struct om_error err = OM_ERROR_INIT;
	ProtobufCMessage *body = NULL;
	Om__NodeListReply *r;
	int rc;

	if (!d->have_client)
		return;
	rc = om_client_call(d->session.client, OM_MSG_NODE_LIST, &msg.base,
			    OM_MSG_NODE_LIST_REPLY, &body, &err);
	if (rc < 0) {
		doctor_fault(d, "nodes", "cannot be listed: %.200s",
			     om_error_text(&err));
		return;
	}
	r = (Om__NodeListReply *)body;
	if (!r->n_node)
		doctor_fault(d, "nodes", "no node has registered\non each node: "
			     "systemctl start omnoded");
	else
		doctor_ok(d, "nodes", "%u of %zu nodes are up", count_up(r),
			  r->n_node);
	for (size_t i = 0; i < r->n_node; i++)
		check_node(d, r->node[i]);
	if (r->n_node > 1)
		check_own_name(d);
	om__node_list_reply__free_unpacked(r, NULL);
}
