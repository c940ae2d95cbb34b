/* See host_filter.h. */
#include "host_filter.h"

#include "user_network.h"

#define ETHERNET_BYTES   14
#define ETHERTYPE_IPV4   0x0800
#define ETHERTYPE_ARP    0x0806
#define ETHERTYPE_IPV6   0x86dd
#define PACKET_BYTES_MAX 65535

#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40

#define PROTOCOL_ICMP   1
#define PROTOCOL_TCP    6
#define PROTOCOL_UDP    17
#define PROTOCOL_ICMPV6 58

#define TCP_FLAGS_AT   13
#define TCP_FLAG_SYN   0x02
#define TCP_FLAG_ACK   0x10
#define UDP_HEADER_END 8

#define PORT_DNS           53
#define PORT_DHCP_SERVER   67
#define PORT_DHCPV6_SERVER 547

enum destination {
	DESTINATION_NONE,     /* nobody's, or the host's by definition: loopback, multicast, ... */
	DESTINATION_HOST,     /* the network's gateway, which stands for the host */
	DESTINATION_DNS,      /* the network's name server */
	DESTINATION_EVERYONE, /* the addresses that a machine without one begins with */
	DESTINATION_OUTSIDE,  /* whatever the host's routes make of it */
};

/* What the rules look at. Ports and flags are only known of whole packets. */
struct packet {
	struct ip_address source, destination;
	uint8_t protocol;
	bool whole;
	bool opens; /* a TCP segment that would begin a connection */
	uint8_t icmp_type;
	uint16_t source_port, destination_port;
};

static uint16_t load_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* bytes: what follows the IP header. A packet too short for its protocol is not whole. */
static void read_transport(struct packet *packet, const uint8_t *bytes, size_t length)
{
	switch (packet->protocol) {
	case PROTOCOL_TCP:
		packet->whole = packet->whole && length > TCP_FLAGS_AT;
		break;
	case PROTOCOL_UDP:
		packet->whole = packet->whole && length >= UDP_HEADER_END;
		break;
	default:
		packet->whole = packet->whole && length > 0;
		if (packet->whole)
			packet->icmp_type = bytes[0];
		return;
	}
	if (!packet->whole)
		return;
	packet->source_port = load_be16(bytes);
	packet->destination_port = load_be16(bytes + 2);
	if (packet->protocol == PROTOCOL_TCP)
		packet->opens = (bytes[TCP_FLAGS_AT] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) ==
		                TCP_FLAG_SYN;
}

static bool read_ipv4(struct packet *packet, const uint8_t *bytes, size_t length)
{
	size_t header_bytes;

	if (length < IPV4_HEADER_BYTES)
		return false;
	header_bytes = (size_t)(bytes[0] & 0xf) * 4;
	if (bytes[0] >> 4 != 4 || header_bytes < IPV4_HEADER_BYTES || header_bytes > length)
		return false;
	*packet = (struct packet){
		.source.length = IPV4_BYTES,
		.destination.length = IPV4_BYTES,
		.protocol = bytes[9],
		.whole = (load_be16(bytes + 6) & 0x3fff) == 0, /* no offset, no more fragments */
	};
	memcpy(packet->source.bytes, bytes + 12, IPV4_BYTES);
	memcpy(packet->destination.bytes, bytes + 16, IPV4_BYTES);
	read_transport(packet, bytes + header_bytes, length - header_bytes);
	return true;
}

static bool read_ipv6(struct packet *packet, const uint8_t *bytes, size_t length)
{
	if (length < IPV6_HEADER_BYTES || bytes[0] >> 4 != 6)
		return false;
	*packet = (struct packet){
		.source.length = IPV6_BYTES,
		.destination.length = IPV6_BYTES,
		.protocol = bytes[6],
		.whole = true,
	};
	memcpy(packet->source.bytes, bytes + 8, IPV6_BYTES);
	memcpy(packet->destination.bytes, bytes + 24, IPV6_BYTES);
	read_transport(packet, bytes + IPV6_HEADER_BYTES, length - IPV6_HEADER_BYTES);
	return true;
}

static bool read_packet(struct packet *packet, const uint8_t *frame, size_t length)
{
	uint16_t type = load_be16(frame + ETHERNET_BYTES - 2);

	if (type == ETHERTYPE_IPV4)
		return read_ipv4(packet, frame + ETHERNET_BYTES, length - ETHERNET_BYTES);
	return type == ETHERTYPE_IPV6 &&
	       read_ipv6(packet, frame + ETHERNET_BYTES, length - ETHERNET_BYTES);
}

static enum destination own_network(uint8_t last_byte)
{
	return last_byte == USER_NETWORK_HOST  ? DESTINATION_HOST
	       : last_byte == USER_NETWORK_DNS ? DESTINATION_DNS
	                                       : DESTINATION_NONE;
}

static enum destination classify_ipv4(const uint8_t *address)
{
	static const uint8_t broadcast[IPV4_BYTES] = {255, 255, 255, 255};

	if (memcmp(address, broadcast, IPV4_BYTES) == 0)
		return DESTINATION_EVERYONE;
	if (memcmp(address, user_network_prefix, USER_NETWORK_PREFIX_BYTES) == 0)
		return own_network(address[3]);
	/* "This host", loopback, multicast and the reserved rest. */
	if (address[0] == 0 || address[0] == 127 || address[0] >= 224)
		return DESTINATION_NONE;
	return DESTINATION_OUTSIDE;
}

static enum destination classify_ipv6(const uint8_t *address)
{
	static const uint8_t zeroes[IPV6_BYTES];
	static const uint8_t link_local[8] = {0xfe, 0x80};

