#include "cmocka_all.h"
#include "host_filter.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET 14

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct frame {
	uint8_t bytes[ETHERNET + 60 + 40];
	size_t length;
};

/* The host of these tests has 192.0.2.1 and 2001:db8::1. */
static bool is_own(void *owner, const struct ip_address *address)
{
	static const uint8_t own[] = {192, 0, 2, 1};
	static const uint8_t own6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	(*(unsigned int *)owner)++;
	return memcmp(address->bytes, address->length == 4 ? own : own6, address->length) == 0;
}

static const uint16_t published[] = {53, 8080};

struct fixture {
	unsigned int asked;
	struct host_filter filter;
};

static void fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){.filter = {.restrict_host = true,
					    .is_own = is_own,
					    .udp_ports = published,
					    .udp_port_count = 2}};
	fixture->filter.owner = &fixture->asked;
}

static void put_be16(uint8_t *bytes, unsigned int value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* transport: of 20 bytes at most; ports, and at 13 TCP's flags. */
static struct frame make_frame(const char *source, const char *destination, uint8_t protocol,
	unsigned int source_port, unsigned int port, uint8_t flags)
{
	bool ipv6 = strchr(destination, ':') != NULL;
	struct frame frame = {.length = ETHERNET + (ipv6 ? 40U : 20U) + 20U};
	uint8_t *ip = frame.bytes + ETHERNET;
	uint8_t *transport = ip + (ipv6 ? 40 : 20);

	put_be16(frame.bytes + 12, ipv6 ? 0x86dd : 0x0800);
	ip[0] = ipv6 ? 0x60 : 0x45;
	ip[ipv6 ? 6 : 9] = protocol;
	assert_int_equal(inet_pton(ipv6 ? AF_INET6 : AF_INET, source, ip + (ipv6 ? 8 : 12)), 1);
	assert_int_equal(
		inet_pton(ipv6 ? AF_INET6 : AF_INET, destination, ip + (ipv6 ? 24 : 16)), 1);
	put_be16(transport, source_port);
	put_be16(transport + 2, port);
	transport[13] = flags;
	if (protocol == ICMP || protocol == ICMPV6)
		transport[0] = (uint8_t)port; /* the type */
	return frame;
}

static const char *guest_for(const char *destination)
{
	return strchr(destination, ':') ? "fd00::5054:ff:fe12:3456" : "10.0.2.15";
}

static bool passes(struct fixture *fixture, const char *destination, uint8_t protocol,
	unsigned int port, uint8_t flags)
{
	struct frame frame = make_frame(
		guest_for(destination), destination, protocol, 40000, port, flags);

	return host_filter_passes(&fixture->filter, frame.bytes, frame.length);
}

static void destinations(void **state)
{
	static const struct {
		const char *address;
		bool tcp, udp, ping;
	} cases[] = {
		{"198.51.100.1", true, true, true},
		{"10.0.3.2", true, true, true},
		{"192.0.2.1", false, false, false},
		{"127.0.0.1", false, false, false},
		{"127.255.255.254", false, false, false},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"224.0.0.251", false, false, false},
		{"239.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"10.0.2.1", false, false, false},
		{"10.0.2.2", false, false, true},
		{"10.0.2.3", false, false, true},
		{"10.0.2.15", false, false, false},
		{"10.0.2.255", false, false, false},
		{"2001:db8:1::1", true, true, true},
		{"64:ff9b::102:304", true, true, true},
		{"2001:db8::1", false, false, false},
		{"::1", false, false, false},
		{"::", false, false, false},
		{"::ffff:198.51.100.1", false, false, false},
		{"::198.51.100.1", false, false, false},
		{"fd00::2", false, false, true},
		{"fd00::3", false, false, true},
		{"fd00::5054:ff:fe12:3456", false, false, false},
		{"fd00:0:0:1::2", true, true, true},
		{"fe80::2", false, false, true},
		{"fe80::5054:ff:fe12:3456", false, false, false},
		{"febf::2", false, false, false},
		{"ff02::1", false, false, false},
		{"ff05::1:3", false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ipv6 = strchr(cases[i].address, ':') != NULL;
		struct fixture fixture;

		fixture_init(&fixture);
		if (passes(&fixture, cases[i].address, TCP, 80, SYN) != cases[i].tcp ||
			passes(&fixture, cases[i].address, UDP, 80, 0) != cases[i].udp ||
			passes(&fixture, cases[i].address, ipv6 ? ICMPV6 : ICMP, ipv6 ? 128 : 8,
				0) != cases[i].ping)
			fail_msg("%s", cases[i].address);
		fixture.filter.restrict_host = false;
		assert_true(passes(&fixture, cases[i].address, TCP, 80, SYN));
	}
}

static void services_of_the_network(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	assert_true(passes(&fixture, "255.255.255.255", UDP, 67, 0));
	assert_true(passes(&fixture, "10.0.2.2", UDP, 67, 0));
	assert_false(passes(&fixture, "10.0.2.2", UDP, 69, 0));
	assert_false(passes(&fixture, "10.0.2.3", UDP, 67, 0));
	assert_false(passes(&fixture, "255.255.255.255", TCP, 67, SYN));
	for (int i = 0; i < 2; i++) {
		const char *dns = i ? "fd00::3" : "10.0.2.3";

		assert_true(passes(&fixture, dns, UDP, 53, 0));
		assert_true(passes(&fixture, dns, TCP, 53, SYN));
		assert_false(passes(&fixture, dns, TCP, 22, SYN));
		assert_false(passes(&fixture, dns, TCP, 22, ACK));
		assert_false(passes(&fixture, dns, UDP, 5353, 0));
	}
	assert_true(passes(&fixture, "ff02::1:2", UDP, 547, 0));
	assert_true(passes(&fixture, "ff02::2", ICMPV6, 133, 0));        /* router solicitation */
	assert_true(passes(&fixture, "ff02::1:ff00:2", ICMPV6, 135, 0)); /* neighbour's */
	assert_false(passes(&fixture, "ff02::1", ICMPV6, 128, 0));       /* echo */
	assert_false(passes(&fixture, "198.51.100.1", 47, 0, 0));        /* GRE */
	assert_false(passes(&fixture, "198.51.100.1", ICMPV6, 128, 0));  /* the other family's */
	assert_false(passes(&fixture, "2001:db8:1::1", ICMP, 8, 0));
}

/* Whatever is no beginning belongs to a connection that came from the host, or to none. */
static void answers_by_tcp(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "10.0.2.2", "2001:db8::1", "fd00::2"};
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_true(passes(&fixture, addresses[i], TCP, 40001, SYN | ACK));
		assert_true(passes(&fixture, addresses[i], TCP, 40001, ACK | PSH));
		assert_true(passes(&fixture, addresses[i], TCP, 40001, FIN | ACK));
		assert_true(passes(&fixture, addresses[i], TCP, 40001, RST));
		assert_false(passes(&fixture, addresses[i], TCP, 40001, SYN | PSH));
		assert_false(passes(&fixture, addresses[i], TCP, 40001, SYN | FIN));
	}
	assert_false(passes(&fixture, "127.0.0.1", TCP, 40001, ACK));
	assert_int_equal(fixture.asked, 4); /* the beginnings to the two own addresses alone */
}

