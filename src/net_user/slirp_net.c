/* See slirp_net.h. */
#include "slirp_net.h"

#include "clock.h"
#include "frame_stream.h"
#include "host_filter.h"
#include "host_route.h"
#include "slirp_library.h"
#include "user_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS_MAX       4
#define POLL_COUNT_FIRST 64
/* With less room than this for the guest, no socket is read: each may give a few segments. */
#define ROOM_WANTED    (FRAME_WRITER_BYTES / 2)
#define NS_PER_MS      UINT64_C(1000000)
#define CONFIG_VERSION 1 /* what every libslirp of this soname knows */

struct slirp_timer {
	SlirpTimerCb expired; /* NULL: free */
	void *owner;
	bool armed;
	int64_t expires_ms;
};

struct slirp_net {
	int stream_fd;
	struct slirp_library library;
	Slirp *slirp;
	struct slirp_timer timers[TIMERS_MAX];
	struct pollfd *polls; /* [0] is the stream */
	unsigned int poll_count, poll_capacity;
	bool congested; /* of this round: no socket is read */
	struct host_route route;
	struct host_filter filter;
	uint16_t udp_ports[NET_USER_PUBLISH_MAX];
	struct frame_reader reader;
	struct frame_writer writer;
};

static ssize_t send_packet(const void *frame, size_t length, void *opaque)
{
	struct slirp_net *net = opaque;

	host_filter_note(&net->filter, frame, length);
	/* Without room the frame is lost; an error here would only be logged. */
	(void)!frame_writer_put(&net->writer, frame, length);
	return (ssize_t)length;
}

static void guest_error(const char *message, void *opaque)
{
	(void)message; /* a guest must not fill logs */
	(void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)clock_monotonic_ns();
}

static void *timer_new(SlirpTimerCb expired, void *owner, void *opaque)
{
	struct slirp_net *net = opaque;

	for (size_t i = 0; i < TIMERS_MAX; i++) {
		if (net->timers[i].expired)
			continue;
		net->timers[i] = (struct slirp_timer){.expired = expired, .owner = owner};
		return &net->timers[i];
	}
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	if (timer)
		*(struct slirp_timer *)timer = (struct slirp_timer){0};
}

static void timer_mod(void *opaque_timer, int64_t expires_ms, void *opaque)
{
	struct slirp_timer *timer = opaque_timer;

	(void)opaque;
	if (!timer)
		return;
	timer->armed = true;
	timer->expires_ms = expires_ms;
}

static void poll_fd_changed(int fd, void *opaque)
{
	(void)fd; /* the set is made anew each round */
	(void)opaque;
}

static void notify(void *opaque)
{
	(void)opaque; /* every call into libslirp is followed by a round */
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd_changed,
	.unregister_poll_fd = poll_fd_changed,
	.notify = notify,
};

static bool is_own(void *owner, const struct ip_address *address)
{
	struct slirp_net *net = owner;

	return host_route_is_own(&net->route, address);
}

static struct in_addr ipv4_address(uint8_t last_byte)
{
	struct in_addr address;

	memcpy(&address, user_network_prefix, USER_NETWORK_PREFIX_BYTES);
	memcpy((uint8_t *)&address + USER_NETWORK_PREFIX_BYTES, &last_byte, 1);
	return address;
}

static struct in6_addr ipv6_address(uint8_t last_byte)
{
	struct in6_addr address = {0};

	memcpy(&address, user_network_prefix6, sizeof(user_network_prefix6));
	address.s6_addr[15] = last_byte;
	return address;
}

/* The address that the guest forms from the prefix and its MAC address (RFC 4291, appendix A). */
static struct in6_addr guest_ipv6_address(const uint8_t mac[6])
{
	const uint8_t identifier[8] = {
		mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
	struct in6_addr address = ipv6_address(0);

	memcpy(&address.s6_addr[8], identifier, sizeof(identifier));
	return address;
}

/* libslirp's own bar before the host's loopback would also stop the answers to published UDP
 * ports; the filter tells them apart. */
static bool bars_loopback(const struct net_user_options *options)
{
	for (unsigned int i = 0; i < options->publish_count; i++)
		if (options->publish[i].udp)
			return false;
	return options->restrict_host;
}

static int create_slirp(
	struct slirp_net *net, const struct net_user_options *options, struct err *err)
{
	const SlirpConfig config = {
		.version = CONFIG_VERSION,
		.in_enabled = true,
		.vnetwork = ipv4_address(0),
		.vnetmask = {.s_addr = htonl(0xffffff00)},
		.vhost = ipv4_address(USER_NETWORK_HOST),
		.vdhcp_start = ipv4_address(USER_NETWORK_GUEST),
		.vnameserver = ipv4_address(USER_NETWORK_DNS),
		.in6_enabled = true,
		.vprefix_addr6 = ipv6_address(0),
		.vprefix_len = USER_NETWORK_PREFIX6_BITS,
		.vhost6 = ipv6_address(USER_NETWORK_HOST),
		.vnameserver6 = ipv6_address(USER_NETWORK_DNS),
		.if_mtu = options->mtu,
		.if_mru = options->mtu,
		.disable_host_loopback = bars_loopback(options),
	};