	if (address[0] == 0xff)
		return DESTINATION_EVERYONE;
	if (memcmp(address, user_network_prefix6, sizeof(user_network_prefix6)) == 0 ||
		memcmp(address, link_local, sizeof(link_local)) == 0)
		return memcmp(address + 8, zeroes, 7) == 0 ? own_network(address[15])
		                                           : DESTINATION_NONE;
	if (address[0] == 0xfe && (address[1] & 0xc0) == 0x80)
		return DESTINATION_NONE;
	/* Unspecified, loopback, and IPv4's addresses in IPv6's clothes: ::/96, ::ffff:0:0/96. */
	if (memcmp(address, zeroes, 10) == 0)
		return DESTINATION_NONE;
	return DESTINATION_OUTSIDE;
}

/* Neighbour and router discovery (RFC 4861) and multicast listeners (RFC 3810). */
static bool is_discovery(uint8_t icmp_type)
{
	return (icmp_type >= 130 && icmp_type <= 136) || icmp_type == 143;
}

static bool is_icmp(const struct packet *packet)
{
	return packet->protocol ==
	       (packet->destination.length == IPV4_BYTES ? PROTOCOL_ICMP : PROTOCOL_ICMPV6);
}

static bool passes_to_everyone(const struct packet *packet)
{
	if (packet->destination.length == IPV4_BYTES)
		return packet->protocol == PROTOCOL_UDP &&
		       packet->destination_port == PORT_DHCP_SERVER;
	return (packet->protocol == PROTOCOL_UDP &&
		       packet->destination_port == PORT_DHCPV6_SERVER) ||
	       (is_icmp(packet) && is_discovery(packet->icmp_type));
}

static bool is_answer(const struct host_filter *filter, const struct packet *packet)
{
	if (packet->protocol == PROTOCOL_TCP)
		return !packet->opens;
	if (packet->protocol != PROTOCOL_UDP)
		return false;
	for (unsigned int i = 0; i < filter->peer_count; i++) {
		const struct host_filter_peer *peer = &filter->peers[i];

		if (peer->port == packet->destination_port &&
			peer->guest_port == packet->source_port &&
			ip_address_equal(&peer->address, &packet->destination))
			return true;
	}
	return false;
}

static bool passes_to_host(const struct host_filter *filter, const struct packet *packet)
{
	return is_icmp(packet) || is_answer(filter, packet) ||
	       (packet->destination.length == IPV4_BYTES && packet->protocol == PROTOCOL_UDP &&
		       packet->destination_port == PORT_DHCP_SERVER);
}

static bool passes_to_dns(const struct packet *packet)
{
	return is_icmp(packet) ||
	       ((packet->protocol == PROTOCOL_TCP || packet->protocol == PROTOCOL_UDP) &&
		       packet->destination_port == PORT_DNS);
}

/* The kernel is not asked about segments of connections, which were let through before, or came
 * through a published port: to libslirp, a segment without a connection means a reset. */
static bool passes_outside(const struct host_filter *filter, const struct packet *packet)
{
	if (packet->whole && packet->protocol == PROTOCOL_TCP && !packet->opens)
		return true;
	if (packet->protocol != PROTOCOL_TCP && packet->protocol != PROTOCOL_UDP &&
		!is_icmp(packet))
		return false;
	return !filter->is_own(filter->owner, &packet->destination) ||
	       (packet->whole && is_answer(filter, packet));
}

bool host_filter_passes(struct host_filter *filter, const uint8_t *frame, size_t length)
{
	struct packet packet;
	uint16_t type;

	if (length < ETHERNET_BYTES || length > ETHERNET_BYTES + PACKET_BYTES_MAX)
		return false;
	type = load_be16(frame + ETHERNET_BYTES - 2);
	if (type == ETHERTYPE_ARP)
		return true;
	if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
		return false;
	if (!filter->restrict_host)
		return true;
	if (!read_packet(&packet, frame, length))
		return false;
	switch (packet.destination.length == IPV4_BYTES ? classify_ipv4(packet.destination.bytes)
							: classify_ipv6(packet.destination.bytes)) {
	case DESTINATION_EVERYONE:
		return packet.whole && passes_to_everyone(&packet);
	case DESTINATION_HOST:
		return packet.whole && passes_to_host(filter, &packet);
	case DESTINATION_DNS:
		return packet.whole && passes_to_dns(&packet);
	case DESTINATION_OUTSIDE:
		return passes_outside(filter, &packet);
	case DESTINATION_NONE:
		break;
	}
	return false;
}

static bool is_published(const struct host_filter *filter, uint16_t guest_port)
{
	for (unsigned int i = 0; i < filter->udp_port_count; i++)
		if (filter->udp_ports[i] == guest_port)
			return true;
	return false;
}

void host_filter_note(struct host_filter *filter, const uint8_t *frame, size_t length)
{
	struct host_filter_peer *peer;
	struct packet packet, answer;

	if (!filter->restrict_host || filter->udp_port_count == 0 || length < ETHERNET_BYTES ||
		!read_packet(&packet, frame, length) || packet.protocol != PROTOCOL_UDP ||
		!packet.whole || !is_published(filter, packet.destination_port))
		return;
	answer = (struct packet){
		.destination = packet.source,
		.protocol = PROTOCOL_UDP,
		.source_port = packet.destination_port,
		.destination_port = packet.source_port,
	};
	if (is_answer(filter, &answer))
		return;
	peer = &filter->peers[filter->next_peer];
	*peer = (struct host_filter_peer){
		.address = packet.source,
		.port = packet.source_port,
		.guest_port = packet.destination_port,
	};
	filter->next_peer = (filter->next_peer + 1) % HOST_FILTER_PEERS;
	if (filter->peer_count < HOST_FILTER_PEERS)
		filter->peer_count++;
}