static void note(
	struct fixture *fixture, const char *from, unsigned int port, unsigned int guest_port)
{
	struct frame frame = make_frame(from, guest_for(from), UDP, port, guest_port, 0);

	host_filter_note(&fixture->filter, frame.bytes, frame.length);
}

static bool answers(
	struct fixture *fixture, const char *to, unsigned int port, unsigned int guest_port)
{
	struct frame frame = make_frame(guest_for(to), to, UDP, guest_port, port, 0);

	return host_filter_passes(&fixture->filter, frame.bytes, frame.length);
}

static void answers_by_udp(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "10.0.2.2", "2001:db8::1", "fd00::2"};
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_false(answers(&fixture, addresses[i], 40001, 8080));
		note(&fixture, addresses[i], 40001, 8080);
		note(&fixture, addresses[i], 40001, 8080);
		assert_true(answers(&fixture, addresses[i], 40001, 8080));
		assert_false(answers(&fixture, addresses[i], 40002, 8080));
		assert_false(answers(&fixture, addresses[i], 40001, 8081));
		assert_false(answers(&fixture, addresses[i], 40001, 53));
	}
	assert_int_equal(fixture.filter.peer_count, 4);
	/* A port that is not published makes no peer: such a datagram answers the guest's own. */
	note(&fixture, "192.0.2.1", 40001, 1234);
	assert_false(answers(&fixture, "192.0.2.1", 40001, 1234));
	/* Peers are forgotten, the oldest first. */
	for (unsigned int i = 0; i < HOST_FILTER_PEERS; i++)
		note(&fixture, "10.0.2.2", 50000 + i, 8080);
	assert_false(answers(&fixture, "192.0.2.1", 40001, 8080));
	assert_true(answers(&fixture, "10.0.2.2", 50000, 8080));
	assert_true(answers(&fixture, "10.0.2.2", 50000 + HOST_FILTER_PEERS - 1, 8080));
}

