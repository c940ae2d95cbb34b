#include "cmocka_all.h"
#include "config_net.h"
#include "config_text.h"

#include <errno.h>
#include <string.h>

#define PATH_40 "/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void nics_are_set_and_shown(void **state)
{
	static const struct {
		const char *value, *shown;
	} cases[] = {
		{"none", "none"},
		{"tap", "tap"},
		{"tap=tap0", "tap=tap0"},
		{"tap=fd:7", "tap=fd:7"},
		{"tap=vm1,queues=4,bridge=br0,mtu=9000", "tap=vm1,mtu=9000,queues=4,bridge=br0"},
		{"tap,mac=52:54:00:AB:cd:0f,antispoof", "tap,mac=52:54:00:ab:cd:0f,antispoof"},
		{"tap,rx-rate=1M/2M,tx-rate=10K", "tap,rx-rate=1048576/2097152,tx-rate=10240"},
		{"tap=t,vhost=on,queues=2", "tap=t,queues=2,vhost=on"},
		{"tap=fd:3,vhost=fd:4", "tap=fd:3,vhost=fd:4"},
		{"tap,vhost=fd:4,vhost=auto", "tap,vhost=auto"},
		{"tap,vhost=off", "tap"},
		{"tap,vhost=auto,antispoof", "tap,vhost=auto,antispoof"},
		{"tap,pcap=a b.pcap", "tap,pcap=a b.pcap"},
		{"socket=/tmp/a,,b", "socket=/tmp/a,,b"},
		{"socket=/tmp/s,listen", "socket=/tmp/s,listen"},
		{"socket=/tmp/s,peer=/tmp/t", "socket=/tmp/s,peer=/tmp/t"},
		{"socket=fd:3", "socket=fd:3"},
		{"user", "user"},
		{"user,restrict=on", "user"},
		{"passt,restrict=off,dns=9.9.9.9", "passt,restrict=off,dns=9.9.9.9"},
		{"passt,dns=fd00::1", "passt,dns=fd00::1"},
		{"user,publish=8080:80,publish=0.0.0.0:53:5353/udp,publish=[::1]:1:65535/tcp",
			"user,publish=8080:80,publish=0.0.0.0:53:5353/udp,publish=[::1]:1:65535"},
		{"user,publish=127.0.0.1:1:2", "user,publish=1:2"},
		{"passt,publish=2222:22", "passt,publish=2222:22"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		cleanup_text struct text text = {0};
		cleanup_text struct text again = {0};

		config_init(&config);
		assert_int_equal(config_set(&config, CONFIG_KEY_NET, cases[i].value, NULL), 0);
		assert_true(config_show(&config, CONFIG_KEY_NET, &text));
		assert_string_equal(text_string(&text), cases[i].shown);
		assert_int_equal(config_set(&config, CONFIG_KEY_NET, text_string(&text), NULL), 0);
		assert_true(config_show_item(&config, CONFIG_KEY_NET, 1, &again));
		assert_string_equal(text_string(&again), cases[i].shown);
		assert_false(config_show_item(&config, CONFIG_KEY_NET, 2, &again));
		config_fini(&config);
	}
}

static void wrong_nics_are_named(void **state)
{
	static const struct {
		const char *value, *sentence;
	} cases[] = {
		{"", "'' does not begin with a kind of network"},
		{"bridge", "'bridge' is not one of none, tap, tap=NAME, tap=fd:N, socket=PATH, "
			   "socket=fd:N, user, passt"},
		{"none,mtu=9000", "none takes no further words, but was given 'mtu'"},
		{"user=x", "user takes no value, but was given 'x'"},
		{"tap=", "tap='' does not have 1 to 15 characters"},
		{"tap=fd:x", "'fd:x' is not fd:N with a descriptor's number"},
		{"tap=fd:3,queues=2", "tap=fd:N has one queue: give the tap by its name"},
		{"tap=fd:3,bridge=br0", "bridge goes with a tap's name, not with fd:N"},
		{"tap,publish=1:2",
			"'publish' is not one of the words of tap: mac=, mtu=, queues=, bridge=, "
			"vhost=, antispoof, rx-rate=, tx-rate=, pcap="},
		{"tap,vhost=yes", "vhost='yes' is not one of on, off, auto, fd:N"},
		{"tap,vhost=fd:", "vhost='fd:' is not one of on, off, auto, fd:N"},
		{"tap=t,vhost=fd:4,queues=2", "vhost=fd:N serves one queue: write vhost=on"},
		{"tap,tx-rate=1M,vhost=on",
			"vhost=on moves frames past antispoof, rx-rate, tx-rate and pcap: leave "
			"one or the other out"},
		{"tap,mac=01:00:5e:00:00:01",
			"mac='01:00:5e:00:00:01' is not the address of one NIC: its first byte is "
			"odd, or it is all zero"},
		{"tap,mac=52:54:00:12:34",
			"mac='52:54:00:12:34' is not a MAC address, as in mac=52:54:00:12:34:56"},
		{"tap,mtu=67", "mtu='67' is not a number from 68 to 65520"},
		{"tap,mtu", "mtu lacks its value: write mtu=..."},
		{"tap,antispoof=on", "antispoof takes no value, but was given 'on'"},
		{"socket", "socket lacks its place: write socket=PATH or socket=fd:N"},
		{"socket=s,listen,peer=t", "listen goes with a socket's path alone"},
		{"user,mtu=1279", "mtu=1279 is less than user needs, which is 1280"},
		{"user,restrict=no", "restrict='no' is neither on nor off"},
		{"passt,dns=one.one", "dns='one.one' is not an IP address"},
		{"user,publish=80",
			"publish='80': not [ADDRESS:]HOST_PORT:GUEST_PORT[/udp] with ports from 1 "
			"to 65535"},
		{"user,publish=::1:80:80",
			"publish='::1:80:80': the address is neither one of IPv4 nor one of IPv6 "
			"in brackets"},
		{"user,publish=80:80/sctp",
			"publish='80:80/sctp': the protocol is neither tcp nor udp"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		struct err err = {0};

		config_init(&config);
		assert_int_equal(
			config_set(&config, CONFIG_KEY_NET, cases[i].value, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].sentence);
		assert_int_equal(config.net_count, 0);
		config_fini(&config);
	}
}

static void other_wrong_nics(void **state)
{
	static const char *const values[] = {"tap=abcdefghijklmnop",
		"socket=" PATH_40 PATH_40 PATH_40, "tap,queues=0", "tap,queues=17", "tap,mtu=65521",
		"tap,mac=00:00:00:00:00:00", "tap,mac=52:54:00:12:34:56:78",
		"tap,mac=5254:00:12:34:56", "tap,rx-rate=0", "tap,tx-rate=x",
		"tap,pcap=", "user,publish=0:80", "user,publish=80:65536",
		"user,publish=[::1:80:80", "user,publish=[127.0.0.1]:80:80", "user,publish=:80",
		"user,queues=2", "user,dns=9.9.9.9", "none=x", ",tap", "tap,"};

	(void)state;
	for (size_t i = 0; i < array_size(values); i++) {
		struct config config;

		config_init(&config);
		assert_int_equal(config_set(&config, CONFIG_KEY_NET, values[i], NULL), -EINVAL);
		config_fini(&config);
	}
}

static void set(struct config *config, enum config_key key, const char *value)
{
	assert_int_equal(config_set(config, key, value, NULL), 0);
}

static void some_do_not_go_together(void **state)
{
	struct config config;
	struct err err = {0};

	(void)state;
	config_init(&config);
	set(&config, CONFIG_KEY_KERNEL, "k");
	set(&config, CONFIG_KEY_NET, "none");
	assert_int_equal(config_validate(&config, NULL), 0);
	set(&config, CONFIG_KEY_NET, "tap");
	assert_int_equal(config_validate(&config, &err), -EINVAL);
	assert_string_equal(err.text, "--net none does not go with another --net");
	config_fini(&config);
	config_init(&config);
	set(&config, CONFIG_KEY_KERNEL, "k");
	set(&config, CONFIG_KEY_NET, "tap,mac=52:54:00:12:34:56");
	set(&config, CONFIG_KEY_NET, "tap,mac=52:54:00:12:34:57");
	assert_int_equal(config_validate(&config, NULL), 0);
	set(&config, CONFIG_KEY_NET, "tap,mac=52:54:00:12:34:56");
	assert_int_equal(config_validate(&config, &err), -EINVAL);
	assert_string_equal(err.text, "two NICs have the same MAC address");
	config_fini(&config);
}

static void there_is_a_limit(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	for (int i = 0; i < CONFIG_NETS_MAX; i++)
		set(&config, CONFIG_KEY_NET, "tap");
	assert_int_equal(config_set(&config, CONFIG_KEY_NET, "tap", NULL), -EINVAL);
	config_fini(&config);
}

/* Stable for a UUID, different for each NIC and each VM, and nobody else's. */
static void mac_addresses_follow_the_uuid(void **state)
{
	struct config config;
	uint8_t first[6], second[6], other[6];

	(void)state;
	config_init(&config);
	set(&config, CONFIG_KEY_UUID, "0123abcd-0000-4000-8000-0000000000ff");
	set(&config, CONFIG_KEY_NET, "tap");
	set(&config, CONFIG_KEY_NET, "tap");
	set(&config, CONFIG_KEY_NET, "tap,mac=52:54:00:12:34:56");
	config_net_mac(&config, 0, first);
	config_net_mac(&config, 0, second);
	assert_memory_equal(first, second, 6);
	assert_int_equal(first[0] & 3, 2);
	config_net_mac(&config, 1, second);
	assert_memory_not_equal(first, second, 6);
	config_net_mac(&config, 2, second);
	assert_memory_equal(second, "\x52\x54\x00\x12\x34\x56", 6);
	set(&config, CONFIG_KEY_UUID, "0123abcd-0000-4000-8000-0000000000fe");
	config_net_mac(&config, 0, other);
	assert_memory_not_equal(first, other, 6);
	config_fini(&config);
}

static void addresses_become_a_word_of_the_kernel(void **state)
{
	static const struct {
		const char *value, *word; /* NULL: refused */
	} cases[] = {
		{"auto", "ip=dhcp"},
		{"192.168.5.2/24", "ip=192.168.5.2:::255.255.255.0:::off"},
		{"10.0.2.15/20,10.0.2.2", "ip=10.0.2.15::10.0.2.2:255.255.240.0:::off"},
		{"10.0.0.1/32", "ip=10.0.0.1:::255.255.255.255:::off"},
		{"", NULL},
		{"10.0.0.1", NULL},
		{"10.0.0.1/0", NULL},
		{"10.0.0.1/33", NULL},
		{"10.0.0/24", NULL},
		{"10.0.0.1/24,", NULL},
		{"10.0.0.1/24,10.0.0", NULL},
		{"10.0.0.1/0024", NULL},
		{"fd00::1/64", NULL},
		{"dhcp", NULL},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct config config;
		cleanup_text struct text text = {0};

		config_init(&config);
		assert_int_equal(config_set(&config, CONFIG_KEY_IP, cases[i].value, NULL),
			cases[i].word ? 0 : -EINVAL);
		if (cases[i].word) {
			config_ip_word(config.ip, &text);
			assert_string_equal(text_string(&text), cases[i].word);
		}
		config_fini(&config);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nics_are_set_and_shown),
		cmocka_unit_test(wrong_nics_are_named),
		cmocka_unit_test(other_wrong_nics),
		cmocka_unit_test(some_do_not_go_together),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(mac_addresses_follow_the_uuid),
		cmocka_unit_test(addresses_become_a_word_of_the_kernel),
	};

	return cmocka_run_group_tests_name("config_net", tests, NULL, NULL);
}
