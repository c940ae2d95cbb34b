/*
 * The socket device: packets of a driver that says anything, clients and servers of the host's that
 * do anything. Each chain comes back once, what the guest gets is a packet of the length that it
 * says, and whatever happened, every place is free again some time after a reset.
 *
 * Input: operations, each with its operands.
 */
#include "clock.h"
#include "fuzz_device.h"
#include "vsock_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST_CID  3
#define HOST_ENDS  8
#define PORTS      4
#define CHAINS_MAX 60 /* of a queue, so that there is room for those of the end */

static uint64_t now_ns;
static int host_ends[HOST_ENDS];

void io_poll_start(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	fuzz_require(poll->ready && poll->events);
}

void io_poll_cancel(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	(void)poll;
}

static uint64_t read_clock(void)
{
	return now_ns;
}

static void drop_end(unsigned int index)
{
	if (host_ends[index] >= 0)
		(void)close(host_ends[index]);
	host_ends[index] = -1;
}

/* The device's end of a pair whose other end is the host's from now on. */
static int make_pair(unsigned int index)
{
	int fds[2];

	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	drop_end(index);
	host_ends[index] = fds[0];
	return fds[1];
}

/* Even ports are served. In place of the C library's, for the device's own call of it. */
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	const struct sockaddr_un *path = (const void *)address;
	size_t end = strlen(path->sun_path);
	unsigned int digit = (unsigned int)(path->sun_path[end - 1] - '0');
	int ours;

	fuzz_require(length == sizeof(*path) && digit <= 9);
	if (digit % 2) {
		errno = ECONNREFUSED;
		return -1;
	}
	ours = make_pair(digit % HOST_ENDS);
	fuzz_require(dup2(ours, fd) == fd);
	(void)close(ours);
	return 0;
}

static void add_buffer(struct fuzz_input *input)
{
	struct fuzz_chain *chain = fuzz_queues[0].count < CHAINS_MAX ? fuzz_add_chain(0) : NULL;
	uint32_t length = fuzz_byte(input);

	if (!chain)
		return;
	fuzz_add_span(chain, true, NULL, length < 128 ? 30 + length / 4 : length * 300);
	if (length % 16 == 1)
		fuzz_add_span(chain, true, NULL, 5);
}

static void add_packet(struct fuzz_input *input)
{
	struct fuzz_chain *chain = fuzz_queues[1].count < CHAINS_MAX ? fuzz_add_chain(1) : NULL;
	uint8_t flags = fuzz_byte(input), ports = fuzz_byte(input), bytes[VSOCK_HEADER_BYTES];
	uint32_t payload = flags & 0x10 ? fuzz_word(input) : 0;
	struct vsock_header header = {
		.source_cid = flags & 0x20 ? fuzz_word(input) : GUEST_CID,
		.destination_cid = flags & 0x40 ? fuzz_word(input) : VSOCK_HOST_CID,
		.source_port = ports % PORTS,
		.destination_port = (uint32_t)ports / PORTS % 16,
		.length = flags & 0x80 ? fuzz_word(input) << (flags & 16) : payload,
		.type = flags & 0x80 ? fuzz_byte(input) : VSOCK_TYPE_STREAM,
		.op = flags & 0xf,
	};

	if (ports & 0x80)
		header.destination_port += (UINT32_C(1) << 30) - 4; /* those that clients have */
	header.flags = fuzz_byte(input);
	header.buf_alloc = fuzz_word(input) << 4;
	header.fwd_cnt = fuzz_word(input);
	if (!chain)
		return;
	vsock_header_encode(&header, bytes);
	fuzz_add_span(chain, false, bytes, flags == 0xff ? 17 : sizeof(bytes));
	fuzz_add_readable(chain, input, payload);
}

static void client_comes(struct virtio_vsock *vsock, struct fuzz_input *input)
{
	unsigned int index = fuzz_byte(input);
	char line[] = "CONNECT 0\n";
	int fd = make_pair(index % HOST_ENDS);

	line[8] = (char)('0' + index / HOST_ENDS % PORTS);
	if (index & 0x80)
		(void)!write(host_ends[index % HOST_ENDS], line, sizeof(line) - 1);
	vsock_client(vsock, fd);
}

static void host_writes(struct fuzz_input *input)
{
	unsigned int index = fuzz_byte(input) % HOST_ENDS;
	size_t length = fuzz_byte(input);

	length = length > input->left ? input->left : length;
	if (host_ends[index] >= 0)
		(void)!send(host_ends[index], input->bytes, length, MSG_NOSIGNAL);
	input->bytes += length;
	input->left -= length;
}

