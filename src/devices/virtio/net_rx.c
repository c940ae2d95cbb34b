/*
 * Frames towards the driver. VIRTIO 1.2 5.1.6.3, 5.1.6.4. I/O thread.
 *
 * A frame is read by one system call straight into buffers that were taken from the queue before:
 * as many as the longest frame needs, since how long it is shows only then. Those that it does not
 * fill are the first of the next one. When the driver has fewer than that, what exceeds them goes
 * to memory of ours, and the frame waits until the driver has added more: reading nothing meanwhile
 * would hold small frames up, and dropping it would cost a connection its speed each time that a
 * driver is late. It is dropped when the driver does not in a second.
 *
 * Without buffers nothing is read: the host's own queue fills, and drops. While the cable is pulled
 * all is read and dropped, or the driver would hear it late.
 */
#include "clock.h"
#include "net_internal.h"
#include "net_iov.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS  NANOSECONDS_PER_SECOND
#define EXCESS_BYTES (NET_VNET_HEADER_BYTES + NET_FRAME_MAX)

static struct virtq *run_half(const struct net_rx *rx)
{
	return rx->net->device.queues[net_rx_queue(rx->pair)].run;
}

static bool is_waiting_for_time(const struct net_rx *rx)
{
	return rx->timer.deadline_ns && !rx->frame_bytes;
}

static bool can_run(const struct net_rx *rx)
{
	return net_queue_runs(rx->net, net_rx_queue(rx->pair)) &&
	       rx->pair < atomic_load(&rx->net->pairs_used) && net_link_is_up(rx->net->backend) &&
	       !is_waiting_for_time(rx);
}

/* --- Buffers --- */

static struct iovec *buffers(struct net_rx *rx)
{
	return rx->iov + rx->iov_first;
}

/* Room behind the last entry for a chain of any length, and for the excess. */
static void make_room(struct net_rx *rx)
{
	if (rx->iov_first + rx->iov_count + NET_QUEUE_SIZE + 1 > NET_RX_IOV_ROOM) {
		memmove(rx->iov, buffers(rx), rx->iov_count * sizeof(rx->iov[0]));
		rx->iov_first = 0;
	}
	if (rx->chain_first + rx->chain_count == array_size(rx->chains)) {
		memmove(rx->chains, rx->chains + rx->chain_first,
			rx->chain_count * sizeof(rx->chains[0]));
		memmove(rx->chain_iovs, rx->chain_iovs + rx->chain_first,
			rx->chain_count * sizeof(rx->chain_iovs[0]));
		rx->chain_first = 0;
	}
}

static void add_chain(struct net_rx *rx, struct chain *chain)
{
	unsigned int last = rx->chain_first + rx->chain_count;
	/* The queue allows no chain of more buffers, and make_room made room for as many. */
	int count = chain_take_writable(
		chain, chain->writable_bytes, buffers(rx) + rx->iov_count, NET_QUEUE_SIZE);

	rx->chains[last] = chain;
	rx->chain_iovs[last] = count < 0 ? 0 : (uint16_t)count;
	rx->chain_count++;
	rx->iov_count += rx->chain_iovs[last];
	rx->room_bytes += chain->writable_bytes;
}

/* No more can be held. */
static bool is_full(const struct net_rx *rx)
{
	/* The size is frozen while the queue is enabled. */
	return rx->chain_count >= rx->net->device.queues[net_rx_queue(rx->pair)].config.size ||
	       rx->iov_count + NET_QUEUE_SIZE + 1 > NET_RX_IOV_MAX;
}

static bool has_enough(const struct net_rx *rx, uint64_t bytes)
{
	if (!rx->net->is_mergeable)
		return rx->chain_count > 0;
	return rx->room_bytes >= bytes || is_full(rx);
}

/* Takes buffers until there are enough for so many bytes, or no more: 0, or -EPROTO. */
static int take_buffers(struct net_rx *rx, uint64_t bytes)
{
	struct chain *chain;
	int r;

	while (!has_enough(rx, bytes)) {
		make_room(rx);
		r = virtq_pop(run_half(rx), &chain);
		if (r <= 0)
			return r;
		if (!chain->writable_bytes) {
			virtq_push(run_half(rx), chain);
			return -EPROTO;
		}
		add_chain(rx, chain);
	}
	return 0;
}

