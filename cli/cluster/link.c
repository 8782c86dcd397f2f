/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: see link.h. No default route is made: nodes reach each other only. */
#include <arpa/inet.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <string.h>

#include "cli/cluster/link.h"

static void cleanup_socket(struct nl_sock **sk)
{
	if (*sk)
		nl_socket_free(*sk);
}

static void cleanup_link(struct rtnl_link **l)
{
	if (*l)
		rtnl_link_put(*l);
}

#define auto_socket __attribute__((cleanup(cleanup_socket)))
#define auto_link __attribute__((cleanup(cleanup_link)))

/* libnl's numbers as ours, with its text. */
static int fail_nl(struct om_error *err, int nl, const char *what,
		   const char *link)
{
	int code = -EIO;

	switch (-nl) {
	case NLE_EXIST: code = -EEXIST; break;
	case NLE_PERM: code = -EPERM; break;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND: code = -ENODEV; break;
	case NLE_NOMEM: code = -ENOMEM; break;
	case NLE_OPNOTSUPP: code = -ENOTSUP; break;
	}
	return om_fail(err, code, "cannot %s '%s': %s", what, link,
		       nl_geterror(nl));
}

static struct nl_sock *open_socket(struct om_error *err)
{
	struct nl_sock *sk = nl_socket_alloc();
	int rc = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (rc == 0)
		return sk;
	nl_socket_free(sk);
	fail_nl(err, rc, "open", "rtnetlink");
	return NULL;
}

static int set_up(struct nl_sock *sk, const char *name, bool up,
		  struct om_error *err)
{
	auto_link struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	int rc = rtnl_link_get_kernel(sk, 0, name, &link);

	if (!change)
		return om_fail_nomem(err);
	if (rc == 0 && up)
		rtnl_link_set_flags(change, IFF_UP);
	else if (rc == 0)
		rtnl_link_unset_flags(change, IFF_UP);
	if (rc == 0)
		rc = rtnl_link_change(sk, link, change, 0);
	if (rc < 0)
		return fail_nl(err, rc, up ? "switch on" : "switch off", name);
	return 0;
}

static int index_of(struct nl_sock *sk, const char *name)
{
	auto_link struct rtnl_link *link = NULL;

	if (rtnl_link_get_kernel(sk, 0, name, &link) < 0)
		return 0;
	return rtnl_link_get_ifindex(link);
}

static int add_address(struct nl_sock *sk, const struct cluster *c,
		       unsigned host_byte, const char *name,
		       struct om_error *err)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	char text[INET_ADDRSTRLEN + 4];
	int rc;

	cluster_address(c, host_byte, text);
	strcat(text, "/24");
	rc = addr ? nl_addr_parse(text, AF_INET, &local) : -NLE_NOMEM;
	if (rc == 0) {
		rtnl_addr_set_ifindex(addr, index_of(sk, name));
		rc = rtnl_addr_set_local(addr, local);
	}
	if (rc == 0)
		rc = rtnl_addr_add(sk, addr, 0);
	nl_addr_put(local);
	rtnl_addr_put(addr);
	if (rc < 0 && rc != -NLE_EXIST)
		return fail_nl(err, rc, "give an address to", name);
	return 0;
}

/* The index of a link with an address in the cluster's network, or 0. */
static int network_user(struct nl_sock *sk, const struct cluster *c)
{
	struct nl_cache *cache = NULL;
	int index = 0;

	if (rtnl_addr_alloc_cache(sk, &cache) < 0)
		return 0;
	for (struct nl_object *o = nl_cache_get_first(cache); o && !index;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(addr);
		uint32_t a, mask;
		int bits = rtnl_addr_get_prefixlen(addr);

		if (rtnl_addr_get_family(addr) != AF_INET || !local)
			continue;
		memcpy(&a, nl_addr_get_binary_addr(local), sizeof(a));
		bits = bits > 24 ? 24 : bits;	/* either holds the other */
		mask = bits ? UINT32_MAX << (32 - bits) : 0;
		if ((ntohl(a) & mask) == (c->network & mask))
			index = rtnl_addr_get_ifindex(addr);
	}
	nl_cache_free(cache);
	return index;
}

static int check_network(struct nl_sock *sk, const struct cluster *c,
			 struct om_error *err)
{
	char addr[INET_ADDRSTRLEN], name[IFNAMSIZ] = "?";
	int user = network_user(sk, c);

	if (!user || user == index_of(sk, c->bridge))
		return 0;
	if_indextoname((unsigned)user, name);
	return om_fail(err, -EADDRINUSE, "the network %s/24 is in use by link "
		       "%s\nchoose another, like --network=10.91.0.0/24",
		       cluster_address(c, 0, addr), name);
}

