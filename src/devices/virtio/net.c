/* See virtio_net.h and net_internal.h. */
#include "net_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIT(feature)   (UINT64_C(1) << (feature))
#define CONFIG_BYTES   12
#define MTU_USUAL      1500
#define OVERHEAD_BYTES (NET_VNET_HEADER_BYTES + NET_ETHERNET_BYTES + 4) /* with a VLAN */
#define CONTROL_OF_ONE 2 /* 5.1.2: where the control queue is without MQ */

/* What an offload is called when the host does it for the driver, and the other way round. */
static const struct {
	unsigned int offload;
	uint64_t host_features, guest_features;
} offload_features[] = {
	{NET_OFFLOAD_CSUM, BIT(VIRTIO_NET_F_CSUM), BIT(VIRTIO_NET_F_GUEST_CSUM)},
	{NET_OFFLOAD_TSO4, BIT(VIRTIO_NET_F_HOST_TSO4), BIT(VIRTIO_NET_F_GUEST_TSO4)},
	{NET_OFFLOAD_TSO6, BIT(VIRTIO_NET_F_HOST_TSO6), BIT(VIRTIO_NET_F_GUEST_TSO6)},
	{NET_OFFLOAD_ECN, BIT(VIRTIO_NET_F_HOST_ECN), BIT(VIRTIO_NET_F_GUEST_ECN)},
	{NET_OFFLOAD_UFO, BIT(VIRTIO_NET_F_HOST_UFO), BIT(VIRTIO_NET_F_GUEST_UFO)},
	{NET_OFFLOAD_USO, BIT(VIRTIO_NET_F_HOST_USO),
		BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6)},
};

#define GUEST_SEGMENTS                                                       \
	(BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |       \
		BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_GUEST_USO4) | \
		BIT(VIRTIO_NET_F_GUEST_USO6))

static struct virtio_net *to_net(struct virtio_device *device)
{
	return container_of(device, struct virtio_net, device);
}

/* --- Configuration space: 5.1.4 --- */

static void net_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	const struct virtio_net *net = to_net(device);
	const uint16_t words[] = {atomic_load(&net->status), (uint16_t)net->pair_count, net->mtu};
	uint8_t config[CONFIG_BYTES];

	memcpy(config, net->mac, sizeof(net->mac));
	for (unsigned int i = 0; i < array_size(words); i++) {
		config[6 + 2 * i] = (uint8_t)words[i];
		config[7 + 2 * i] = (uint8_t)(words[i] >> 8);
	}
	memcpy(bytes, config + offset, size);
}

static void change_mac(struct virtio_device *device, void *mac)
{
	memcpy(to_net(device)->mac, mac, sizeof(to_net(device)->mac));
}

void net_set_mac(struct virtio_net *net, const uint8_t mac[6])
{
	uint8_t copy[6];

	memcpy(copy, mac, sizeof(copy));
	virtio_device_change_config(&net->device, change_mac, copy);
}

/* --- Offloads and pairs --- */

static uint64_t features_of(const struct net *backend)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < array_size(offload_features); i++) {
		if (backend->send_offloads & offload_features[i].offload)
			features |= offload_features[i].host_features;
		if (backend->receive_offloads & offload_features[i].offload)
			features |= offload_features[i].guest_features;
	}
	return features;
}

/* 5.1.3.1: nothing without the checksum. One of the two USOs alone is none: the backend knows both
 * or neither. */
int net_apply_offloads(struct virtio_net *net, uint64_t features)
{
	unsigned int offloads = 0;

	for (unsigned int i = 0; i < array_size(offload_features); i++) {
		uint64_t wanted = offload_features[i].guest_features;

		if ((features & wanted) == wanted)
			offloads |= offload_features[i].offload;
	}
	if (!(offloads & NET_OFFLOAD_CSUM))
		offloads = 0;
	return net_set_offloads(net->backend, offloads);
}

