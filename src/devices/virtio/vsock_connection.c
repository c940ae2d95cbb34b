/*
 * Connections between a port of the guest and a socket of the host. VIRTIO 1.2 5.10.6.
 *
 * Flow control is by what each side says of its buffer: a guest that lies about its own gets at
 * most what its receive buffers hold; one that ignores ours is reset.
 */
#include "clock.h"
#include "fd.h"
#include "vsock_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DRAIN_NS (60 * NANOSECONDS_PER_SECOND) /* without a byte: nobody reads any more */

static struct vsock_bucket *bucket_of(
	struct virtio_vsock *vsock, uint32_t guest_port, uint32_t host_port)
{
	return &vsock->buckets[(guest_port ^ host_port * 31) % VSOCK_BUCKETS];
}

struct vsock_connection *vsock_find(
	struct virtio_vsock *vsock, uint32_t guest_port, uint32_t host_port)
{
	struct vsock_connection *connection;

	LIST_FOREACH(connection, bucket_of(vsock, guest_port, host_port), bucket_link)
	if (connection->guest_port == guest_port && connection->host_port == host_port)
		return connection;
	return NULL;
}

uint32_t vsock_connection_held(const struct vsock_connection *connection)
{
	return connection->received_bytes - connection->forwarded_bytes;
}

static uint32_t credit(const struct vsock_connection *connection)
{
	uint32_t in_flight = connection->sent_bytes - connection->guest_fwd_cnt;

	return in_flight < connection->guest_buf_alloc ? connection->guest_buf_alloc - in_flight
	                                               : 0;
}

static void leave_queue(struct vsock_connection *connection)
{
	if (connection->is_queued)
		TAILQ_REMOVE(&connection->vsock->ready, connection, ready_link);
	connection->is_queued = false;
}

static void forget_ports(struct vsock_connection *connection)
{
	if (connection->is_known)
		LIST_REMOVE(connection, bucket_link);
	connection->is_known = false;
}

static void poll_for(struct vsock_connection *connection, short events)
{
	struct io_thread *thread = connection->vsock->device.io_thread;

	if (connection->poll.events == events)
		return;
	if (connection->poll.events)
		io_poll_cancel(thread, &connection->poll);
	connection->poll.events = events;
	connection->poll.fd = connection->fd;
	if (events)
		io_poll_start(thread, &connection->poll);
}

static void close_host(struct vsock_connection *connection)
{
	poll_for(connection, 0);
	fd_close(&connection->fd);
	connection->deadline_ns = 0;
}

void vsock_connection_release(struct vsock_connection *connection)
{
	close_host(connection);
	leave_queue(connection);
	forget_ports(connection);
	connection->state = VSOCK_FREE;
	TAILQ_INSERT_HEAD(&connection->vsock->free, connection, free_link);
}

/* The guest is told. */
void vsock_connection_fail(struct vsock_connection *connection)
{
	close_host(connection);
	connection->forwarded_bytes = connection->received_bytes;
	connection->state = VSOCK_CLOSED;
}

static void host_takes_no_more(struct vsock_connection *connection)
{
	connection->forwarded_bytes = connection->received_bytes;
	if (connection->shut_by_host & VSOCK_SHUTDOWN_RECEIVE)
		return;
	connection->shut_by_host |= VSOCK_SHUTDOWN_RECEIVE;
	connection->shutdown_due |= VSOCK_SHUTDOWN_RECEIVE;
}