static void fragments(void **state)
{
	static const unsigned int fields[] = {0x2000, 0x0001, 0x3fff};
	static const struct {
		const char *address;
		uint8_t protocol;
		unsigned int port;
		bool passes;
	} cases[] = {
		{"198.51.100.1", UDP, 80, true},
		{"198.51.100.1", TCP, 80, true},
		{"192.0.2.1", TCP, 80, false},
		{"192.0.2.1", UDP, 80, false},
		{"10.0.2.2", UDP, 67, false},
		{"10.0.2.2", TCP, 80, false},
		{"10.0.2.3", UDP, 53, false},
		{"255.255.255.255", UDP, 67, false},
	};
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t j = 0; j < sizeof(fields) / sizeof(fields[0]); j++) {
			struct frame frame = make_frame("10.0.2.15", cases[i].address,
				cases[i].protocol, 40000, cases[i].port, ACK);

			put_be16(frame.bytes + ETHERNET + 6, fields[j]);
			assert_int_equal(
				host_filter_passes(&fixture.filter, frame.bytes, frame.length),
				cases[i].passes);
		}
	/* "Do not fragment" is no fragment. */
	struct frame frame = make_frame("10.0.2.15", "10.0.2.3", UDP, 40000, 53, 0);

	put_be16(frame.bytes + ETHERNET + 6, 0x4000);
	assert_true(host_filter_passes(&fixture.filter, frame.bytes, frame.length));
}

/* With options the flags stand further on: those in the options' place are not looked at. */
static void options_move_the_flags(void **state)
{
	struct fixture fixture;
	struct frame frame = make_frame("10.0.2.15", "192.0.2.1", TCP, 40000, 80, ACK);
	uint8_t *ip = frame.bytes + ETHERNET;

	(void)state;
	fixture_init(&fixture);
	ip[0] = 0x46;
	frame.length += 4;
	ip[24 + 13] = SYN;
	assert_false(host_filter_passes(&fixture.filter, frame.bytes, frame.length));
	ip[24 + 13] = ACK;
	assert_true(host_filter_passes(&fixture.filter, frame.bytes, frame.length));
	ip[0] = 0x4f; /* a header beyond the frame's end */
	frame.length = ETHERNET + 59;
	assert_false(host_filter_passes(&fixture.filter, frame.bytes, frame.length));
}

/* Cut at every length, to destinations where the whole passes: never looked at beyond the end, and
 * nothing passes whose ports or flags are missing. */
static void truncated(void **state)
{
	static const struct {
		const char *address;
		uint8_t protocol;
		unsigned int port;
		uint8_t flags;
		size_t least; /* of what follows the IP header */
	} cases[] = {
		{"10.0.2.2", TCP, 80, ACK, 14},
		{"10.0.2.3", UDP, 53, 0, 8},
		{"10.0.2.2", ICMP, 8, 0, 1},
		{"fd00::2", TCP, 80, ACK, 14},
		{"fd00::3", UDP, 53, 0, 8},
		{"ff02::2", ICMPV6, 133, 0, 1},
	};
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t header = strchr(cases[i].address, ':') ? 40 : 20;
		struct frame frame = make_frame(guest_for(cases[i].address), cases[i].address,
			cases[i].protocol, 40000, cases[i].port, cases[i].flags);

		for (size_t length = 0; length <= frame.length; length++) {
			uint8_t *copy = malloc(length ? length : 1);

			memcpy(copy, frame.bytes, length);
			assert_int_equal(host_filter_passes(&fixture.filter, copy, length),
				length >= ETHERNET + header + cases[i].least);
			host_filter_note(&fixture.filter, copy, length);
			free(copy);
		}
	}
}

static void other_frames(void **state)
{
	static uint8_t bytes[ETHERNET + 65536];
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (int restricted = 0; restricted < 2; restricted++) {
		fixture.filter.restrict_host = restricted;
		put_be16(bytes + 12, 0x0806);
		assert_true(host_filter_passes(&fixture.filter, bytes, 42));
		assert_true(host_filter_passes(&fixture.filter, bytes, sizeof(bytes) - 1));
		assert_false(host_filter_passes(&fixture.filter, bytes, sizeof(bytes)));
		assert_false(host_filter_passes(&fixture.filter, bytes, ETHERNET - 1));
		put_be16(bytes + 12, 0x88f8); /* NC-SI, which libslirp would answer */
		assert_false(host_filter_passes(&fixture.filter, bytes, 60));
		put_be16(bytes + 12, 0x8100); /* VLAN */
		assert_false(host_filter_passes(&fixture.filter, bytes, 60));
	}
	put_be16(bytes + 12, 0x0800);
	bytes[ETHERNET] = 0x65; /* version 6 in a frame of IPv4 */
	assert_false(host_filter_passes(&fixture.filter, bytes, 60));
	bytes[ETHERNET] = 0x44; /* a header of 16 bytes */
	assert_false(host_filter_passes(&fixture.filter, bytes, 60));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations),
		cmocka_unit_test(services_of_the_network),
		cmocka_unit_test(answers_by_tcp),
		cmocka_unit_test(answers_by_udp),
		cmocka_unit_test(fragments),
		cmocka_unit_test(options_move_the_flags),
		cmocka_unit_test(truncated),
		cmocka_unit_test(other_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
