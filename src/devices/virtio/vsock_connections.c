/* All connections of a socket device: their time-outs, their beginning and their end. */
#include "vsock_internal.h"

uint64_t vsock_connections_expire(struct virtio_vsock *vsock, uint64_t now_ns)
{
	uint64_t next_ns = 0;

	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_connection *connection = &vsock->connections[i];

		if (!connection->deadline_ns)
			continue;
		if (connection->deadline_ns > now_ns) {
			if (!next_ns || connection->deadline_ns < next_ns)
				next_ns = connection->deadline_ns;
		} else if (connection->state == VSOCK_GREETING ||
			   connection->state == VSOCK_DRAINING || connection->answer_op) {
			vsock_connection_release(connection); /* the guest does not know of it */
		} else {
			vsock_connection_fail(connection);
			vsock_connection_settle(connection);
		}
	}
	return next_ns;
}

void vsock_connections_init(struct virtio_vsock *vsock)
{
	TAILQ_INIT(&vsock->free);
	TAILQ_INIT(&vsock->ready);
	vsock->next_host_port = VSOCK_HOST_PORT_FIRST;
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_connection *connection = &vsock->connections[i];

		connection->vsock = vsock;
		connection->fd = -1;
		connection->buffer = vsock->buffers + (size_t)i * VSOCK_BUFFER_BYTES;
		TAILQ_INSERT_TAIL(&vsock->free, connection, free_link);
	}
}

void vsock_connections_abandon(struct virtio_vsock *vsock)
{
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++)
		if (vsock->connections[i].state != VSOCK_FREE)
			vsock_connection_abandon(&vsock->connections[i]);
}

uint64_t vsock_connections_forward(struct virtio_vsock *vsock)
{
	uint64_t held_bytes = 0;

	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_connection *connection = &vsock->connections[i];

		if (connection->state == VSOCK_FREE || !vsock_connection_held(connection))
			continue;
		vsock_connection_forward(connection);
		held_bytes += vsock_connection_held(connection);
		vsock_connection_settle(connection);
	}
	return held_bytes;
}

bool vsock_connections_open(const struct virtio_vsock *vsock)
{
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++) {
		const struct vsock_connection *connection = &vsock->connections[i];

		if (connection->state == VSOCK_OPEN &&
			!(connection->shut_by_guest & VSOCK_SHUTDOWN_SEND))
			return true;
	}
	return false;
}

void vsock_connections_close(struct virtio_vsock *vsock)
{
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++)
		if (vsock->connections[i].state != VSOCK_FREE)
			vsock_connection_release(&vsock->connections[i]);
}