void vsock_connection_forward(struct vsock_connection *connection)
{
	if (connection->state != VSOCK_OPEN && connection->state != VSOCK_DRAINING)
		return;
	if (connection->shut_by_host & VSOCK_SHUTDOWN_RECEIVE)
		connection->forwarded_bytes = connection->received_bytes;
	while (vsock_connection_held(connection)) {
		uint32_t at = connection->forwarded_bytes % VSOCK_BUFFER_BYTES;
		uint32_t length = vsock_connection_held(connection);
		ssize_t count;

		if (length > VSOCK_BUFFER_BYTES - at)
			length = VSOCK_BUFFER_BYTES - at;
		count = send(connection->fd, connection->buffer + at, length,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0 && errno != EINTR)
			host_takes_no_more(connection);
		else if (count > 0)
			connection->forwarded_bytes += (uint32_t)count;
		if (connection->state == VSOCK_DRAINING)
			connection->deadline_ns = connection->vsock->read_clock() + DRAIN_NS;
	}
	if (connection->forwarded_bytes - connection->told_fwd_cnt >= VSOCK_BUFFER_BYTES / 4)
		connection->credit_due = true;
	if (!vsock_connection_held(connection) && (connection->shut_by_guest & VSOCK_SHUTDOWN_SEND))
		(void)shutdown(connection->fd, SHUT_WR); /* once or more, all the same */
}

static bool may_read_host(const struct vsock_connection *connection)
{
	return connection->state == VSOCK_OPEN &&
	       !(connection->shut_by_host & VSOCK_SHUTDOWN_SEND) &&
	       !(connection->shut_by_guest & VSOCK_SHUTDOWN_RECEIVE);
}

static bool has_payload(const struct vsock_connection *connection)
{
	return may_read_host(connection) && connection->readable && credit(connection);
}

bool vsock_connection_wants_payload(const struct vsock_connection *connection)
{
	return !connection->answer_op && !connection->shutdown_due && !connection->credit_due &&
	       has_payload(connection);
}

static bool has_packet(const struct vsock_connection *connection)
{
	if (connection->state == VSOCK_CLOSED || connection->answer_op)
		return true;
	if (connection->state != VSOCK_OPEN)
		return false;
	return connection->credit_due || connection->shutdown_due || has_payload(connection) ||
	       (may_read_host(connection) && connection->readable && !connection->asked_for_credit);
}

static short wanted_events(const struct vsock_connection *connection)
{
	int events = 0;

	if (connection->state == VSOCK_GREETING)
		return POLLIN;
	if (connection->state != VSOCK_OPEN && connection->state != VSOCK_DRAINING)
		return 0;
	if (may_read_host(connection) && !connection->readable)
		events |= POLLIN;
	if (vsock_connection_held(connection))
		events |= POLLOUT;
	return (short)events;
}

void vsock_connection_settle(struct vsock_connection *connection)
{
	bool is_drained = !vsock_connection_held(connection);

	if (connection->state == VSOCK_FREE)
		return;
	if (connection->state == VSOCK_DRAINING && is_drained) {
		vsock_connection_release(connection);
		return;
	}
	/* 5.10.6.5: the answer to a shutdown of both directions is RST. */
	if (connection->state == VSOCK_OPEN && is_drained &&
		connection->shut_by_guest == VSOCK_SHUTDOWN_BOTH)
		vsock_connection_fail(connection);
	poll_for(connection, wanted_events(connection));
	if (!has_packet(connection)) {
		leave_queue(connection);
	} else if (!connection->is_queued) {
		TAILQ_INSERT_TAIL(&connection->vsock->ready, connection, ready_link);
		connection->is_queued = true;
	}
}

void vsock_connection_know(
	struct vsock_connection *connection, uint32_t guest_port, uint32_t host_port)
{
	connection->guest_port = guest_port;
	connection->host_port = host_port;
	connection->is_known = true;
	LIST_INSERT_HEAD(
		bucket_of(connection->vsock, guest_port, host_port), connection, bucket_link);
}

static void host_ready(struct io_poll *poll, short revents)
{
	struct vsock_connection *connection = poll->owner;
	struct virtio_vsock *vsock = connection->vsock;

	poll->events = 0;
	if (connection->state == VSOCK_GREETING) {
		vsock_client_ready(connection);
	} else {
		if (revents & (POLLIN | POLLHUP | POLLERR))
			connection->readable = true;
		if (revents & (POLLHUP | POLLERR))
			connection->hung_up = true;
		vsock_connection_forward(connection);
	}
	vsock_connection_settle(connection);
	vsock_run(vsock);
}