static void host_reads(struct fuzz_input *input)
{
	static uint8_t bytes[1 << 16];
	unsigned int what = fuzz_byte(input), index = what % HOST_ENDS;

	if (host_ends[index] < 0)
		return;
	if (what & 0x80)
		drop_end(index);
	else if (what & 0x40)
		(void)shutdown(host_ends[index], (int)(what >> 4 & 3) % 3);
	else
		(void)!read(host_ends[index], bytes, sizeof(bytes));
}

/* What poll(2) says of all that the device waits for. */
static void look_at_host(struct virtio_vsock *vsock)
{
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_connection *connection = &vsock->connections[i];
		struct pollfd poll_fd = {connection->fd, connection->poll.events, 0};

		if (connection->state == VSOCK_FREE || !connection->poll.events)
			continue;
		if (poll(&poll_fd, 1, 0) > 0)
			connection->poll.ready(&connection->poll, poll_fd.revents);
	}
}

static void check_buffers(void)
{
	const struct virtq *queue = &fuzz_queues[0];

	for (unsigned int i = 0; i < queue->count; i++) {
		const struct chain *chain = &queue->chains[i].chain;
		const uint8_t *bytes = queue->chains[i].spans[1][0].host;
		struct vsock_header header;

		if (!queue->chains[i].pushed || !chain->written_bytes)
			continue;
		fuzz_require(chain->written_bytes >= VSOCK_HEADER_BYTES);
		if (queue->chains[i].spans[1][0].length < VSOCK_HEADER_BYTES)
			continue;
		vsock_header_decode(bytes, &header);
		fuzz_require(header.length == chain->written_bytes - VSOCK_HEADER_BYTES);
		fuzz_require(header.source_cid == VSOCK_HOST_CID);
		fuzz_require(header.destination_cid == GUEST_CID);
		fuzz_require(header.op >= VSOCK_OP_REQUEST && header.op <= VSOCK_OP_CREDIT_REQUEST);
		fuzz_require((header.op == VSOCK_OP_RW) == (header.length > 0));
	}
}

/* Without its driver a connection only waits for a reader. */
static void check_abandoned(const struct vsock_connection *connection)
{
	fuzz_require(!connection->is_known && !connection->is_queued);
	if (connection->state != VSOCK_FREE)
		fuzz_require(connection->state == VSOCK_DRAINING && connection->deadline_ns &&
			     vsock_connection_held(connection) &&
			     connection->poll.events == POLLOUT);
}

static void check_reset(struct virtio_vsock *vsock)
{
	struct vsock_connection *connection;
	unsigned int count = 0;

	virtio_device_reset(&vsock->device);
	fuzz_require(TAILQ_EMPTY(&vsock->ready) && !vsock->receive && !vsock->reset_count);
	for (unsigned int i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX; i++)
		check_abandoned(&vsock->connections[i]);
	now_ns += UINT64_C(1000) * NANOSECONDS_PER_SECOND;
	fuzz_expire(&vsock->timer);
	TAILQ_FOREACH(connection, &vsock->free, free_link)
	{
		fuzz_require(connection->state == VSOCK_FREE && connection->fd == -1);
		count++;
	}
	fuzz_require(count == VIRTIO_VSOCK_CONNECTIONS_MAX);
	for (unsigned int i = 0; i < VSOCK_BUCKETS; i++)
		fuzz_require(LIST_EMPTY(&vsock->buckets[i]));
}

static void step(struct virtio_vsock *vsock, struct fuzz_input *input)
{
	switch (fuzz_byte(input) % 8) {
	case 0:
		add_buffer(input);
		break;
	case 1:
	case 2:
		add_packet(input);
		break;
	case 3:
		client_comes(vsock, input);
		break;
	case 4:
		host_writes(input);
		break;
	case 5:
		host_reads(input);
		break;
	case 6:
		look_at_host(vsock);
		break;
	default:
		now_ns += (uint64_t)fuzz_byte(input) << 27;
		fuzz_expire(&vsock->timer);
		break;
	}
	vsock->device.ops->queue_notify(&vsock->device, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct virtio_vsock_options options = {
		.name = "socket device",
		.io_thread = &fuzz_thread,
		.guest_cid = GUEST_CID,
		.path = "/nowhere",
		.listener = -1,
		.read_clock = read_clock,
	};
	struct virtio_device *device = NULL;
	struct virtio_vsock *vsock;
	int r = virtio_vsock_create(&options, &device, NULL);

	fuzz_require(r == 0);
	vsock = container_of(device, struct virtio_vsock, device);
	for (unsigned int i = 0; i < HOST_ENDS; i++)
		host_ends[i] = -1;
	now_ns = 1;
	r = device->ops->activate(device);
	fuzz_require(r == 0);
	while (input.left)
		step(vsock, &input);
	fuzz_require(!fuzz_broken); /* chains are well formed */
	check_reset(vsock);
	check_buffers();
	for (unsigned int i = 0; i < HOST_ENDS; i++)
		drop_end(i);
	device->ops->destroy(device);
	return 0;
}
