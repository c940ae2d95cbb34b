/*
 * Which of the guest's frames libslirp gets to see.
 *
 * Always: ARP, IPv4 and IPv6 only, and nothing longer than a packet can be. With restrict_host on,
 * nothing that would reach the host itself: no address which the host's kernel delivers locally,
 * no loopback, multicast or broadcast, and of the network's own addresses (user_network.h) just
 * what they are there for: DHCP, neighbour discovery, ping, DNS, and answers to connections that
 * came from the host through a published port.
 *
 * A packet's destination is at one place of its first header, and libslirp knows no tunnels, no
 * extension headers and no source routes: there is no second reading of a frame. What depends on
 * ports or flags is decided on whole packets; a fragment passes by its destination alone, and only
 * to the outside.
 */
#pragma once

#include "compiler.h"
#include "ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_FILTER_PEERS 64

/* A peer of a published UDP port: the guest may answer it, wherever it is. */
struct host_filter_peer {
	struct ip_address address;
	uint16_t port, guest_port;
};

struct host_filter {
	bool restrict_host;
	/* Whether the host's kernel delivers to itself what is sent to this address; true also when
	 * it cannot tell. */
	bool (*is_own)(void *owner, const struct ip_address *address);
	void *owner;
	const uint16_t *udp_ports; /* borrowed: the guest's published UDP ports */
	unsigned int udp_port_count;
	struct host_filter_peer peers[HOST_FILTER_PEERS]; /* a ring */
	unsigned int peer_count, next_peer;
};

/* A frame from the guest. */
must_check bool host_filter_passes(struct host_filter *filter, const uint8_t *frame, size_t length);

/* A frame to the guest: remembers who spoke to a published UDP port. */
void host_filter_note(struct host_filter *filter, const uint8_t *frame, size_t length);
