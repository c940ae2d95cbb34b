/*
 * A tap: an interface of the host's kernel, by name or as a descriptor that somebody else has set
 * up. See net.h; Documentation/networking/tuntap.rst.
 *
 * Frames are read and written by system calls of the I/O thread, one each: before Linux 6.4 a tap
 * cannot be read without blocking through io_uring, and a worker of the kernel's for each frame
 * would cost more and deliver frames in any order.
 */
#include "fd.h"
#include "net_iov.h"
#include "net_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TUN_PATH     "/dev/net/tun"
#define PATTERN      "hull%d"
#define IOV_MAX_HERE 1024

/* Linux 6.2; not in the headers of Debian 12. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

struct net_tap {
	struct net net;
	char name[IFNAMSIZ];
	bool multi_queue;
	unsigned int pairs_used; /* [io] of who sets it: descriptors attached to the interface */
};

static struct net_tap *to_tap(struct net *net)
{
	return container_of(net, struct net_tap, net);
}

/* --- I/O thread --- */

/* Of a tap without the header. */
static ssize_t receive_plain(int fd, const struct iovec *iov, unsigned int iov_count)
{
	static const uint8_t zeroes[NET_VNET_HEADER_BYTES];
	struct iovec frame[IOV_MAX_HERE];
	unsigned int count = iov_count <= IOV_MAX_HERE ? net_iov_slice(iov, iov_count,
								 sizeof(zeroes), SIZE_MAX, frame)
	                                               : 0;
	ssize_t r = count ? net_readv(fd, frame, count) : -EINVAL;

	if (r < 0)
		return r;
	(void)net_iov_write(iov, iov_count, 0, zeroes, sizeof(zeroes));
	return r + (ssize_t)sizeof(zeroes);
}

/* What only one frame has suffered from; a bad descriptor or a vanished interface lasts. */
static bool is_lasting(ssize_t r)
{
	return r == -EBADFD || r == -EBADF || r == -ENODEV || r == -ENXIO;
}

static ssize_t tap_receive(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	int fd = net->pairs[pair].fd;
	ssize_t r = net->has_vnet_header ? net_readv(fd, iov, iov_count)
	                                 : receive_plain(fd, iov, iov_count);

	return r >= 0 || is_lasting(r) ? r : -EAGAIN;
}

static int tap_send(struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	int fd = net->pairs[pair].fd;
	ssize_t r = net->has_vnet_header ? net_writev(fd, iov, iov_count)
	                                 : net_writev(fd, iov + 1, iov_count - 1);

	if (r >= 0)
		return 0;
	if (r == -EAGAIN || is_lasting(r))
		return (int)r;
	return -EINVAL; /* a header that lies, or an interface that is down just now */
}

static int tap_set_offloads(struct net *net, unsigned int offloads)
{
	static const struct {
		unsigned int offload, flags;
	} table[] = {
		{NET_OFFLOAD_CSUM, TUN_F_CSUM},
		{NET_OFFLOAD_TSO4, TUN_F_TSO4},
		{NET_OFFLOAD_TSO6, TUN_F_TSO6},
		{NET_OFFLOAD_ECN, TUN_F_TSO_ECN},
		{NET_OFFLOAD_UFO, TUN_F_UFO},
		{NET_OFFLOAD_USO, TUN_F_USO4 | TUN_F_USO6},
	};
	unsigned long flags = 0;

	for (unsigned int i = 0; i < array_size(table); i++)
		if (offloads & table[i].offload)
			flags |= table[i].flags;
	return ioctl(net->pairs[0].fd, TUNSETOFFLOAD, flags) == 0 ? 0 : -errno;
}