void net_restart(struct virtio_net *net)
{
	for (unsigned int i = 0; i <= 2 * net->pair_count; i++)
		virtio_device_notify(&net->device, i);
}

/* A pair that is not used any more may be waiting still: its next turn, the last, does nothing. */
int net_use_pairs(struct virtio_net *net, unsigned int count)
{
	int r;

	net_vhost_use(net, count, net->pair_count, false);
	r = net_set_pairs(net->backend, count);
	if (r == 0)
		atomic_store(&net->pairs_used, count);
	net_vhost_use(net, 0, atomic_load(&net->pairs_used), true);
	net_restart(net); /* meanwhile the backend may have put a pair off */
	return r;
}

void net_publish_wants(struct virtio_net *net)
{
	(void)pthread_mutex_lock(&net->wants_lock);
	net->wants.filter = net->filter;
	memcpy(net->wants.mac, net->mac, sizeof(net->mac));
	atomic_fetch_add(&net->wants_generation, 1);
	(void)pthread_mutex_unlock(&net->wants_lock);
}

/* --- The queues; I/O threads --- */

static unsigned int control_queue(const struct virtio_net *net)
{
	return net_accepted(net, VIRTIO_NET_F_MQ) ? 2 * net->pair_count : CONTROL_OF_ONE;
}

static int net_activate(struct virtio_device *device)
{
	struct virtio_net *net = to_net(device);
	unsigned int mtu = net->mtu > MTU_USUAL ? net->mtu : MTU_USUAL;

	net->is_mergeable = net_accepted(net, VIRTIO_NET_F_MRG_RXBUF);
	net->usual_frame_bytes = device->accepted_features & GUEST_SEGMENTS
	                                 ? NET_VNET_HEADER_BYTES + NET_FRAME_MAX
	                                 : mtu + OVERHEAD_BYTES;
	net_filter_reset(&net->filter, net_accepted(net, VIRTIO_NET_F_CTRL_VLAN));
	net_publish_wants(net);
	atomic_store(&net->announces, false); /* it begins with that anyway */
	/* A backend that cannot now has no link, and is asked again when it has. */
	(void)!net_apply_offloads(net, device->accepted_features);
	return net_use_pairs(net, 1);
}

static bool net_hand_over(struct virtio_device *device, unsigned int queue)
{
	struct virtio_net *net = to_net(device);

	return net->vhost && queue != control_queue(net) && queue / 2 < net->pair_count &&
	       net_vhost_hand_over(net, queue);
}

static void net_notifier_changed(struct virtio_device *device)
{
	net_vhost_reconnect(to_net(device));
}

static void net_queue_notify(struct virtio_device *device, unsigned int queue)
{
	struct virtio_net *net = to_net(device);

	if (queue == control_queue(net)) {
		net_control_run(net, queue);
		net_link_announce(net);
	} else if (queue / 2 >= net->pair_count)
		return; /* where the control queue would be with MQ */
	else if (queue % 2)
		net_tx_run(&net->tx[queue / 2]);
	else
		net_rx_run(&net->rx[queue / 2]);
}

static void stop_queue(struct virtio_net *net, unsigned int queue)
{
	if (queue / 2 >= net->pair_count || (net->vhost && net_vhost_stop(net, queue)) ||
		!virtq_is_running(net->device.queues[queue].run))
		return;
	if (queue % 2)
		net_tx_stop(&net->tx[queue / 2]);
	else
		net_rx_stop(&net->rx[queue / 2]);
}

static void forget_driver(struct virtio_device *device, void *context)
{
	struct virtio_net *net = to_net(device);

	(void)context;
	memcpy(net->mac, net->own_mac, sizeof(net->mac));
	atomic_fetch_and(&net->status, (uint16_t)~VIRTIO_NET_S_ANNOUNCE);
}

