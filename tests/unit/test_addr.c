/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_addr: addresses as text, and the sockets made of them. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/net/addr.h"

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"", ":", ":7461", "host:", "host:x", "host:65536", "[::1", "[",
		"[::1]x", "[::1]:", "unix:", "unix:relative", "host:-1", "*",
		"unix:/11111111112222222222333333333344444444445555555555"
		"66666666667777777777888888888899999999990000000000",
	};
	struct om_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		om_error_clear(&err);
		assert_true(om_addr_connect(bad[i], 1, &err) < 0);
		assert_true(err.code < 0 && err.text[0]);
	}
}

static void local_addresses_are_known_from_others(void **state)
{
	(void)state;
	assert_true(om_addr_is_local("unix:/x"));
	assert_true(om_addr_is_local("localhost"));
	assert_true(om_addr_is_local("localhost:1"));
	assert_true(om_addr_is_local("127.3.2.1:1"));
	assert_true(om_addr_is_local("[::1]:1"));
	assert_true(om_addr_is_local("::1"));
	assert_false(om_addr_is_local("10.0.0.1"));
	assert_false(om_addr_is_local("128.0.0.1:1"));
	assert_false(om_addr_is_local("[::2]:1"));
	assert_false(om_addr_is_local("127.example.org"));
	assert_false(om_addr_is_local("localhost.example.org"));
	assert_false(om_addr_is_local("*"));
}

static void any_address_serves_ipv4(void **state)
{
	int fd = om_addr_listen("*:0", 1, 1, NULL);
	char where[64], peer[OM_ADDR_TEXT];
	int caller, served;

	(void)state;
	assert_true(fd >= 0);
	snprintf(where, sizeof(where), "localhost:%d", om_addr_port(fd));
	caller = om_addr_connect(where, 1, NULL);
	assert_true(caller >= 0);
	fcntl(fd, F_SETFL, 0);
	served = accept(fd, NULL, NULL);
	assert_true(served >= 0);
	om_addr_peer(served, peer, sizeof(peer));
	assert_non_null(strstr(peer, "127.0.0.1:"));
	assert_true(fcntl(caller, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(caller, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(caller);
	close(served);
}

static void stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	char dir[] = "/tmp/om-test-XXXXXX", addr[64];
	struct om_error err;
	struct stat st;
	int fd, again;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(addr, sizeof(addr), "unix:%s/socket", dir);
	close(om_addr_listen(addr, 0, 1, NULL));
	assert_int_equal(stat(addr + 5, &st), 0);
	fd = om_addr_listen(addr, 0, 1, NULL);
	assert_true(fd >= 0);
	assert_int_equal(stat(addr + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	again = om_addr_listen(addr, 0, 1, &err);
	assert_int_equal(again, -EADDRINUSE);
	close(fd);
	unlink(addr + 5);
	close(open(addr + 5, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(om_addr_listen(addr, 0, 1, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "not a socket"));
	unlink(addr + 5);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(local_addresses_are_known_from_others),
		cmocka_unit_test(any_address_serves_ipv4),
		cmocka_unit_test(stale_socket_is_replaced_and_a_live_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
