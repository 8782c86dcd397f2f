/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cluster: names, places and settings of one cluster; see cluster.h. */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "cli/cluster/folder.h"
#include "cli/cluster/spec.h"
#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/str.h"

static int check_name(const char *name, struct om_error *err)
{
	size_t len = strlen(name);

	if (len > CLUSTER_NAME_MAX)
		return om_fail(err, -EINVAL, "cluster name '%.40s' is too long: "
			       "%d characters at most", name, CLUSTER_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)name[i]) &&
		    !isdigit((unsigned char)name[i]))
			return om_fail(err, -EINVAL, "cluster name '%s' may "
				       "hold only a-z and 0-9", name);
	return 0;
}

/*
 * Where the search for a free port begins: not at the same for all, since
 * another cluster may come up at the same time.
 */
static uint16_t first_port(const char *name)
{
	uint32_t h = 0;

	if (!*name)
		return 7461;
	for (; *name; name++)
		h = h * 31 + (unsigned char)*name;
	return (uint16_t)(7500 + h % 2000);
}

int cluster_init(struct cluster *c, const char *name, struct om_error *err)
{
	int rc;

	memset(c, 0, sizeof(*c));
	if (!name)
		name = "";
	rc = check_name(name, err);
	if (rc < 0)
		return rc;
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->label, sizeof(c->label), "cluster%s%s", *name ? "-" : "",
		 name);
	snprintf(c->folder, sizeof(c->folder), "%s/%s", CLUSTER_BASE, c->label);
	if (*name)
		snprintf(c->bridge, sizeof(c->bridge), "omc-%s", name);
	else
		snprintf(c->bridge, sizeof(c->bridge), "omcbr0");
	cluster_path(c, c->state_dir, "state");
	c->network = UINT32_C(10) << 24 | UINT32_C(90) << 16;
	c->port = first_port(c->name);
	return 0;
}

void cluster_fini(struct cluster *c)
{
	om_strvec_fini(&c->share);
}

char *cluster_path(const struct cluster *c, char *buf, const char *fmt, ...)
{
	int at = snprintf(buf, PATH_MAX, "%s/", c->folder);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + at, (size_t)(PATH_MAX - at), fmt, ap);
	va_end(ap);
	return buf;
}

struct cluster_node *cluster_find(struct cluster *c, const char *name)
{
	for (size_t i = 0; i < c->nodes; i++)
		if (strcmp(c->node[i].name, name) == 0)
			return c->node + i;
	return NULL;
}

const char *cluster_node_text(const struct cluster_node *n, char *buf,
			      size_t size)
{
	snprintf(buf, size, "cpus=%u,cpu-share=%u,memory=%llu", n->cpus,
		 n->cpu_share, (unsigned long long)n->mem_bytes);
	return buf;
}

int cluster_network_parse(const char *text, uint32_t *ret_network,
			  struct om_error *err)
{
	const char *slash = strchr(text, '/');
	char addr[INET_ADDRSTRLEN];
	struct in_addr in;

	if (slash && strcmp(slash, "/24") == 0 &&
	    (size_t)(slash - text) < sizeof(addr)) {
		memcpy(addr, text, (size_t)(slash - text));
		addr[slash - text] = '\0';
		if (inet_pton(AF_INET, addr, &in) == 1 &&
		    (ntohl(in.s_addr) & 0xff) == 0) {
			*ret_network = ntohl(in.s_addr);
			return 0;
		}
	}
	return om_fail(err, -EINVAL, "'%.60s' is not a network that ends in "
		       ".0/24, like 10.90.0.0/24", text);
}

const char *cluster_address(const struct cluster *c, unsigned host_byte,
			    char *buf)
{
	struct in_addr in = { .s_addr = htonl(c->network | host_byte) };

	inet_ntop(AF_INET, &in, buf, INET_ADDRSTRLEN);
	return buf;
}

