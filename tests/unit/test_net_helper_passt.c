#include "cmocka_all.h"
#include "net_helper_passt.h"
#include "text.h"

#include <string.h>

static void expect_words(const struct config_net *net, const char *expected)
{
	struct passt_arguments arguments;
	cleanup_text struct text words = {0};

	assert_int_equal(passt_arguments_init(&arguments, net, 3, 65520), 0);
	for (unsigned int i = 0; i < arguments.count; i++)
		text_addf(&words, "%s%s", i ? " " : "", arguments.words[i]);
	assert_null(arguments.words[arguments.count]);
	assert_string_equal(text_string(&words), expected);
	passt_arguments_fini(&arguments);
}

static void words_follow_the_nic(void **state)
{
	struct config_publish rules[] = {
		{.address = "127.0.0.1", .host_port = 8080, .guest_port = 80},
		{.address = "::1", .host_port = 53, .guest_port = 53, .udp = true},
	};
	char dns[] = "192.0.2.53";
	const struct config_net all = {
		.mtu = 1500, .dns = dns, .publish = rules, .publish_count = 2};

	(void)state;
	expect_words(&(struct config_net){.restrict_host = true},
		"passt --quiet --fd 3 --mtu 65520 --no-map-gw");
	expect_words(&all, "passt --quiet --fd 3 --mtu 1500 --dns 192.0.2.53 "
			   "--tcp-ports 127.0.0.1/8080:80 --udp-ports ::1/53:53");
}

static void as_many_ports_as_there_can_be(void **state)
{
	static struct config_publish rules[CONFIG_NET_PUBLISH_MAX];
	const struct config_net net = {.restrict_host = true,
		.dns = (char[]){"::1"},
		.publish = rules,
		.publish_count = CONFIG_NET_PUBLISH_MAX};
	struct passt_arguments arguments;

	(void)state;
	assert_int_equal(passt_arguments_init(&arguments, &net, 3, 65520), 0);
	passt_arguments_fini(&arguments);
}

static void the_reason_is_the_last_line(void **state)
{
	static const char *const cases[][2] = {
		{"", "it ended without a reason"},
		{"\n\n", "it ended without a reason"},
		{"one", "one"},
		{"one\ntwo\n", "two"},
		{"one\ntwo\n\n", "two"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		char said[64];

		memcpy(said, cases[i][0], strlen(cases[i][0]) + 1);
		assert_string_equal(passt_last_line(said), cases[i][1]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_follow_the_nic),
		cmocka_unit_test(as_many_ports_as_there_can_be),
		cmocka_unit_test(the_reason_is_the_last_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
