/*
 * Which frames a driver wants: receive mode, MAC addresses, VLANs. VIRTIO 1.2 5.1.6.5.1
 * to 5.1.6.5.3. Plain data; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FILTER_ADDRESSES 64
#define NET_FILTER_VLANS     4096
#define NET_FILTER_BYTES     18 /* of a frame that are looked at */

struct net_addresses {
	unsigned int count;
	bool has_overflowed; /* more than fit: all are let through */
	uint8_t list[NET_FILTER_ADDRESSES][6];
};

struct net_filter {
	bool promiscuous;
	bool all_multicast, all_unicast;
	bool no_multicast, no_unicast, no_broadcast;
	bool has_vlans; /* frames of other VLANs are not wanted */
	struct net_addresses unicast, multicast;
	uint8_t vlans[NET_FILTER_VLANS / 8];
};

/* As after a reset: everything is wanted. */
void net_filter_reset(struct net_filter *filter, bool has_vlans);

/* bytes: the beginning of a frame, length of them: a shorter one has no VLAN. */
bool net_filter_wants(const struct net_filter *filter, const uint8_t mac[6],
	const uint8_t bytes[NET_FILTER_BYTES], size_t length);
