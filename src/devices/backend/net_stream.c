/*
 * Frames on a stream socket, as QEMU and passt send them: the frame's length, 4 bytes big-endian,
 * then the frame, with no vnet header. https://www.qemu.org/docs/master/system/invocation.html
 * (-netdev stream).
 *
 * Receiving: a read takes the rest of the frame it is in straight to the guest's buffers, and what
 * follows it (the next lengths, and small frames) into `ahead`, from where it is copied. A frame
 * that has not come wholly waits there, too: the caller sees whole frames only.
 *
 * Sending: what the socket does not take of a frame is copied to `behind`, and goes as soon as it
 * can, before anything else.
 *
 * With a listener one peer is served at a time; while there is one, others wait in its backlog.
 */
#include "fd.h"
#include "net_iov.h"
#include "net_kinds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LENGTH_BYTES 4
#define READ_AHEAD   ((size_t)16 << 10)
#define AHEAD_BYTES  (LENGTH_BYTES + NET_FRAME_MAX + READ_AHEAD)
#define IOV_MAX_HERE 1024
#define HEADER_BYTES NET_VNET_HEADER_BYTES

struct net_stream {
	struct net net;
	struct host_socket listener; /* owned; fd -1: none */
	struct sockaddr_un path;     /* of the listener */
	struct io_poll listener_poll;
	bool is_listening; /* [io] */
	/* [io] */
	uint8_t ahead[AHEAD_BYTES]; /* received: from ahead_start, ahead_bytes */
	size_t ahead_start, ahead_bytes;
	uint8_t behind[LENGTH_BYTES + NET_FRAME_MAX]; /* to be sent, likewise */
	size_t behind_start, behind_bytes;
	struct io_poll behind_poll;
	bool is_flushing; /* the poll is started */
};

static struct net_stream *to_stream(struct net *net)
{
	return container_of(net, struct net_stream, net);
}

/* --- Receiving --- */

/* Bytes of the next frame; 0: its length is not there yet; -EPROTO: no frame is that long. */
static ssize_t next_length(const struct net_stream *stream)
{
	uint32_t length;

	if (stream->ahead_bytes < LENGTH_BYTES)
		return 0;
	memcpy(&length, stream->ahead + stream->ahead_start, LENGTH_BYTES);
	length = ntohl(length);
	return length == 0 || length > NET_FRAME_MAX ? -EPROTO : (ssize_t)length;
}

static void make_room_ahead(struct net_stream *stream)
{
	if (stream->ahead_start == 0)
		return;
	memmove(stream->ahead, stream->ahead + stream->ahead_start, stream->ahead_bytes);
	stream->ahead_start = 0;
}

static void skip_ahead(struct net_stream *stream, size_t bytes)
{
	stream->ahead_start += bytes;
	stream->ahead_bytes -= bytes;
	if (!stream->ahead_bytes)
		stream->ahead_start = 0;
}

/* The beginning of a frame, have bytes that are ahead. Consumes them. */
static void copy_out(
	struct net_stream *stream, const struct iovec *iov, unsigned int iov_count, size_t have)
{
	static const uint8_t zeroes[HEADER_BYTES];

	(void)net_iov_write(iov, iov_count, 0, zeroes, sizeof(zeroes));
	(void)net_iov_write(iov, iov_count, HEADER_BYTES,
		stream->ahead + stream->ahead_start + LENGTH_BYTES, have);
	skip_ahead(stream, LENGTH_BYTES + have);
}

/* Something more into ahead, whose first frame is not whole: bytes read. */
static ssize_t read_ahead(struct net_stream *stream)
{
	struct iovec room;
	ssize_t r;

	make_room_ahead(stream);
	room = (struct iovec){stream->ahead + stream->ahead_bytes, READ_AHEAD};
	if (room.iov_len > sizeof(stream->ahead) - stream->ahead_bytes)
		room.iov_len = sizeof(stream->ahead) - stream->ahead_bytes;
	r = net_readv(stream->net.pairs[0].fd, &room, 1);
	if (r == 0)
		return -EPIPE;
	if (r > 0)
		stream->ahead_bytes += (size_t)r;
	return r;
}

/* Behind the have bytes that are ahead of a frame of length bytes, the rest goes straight to iov.
 */
static ssize_t read_rest(struct net_stream *stream, const struct iovec *iov, unsigned int iov_count,
	size_t length, size_t have)
{
	struct iovec rest[IOV_MAX_HERE];
	unsigned int count = net_iov_slice(
		iov, iov_count, HEADER_BYTES + have, length - have, rest);
	uint8_t *head = stream->ahead; /* what follows the frame comes behind its own beginning */
	size_t wanted = length - have;
	ssize_t r;

	make_room_ahead(stream);
	rest[count++] = (struct iovec){head + LENGTH_BYTES + length, READ_AHEAD};
	r = net_readv(stream->net.pairs[0].fd, rest, count);
	if (r == 0)
		return -EPIPE;
	if (r < 0)
		return r;
	if ((size_t)r < wanted) {
		/* It is not whole: back with it, until it is. */
		(void)net_iov_read(rest, count, 0, head + LENGTH_BYTES + have, (size_t)r);
		stream->ahead_bytes += (size_t)r;
		return -EAGAIN;
	}
	copy_out(stream, iov, iov_count, have);
	stream->ahead_bytes = (size_t)r - wanted;
	stream->ahead_start = stream->ahead_bytes ? LENGTH_BYTES + length : 0;
	return (ssize_t)(HEADER_BYTES + length);
}

