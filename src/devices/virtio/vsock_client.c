/*
 * Clients of the host's, until they have a connection: "CONNECT <port>" and the answer to it. See
 * virtio_vsock.h.
 */
#include "clock.h"
#include "fd.h"
#include "vsock_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TIMEOUT_NS (5 * NANOSECONDS_PER_SECOND)

/* The line is consumed up to its end and no further: what follows is the guest's. 1: complete. */
static int read_line(struct vsock_connection *connection)
{
	char *line = connection->line;
	size_t room = VSOCK_LINE_BYTES - connection->line_bytes;
	char *begin = line + connection->line_bytes;
	ssize_t count = recv(connection->fd, begin, room, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (count == 0)
		return -EPIPE;
	end = memchr(begin, '\n', (size_t)count);
	if (end)
		count = end + 1 - begin;
	count = recv(connection->fd, begin, (size_t)count, MSG_DONTWAIT);
	if (count <= 0)
		return -EPIPE;
	connection->line_bytes += (unsigned int)count;
	if (end)
		return 1;
	return connection->line_bytes == VSOCK_LINE_BYTES ? -EMSGSIZE : 0;
}

static int parse_line(const struct vsock_connection *connection, uint32_t *ret_port)
{
	static const char word[] = "CONNECT ";
	const unsigned int word_bytes = sizeof(word) - 1;
	unsigned int end = connection->line_bytes - 1; /* the newline */
	uint64_t port = 0;

	if (end > word_bytes && connection->line[end - 1] == '\r')
		end--;
	if (end <= word_bytes || end > word_bytes + 10 ||
		memcmp(connection->line, word, word_bytes) != 0)
		return -EINVAL;
	for (unsigned int i = word_bytes; i < end; i++) {
		if (connection->line[i] < '0' || connection->line[i] > '9')
			return -EINVAL;
		port = port * 10 + (uint64_t)(connection->line[i] - '0');
	}
	if (port > UINT32_MAX)
		return -ERANGE;
	*ret_port = (uint32_t)port;
	return 0;
}

static uint32_t choose_host_port(struct virtio_vsock *vsock, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = vsock->next_host_port++;
		if (vsock->next_host_port == UINT32_MAX)
			vsock->next_host_port = VSOCK_HOST_PORT_FIRST;
	} while (vsock_find(vsock, guest_port, port));
	return port;
}

static void request(struct vsock_connection *connection, uint32_t guest_port)
{
	vsock_connection_know(
		connection, guest_port, choose_host_port(connection->vsock, guest_port));
	connection->state = VSOCK_REQUESTED;
	connection->answer_op = VSOCK_OP_REQUEST;
}

void vsock_client_ready(struct vsock_connection *connection)
{
	int r = read_line(connection);
	uint32_t port = 0;

	if (r > 0)
		r = parse_line(connection, &port) < 0 ? -EINVAL : 1;
	if (r < 0) {
		vsock_connection_release(connection); /* the guest does not know of it */
	} else if (r > 0) {
		request(connection, port);
	}
}

void vsock_client_accepted(struct vsock_connection *connection)
{
	char line[VSOCK_LINE_BYTES];
	int length = snprintf(line, sizeof(line), "OK %u\n", connection->host_port);

	connection->state = VSOCK_OPEN;
	connection->deadline_ns = 0;
	/* The first bytes of a socket have room. */
	if (send(connection->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
		vsock_connection_fail(connection);
}

void vsock_client(struct virtio_vsock *vsock, int fd)
{
	struct vsock_connection *connection = vsock_connection_take(vsock, fd);

	if (!connection) {
		fd_close(&fd);
		return;
	}
	connection->state = VSOCK_GREETING;
	connection->deadline_ns = vsock->read_clock() + TIMEOUT_NS;
	vsock_connection_settle(connection);
}

int vsock_client_connect(struct virtio_vsock *vsock, uint32_t guest_port, int fd)
{
	struct vsock_connection *connection = vsock_connection_take(vsock, fd);

	if (!connection) {
		fd_close(&fd);
		return -ENOSPC;
	}
	connection->deadline_ns = vsock->read_clock() + TIMEOUT_NS;
	request(connection, guest_port);
	vsock_connection_settle(connection);
	return 0;
}