static int tap_set_pairs(struct net *net, unsigned int count)
{
	struct net_tap *tap = to_tap(net);

	if (!tap->multi_queue || net->pair_count == 1)
		return 0;
	for (unsigned int i = 0; i < net->pair_count; i++) {
		bool is_used = i < count, was_used = i < tap->pairs_used;
		struct ifreq request = {.ifr_flags = is_used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

		if (is_used != was_used && ioctl(net->pairs[i].fd, TUNSETQUEUE, &request) != 0)
			return -errno;
	}
	tap->pairs_used = count;
	return 0;
}

static void tap_destroy(struct net *net)
{
	net_fini(net);
	free(to_tap(net));
}

static const struct net_ops tap_ops = {
	.receive = tap_receive,
	.send = tap_send,
	.set_offloads = tap_set_offloads,
	.set_pairs = tap_set_pairs,
	.destroy = tap_destroy,
};

/* --- Main thread --- */

static int refused_tap(const struct net_tap *tap, int code, unsigned int pairs, struct err *err)
{
	if (code == EPERM && !tap->name[0])
		return err_set(err, code,
			"making an interface needs CAP_NET_ADMIN: make one beforehand by 'ip "
			"tuntap "
			"add dev NAME mode tap user USER' and give its name, or use --net user");
	if (code == EPERM)
		return err_set(err, code,
			"it is another user's, or making it needs CAP_NET_ADMIN: 'ip tuntap add "
			"dev "
			"%s mode tap user USER' makes one for you",
			tap->name);
	if (code == EBUSY)
		return err_set(err, code, "it is in use by another process");
	if (code == EINVAL && pairs > 1)
		return err_set(err, code,
			"it is no tap of several queues: leave 'queues' out, or make it by 'ip "
			"tuntap "
			"add dev %s mode tap multi_queue'",
			tap->name);
	if (code == EINVAL)
		return err_set(err, code, "an interface of that name is there, but it is no tap");
	return err_set_errno(err, code, "it cannot be had");
}

/* TUNSETIFF of one more descriptor. */
static int open_queue(struct net_tap *tap, unsigned int index, struct err *err)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int *fd = &tap->net.pairs[index].fd;
	int r;

	*fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return err_set_errno(
			err, errno, "'" TUN_PATH "' cannot be opened (is the module tun loaded?)");
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s",
		tap->name[0] ? tap->name : PATTERN);
	if (tap->net.pair_count > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	r = ioctl(*fd, TUNSETIFF, &request);
	if (r != 0 && errno == EINVAL && tap->net.pair_count == 1) {
		/* One queue of a tap that may have several. */
		request.ifr_flags |= IFF_MULTI_QUEUE;
		r = ioctl(*fd, TUNSETIFF, &request);
	}
	if (r != 0)
		return refused_tap(tap, errno, tap->net.pair_count, err);
	tap->multi_queue = (request.ifr_flags & IFF_MULTI_QUEUE) != 0;
	memcpy(tap->name, request.ifr_name, sizeof(tap->name));
	tap->name[sizeof(tap->name) - 1] = '\0';
	return 0;
}

static int set_up_header(struct net_tap *tap, struct err *err)
{
	const int header_bytes = NET_VNET_HEADER_BYTES, little_endian = 1;

	for (unsigned int i = 0; i < tap->net.pair_count; i++) {
		int fd = tap->net.pairs[i].fd;

		/* VIRTIO 1.2 5.1.6.1: a modern driver's header is little-endian; kernels without
		 * TUNSETVNETLE are native. */
		(void)ioctl(fd, TUNSETVNETLE, &little_endian);
		if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) != 0)
			return err_set_errno(
				err, errno, "it has no header of %d bytes", NET_VNET_HEADER_BYTES);
	}
	return 0;
}

/* By trying: what a kernel does not know it refuses as a whole. */
static void find_offloads(struct net_tap *tap)
{
	static const unsigned int offers[] = {
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN |
			NET_OFFLOAD_UFO | NET_OFFLOAD_USO,
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN |
			NET_OFFLOAD_UFO,
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN,
		NET_OFFLOAD_CSUM,
	};

	for (unsigned int i = 0; i < array_size(offers); i++) {
		if (tap_set_offloads(&tap->net, offers[i]) < 0)
			continue;
		tap->net.receive_offloads = offers[i];
		break;
	}
	tap->net.send_offloads = tap->net.receive_offloads;
	(void)tap_set_offloads(&tap->net, 0);
}

static int adopt(struct net_tap *tap, int fd, struct err *err)
{
	struct ifreq request = {0};
	int flags = fcntl(fd, F_GETFL);

	tap->net.pairs[0].fd = fd;
	if (flags < 0)
		return err_set_errno(err, errno, "the descriptor is none");
	if (ioctl(fd, TUNGETIFF, &request) != 0 || !(request.ifr_flags & IFF_TAP) ||
		!(request.ifr_flags & IFF_NO_PI))
		return err_set(err, EINVAL,
			"the descriptor is no tap with IFF_NO_PI that has its interface");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(err, errno, "the descriptor cannot be set up");
	memcpy(tap->name, request.ifr_name, sizeof(tap->name));
	tap->name[sizeof(tap->name) - 1] = '\0';
	tap->net.has_vnet_header = (request.ifr_flags & IFF_VNET_HDR) != 0;
	return 0;
}