	if (options->mtu < NET_USER_MTU_MIN || options->mtu > NET_USER_MTU_MAX)
		return err_set(err, EINVAL, "--net user needs an MTU from %d to %d",
			NET_USER_MTU_MIN, NET_USER_MTU_MAX);
	net->slirp = net->library.create(&config, &callbacks, net);
	return net->slirp ? 0 : err_set(err, EINVAL, "libslirp refuses its configuration");
}

/* -errno, with what it is about as in "127.0.0.1:8080/udp". */
static int refuse_port(const struct net_user_publish *rule, int code, struct err *err)
{
	const bool ipv6 = rule->host.any.sa_family == AF_INET6;
	const void *bytes = ipv6 ? (const void *)&rule->host.ipv6.sin6_addr
	                         : (const void *)&rule->host.ipv4.sin_addr;
	char address[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(rule->host.any.sa_family, bytes, address, sizeof(address));
	return err_set_errno(err, code, "publish: %s%s%s:%u%s of the host cannot be had",
		ipv6 ? "[" : "", address, ipv6 ? "]" : "",
		ntohs(ipv6 ? rule->host.ipv6.sin6_port : rule->host.ipv4.sin_port),
		rule->udp ? "/udp" : "");
}

static int publish(struct slirp_net *net, const struct net_user_options *options,
	const struct net_user_publish *rule, struct err *err)
{
	const struct sockaddr_in6 guest6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(rule->guest_port),
		.sin6_addr = guest_ipv6_address(options->mac),
	};
	const struct sockaddr_in guest = {
		.sin_family = AF_INET,
		.sin_port = htons(rule->guest_port),
		.sin_addr = ipv4_address(USER_NETWORK_GUEST),
	};
	const int flags = rule->udp ? SLIRP_HOSTFWD_UDP : 0;
	int r;

	errno = 0;
	if (rule->host.any.sa_family == AF_INET6)
		r = net->library.add_forward(net->slirp, &rule->host.any, sizeof(rule->host.ipv6),
			(const struct sockaddr *)&guest6, sizeof(guest6),
			flags | SLIRP_HOSTFWD_V6ONLY);
	else
		r = net->library.add_forward(net->slirp, &rule->host.any, sizeof(rule->host.ipv4),
			(const struct sockaddr *)&guest, sizeof(guest), flags);
	return r == 0 ? 0 : refuse_port(rule, errno ? errno : EINVAL, err);
}

static int publish_all(
	struct slirp_net *net, const struct net_user_options *options, struct err *err)
{
	if (options->publish_count > NET_USER_PUBLISH_MAX)
		return err_set(
			err, EINVAL, "more than %d ports are published", NET_USER_PUBLISH_MAX);
	for (unsigned int i = 0; i < options->publish_count; i++) {
		const struct net_user_publish *rule = &options->publish[i];
		int r = publish(net, options, rule, err);

		if (r < 0)
			return r;
		if (rule->udp)
			net->udp_ports[net->filter.udp_port_count++] = rule->guest_port;
	}
	return 0;
}

int slirp_net_create(int stream_fd, const struct net_user_options *options,
	struct slirp_net **ret_net, struct err *err)
{
	struct slirp_net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return err_set_errno(err, ENOMEM, "the network");
	net->stream_fd = stream_fd;
	net->filter = (struct host_filter){
		.restrict_host = options->restrict_host,
		.is_own = is_own,
		.owner = net,
		.udp_ports = net->udp_ports,
	};
	net->route.fd = -1;
	frame_reader_init(&net->reader);
	frame_writer_init(&net->writer);
	net->poll_capacity = POLL_COUNT_FIRST;
	net->polls = calloc(net->poll_capacity, sizeof(net->polls[0]));
	r = net->polls ? slirp_library_load(&net->library, err)
	               : err_set_errno(err, ENOMEM, "the network");
	if (r == 0 && options->restrict_host)
		r = host_route_open(&net->route, err);
	if (r == 0)
		r = create_slirp(net, options, err);
	if (r == 0)
		r = publish_all(net, options, err);
	if (r < 0) {
		slirp_net_destroy(net);
		return r;
	}
	*ret_net = net;
	return 0;
}

void slirp_net_destroy(struct slirp_net *net)
{
	if (!net)
		return;
	if (net->slirp)
		net->library.cleanup(net->slirp);
	host_route_close(&net->route);
	free(net->polls);
	free(net);
}

static const struct {
	int slirp;
	short system;
} poll_events[] = {
	{SLIRP_POLL_IN, POLLIN},
	{SLIRP_POLL_OUT, POLLOUT},
	{SLIRP_POLL_PRI, POLLPRI},
	{SLIRP_POLL_ERR, POLLERR},
	{SLIRP_POLL_HUP, POLLHUP},
};

/* The index, or -1, by which libslirp knows that the socket is not looked at in this round. */
static int add_poll(int fd, int events, void *opaque)
{
	struct slirp_net *net = opaque;
	struct pollfd *entry;

	if (net->congested)
		events &= SLIRP_POLL_OUT;
	if (!events)
		return -1;
	if (net->poll_count == net->poll_capacity) {
		struct pollfd *polls = reallocarray(
			net->polls, net->poll_capacity, 2 * sizeof(polls[0]));

		if (!polls)
			return -1; /* in the next round, perhaps */
		net->polls = polls;
		net->poll_capacity *= 2;
	}
	entry = &net->polls[net->poll_count];
	*entry = (struct pollfd){.fd = fd};
	for (size_t i = 0; i < array_size(poll_events); i++)
		if (events & poll_events[i].slirp)
			entry->events |= poll_events[i].system;
	return (int)net->poll_count++;
}

static int get_revents(int index, void *opaque)
{
	const struct slirp_net *net = opaque;
	int events = 0;

	if (index < 0)
		return 0;
	for (size_t i = 0; i < array_size(poll_events); i++)
		if (net->polls[index].revents & poll_events[i].system)
			events |= poll_events[i].slirp;
	return events;
}

static int64_t now_ms(void)
{
	return (int64_t)(clock_monotonic_ns() / NS_PER_MS);
}

static uint32_t timeout_with_timers(const struct slirp_net *net, uint32_t timeout_ms)
{
	const int64_t now = now_ms();

	for (size_t i = 0; i < TIMERS_MAX; i++) {
		const struct slirp_timer *timer = &net->timers[i];
		int64_t left = timer->expires_ms - now;

		if (timer->armed && left < (int64_t)timeout_ms)
			timeout_ms = left > 0 ? (uint32_t)left : 0;
	}
	return timeout_ms;
}

static void run_timers(struct slirp_net *net)
{
	const int64_t now = now_ms();

	for (size_t i = 0; i < TIMERS_MAX; i++) {
		struct slirp_timer *timer = &net->timers[i];

		if (!timer->armed || timer->expires_ms > now)
			continue;
		timer->armed = false;
		timer->expired(timer->owner);
	}
}

static int take_frames(struct slirp_net *net)
{
	const uint8_t *frame;
	size_t length;
	int r = frame_reader_fill(&net->reader, net->stream_fd);

	if (r <= 0)
		return r;
	while ((r = frame_reader_next(&net->reader, &frame, &length)) > 0)
		if (host_filter_passes(&net->filter, frame, length))
			net->library.input(net->slirp, frame, (int)length);
	return r;
}

/* One round: waits, takes what came from both sides, gives the guest its frames. */
static int run_once(struct slirp_net *net)
{
	uint32_t timeout_ms = UINT32_MAX;
	int count, r = 0;

	net->poll_count = 1;
	net->congested = frame_writer_room(&net->writer) < ROOM_WANTED;
	net->library.pollfds_fill(net->slirp, &timeout_ms, add_poll, net);
	timeout_ms = timeout_with_timers(net, timeout_ms);
	net->polls[0] = (struct pollfd){
		.fd = net->stream_fd, .events = (short)(POLLIN | (net->writer.used ? POLLOUT : 0))};
	count = poll(net->polls, net->poll_count, timeout_ms > INT32_MAX ? -1 : (int)timeout_ms);
	if (count < 0 && errno != EINTR)
		return -errno;
	if (count > 0 && (net->polls[0].revents & ~POLLOUT))
		r = take_frames(net);
	if (r < 0)
		return r;
	net->library.pollfds_poll(net->slirp, count < 0, get_revents, net);
	run_timers(net);
	return frame_writer_flush(&net->writer, net->stream_fd);
}

int slirp_net_run(struct slirp_net *net)
{
	int r;

	do
		r = run_once(net);
	while (r == 0);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}