static ssize_t stream_receive(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	struct net_stream *stream = to_stream(net);
	size_t room = net_iov_bytes(iov, iov_count);

	(void)pair; /* there is one */
	for (;;) {
		ssize_t length = next_length(stream), r;
		size_t have = stream->ahead_bytes - LENGTH_BYTES;

		if (length < 0)
			return length;
		if (length > 0 && have >= (size_t)length) {
			copy_out(stream, iov, iov_count, (size_t)length);
			return HEADER_BYTES + length;
		}
		/* One that does not fit goes the long way. */
		if (length > 0 && room >= HEADER_BYTES + (size_t)length && iov_count < IOV_MAX_HERE)
			return read_rest(stream, iov, iov_count, (size_t)length, have);
		r = read_ahead(stream);
		if (r < 0)
			return r;
	}
}

/* --- Sending --- */

static int flush_behind(struct net_stream *stream)
{
	while (stream->behind_bytes) {
		ssize_t r = send(stream->net.pairs[0].fd, stream->behind + stream->behind_start,
			stream->behind_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		stream->behind_start += (size_t)r;
		stream->behind_bytes -= (size_t)r;
	}
	stream->behind_start = 0;
	return 0;
}

static void flush_later(struct net_stream *stream);

static void behind_ready(struct io_poll *poll, short revents)
{
	struct net_stream *stream = poll->owner;
	int r;

	(void)revents; /* an error is the write's, too */
	stream->is_flushing = false;
	r = flush_behind(stream);
	if (r == -EAGAIN)
		flush_later(stream);
	else if (r < 0)
		net_link_lost(&stream->net, r);
}

static void flush_later(struct net_stream *stream)
{
	if (stream->is_flushing)
		return;
	stream->is_flushing = true;
	stream->behind_poll = (struct io_poll){.fd = stream->net.pairs[0].fd,
		.events = POLLOUT,
		.ready = behind_ready,
		.owner = stream};
	io_poll_start(stream->net.io_thread, &stream->behind_poll);
}

static void stop_flushing(struct net_stream *stream)
{
	if (stream->is_flushing)
		io_poll_cancel(stream->net.io_thread, &stream->behind_poll);
	stream->is_flushing = false;
}

static ssize_t send_frame(int fd, struct iovec *iov, unsigned int iov_count)
{
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = iov_count};
	ssize_t r;

	do
		r = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int stream_send(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	struct net_stream *stream = to_stream(net);
	const struct iovec header = iov[0];
	size_t bytes = net_iov_bytes(iov + 1, iov_count - 1);
	uint32_t length = htonl((uint32_t)bytes);
	ssize_t r;

	(void)pair; /* there is one */
	r = flush_behind(stream);
	if (r < 0)
		return (int)r;
	iov[0] = (struct iovec){&length, LENGTH_BYTES};
	r = send_frame(net->pairs[0].fd, iov, iov_count);
	if (r >= 0 && (size_t)r < LENGTH_BYTES + bytes) {
		stream->behind_bytes = net_iov_read(
			iov, iov_count, (size_t)r, stream->behind, sizeof(stream->behind));
		stream->behind_start = 0;
		flush_later(stream);
	}
	iov[0] = header;
	return r < 0 ? (int)r : 0;
}

/* --- The peer --- */

static void peer_waits(struct io_poll *poll, short revents)
{
	struct net_stream *stream = poll->owner;
	int fd;

	(void)revents;
	stream->is_listening = false;
	do
		fd = accept4(stream->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		/* It has left already; anything else would be tried for ever. */
		if (errno == EAGAIN || errno == ECONNABORTED) {
			stream->is_listening = true;
			io_poll_start(stream->net.io_thread, &stream->listener_poll);
		}
		return;
	}
	stream->net.pairs[0].fd = fd;
	net_link_established(&stream->net);
}

static void wait_for_peer(struct net_stream *stream)
{
	if (stream->listener.fd < 0 || stream->is_listening)
		return;
	stream->is_listening = true;
	stream->listener_poll = (struct io_poll){
		.fd = stream->listener.fd, .events = POLLIN, .ready = peer_waits, .owner = stream};
	io_poll_start(stream->net.io_thread, &stream->listener_poll);
}

static void stream_started(struct net *net)
{
	if (!net_link_is_up(net))
		wait_for_peer(to_stream(net));
}

static void stream_lost(struct net *net)
{
	struct net_stream *stream = to_stream(net);

	stop_flushing(stream);
	fd_close(&net->pairs[0].fd);
	stream->ahead_start = stream->ahead_bytes = 0;
	stream->behind_start = stream->behind_bytes = 0;
	wait_for_peer(stream);
}

static void stream_stopping(struct net *net)
{
	struct net_stream *stream = to_stream(net);

	stop_flushing(stream);
	if (stream->is_listening)
		io_poll_cancel(net->io_thread, &stream->listener_poll);
	stream->is_listening = false;
}

static void stream_destroy(struct net *net)
{
	struct net_stream *stream = to_stream(net);

	if (stream->listener.fd >= 0)
		host_socket_unlink(stream->path.sun_path, &stream->listener);
	fd_close(&stream->listener.fd);
	net_fini(net);
	free(stream);
}

static const struct net_ops stream_ops = {
	.receive = stream_receive,
	.send = stream_send,
	.started = stream_started,
	.lost = stream_lost,
	.stopping = stream_stopping,
	.destroy = stream_destroy,
};

int net_stream_create(int fd, const struct host_socket *listener, const char *path,
	struct net **ret_net, struct err *err)
{
	struct net_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		fd_close(&fd);
		return err_set(err, ENOMEM, "out of memory");
	}
	stream->listener.fd = -1;
	net_init(&stream->net, &stream_ops);
	stream->net.pairs[0].fd = fd;
	if (listener) {
		stream->listener = *listener;
		(void)!host_socket_address(path, &stream->path, NULL); /* it is bound to it */
	}
	atomic_init(&stream->net.link_up, fd >= 0);
	*ret_net = &stream->net;
	return 0;
}
