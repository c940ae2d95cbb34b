#include "cmocka_all.h"
#include "host_route.h"

#include <arpa/inet.h>
#include <string.h>

static struct ip_address address_of(const char *text)
{
	bool ipv6 = strchr(text, ':') != NULL;
	struct ip_address address = {.length = ipv6 ? IPV6_BYTES : IPV4_BYTES};

	assert_int_equal(inet_pton(ipv6 ? AF_INET6 : AF_INET, text, address.bytes), 1);
	return address;
}

/* What is so on every machine; tests/integration makes addresses of its own. */
static void loopback_is_the_hosts(void **state)
{
	static const char *const own[] = {"127.0.0.1", "127.1.2.3", "255.255.255.255"};
	struct host_route route;

	(void)state;
	assert_int_equal(host_route_open(&route, NULL), 0);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < array_size(own); i++) {
			const struct ip_address address = address_of(own[i]);

			assert_true(host_route_is_own(&route, &address));
		}
	for (int again = 0; again < 2; again++) {
		const struct ip_address address = address_of("198.51.100.77");

		assert_false(host_route_is_own(&route, &address));
	}
	host_route_close(&route);
}

static void without_an_answer_all_is_the_hosts(void **state)
{
	struct host_route route = {.fd = -1};
	const struct ip_address address = address_of("198.51.100.77");

	(void)state;
	assert_true(host_route_is_own(&route, &address));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_is_the_hosts),
		cmocka_unit_test(without_an_answer_all_is_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
