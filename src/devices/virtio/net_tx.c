/*
 * Frames from the driver. VIRTIO 1.2 5.1.6.1, 5.1.6.2. I/O thread.
 *
 * The header and the beginning of the frame are copied once, judged and sent as copied; the rest
 * goes from guest memory to the kernel. What the driver and we have not agreed on (a checksum to be
 * finished, a segmentation) is dropped; whether offsets and sizes make sense is the kernel's to
 * judge, which has to anyway.
 */
#include "net_internal.h"

#include <errno.h>
#include <string.h>

#define SOURCE_AT 6

static struct virtq *run_half(const struct net_tx *tx)
{
	return tx->net->device.queues[net_tx_queue(tx->pair)].run;
}

static bool can_run(const struct net_tx *tx)
{
	return net_queue_runs(tx->net, net_tx_queue(tx->pair)) &&
	       tx->pair < atomic_load(&tx->net->pairs_used) && !tx->timer.deadline_ns;
}

static bool is_agreed(const struct virtio_net *net, uint8_t flags, uint8_t gso_type)
{
	bool has_ecn = gso_type & VIRTIO_NET_HDR_GSO_ECN;
	unsigned int feature;

	if (flags && !net_accepted(net, VIRTIO_NET_F_CSUM))
		return false;
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return !has_ecn;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		feature = VIRTIO_NET_F_HOST_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		feature = VIRTIO_NET_F_HOST_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP:
		feature = VIRTIO_NET_F_HOST_UFO;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		feature = VIRTIO_NET_F_HOST_USO;
		break;
	default:
		return false;
	}
	return net_accepted(net, feature) && (!has_ecn || net_accepted(net, VIRTIO_NET_F_HOST_ECN));
}

/* Copies the header; bits that do not concern a transmission are cleared (5.1.6.2). False: not a
 * frame. */
static bool read_header(struct net_tx *tx, struct chain *chain)
{
	uint64_t bytes = chain->readable_bytes;

	if (bytes < NET_VNET_HEADER_BYTES + NET_ETHERNET_BYTES ||
		bytes > NET_VNET_HEADER_BYTES + NET_FRAME_MAX ||
		chain_read(chain, tx->header, sizeof(tx->header)) < 0 ||
		chain_read(chain, tx->ethernet, sizeof(tx->ethernet)) < 0)
		return false;
	tx->header[0] &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	memset(tx->header + VIRTIO_NET_HDR_AT_NUM_BUFFERS, 0, 2);
	tx->frame_bytes = bytes - NET_VNET_HEADER_BYTES;
	return is_agreed(tx->net, tx->header[0], tx->header[1]);
}

/* False: it is not to be sent, and counted. */
static bool read_frame(struct net_tx *tx, struct chain *chain)
{
	const struct virtio_net *net = tx->net;
	int count;

	if (!read_header(tx, chain)) {
		net_count(&tx->counters, VIRTIO_NET_INVALID, 1);
		return false;
	}
	if (net->antispoof && memcmp(tx->ethernet + SOURCE_AT, net->own_mac, 6) != 0) {
		net_count(&tx->counters, VIRTIO_NET_SPOOFED, 1);
		return false;
	}
	tx->iov[0] = (struct iovec){tx->header, sizeof(tx->header)};
	tx->iov[1] = (struct iovec){tx->ethernet, sizeof(tx->ethernet)};
	/* The queue allows no chain of more buffers. */
	count = chain_take_readable(
		chain, tx->frame_bytes - NET_ETHERNET_BYTES, tx->iov + 2, NET_QUEUE_SIZE);
	tx->iov_count = 2 + (count < 0 ? 0 : (unsigned int)count);
	return true;
}

/* The next frame is tx->waiting: 1; 0: there is none; -EPROTO. */
static int next_frame(struct net_tx *tx)
{
	struct virtq *queue = run_half(tx);
	struct chain *chain;
	int r;

	if (tx->waiting)
		return 1;
	r = virtq_pop_or_ask(queue, &chain);
	if (r <= 0)
		return r;
	if (read_frame(tx, chain))
		tx->waiting = chain;
	else
		virtq_push(queue, chain);
	return 1;
}

static void count_sent(struct net_tx *tx, int result)
{
	if (result == -EINVAL) {
		net_count(&tx->counters, VIRTIO_NET_REFUSED, 1);
	} else if (result < 0) {
		net_count(&tx->counters, VIRTIO_NET_NO_LINK, 1);
	} else {
		net_count(&tx->counters, VIRTIO_NET_FRAMES, 1);
		net_count(&tx->counters, VIRTIO_NET_BYTES, tx->frame_bytes);
	}
}

/* Sends tx->waiting: 1, or 0: not now, something is waited for. */
static int send_frame(struct net_tx *tx)
{
	struct virtio_net *net = tx->net;
	bool is_plugged = net_is_plugged(net);
	uint64_t ready_ns = is_plugged ? net_limit_ns(net->backend, NET_SEND) : 0;
	int r;

	if (ready_ns) {
		io_timer_arm(net_thread(net, tx->pair), &tx->timer, ready_ns);
		return 0;
	}
	r = is_plugged ? net_send(net->backend, tx->pair, tx->iov, tx->iov_count) : -ENOTCONN;
	if (r == -EAGAIN) {
		net_wait(net->backend, tx->pair, NET_SEND);
		return 0;
	}
	count_sent(tx, r);
	virtq_push(run_half(tx), take_ptr(tx->waiting));
	return 1;
}

void net_tx_run(struct net_tx *tx)
{
	struct virtio_net *net = tx->net;
	uint64_t bytes = 0;
	int r = 1;

	if (!can_run(tx))
		return;
	virtq_disable_notifications(run_half(tx));
	for (unsigned int i = 0; i < NET_TURN_FRAMES && bytes < NET_TURN_BYTES && r > 0; i++) {
		r = next_frame(tx);
		if (r > 0 && tx->waiting) {
			bytes += tx->frame_bytes;
			r = send_frame(tx);
		}
	}
	virtio_device_flush_queue(&net->device, net_tx_queue(tx->pair));
	if (r < 0)
		virtio_device_break(
			&net->device, net_tx_queue(tx->pair), "an invalid transmit queue");
	else if (r > 0)
		net_again(net->backend, tx->pair, NET_SEND);
}

static void timer_expired(struct io_timer *timer)
{
	net_tx_run(timer->owner);
}

/* A frame that waits is not sent any more: its driver is gone. */
void net_tx_stop(struct net_tx *tx)
{
	net_stop_waiting(tx->net->backend, tx->pair, NET_SEND);
	io_timer_cancel(net_thread(tx->net, tx->pair), &tx->timer);
	if (!tx->waiting)
		return;
	virtq_push(run_half(tx), take_ptr(tx->waiting));
	virtio_device_flush_queue(&tx->net->device, net_tx_queue(tx->pair));
}

void net_tx_init(struct net_tx *tx, struct virtio_net *net, unsigned int pair)
{
	tx->net = net;
	tx->pair = pair;
	tx->timer = (struct io_timer){.expired = timer_expired, .owner = tx};
}