static int control(unsigned long command, struct ifreq *request)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return ioctl(fd, command, request) == 0 ? 0 : -errno;
}

static void name_request(const struct net_tap *tap, struct ifreq *request)
{
	*request = (struct ifreq){0};
	memcpy(request->ifr_name, tap->name, sizeof(request->ifr_name));
}

/* Of an interface that somebody else set up nothing is changed that was not asked for. */
static int set_mtu(struct net_tap *tap, unsigned int mtu, struct err *err)
{
	struct ifreq request;
	int r;

	name_request(tap, &request);
	if (control(SIOCGIFMTU, &request) == 0)
		tap->net.mtu = (unsigned int)request.ifr_mtu;
	if (!mtu || mtu == tap->net.mtu)
		return 0;
	request.ifr_mtu = (int)mtu;
	r = control(SIOCSIFMTU, &request);
	if (r == 0) {
		tap->net.mtu = mtu;
		return 0;
	}
	if (mtu < tap->net.mtu)
		return 0; /* the guest is told the smaller one; the host may send larger ones */
	return err_set_errno(err, r,
		"its MTU is %u and cannot be raised: set it by 'ip link set dev %s mtu %u'",
		tap->net.mtu, tap->name, mtu);
}

static int put_into_bridge(struct net_tap *tap, const char *bridge, struct err *err)
{
	struct ifreq request = {0};
	int r;

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", bridge);
	request.ifr_ifindex = (int)if_nametoindex(tap->name);
	r = control(SIOCBRADDIF, &request);
	if (r < 0)
		return err_set_errno(err, r, "it cannot be put into the bridge '%s'", bridge);
	return 0;
}

static int bring_up(struct net_tap *tap, struct err *err)
{
	struct ifreq request;
	int r;

	name_request(tap, &request);
	r = control(SIOCGIFFLAGS, &request);
	if (r == 0) {
		request.ifr_flags |= IFF_UP;
		r = control(SIOCSIFFLAGS, &request);
	}
	return r < 0 ? err_set_errno(err, r, "it cannot be brought up") : 0;
}

static int open_by_name(struct net_tap *tap, const struct net_options *options, struct err *err)
{
	bool is_new = !options->path || if_nametoindex(options->path) == 0;
	int r = 0;

	if (options->path)
		(void)snprintf(tap->name, sizeof(tap->name), "%s", options->path);
	for (unsigned int i = 0; r == 0 && i < tap->net.pair_count; i++)
		r = open_queue(tap, i, err);
	if (r < 0)
		return r;
	tap->net.has_vnet_header = true;
	tap->pairs_used = tap->net.pair_count;
	r = set_mtu(tap, options->mtu, err);
	if (r == 0 && options->bridge)
		r = put_into_bridge(tap, options->bridge, err);
	if (r == 0 && is_new)
		r = bring_up(tap, err);
	return r;
}

static int set_up(struct net_tap *tap, const struct net_options *options, struct err *err)
{
	int r;

	if (options->fd >= 0) {
		r = adopt(tap, options->fd, err);
		if (r == 0)
			r = set_mtu(tap, options->mtu, err);
	} else {
		tap->net.pair_count = options->pairs;
		r = open_by_name(tap, options, err);
	}
	if (r < 0 || !tap->net.has_vnet_header)
		return r;
	r = set_up_header(tap, err);
	if (r == 0)
		find_offloads(tap);
	return r;
}

int net_tap_open(const struct net_options *options, struct net **ret_net, struct err *err)
{
	struct net_tap *tap = calloc(1, sizeof(*tap));
	int r;

	if (!tap)
		return err_set(err, ENOMEM, "tap: out of memory");
	net_init(&tap->net, &tap_ops);
	r = set_up(tap, options, err);
	if (r < 0) {
		r = tap->name[0] ? err_prefix(err, r, "tap '%s'", tap->name)
		                 : err_prefix(err, r, "tap");
		tap_destroy(&tap->net);
		return r;
	}
	(void)snprintf(tap->net.name, sizeof(tap->net.name), "tap '%s'", tap->name);
	atomic_init(&tap->net.link_up, true);
	*ret_net = &tap->net;
	return 0;
}