void cluster_link_name(const struct cluster *c, const struct cluster_node *n,
		       char *buf)
{
	snprintf(buf, IFNAMSIZ, "om%s.%u", *c->name ? c->name : "c0",
		 n->number & 0xff);
}

static int add_node_lines(const struct cluster *c, struct om_buf *b)
{
	char text[96];

	for (size_t i = 0; i < c->nodes; i++) {
		cluster_node_text(c->node + i, text, sizeof(text));
		if (om_buf_addf(b, "node %u:%s\n", c->node[i].number, text) < 0)
			return -ENOMEM;
	}
	return 0;
}

int cluster_save(const struct cluster *c, struct om_error *err)
{
	struct om_buf b = OM_BUF_INIT;
	char addr[INET_ADDRSTRLEN], path[PATH_MAX];
	int rc;

	rc = om_buf_addf(&b, "network %s/24\nport %u\nstate %s\n",
			 cluster_address(c, 0, addr), c->port, c->state_dir);
	for (size_t i = 0; rc == 0 && i < c->share.n; i++)
		rc = om_buf_addf(&b, "share %s\n", c->share.v[i]);
	if (rc == 0)
		rc = add_node_lines(c, &b);
	if (rc < 0)
		rc = om_fail_nomem(err);
	else
		rc = folder_write(cluster_path(c, path, "settings"),
				  om_buf_str(&b), 0644, err);
	om_buf_fini(&b);
	return rc;
}

static int load_node(struct cluster *c, const char *value,
		     struct om_error *err)
{
	struct cluster_node *n;
	char number[8];
	const char *colon = strchr(value, ':');
	uint32_t k;

	if (!colon || (size_t)(colon - value) >= sizeof(number))
		return om_fail(err, -EINVAL, "bad node '%.60s'", value);
	memcpy(number, value, (size_t)(colon - value));
	number[colon - value] = '\0';
	if (om_parse_u32(number, 1, CLUSTER_NODES_MAX, &k) < 0 ||
	    c->nodes >= CLUSTER_NODES_MAX)
		return om_fail(err, -EINVAL, "bad node number '%s'", number);
	n = c->node + c->nodes++;
	memset(n, 0, sizeof(*n));
	n->number = k;
	snprintf(n->name, sizeof(n->name), "n%u", k & 0xff);
	return spec_node_parse(colon + 1, n, err);
}

static int load_line(struct cluster *c, char *line, struct om_error *err)
{
	char *value = strchr(line, ' ');
	uint32_t port;
	int rc;

	if (!value)
		return om_fail(err, -EINVAL, "bad line '%.60s'", line);
	*value++ = '\0';
	if (strcmp(line, "network") == 0)
		return cluster_network_parse(value, &c->network, err);
	if (strcmp(line, "node") == 0)
		return load_node(c, value, err);
	if (strcmp(line, "port") == 0) {
		rc = om_parse_u32(value, 1, 65535, &port);
		if (rc < 0)
			return om_fail(err, rc, "bad port '%.20s'", value);
		c->port = (uint16_t)port;
		return 0;
	}
	if (strcmp(line, "state") == 0)
		return om_str_copy(c->state_dir, sizeof(c->state_dir), value);
	if (strcmp(line, "share") == 0)
		return om_strvec_add(&c->share, value);
	return om_fail(err, -EINVAL, "unknown word '%.60s'", line);
}

int cluster_load(struct cluster *c, struct om_error *err)
{
	om_autofree char *text = NULL;
	char path[PATH_MAX], *save = NULL;
	int rc;

	rc = folder_read(cluster_path(c, path, "settings"), &text, err);
	if (rc < 0)
		return rc;
	c->nodes = 0;
	om_strvec_fini(&c->share);
	c->share = (struct om_strvec)OM_STRVEC_INIT;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		rc = load_line(c, line, err);
		if (rc < 0)
			return om_wrap(err, rc, "'%s'", path);
	}
	return 0;
}
