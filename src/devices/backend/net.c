/*
 * What is common to all networks: waiting, the link, limits, the capture. See net.h.
 *
 * A poll that only reports an error would do so for ever: then the link is lost.
 */
#include "net.h"

#include "clock.h"
#include "fd.h"
#include "net_iov.h"
#include "net_kinds.h"
#include "pcap.h"
#include "vhost.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* In the past: a timer that expires at the end of this round of callbacks, or of the next. */
#define NEXT_ROUND 1

ssize_t net_readv(int fd, const struct iovec *iov, unsigned int iov_count)
{
	ssize_t r;

	do
		r = readv(fd, iov, (int)iov_count);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t net_writev(int fd, const struct iovec *iov, unsigned int iov_count)
{
	ssize_t r;

	do
		r = writev(fd, iov, (int)iov_count);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* --- Pairs that come and go under those who use them. --- */

/* A pair that is not used cannot be read, written or polled, which is no reason to think that the
 * interface is gone. Errors count when nothing has changed since before they could arise. */
static bool may_use(const struct net *net, unsigned int pair, unsigned int *ret_changes)
{
	*ret_changes = atomic_load(&net->pairs_changes);
	return !(*ret_changes & 1) && pair < atomic_load(&net->pairs_used);
}

static bool has_changed(const struct net *net, unsigned int changes)
{
	return atomic_load(&net->pairs_changes) != changes;
}

/* --- Waiting and the link; I/O thread. --- */

static void poll_ready(struct net_pair *pair, enum net_direction direction, short revents)
{
	struct net *net = pair->net;

	pair->waiting[direction] = false;
	if (!net->errors_pass && (revents & (POLLERR | POLLNVAL)) &&
		!(revents & pair->polls[direction].events) &&
		!has_changed(net, pair->changes[direction])) {
		net_link_lost(net, -ENODEV);
		return;
	}
	net->events.ready(net->events.owner, (unsigned int)(pair - net->pairs), direction);
}

static void receive_ready(struct io_poll *poll, short revents)
{
	poll_ready(poll->owner, NET_RECEIVE, revents);
}

static void send_ready(struct io_poll *poll, short revents)
{
	poll_ready(poll->owner, NET_SEND, revents);
}

void net_wait(struct net *net, unsigned int pair, enum net_direction direction)
{
	struct net_pair *waiter = &net->pairs[pair];

	if (waiter->waiting[direction] || !net_link_is_up(net) ||
		!may_use(net, pair, &waiter->changes[direction]))
		return;
	waiter->waiting[direction] = true;
	waiter->polls[direction] = (struct io_poll){
		.fd = waiter->fd,
		.events = direction == NET_RECEIVE ? POLLIN : POLLOUT,
		.ready = direction == NET_RECEIVE ? receive_ready : send_ready,
		.owner = waiter,
	};
	io_poll_start(waiter->io_thread, &waiter->polls[direction]);
}

void net_stop_waiting(struct net *net, unsigned int pair, enum net_direction direction)
{
	struct net_pair *waiter = &net->pairs[pair];

	waiter->again[direction] = false;
	if (!waiter->waiting[direction])
		return;
	waiter->waiting[direction] = false;
	io_poll_cancel(waiter->io_thread, &waiter->polls[direction]);
}

static void again_expired(struct io_timer *timer)
{
	struct net_pair *pair = timer->owner;
	struct net *net = pair->net;

	for (unsigned int i = 0; i < NET_DIRECTIONS; i++) {
		if (!pair->again[i])
			continue;
		pair->again[i] = false;
		net->events.ready(net->events.owner, (unsigned int)(pair - net->pairs),
			(enum net_direction)i);
	}
}

void net_again(struct net *net, unsigned int pair, enum net_direction direction)
{
	struct net_pair *waiter = &net->pairs[pair];

	waiter->again[direction] = true;
	if (!waiter->again_timer.deadline_ns)
		io_timer_arm(waiter->io_thread, &waiter->again_timer, NEXT_ROUND);
}

static void stop_pair(struct net_pair *pair)
{
	struct net *net = pair->net;

	net_stop_waiting(net, (unsigned int)(pair - net->pairs), NET_RECEIVE);
	net_stop_waiting(net, (unsigned int)(pair - net->pairs), NET_SEND);
}

/* Pairs of other threads find out by themselves. */
void net_link_lost(struct net *net, int code)
{
	if (!atomic_exchange(&net->link_up, false))
		return;
	for (unsigned int i = 0; i < net->pair_count; i++)
		if (io_thread_is_current(net->pairs[i].io_thread))
			stop_pair(&net->pairs[i]);
	if (net->ops->lost)
		net->ops->lost(net);
	net->events.link_changed(net->events.owner, false, code);
}

void net_link_established(struct net *net)
{
	atomic_store_explicit(&net->link_up, true, memory_order_relaxed);
	net->events.link_changed(net->events.owner, true, 0);
}

void net_look_at_link(struct net *net)
{
	struct pollfd look = {.fd = net->pairs[0].fd};
	unsigned int changes;

	if (net_link_is_up(net) && may_use(net, 0, &changes) && poll(&look, 1, 0) > 0 &&
		!has_changed(net, changes))
		net_link_lost(net, -ENODEV);
}

static int link_failed(struct net *net, unsigned int changes, int code)
{
	if (has_changed(net, changes))
		return -EAGAIN;
	net_link_lost(net, code);
	return -ENOTCONN;
}

/* --- Frames; I/O thread. --- */

static void passed(struct net *net, enum net_direction direction, const struct iovec *iov,
	unsigned int iov_count, size_t bytes)
{
	if (bytes <= NET_VNET_HEADER_BYTES)
		return;
	bytes -= NET_VNET_HEADER_BYTES;
	/* One byte has been paid for by net_limit_ns. */
	if (rate_limit_is_on(&net->limits[direction]))
		rate_limit_force(&net->limits[direction], clock_monotonic_ns(), bytes - 1);
	if (net->pcap)
		pcap_add(net->pcap, iov, iov_count, NET_VNET_HEADER_BYTES, bytes);
}

ssize_t net_receive(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	unsigned int changes;
	ssize_t r;

	if (!net_link_is_up(net))
		return -ENOTCONN;
	if (!may_use(net, pair, &changes))
		return -EAGAIN;
	r = net->ops->receive(net, pair, iov, iov_count);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return link_failed(net, changes, (int)r);
	passed(net, NET_RECEIVE, iov, iov_count, (size_t)r);
	return r;
}

int net_send(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	bool is_recorded = net->pcap || rate_limit_is_on(&net->limits[NET_SEND]);
	size_t bytes = is_recorded ? net_iov_bytes(iov, iov_count) : 0;
	unsigned int changes;
	int r;

	if (!net_link_is_up(net))
		return -ENOTCONN;
	if (!may_use(net, pair, &changes))
		return -EAGAIN;
	r = net->ops->send(net, pair, iov, iov_count);
	if (r == 0 && is_recorded)
		passed(net, NET_SEND, iov, iov_count, bytes);
	if (r == 0 || r == -EAGAIN || r == -EINVAL)
		return r;
	return link_failed(net, changes, r);
}

uint64_t net_limit_ns(struct net *net, enum net_direction direction)
{
	struct rate_limit *limit = &net->limits[direction];

	return rate_limit_is_on(limit) ? rate_limit_take(limit, clock_monotonic_ns(), 1) : 0;
}

int net_set_offloads(struct net *net, unsigned int offloads)
{
	if (!net->ops->set_offloads || !net_link_is_up(net))
		return 0;
	return net->ops->set_offloads(net, offloads & net->receive_offloads);
}

int net_set_pairs(struct net *net, unsigned int count)
{
	int r;

	if (!net->ops->set_pairs || !net_link_is_up(net))
		return 0;
	atomic_fetch_add(&net->pairs_changes, 1);
	r = net->ops->set_pairs(net, count);
	if (r == 0)
		atomic_store(&net->pairs_used, count);
	atomic_fetch_add(&net->pairs_changes, 1);
	return r;
}

/* --- Main thread. --- */

uint64_t net_capture_missed(const struct net *net)
{
	return net->pcap ? pcap_missed(net->pcap) : 0;
}

void net_init(struct net *net, const struct net_ops *ops)
{
	*net = (struct net){.ops = ops, .pair_count = 1};
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++) {
		net->pairs[i].net = net;
		net->pairs[i].fd = net->pairs[i].vhost_fd = -1;
	}
}

static void close_vhost(struct net *net)
{
	net->has_vhost = false;
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++)
		fd_close(&net->pairs[i].vhost_fd);
}

