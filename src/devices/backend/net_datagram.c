/*
 * Frames as datagrams of a UNIX socket, one each, without a vnet header: two VMs, or a VM and a
 * switch, with nobody in between. See net.h.
 *
 * The peer may come and go: frames are dropped while nobody is there, as a cable that leads nowhere
 * does, and the link stays up.
 */
#include "clock.h"
#include "fd.h"
#include "host_socket.h"
#include "net_iov.h"
#include "net_kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_NS (NANOSECONDS_PER_SECOND / 10)
#define IOV_MAX_HERE 1024
#define BUFFER_BYTES (1 << 20)

struct net_datagram {
	struct net net;
	struct host_socket bound; /* of a socket that was handed in: none */
	struct sockaddr_un path;  /* its own */
	struct sockaddr_un peer;
	bool has_path;
	uint64_t reconnect_ns; /* [io] not before */
};

static bool is_peer_missing(ssize_t r)
{
	return r == -ECONNREFUSED || r == -ENOTCONN || r == -ENOENT || r == -ECONNRESET ||
	       r == -EPIPE || r == -EDESTADDRREQ;
}

static ssize_t datagram_receive(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	static const uint8_t zeroes[NET_VNET_HEADER_BYTES];
	struct iovec frame[IOV_MAX_HERE];
	unsigned int count;
	ssize_t r;

	if (iov_count > IOV_MAX_HERE)
		return -EINVAL;
	count = net_iov_slice(iov, iov_count, sizeof(zeroes), SIZE_MAX, frame);
	r = net_readv(net->pairs[pair].fd, frame, count);
	if (r < 0)
		return is_peer_missing(r) ? -EAGAIN : r;
	(void)net_iov_write(iov, iov_count, 0, zeroes, sizeof(zeroes));
	return r + (ssize_t)sizeof(zeroes);
}

static int datagram_send(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	struct net_datagram *datagram = container_of(net, struct net_datagram, net);
	ssize_t r = net_writev(net->pairs[pair].fd, iov + 1, iov_count - 1);
	uint64_t now_ns;

	if (is_peer_missing(r) && datagram->has_path) {
		now_ns = clock_monotonic_ns();
		if (now_ns < datagram->reconnect_ns)
			return -EINVAL;
		datagram->reconnect_ns = now_ns + RECONNECT_NS;
		if (connect(net->pairs[pair].fd, (const struct sockaddr *)&datagram->peer,
			    sizeof(datagram->peer)) == 0)
			r = net_writev(net->pairs[pair].fd, iov + 1, iov_count - 1);
	}
	if (r == -EAGAIN)
		return -EAGAIN;
	return r < 0 ? -EINVAL : 0;
}

static void datagram_destroy(struct net *net)
{
	struct net_datagram *datagram = container_of(net, struct net_datagram, net);

	if (datagram->has_path)
		host_socket_unlink(datagram->path.sun_path, &datagram->bound);
	net_fini(net);
	free(datagram);
}

static const struct net_ops datagram_ops = {
	.receive = datagram_receive,
	.send = datagram_send,
	.destroy = datagram_destroy,
};

static int create(int fd, struct net_datagram **ret_datagram, struct err *err)
{
	struct net_datagram *datagram = calloc(1, sizeof(*datagram));
	const int buffer_bytes = BUFFER_BYTES;

	if (!datagram) {
		fd_close(&fd);
		return err_set(err, ENOMEM, "out of memory");
	}
	/* So that a few of the longest frames have room; the host may allow less. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
	net_init(&datagram->net, &datagram_ops);
	datagram->net.pairs[0].fd = fd;
	datagram->net.errors_pass = true;
	atomic_init(&datagram->net.link_up, true);
	*ret_datagram = datagram;
	return 0;
}

int net_datagram_adopt(int fd, struct net **ret_net, struct err *err)
{
	struct net_datagram *datagram = NULL;
	int r = create(fd, &datagram, err);

	if (r == 0)
		*ret_net = &datagram->net;
	return r;
}

int net_datagram_open(const char *path, const char *peer, struct net **ret_net, struct err *err)
{
	struct net_datagram *datagram = NULL;
	struct sockaddr_un own_address, peer_address;
	struct host_socket bound;
	int r = host_socket_address(path, &own_address, err);

	if (r < 0)
		return r;
	r = host_socket_address(peer, &peer_address, err);
	if (r < 0)
		return err_prefix(err, r, "peer '%s'", peer);
	r = host_socket_bind(path, SOCK_DGRAM, &bound, err);
	if (r < 0)
		return r;
	r = create(bound.fd, &datagram, err);
	if (!datagram) {
		host_socket_unlink(path, &bound);
		return r;
	}
	datagram->bound = bound;
	datagram->path = own_address;
	datagram->peer = peer_address;
	datagram->has_path = true;
	/* The peer may come later: sending looks for it. */
	(void)connect(bound.fd, (const struct sockaddr *)&peer_address, sizeof(peer_address));
	*ret_net = &datagram->net;
	return 0;
}