/* Nobody receives; what comes until somebody does needs no offload. */
static void forget_all(struct virtio_net *net)
{
	(void)!net_apply_offloads(net, 0);
	atomic_store(&net->pairs_used, 0);
	net_link_stop(net);
	net_vhost_use(net, 0, net->pair_count, false);
	if (memcmp(net->mac, net->own_mac, sizeof(net->mac)) != 0 ||
		(atomic_load(&net->status) & VIRTIO_NET_S_ANNOUNCE))
		virtio_device_change_config(&net->device, forget_driver, NULL);
}

static void net_quiesce(struct virtio_device *device, unsigned int queue)
{
	struct virtio_net *net = to_net(device);

	for (unsigned int i = 0; i < device->queue_count; i++)
		if (queue == i || (queue == VIRTIO_QUEUES_MAX &&
					  io_thread_is_current(device->queues[i].io_thread)))
			stop_queue(net, i);
	if (queue == VIRTIO_QUEUES_MAX && io_thread_is_current(device->io_thread))
		forget_all(net);
	virtio_device_quiesced(device, queue);
}

static void backend_ready(void *owner, unsigned int pair, enum net_direction direction)
{
	struct virtio_net *net = owner;

	if (direction == NET_SEND)
		net_tx_run(&net->tx[pair]);
	else
		net_rx_run(&net->rx[pair]);
}

static void backend_link_changed(void *owner, bool up, int code)
{
	struct virtio_net *net = owner;

	net_link_show(net);
	if (net->sink.link_changed)
		net->sink.link_changed(net->sink.owner, up, code);
	net_restart(net); /* without a link: what waits is dropped */
}

static void backend_capture_ended(void *owner, int code)
{
	struct virtio_net *net = owner;

	if (net->sink.capture_ended)
		net->sink.capture_ended(net->sink.owner, code);
}

/* --- Main thread --- */

uint64_t virtio_net_count(const struct virtio_net *net, unsigned int pair,
	enum net_direction direction, enum virtio_net_count count)
{
	const struct net_counters *counters = direction == NET_SEND ? &net->tx[pair].counters
	                                                            : &net->rx[pair].counters;

	return atomic_load_explicit(&counters->counts[count], memory_order_relaxed);
}

const char *virtio_net_count_name(enum virtio_net_count count)
{
	static const char *const names[] = {
		[VIRTIO_NET_FRAMES] = "frames",
		[VIRTIO_NET_BYTES] = "bytes",
		[VIRTIO_NET_FILTERED] = "filtered",
		[VIRTIO_NET_NO_ROOM] = "without room",
		[VIRTIO_NET_INVALID] = "invalid",
		[VIRTIO_NET_REFUSED] = "refused",
		[VIRTIO_NET_SPOOFED] = "spoofed",
		[VIRTIO_NET_NO_LINK] = "without link",
	};

	return names[count];
}

static void net_device_destroy(struct virtio_device *device)
{
	virtio_net_destroy(to_net(device));
}

static const struct virtio_device_ops net_ops = {
	.read_config = net_read_config,
	.activate = net_activate,
	.hand_over = net_hand_over,
	.notifier_changed = net_notifier_changed,
	.queue_notify = net_queue_notify,
	.quiesce = net_quiesce,
	.destroy = net_device_destroy,
};

static void release(struct virtio_net *net)
{
	for (unsigned int i = 0; net->rx && i < net->pair_count; i++)
		net_rx_fini(&net->rx[i]);
	free(net->rx);
	free(net->tx);
	net_vhost_fini(net);
	(void)pthread_mutex_destroy(&net->wants_lock);
	free(net->name);
	free(net);
}

static uint64_t offered_features(const struct virtio_net *net)
{
	uint64_t features = features_of(net->backend) | BIT(VIRTIO_NET_F_MAC) |
	                    BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
	                    BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
	                    BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_VLAN) |
	                    BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);

	if (net->mtu)
		features |= BIT(VIRTIO_NET_F_MTU);
	if (net->pair_count > 1)
		features |= BIT(VIRTIO_NET_F_MQ);
	if (net->backend->receive_offloads)
		features |= BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	return features;
}