/* The first count chains have been used: forgets them. */
static void remove_chains(struct net_rx *rx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		rx->iov_first += rx->chain_iovs[rx->chain_first + i];
		rx->iov_count -= rx->chain_iovs[rx->chain_first + i];
		rx->room_bytes -= rx->chains[rx->chain_first + i]->writable_bytes;
	}
	rx->chain_first += count;
	rx->chain_count -= count;
	if (!rx->chain_count)
		rx->chain_first = rx->iov_first = 0;
}

/* --- Frames --- */

static void refresh_wants(struct net_rx *rx)
{
	struct virtio_net *net = rx->net;

	if (atomic_load(&net->wants_generation) == rx->wants_generation)
		return;
	(void)pthread_mutex_lock(&net->wants_lock);
	rx->wants = net->wants;
	rx->wants_generation = atomic_load(&net->wants_generation);
	(void)pthread_mutex_unlock(&net->wants_lock);
}

static bool is_wanted(struct net_rx *rx, uint64_t bytes)
{
	uint8_t beginning[NET_FILTER_BYTES] = {0};
	size_t length;

	refresh_wants(rx);
	if (rx->wants.filter.promiscuous)
		return true;
	length = bytes - NET_VNET_HEADER_BYTES;
	if (length > sizeof(beginning))
		length = sizeof(beginning);
	(void)net_iov_read(buffers(rx), rx->iov_count, NET_VNET_HEADER_BYTES, beginning, length);
	return net_filter_wants(&rx->wants.filter, rx->wants.mac, beginning, length);
}

/* The frame is in the buffers: as many of them as it fills are the driver's. */
static void deliver(struct net_rx *rx, uint64_t bytes)
{
	uint64_t left = bytes;
	unsigned int count = 0;
	uint8_t number[2];

	if (!is_wanted(rx, bytes)) {
		net_count(&rx->counters, VIRTIO_NET_FILTERED, 1);
		return;
	}
	while (left) {
		struct chain *chain = rx->chains[rx->chain_first + count++];
		uint64_t part = left < chain->writable_bytes ? left : chain->writable_bytes;

		(void)!chain_count_written(chain, part); /* nothing else was */
		left -= part;
	}
	/* 5.1.6.4.1: 1 without mergeable buffers. */
	number[0] = (uint8_t)count;
	number[1] = (uint8_t)(count >> 8);
	(void)net_iov_write(
		buffers(rx), rx->iov_count, VIRTIO_NET_HDR_AT_NUM_BUFFERS, number, sizeof(number));
	for (unsigned int i = 0; i < count; i++)
		virtq_push(run_half(rx), rx->chains[rx->chain_first + i]);
	remove_chains(rx, count);
	net_count(&rx->counters, VIRTIO_NET_FRAMES, 1);
	net_count(&rx->counters, VIRTIO_NET_BYTES, bytes - NET_VNET_HEADER_BYTES);
}

static void forget_frame(struct net_rx *rx)
{
	rx->frame_bytes = 0;
	io_timer_cancel(net_thread(rx->net, rx->pair), &rx->timer);
}

/* A frame that waits for buffers: false when it still does. */
static bool finish_frame(struct net_rx *rx)
{
	if (rx->room_bytes < rx->frame_bytes) {
		if (!is_full(rx))
			return false;
		net_count(&rx->counters, VIRTIO_NET_NO_ROOM, 1);
		forget_frame(rx);
		return true;
	}
	(void)net_iov_write(buffers(rx), rx->iov_count, rx->placed_bytes, rx->excess,
		rx->frame_bytes - rx->placed_bytes);
	deliver(rx, rx->frame_bytes);
	forget_frame(rx);
	return true;
}

/* It is longer than the buffers that there are. */
static void keep_frame(struct net_rx *rx, uint64_t bytes)
{
	if (!rx->net->is_mergeable || bytes > EXCESS_BYTES) {
		net_count(&rx->counters, VIRTIO_NET_NO_ROOM, 1);
		return;
	}
	rx->frame_bytes = bytes;
	rx->placed_bytes = rx->room_bytes;
	io_timer_arm(net_thread(rx->net, rx->pair), &rx->timer, clock_monotonic_ns() + PATIENCE_NS);
}