int link_bridge_up(const struct cluster *c, struct om_error *err)
{
	auto_socket struct nl_sock *sk = open_socket(err);
	auto_link struct rtnl_link *bridge = NULL;
	int rc;

	if (!sk)
		return err ? err->code : -EIO;
	rc = check_network(sk, c, err);
	if (rc < 0)
		return rc;
	if (!index_of(sk, c->bridge)) {
		bridge = rtnl_link_bridge_alloc();
		if (!bridge)
			return om_fail_nomem(err);
		rtnl_link_set_name(bridge, c->bridge);
		rc = rtnl_link_add(sk, bridge, NLM_F_CREATE | NLM_F_EXCL);
		if (rc < 0)
			return fail_nl(err, rc, "make the bridge", c->bridge);
	}
	rc = add_address(sk, c, CLUSTER_HOST_BYTE, c->bridge, err);
	return rc < 0 ? rc : set_up(sk, c->bridge, true, err);
}

static int delete_link(const char *name, struct om_error *err)
{
	auto_socket struct nl_sock *sk = open_socket(err);
	auto_link struct rtnl_link *link = NULL;
	int rc;

	if (!sk)
		return err ? err->code : -EIO;
	rc = rtnl_link_get_kernel(sk, 0, name, &link);
	if (rc == 0)
		rc = rtnl_link_delete(sk, link);
	/* a node's end may take it away at this very moment */
	if (rc < 0 && rc != -NLE_NODEV && rc != -NLE_OBJ_NOTFOUND)
		return fail_nl(err, rc, "remove the link", name);
	return 0;
}

int link_bridge_down(const struct cluster *c, struct om_error *err)
{
	return delete_link(c->bridge, err);
}

int link_cable_remove(const struct cluster *c, const struct cluster_node *n,
		      struct om_error *err)
{
	char name[IFNAMSIZ];

	cluster_link_name(c, n, name);
	return delete_link(name, err);
}

/*
 * A hardware address that is always the same for a node's address, so that a
 * node which comes back is not looked for at its old one.
 */
static int set_hardware(struct rtnl_link *link, uint32_t addr, uint8_t last)
{
	uint8_t mac[6] = { 2, (uint8_t)(addr >> 24), (uint8_t)(addr >> 16),
			   (uint8_t)(addr >> 8), (uint8_t)addr, last };
	struct nl_addr *a = nl_addr_build(AF_LLC, mac, sizeof(mac));

	if (!a)
		return -NLE_NOMEM;
	rtnl_link_set_addr(link, a);
	nl_addr_put(a);
	return 0;
}

int link_cable_create(const struct cluster *c, const struct cluster_node *n,
		      pid_t pid, struct om_error *err)
{
	auto_socket struct nl_sock *sk = open_socket(err);
	struct rtnl_link *veth, *peer;
	char name[IFNAMSIZ];
	int rc;

	if (!sk)
		return err ? err->code : -EIO;
	veth = rtnl_link_veth_alloc();
	if (!veth)
		return om_fail_nomem(err);
	peer = rtnl_link_veth_get_peer(veth);
	cluster_link_name(c, n, name);
	rtnl_link_set_name(veth, name);
	rtnl_link_set_name(peer, "eth0");
	rtnl_link_set_ns_pid(peer, pid);
	rc = set_hardware(peer, c->network | n->number, 0);
	if (rc == 0)
		rc = set_hardware(veth, c->network | n->number, 1);
	if (rc == 0) {
		rtnl_link_set_master(veth, index_of(sk, c->bridge));
		rc = rtnl_link_add(sk, veth, NLM_F_CREATE | NLM_F_EXCL);
	}
	rtnl_link_put(peer);
	rtnl_link_veth_release(veth);
	if (rc < 0)
		return fail_nl(err, rc, "make the link", name);
	return set_up(sk, name, true, err);
}

int link_cable_set(const struct cluster *c, const struct cluster_node *n,
		   bool up, struct om_error *err)
{
	auto_socket struct nl_sock *sk = open_socket(err);
	char name[IFNAMSIZ];

	if (!sk)
		return err ? err->code : -EIO;
	cluster_link_name(c, n, name);
	return set_up(sk, name, up, err);
}

enum link_state link_cable_state(const struct cluster *c,
				 const struct cluster_node *n)
{
	auto_socket struct nl_sock *sk = open_socket(NULL);
	auto_link struct rtnl_link *link = NULL;
	char name[IFNAMSIZ];

	cluster_link_name(c, n, name);
	if (!sk || rtnl_link_get_kernel(sk, 0, name, &link) < 0)
		return LINK_ABSENT;
	return rtnl_link_get_flags(link) & IFF_UP ? LINK_UP : LINK_DOWN;
}

int link_node_up(const struct cluster *c, const struct cluster_node *n,
		 struct om_error *err)
{
	auto_socket struct nl_sock *sk = open_socket(err);
	int rc;

	if (!sk)
		return err ? err->code : -EIO;
	rc = set_up(sk, "lo", true, err);
	if (rc == 0)
		rc = add_address(sk, c, n->number, "eth0", err);
	return rc < 0 ? rc : set_up(sk, "eth0", true, err);
}