/* Without MQ the control queue is where the second pair would be (5.1.2): that pair is on the
 * device's thread as well, so commands are obeyed there, wherever they come from. */
static struct io_thread *choose_thread(const struct virtio_net_options *options, unsigned int pair)
{
	return options->io_threads[(pair + 1) % options->io_thread_count];
}

static int create_queues(struct virtio_net *net, const struct virtio_net_options *options)
{
	int r = 0;

	net->rx = calloc(net->pair_count, sizeof(*net->rx));
	net->tx = calloc(net->pair_count, sizeof(*net->tx));
	if (!net->rx || !net->tx)
		return -ENOMEM;
	for (unsigned int i = 0; r == 0 && i < net->pair_count; i++) {
		net->device.queues[net_rx_queue(i)].io_thread = choose_thread(options, i);
		net->device.queues[net_tx_queue(i)].io_thread = choose_thread(options, i);
		r = net_rx_init(&net->rx[i], net, i);
		net_tx_init(&net->tx[i], net, i);
	}
	if (r == 0 && net->backend->has_vhost)
		r = net_vhost_init(net);
	return r;
}

static int init(struct virtio_net *net, const struct virtio_net_options *options, struct err *err)
{
	unsigned int control = 2 * net->pair_count;

	net->name = strdup(options->name);
	memcpy(net->own_mac, options->mac, sizeof(net->own_mac));
	memcpy(net->mac, options->mac, sizeof(net->mac));
	net->mtu = (uint16_t)(options->mtu ? options->mtu : options->backend->mtu);
	net->antispoof = options->antispoof;
	net->sink = options->sink;
	net_link_init(net);
	net->device.ops = &net_ops;
	net->device.name = net->name;
	net->device.device_id = VIRTIO_ID_NETWORK;
	net->device.config_bytes = CONFIG_BYTES;
	net->device.queue_count = control + 1;
	net->device.queue_size_max = NET_QUEUE_SIZE;
	net->device.queues[control].config.size_max = NET_CONTROL_SIZE;
	net->device.gmem = options->gmem;
	net->device.io_thread = options->io_threads[0];
	net->device.fault_sink = options->fault_sink;
	net->device.withheld_features = options->withheld_features;
	net->device.offered_features = offered_features(net);
	if (net->backend->has_vhost)
		net->device.withheld_features |= BIT(VIRTIO_F_RING_PACKED);
	if (!net->name || create_queues(net, options) < 0)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	return virtio_device_init(&net->device, err);
}

static int attach(struct virtio_net *net, struct err *err)
{
	const struct net_events events = {
		.ready = backend_ready,
		.link_changed = backend_link_changed,
		.capture_ended = backend_capture_ended,
		.owner = net,
	};
	struct io_thread *threads[NET_PAIRS_MAX];
	int r;

	for (unsigned int i = 0; i < net->pair_count; i++)
		threads[i] = net_thread(net, i);
	r = net_attach(net->backend, threads, &events, err);
	if (r < 0)
		virtio_device_fini(&net->device);
	return r;
}

int virtio_net_create(
	const struct virtio_net_options *options, struct virtio_net **ret_net, struct err *err)
{
	struct virtio_net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	(void)pthread_mutex_init(&net->wants_lock, NULL);
	net->backend = options->backend;
	net->pair_count = options->backend->pair_count;
	r = init(net, options, err);
	if (r == 0)
		r = attach(net, err);
	if (r < 0) {
		release(net);
		return r;
	}
	*ret_net = net;
	return 0;
}

struct virtio_device *virtio_net_device(struct virtio_net *net)
{
	return &net->device;
}

void virtio_net_destroy(struct virtio_net *net)
{
	if (!net)
		return;
	/* No event may find a device that is half gone. */
	virtio_device_reset(&net->device);
	net_detach(net->backend);
	virtio_device_fini(&net->device);
	release(net);
}