int net_open_vhost(struct net *net, int fd, struct err *err)
{
	cleanup_fd int given = fd;

	if (!net->has_vnet_header)
		return err_set(err, EINVAL, "vhost goes with a tap that has IFF_VNET_HDR");
	for (unsigned int i = 0; i < net->pair_count; i++) {
		int r = given >= 0 ? vhost_net_adopt(given, err) : vhost_net_open(err);

		if (r < 0) {
			close_vhost(net);
			return r;
		}
		net->pairs[i].vhost_fd = given >= 0 ? take_fd(&given) : r;
	}
	net->has_vhost = true;
	return 0;
}

void net_fini(struct net *net)
{
	close_vhost(net);
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++)
		fd_close(&net->pairs[i].fd);
	pcap_close(net->pcap);
	net->pcap = NULL;
}

int net_open(const struct net_options *options, struct net **ret_net, struct err *err)
{
	struct net *net = NULL;
	int r = options->kind == NET_TAP ? net_tap_open(options, &net, err)
	                                 : net_socket_open(options, &net, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < NET_DIRECTIONS; i++)
		rate_limit_init(&net->limits[i], &options->rates[i]);
	if (options->pcap_path)
		r = pcap_open(options->pcap_path, &net->pcap, err);
	if (r < 0) {
		net_close(net);
		return r;
	}
	*ret_net = net;
	return 0;
}