/* One frame: its bytes, or -EAGAIN: not now, something is waited for. */
static int64_t read_frame(struct net_rx *rx)
{
	struct net *backend = rx->net->backend;
	struct iovec *iov = buffers(rx);
	uint64_t ready_ns = net_limit_ns(backend, NET_RECEIVE);
	ssize_t r;

	if (ready_ns) {
		io_timer_arm(net_thread(rx->net, rx->pair), &rx->timer, ready_ns);
		return -EAGAIN;
	}
	iov[rx->iov_count] = (struct iovec){rx->excess, EXCESS_BYTES};
	r = net_receive(backend, rx->pair, iov, rx->iov_count + 1);
	if (r < 0) {
		if (r == -EAGAIN)
			net_wait(backend, rx->pair, NET_RECEIVE);
		return -EAGAIN;
	}
	if (r < NET_VNET_HEADER_BYTES + NET_ETHERNET_BYTES)
		net_count(&rx->counters, VIRTIO_NET_INVALID, 1);
	else if ((uint64_t)r > rx->room_bytes)
		keep_frame(rx, (uint64_t)r);
	else
		deliver(rx, (uint64_t)r);
	return r;
}

/* 1: there are buffers, and no frame waits for more; 0: not now; -EPROTO. */
static int prepare(struct net_rx *rx)
{
	struct virtq *queue = run_half(rx);
	uint64_t bytes = rx->net->usual_frame_bytes;
	int r;

	if (rx->frame_bytes > bytes)
		bytes = rx->frame_bytes;
	do {
		r = take_buffers(rx, bytes);
		if (r < 0)
			return r;
		if (rx->frame_bytes ? finish_frame(rx) : rx->chain_count > 0)
			return 1;
	} while (virtq_enable_notifications(queue));
	return 0;
}

static void drop_frames(struct net_rx *rx)
{
	struct net *backend = rx->net->backend;
	struct iovec excess = {rx->excess, EXCESS_BYTES};
	uint64_t bytes = 0;
	ssize_t r = 1;

	if (rx->frame_bytes)
		net_count(&rx->counters, VIRTIO_NET_NO_LINK, 1);
	forget_frame(rx);
	for (unsigned int i = 0; i < NET_TURN_FRAMES && bytes < NET_TURN_BYTES && r > 0; i++) {
		r = net_receive(backend, rx->pair, &excess, 1);
		if (r <= 0)
			continue;
		net_count(&rx->counters, VIRTIO_NET_NO_LINK, 1);
		bytes += (uint64_t)r;
	}
	if (r > 0)
		net_again(backend, rx->pair, NET_RECEIVE);
	else if (r == -EAGAIN)
		net_wait(backend, rx->pair, NET_RECEIVE);
}

void net_rx_run(struct net_rx *rx)
{
	struct virtio_net *net = rx->net;
	uint64_t bytes = 0;
	int64_t r = 1;

	if (!can_run(rx))
		return;
	if (!net_is_plugged(net)) {
		drop_frames(rx);
		return;
	}
	virtq_disable_notifications(run_half(rx));
	for (unsigned int i = 0; i < NET_TURN_FRAMES && bytes < NET_TURN_BYTES && r > 0; i++) {
		r = prepare(rx);
		/* A frame that has waited may have been the one that took the last buffers. */
		if (r > 0 && rx->chain_count)
			r = read_frame(rx);
		if (r > 0)
			bytes += (uint64_t)r;
	}
	virtio_device_flush_queue(&net->device, net_rx_queue(rx->pair));
	if (r == -EPROTO)
		virtio_device_break(
			&net->device, net_rx_queue(rx->pair), "an invalid receive queue");
	else if (r > 0)
		net_again(net->backend, rx->pair, NET_RECEIVE);
}

static void timer_expired(struct io_timer *timer)
{
	struct net_rx *rx = timer->owner;

	if (rx->frame_bytes) {
		net_count(&rx->counters, VIRTIO_NET_NO_ROOM, 1);
		rx->frame_bytes = 0;
	}
	net_rx_run(rx);
}

void net_rx_stop(struct net_rx *rx)
{
	struct virtq *queue = run_half(rx);

	net_stop_waiting(rx->net->backend, rx->pair, NET_RECEIVE);
	forget_frame(rx);
	if (!rx->chain_count)
		return;
	for (unsigned int i = 0; i < rx->chain_count; i++)
		virtq_push(queue, rx->chains[rx->chain_first + i]);
	remove_chains(rx, rx->chain_count);
	virtio_device_flush_queue(&rx->net->device, net_rx_queue(rx->pair));
}

int net_rx_init(struct net_rx *rx, struct virtio_net *net, unsigned int pair)
{
	rx->net = net;
	rx->pair = pair;
	rx->timer = (struct io_timer){.expired = timer_expired, .owner = rx};
	rx->excess = malloc(EXCESS_BYTES);
	return rx->excess ? 0 : -ENOMEM;
}

void net_rx_fini(struct net_rx *rx)
{
	free(rx->excess);
}