struct vsock_connection *vsock_connection_take(struct virtio_vsock *vsock, int fd)
{
	struct vsock_connection *connection = TAILQ_FIRST(&vsock->free);
	uint8_t *buffer;

	if (!connection)
		return NULL;
	TAILQ_REMOVE(&vsock->free, connection, free_link);
	buffer = connection->buffer;
	*connection = (struct vsock_connection){
		.vsock = vsock,
		.buffer = buffer,
		.fd = fd,
		.poll = {.ready = host_ready, .owner = connection},
	};
	return connection;
}

static void take_credit(struct vsock_connection *connection, const struct vsock_header *header)
{
	connection->guest_buf_alloc = header->buf_alloc;
	connection->guest_fwd_cnt = header->fwd_cnt;
	if (credit(connection))
		connection->asked_for_credit = false;
}

static int connect_host(const struct virtio_vsock *vsock, uint32_t port)
{
	struct sockaddr_un address = vsock->address;
	size_t length = strlen(address.sun_path);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path + length, sizeof(address.sun_path) - length, "_%u", port);
	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

void vsock_connection_request(struct virtio_vsock *vsock, const struct vsock_header *header)
{
	struct vsock_connection *connection;
	int fd = -ENOSPC;

	if (vsock->address.sun_path[0] && !TAILQ_EMPTY(&vsock->free))
		fd = connect_host(vsock, header->destination_port);
	if (fd < 0) {
		vsock_add_reset(vsock, header->source_port, header->destination_port, header->type);
		return;
	}
	connection = vsock_connection_take(vsock, fd);
	vsock_connection_know(connection, header->source_port, header->destination_port);
	take_credit(connection, header);
	connection->state = VSOCK_OPEN;
	connection->answer_op = VSOCK_OP_RESPONSE;
	vsock_connection_settle(connection);
}

static void store(struct vsock_connection *connection, uint32_t length, struct chain *chain)
{
	uint32_t at = connection->received_bytes % VSOCK_BUFFER_BYTES;
	uint32_t first = VSOCK_BUFFER_BYTES - at;

	if (length > VSOCK_BUFFER_BYTES - vsock_connection_held(connection) ||
		(connection->shut_by_guest & VSOCK_SHUTDOWN_SEND) ||
		length > chain->reader.left_bytes) {
		vsock_connection_fail(connection);
		return;
	}
	if (first > length)
		first = length;
	if (chain_read(chain, connection->buffer + at, first) < 0 ||
		chain_read(chain, connection->buffer, length - first) < 0) {
		vsock_connection_fail(connection);
		return;
	}
	connection->received_bytes += length;
	vsock_connection_forward(connection);
}

/* The guest knows it no more; what it has sent is still to arrive. */
static void drain(struct vsock_connection *connection)
{
	leave_queue(connection);
	forget_ports(connection);
	connection->answer_op = 0;
	connection->state = VSOCK_DRAINING;
	connection->deadline_ns = connection->vsock->read_clock() + DRAIN_NS;
}

static void reset_by_guest(struct vsock_connection *connection)
{
	/* It waits only so long for our RST. */
	if (connection->state == VSOCK_OPEN && vsock_connection_held(connection) &&
		(connection->shut_by_guest & VSOCK_SHUTDOWN_SEND)) {
		drain(connection);
		vsock_arm_timer(connection->vsock);
	} else {
		vsock_connection_release(connection);
	}
}

void vsock_connection_abandon(struct vsock_connection *connection)
{
	if (connection->state == VSOCK_OPEN && vsock_connection_held(connection)) {
		drain(connection);
		vsock_connection_settle(connection);
	} else if (connection->state != VSOCK_DRAINING) {
		vsock_connection_release(connection);
	}
}