void net_close(struct net *net)
{
	if (net)
		net->ops->destroy(net);
}

static void pcap_failed(void *owner, int code)
{
	struct net *net = owner;

	if (net->events.capture_ended)
		net->events.capture_ended(net->events.owner, code);
}

static void start_on_io(void *context)
{
	struct net *net = context;

	if (net->ops->started)
		net->ops->started(net);
}

int net_attach(struct net *net, struct io_thread *const *threads, const struct net_events *events,
	struct err *err)
{
	int r = 0;

	net->events = *events;
	if (net->pcap)
		r = pcap_attach(net->pcap, threads[0], pcap_failed, net, err);
	if (r < 0)
		return r;
	net->io_thread = threads[0];
	for (unsigned int i = 0; i < net->pair_count; i++) {
		net->pairs[i].io_thread = threads[i];
		net->pairs[i].again_timer = (struct io_timer){
			.expired = again_expired, .owner = &net->pairs[i]};
	}
	atomic_init(&net->pairs_used, net->pair_count);
	io_thread_call(net->io_thread, start_on_io, net);
	return 0;
}

static void stop_pair_on_io(void *context)
{
	struct net_pair *pair = context;

	stop_pair(pair);
	io_timer_cancel(pair->io_thread, &pair->again_timer);
}

static void stop_on_io(void *context)
{
	struct net *net = context;

	if (net->ops->stopping)
		net->ops->stopping(net);
}

void net_detach(struct net *net)
{
	if (!net->io_thread)
		return;
	for (unsigned int i = 0; i < net->pair_count; i++)
		io_thread_call(net->pairs[i].io_thread, stop_pair_on_io, &net->pairs[i]);
	io_thread_call(net->io_thread, stop_on_io, net);
	if (net->pcap)
		pcap_detach(net->pcap);
	net->io_thread = NULL;
}
