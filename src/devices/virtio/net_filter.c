/* See net_filter.h. */
#include "net_filter.h"

#include <string.h>

#define ETHERTYPE_AT   12
#define VLAN_AT        14
#define ETHERTYPE_VLAN 0x8100

void net_filter_reset(struct net_filter *filter, bool has_vlans)
{
	*filter = (struct net_filter){.promiscuous = true, .has_vlans = has_vlans};
}

static bool lists(const struct net_addresses *addresses, const uint8_t address[6])
{
	if (addresses->has_overflowed)
		return true;
	for (unsigned int i = 0; i < addresses->count; i++)
		if (memcmp(addresses->list[i], address, 6) == 0)
			return true;
	return false;
}

static bool wants_vlan(const struct net_filter *filter, const uint8_t *bytes, size_t length)
{
	unsigned int vlan;

	if (!filter->has_vlans || length < VLAN_AT + 2 ||
		(bytes[ETHERTYPE_AT] << 8 | bytes[ETHERTYPE_AT + 1]) != ETHERTYPE_VLAN)
		return true;
	vlan = (unsigned int)(bytes[VLAN_AT] << 8 | bytes[VLAN_AT + 1]) % NET_FILTER_VLANS;
	return filter->vlans[vlan / 8] >> vlan % 8 & 1;
}

bool net_filter_wants(const struct net_filter *filter, const uint8_t mac[6],
	const uint8_t bytes[NET_FILTER_BYTES], size_t length)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (filter->promiscuous)
		return true;
	if (!wants_vlan(filter, bytes, length))
		return false;
	if (memcmp(bytes, broadcast, sizeof(broadcast)) == 0)
		return !filter->no_broadcast;
	if (bytes[0] & 1)
		return !filter->no_multicast &&
		       (filter->all_multicast || lists(&filter->multicast, bytes));
	return !filter->no_unicast && (filter->all_unicast || memcmp(bytes, mac, 6) == 0 ||
					      lists(&filter->unicast, bytes));
}