static void receive_open(
	struct vsock_connection *connection, const struct vsock_header *header, struct chain *chain)
{
	switch (header->op) {
	case VSOCK_OP_RW:
		store(connection, header->length, chain);
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		connection->credit_due = true;
		break;
	case VSOCK_OP_SHUTDOWN:
		connection->shut_by_guest |= header->flags & VSOCK_SHUTDOWN_BOTH;
		if (connection->shut_by_guest & VSOCK_SHUTDOWN_RECEIVE)
			(void)shutdown(connection->fd, SHUT_RD);
		vsock_connection_forward(connection);
		break;
	default:
		vsock_connection_fail(connection);
	}
}

void vsock_connection_receive(
	struct vsock_connection *connection, const struct vsock_header *header, struct chain *chain)
{
	if (header->op == VSOCK_OP_RST) {
		reset_by_guest(connection);
	} else if (connection->state != VSOCK_CLOSED) {
		take_credit(connection, header);
		/* One that the guest has not been told of it cannot have accepted. */
		if (connection->state == VSOCK_OPEN)
			receive_open(connection, header, chain);
		else if (header->op == VSOCK_OP_RESPONSE && !connection->answer_op)
			vsock_client_accepted(connection);
		else
			vsock_connection_fail(connection);
	}
	vsock_connection_settle(connection);
}

static void end_of_input(struct vsock_connection *connection)
{
	uint32_t flags = VSOCK_SHUTDOWN_SEND;

	if (connection->hung_up)
		flags = VSOCK_SHUTDOWN_BOTH;
	connection->shut_by_host |= flags;
	connection->shutdown_due |= flags;
	connection->readable = false;
}

/* Returns how many bytes are in the bounce buffer. */
static uint32_t read_host(struct vsock_connection *connection, uint64_t room)
{
	struct virtio_vsock *vsock = connection->vsock;
	ssize_t count;

	if (room > credit(connection))
		room = credit(connection);
	if (room > sizeof(vsock->bounce))
		room = sizeof(vsock->bounce);
	count = recv(connection->fd, vsock->bounce, room, MSG_DONTWAIT);
	if (count > 0)
		return (uint32_t)count;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		connection->readable = false;
	else
		end_of_input(connection);
	return 0;
}

/* The op of the next packet, or 0. */
static uint16_t next_op(
	struct vsock_connection *connection, uint64_t room, struct vsock_header *header)
{
	uint16_t op = connection->answer_op;

	if (connection->state == VSOCK_CLOSED)
		return VSOCK_OP_RST;
	if (op) {
		connection->answer_op = 0;
		return op;
	}
	if (vsock_connection_wants_payload(connection)) {
		header->length = read_host(connection, room);
		if (header->length)
			return VSOCK_OP_RW;
	}
	if (connection->shutdown_due) {
		header->flags = connection->shutdown_due;
		connection->shutdown_due = 0;
		return VSOCK_OP_SHUTDOWN;
	}
	if (connection->credit_due)
		return VSOCK_OP_CREDIT_UPDATE;
	if (may_read_host(connection) && connection->readable && !credit(connection) &&
		!connection->asked_for_credit) {
		connection->asked_for_credit = true;
		return VSOCK_OP_CREDIT_REQUEST;
	}
	return 0;
}

bool vsock_connection_send(
	struct vsock_connection *connection, uint64_t room, struct vsock_header *header)
{
	*header = (struct vsock_header){.type = VSOCK_TYPE_STREAM};
	leave_queue(connection); /* behind the others for the next one */
	header->op = next_op(connection, room, header);
	header->source_cid = VSOCK_HOST_CID;
	header->destination_cid = connection->vsock->guest_cid;
	header->source_port = connection->host_port;
	header->destination_port = connection->guest_port;
	header->buf_alloc = VSOCK_BUFFER_BYTES;
	header->fwd_cnt = connection->forwarded_bytes;
	if (header->op) {
		connection->sent_bytes += header->length;
		connection->told_fwd_cnt = header->fwd_cnt;
		connection->credit_due = false;
	}
	if (connection->state == VSOCK_CLOSED)
		vsock_connection_release(connection);
	vsock_connection_settle(connection);
	return header->op != 0;
}
