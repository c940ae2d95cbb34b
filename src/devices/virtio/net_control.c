/*
 * The control queue: VIRTIO 1.2 5.1.6.5. The device's I/O thread.
 *
 * A command is read wholly before anything of it takes effect. One that is cut short, too long,
 * unknown, or that belongs to a feature which was not accepted, is answered with an error.
 */
#include "net_internal.h"

#include <errno.h>
#include <string.h>

#define ACK_OK    0
#define ACK_ERROR 1

#define COMMANDS_A_TURN 64

static uint16_t word16(const uint8_t bytes[2])
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* The rest of the command is bytes, no more and no fewer. */
static int read_rest(struct chain *chain, void *bytes, uint32_t length)
{
	if (chain->reader.left_bytes != length)
		return -EINVAL;
	return chain_read(chain, bytes, length);
}

/* --- Receive mode: 5.1.6.5.1 --- */

static int set_mode(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	struct net_filter *filter = &net->filter;
	bool *const modes[] = {&filter->promiscuous, &filter->all_multicast, &filter->all_unicast,
		&filter->no_multicast, &filter->no_unicast, &filter->no_broadcast};
	unsigned int feature = command < 2 ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA;
	uint8_t on;

	if (command >= array_size(modes) || !net_accepted(net, feature) ||
		read_rest(chain, &on, sizeof(on)) < 0 || on > 1)
		return -EINVAL;
	*modes[command] = on;
	return 0;
}

/* --- MAC addresses: 5.1.6.5.2 --- */

static int read_addresses(struct chain *chain, struct net_addresses *addresses)
{
	uint8_t bytes[4];
	uint64_t count;

	*addresses = (struct net_addresses){0};
	if (chain_read(chain, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	count = word16(bytes) | (uint64_t)word16(bytes + 2) << 16;
	if (count * 6 > chain->reader.left_bytes)
		return -EINVAL;
	if (count > NET_FILTER_ADDRESSES) {
		addresses->has_overflowed = true;
		return chain_skip_readable(chain, count * 6);
	}
	addresses->count = (unsigned int)count;
	return chain_read(chain, addresses->list, (uint32_t)count * 6);
}

static int set_table(struct virtio_net *net, struct chain *chain)
{
	struct net_addresses unicast, multicast;

	if (!net_accepted(net, VIRTIO_NET_F_CTRL_RX) || read_addresses(chain, &unicast) < 0 ||
		read_addresses(chain, &multicast) < 0 || chain->reader.left_bytes)
		return -EINVAL;
	net->filter.unicast = unicast;
	net->filter.multicast = multicast;
	return 0;
}

static int set_address(struct virtio_net *net, struct chain *chain)
{
	uint8_t mac[6];

	if (!net_accepted(net, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
		read_rest(chain, mac, sizeof(mac)) < 0 || (mac[0] & 1))
		return -EINVAL;
	if (net->antispoof && memcmp(mac, net->own_mac, sizeof(mac)) != 0)
		return -EPERM;
	net_set_mac(net, mac);
	return 0;
}

static int control_mac(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	if (command > 1)
		return -EINVAL;
	return command == 0 ? set_table(net, chain) : set_address(net, chain);
}

/* --- VLANs: 5.1.6.5.3 --- */

static int control_vlan(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	uint8_t bytes[2];
	unsigned int vlan;

	if (command > 1 || !net_accepted(net, VIRTIO_NET_F_CTRL_VLAN) ||
		read_rest(chain, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	vlan = word16(bytes);
	if (vlan >= NET_FILTER_VLANS)
		return -EINVAL;
	if (command == 0)
		net->filter.vlans[vlan / 8] |= (uint8_t)(1 << vlan % 8);
	else
		net->filter.vlans[vlan / 8] &= (uint8_t) ~(1 << vlan % 8);
	return 0;
}

/* --- The others: 5.1.6.5.4, .5 and .8 --- */

static int control_announce(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	if (command != 0 || !net_accepted(net, VIRTIO_NET_F_GUEST_ANNOUNCE) ||
		chain->reader.left_bytes)
		return -EINVAL;
	net_link_announced(net);
	return 0;
}

static int control_pairs(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	uint8_t bytes[2];
	unsigned int count;

	if (command != 0 || !net_accepted(net, VIRTIO_NET_F_MQ) ||
		read_rest(chain, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	count = word16(bytes);
	if (count == 0 || count > net->pair_count)
		return -EINVAL;
	return net_use_pairs(net, count);
}

static int control_offloads(struct virtio_net *net, uint8_t command, struct chain *chain)
{
	uint8_t bytes[8];
	uint64_t offloads = 0;

	if (command != 0 || !net_accepted(net, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
		read_rest(chain, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		offloads |= (uint64_t)bytes[i] << 8 * i;
	if (offloads & ~net->device.accepted_features)
		return -EINVAL;
	return net_apply_offloads(net, offloads);
}

static int obey(struct virtio_net *net, struct chain *chain)
{
	static int (*const classes[])(
		struct virtio_net * net, uint8_t command, struct chain * chain) = {set_mode,
		control_mac, control_vlan, control_announce, control_pairs, control_offloads};
	uint8_t head[2]; /* class, command */

	if (chain_read(chain, head, sizeof(head)) < 0 || head[0] >= array_size(classes))
		return -EINVAL;
	return classes[head[0]](net, head[1], chain);
}

void net_control_run(struct virtio_net *net, unsigned int queue)
{
	struct virtq *run = net->device.queues[queue].run;
	struct chain *chain;
	int r = 1;

	virtq_disable_notifications(run);
	for (unsigned int i = 0; i < COMMANDS_A_TURN && r > 0; i++) {
		uint8_t ack;

		r = virtq_pop_or_ask(run, &chain);
		if (r <= 0)
			break;
		ack = obey(net, chain) < 0 ? ACK_ERROR : ACK_OK;
		if (ack == ACK_OK)
			net_publish_wants(net);
		(void)!chain_write(chain, &ack, sizeof(ack)); /* without room for it, nothing */
		virtq_push(run, chain);
	}
	virtio_device_flush_queue(&net->device, queue);
	if (r < 0)
		virtio_device_break(&net->device, queue, "an invalid control queue");
	else if (r > 0)
		virtio_device_notify(&net->device, queue);
}
