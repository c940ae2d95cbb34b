/*
 * See virtio_vsock.h. Packets between the queues and the connections; VIRTIO 1.2 5.10.6.
 *
 * Packets of the guest are not taken while more resets wait for receive buffers than there is room
 * for, so a guest that gives none cannot make us keep anything (5.10.6.1).
 */
#include "clock.h"
#include "fd.h"
#include "vsock_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RECEIVE_QUEUE   0
#define TRANSMIT_QUEUE  1
#define QUEUE_COUNT     3 /* the third is for events: there are none without migration */
#define QUEUE_SIZE      256
#define TURN_PACKETS    128
#define ACCEPT_AGAIN_NS (NANOSECONDS_PER_SECOND / 10)
#define PORT_BYTES      12 /* "_4294967295" */
#define BUFFERS_BYTES   ((size_t)VIRTIO_VSOCK_CONNECTIONS_MAX * VSOCK_BUFFER_BYTES)

static struct virtq *queue_of(struct virtio_vsock *vsock, unsigned int index)
{
	struct virtq *queue = vsock->device.queues[index].run;

	if (!vsock->active || atomic_load(&vsock->device.broken) || !queue ||
		!virtq_is_running(queue))
		return NULL;
	return queue;
}

static int pop(struct virtio_vsock *vsock, unsigned int index, struct chain **ret_chain)
{
	struct virtq *queue = queue_of(vsock, index);
	int r;

	if (!queue)
		return 0;
	virtq_disable_notifications(queue);
	r = virtq_pop_or_ask(queue, ret_chain);
	if (r < 0)
		virtio_device_break(&vsock->device, index, "an invalid queue");
	return r;
}

void vsock_add_reset(
	struct virtio_vsock *vsock, uint32_t guest_port, uint32_t host_port, uint16_t type)
{
	unsigned int at = (vsock->reset_head + vsock->reset_count) % VSOCK_RESETS_MAX;

	vsock->resets[at] = (struct vsock_reset){guest_port, host_port, type};
	vsock->reset_count++;
}

static void take_reset(struct virtio_vsock *vsock, struct vsock_header *header)
{
	const struct vsock_reset *reset = &vsock->resets[vsock->reset_head];

	*header = (struct vsock_header){
		.source_cid = VSOCK_HOST_CID,
		.destination_cid = vsock->guest_cid,
		.source_port = reset->host_port,
		.destination_port = reset->guest_port,
		.type = reset->type,
		.op = VSOCK_OP_RST,
	};
	vsock->reset_head = (vsock->reset_head + 1) % VSOCK_RESETS_MAX;
	vsock->reset_count--;
}

static void push_receive(struct virtio_vsock *vsock)
{
	virtq_push(vsock->device.queues[RECEIVE_QUEUE].run, take_ptr(vsock->receive));
}

static void write_packet(struct virtio_vsock *vsock, const struct vsock_header *header)
{
	uint8_t bytes[VSOCK_HEADER_BYTES];

	vsock_header_encode(header, bytes);
	/* There is room: it was asked for no more. */
	if (chain_write(vsock->receive, bytes, sizeof(bytes)) < 0 ||
		chain_write(vsock->receive, vsock->bounce, header->length) < 0)
		virtio_device_break(&vsock->device, RECEIVE_QUEUE, "a receive buffer that shrank");
	push_receive(vsock);
}

/* Of the next thing there is to send, at least a byte. */
static bool fits(const struct virtio_vsock *vsock, uint64_t room)
{
	if (room <= VSOCK_HEADER_BYTES)
		return room == VSOCK_HEADER_BYTES &&
		       (vsock->reset_count ||
			       !vsock_connection_wants_payload(TAILQ_FIRST(&vsock->ready)));
	return true;
}

/* There is something to send, and a buffer. One too small for it goes back empty. */
static void send_packet(struct virtio_vsock *vsock)
{
	uint64_t room = vsock->receive->writer.left_bytes;
	struct vsock_header header;

	if (!fits(vsock, room)) {
		push_receive(vsock);
	} else if (vsock->reset_count) {
		take_reset(vsock, &header);
		write_packet(vsock, &header);
	} else if (vsock_connection_send(
			   TAILQ_FIRST(&vsock->ready), room - VSOCK_HEADER_BYTES, &header)) {
		write_packet(vsock, &header);
	}
}

static unsigned int send_packets(struct virtio_vsock *vsock, unsigned int left)
{
	while (left && (vsock->reset_count || !TAILQ_EMPTY(&vsock->ready))) {
		if (!queue_of(vsock, RECEIVE_QUEUE) ||
			(!vsock->receive && pop(vsock, RECEIVE_QUEUE, &vsock->receive) <= 0))
			break;
		send_packet(vsock);
		left--;
	}
	return left;
}

/* 5.10.6: what does not come from the guest, or is not for the host, is dropped. */
static void receive_packet(struct virtio_vsock *vsock, struct chain *chain)
{
	struct vsock_connection *connection;
	uint8_t bytes[VSOCK_HEADER_BYTES];
	struct vsock_header header;

	if (chain_read(chain, bytes, sizeof(bytes)) < 0)
		return;
	vsock_header_decode(bytes, &header);
	if (header.source_cid != vsock->guest_cid || header.destination_cid != VSOCK_HOST_CID)
		return;
	connection = header.type == VSOCK_TYPE_STREAM
	                     ? vsock_find(vsock, header.source_port, header.destination_port)
	                     : NULL;
	if (connection)
		vsock_connection_receive(connection, &header, chain);
	else if (header.type == VSOCK_TYPE_STREAM && header.op == VSOCK_OP_REQUEST &&
		 !vsock->is_leaving)
		vsock_connection_request(vsock, &header);
	else if (header.op != VSOCK_OP_RST)
		vsock_add_reset(vsock, header.source_port, header.destination_port, header.type);
}

static unsigned int receive_packets(struct virtio_vsock *vsock, unsigned int left)
{
	struct chain *chain;

	while (left && vsock->reset_count < VSOCK_RESETS_MAX &&
		pop(vsock, TRANSMIT_QUEUE, &chain) > 0) {
		receive_packet(vsock, chain);
		virtq_push(vsock->device.queues[TRANSMIT_QUEUE].run, chain);
		left--;
	}
	return left;
}

static void flush(struct virtio_vsock *vsock, unsigned int queue)
{
	if (vsock->device.queues[queue].run && virtq_is_running(vsock->device.queues[queue].run))
		virtio_device_flush_queue(&vsock->device, queue);
}

void vsock_run(struct virtio_vsock *vsock)
{
	unsigned int sends_left = TURN_PACKETS, receives_left;

	if (!vsock->active || vsock->run_again)
		return;
	/* Resets that were in the way first. */
	sends_left = send_packets(vsock, sends_left);
	receives_left = receive_packets(vsock, TURN_PACKETS);
	sends_left = send_packets(vsock, sends_left);
	flush(vsock, RECEIVE_QUEUE);
	flush(vsock, TRANSMIT_QUEUE);
	if (!sends_left || !receives_left) {
		vsock->run_again = true;
		vsock_arm_timer(vsock);
	}
}

void vsock_arm_timer(struct virtio_vsock *vsock)
{
	uint64_t now_ns = vsock->read_clock();
	uint64_t next_ns = vsock_connections_expire(vsock, now_ns);

	if (vsock->accept_again_ns && (!next_ns || vsock->accept_again_ns < next_ns))
		next_ns = vsock->accept_again_ns;
	if (vsock->run_again)
		next_ns = now_ns;
	io_timer_cancel(vsock->device.io_thread, &vsock->timer);
	if (next_ns)
		io_timer_arm(vsock->device.io_thread, &vsock->timer, next_ns);
}

static void listen_for_clients(struct virtio_vsock *vsock)
{
	if (vsock->listener.fd >= 0)
		io_poll_start(vsock->device.io_thread, &vsock->listener);
}

static void timer_expired(struct io_timer *timer)
{
	struct virtio_vsock *vsock = timer->owner;

	vsock->run_again = false;
	if (vsock->accept_again_ns && vsock->accept_again_ns <= vsock->read_clock()) {
		vsock->accept_again_ns = 0;
		listen_for_clients(vsock);
	}
	vsock_arm_timer(vsock);
	vsock_run(vsock);
}

static void client_waits(struct io_poll *poll, short revents)
{
	struct virtio_vsock *vsock = poll->owner;
	int fd = accept4(poll->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd >= 0) {
		vsock_client(vsock, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* Such as no descriptors: it would be ready all the time. */
		vsock->accept_again_ns = vsock->read_clock() + ACCEPT_AGAIN_NS;
	}
	if (!vsock->accept_again_ns)
		listen_for_clients(vsock);
	vsock_arm_timer(vsock);
	vsock_run(vsock); /* some may just have timed out */
}

struct call {
	struct virtio_vsock *vsock;
	uint32_t guest_port;
	int fd, result;
};

static void connect_client(void *context)
{
	struct call *call = context;
	struct virtio_vsock *vsock = call->vsock;

	if (!vsock->active) {
		fd_close(&call->fd);
		call->result = -ENODEV;
		return;
	}
	call->result = vsock_client_connect(vsock, call->guest_port, call->fd);
	vsock_arm_timer(vsock);
	vsock_run(vsock);
}

int virtio_vsock_connect(struct virtio_device *device, uint32_t guest_port, int fd)
{
	struct call call = {container_of(device, struct virtio_vsock, device), guest_port, fd, 0};

	io_thread_call(device->io_thread, connect_client, &call);
	return call.result;
}

struct delivery {
	struct virtio_vsock *vsock;
	struct virtio_vsock_rest rest;
};

static void deliver(void *context)
{
	struct delivery *delivery = context;
	struct virtio_vsock *vsock = delivery->vsock;
	struct virtq *queue;

	vsock_run(vsock);
	queue = queue_of(vsock, TRANSMIT_QUEUE);
	delivery->rest.bytes = vsock_connections_forward(vsock) +
	                       (queue && virtq_has_available(queue));
	delivery->rest.is_open = vsock_connections_open(vsock);
}

struct virtio_vsock_rest virtio_vsock_deliver(struct virtio_device *device)
{
	struct delivery delivery = {.vsock = container_of(device, struct virtio_vsock, device)};

	io_thread_call(device->io_thread, deliver, &delivery);
	return delivery.rest;
}

static int vsock_activate(struct virtio_device *device)
{
	struct virtio_vsock *vsock = container_of(device, struct virtio_vsock, device);

	vsock->active = true;
	listen_for_clients(vsock);
	return 0;
}

static void vsock_queue_notify(struct virtio_device *device, unsigned int queue)
{
	(void)queue; /* room for packets lets others in, and the other way round */
	vsock_run(container_of(device, struct virtio_vsock, device));
}

static void vsock_quiesce(struct virtio_device *device, unsigned int queue)
{
	struct virtio_vsock *vsock = container_of(device, struct virtio_vsock, device);

	if (vsock->receive && (queue == RECEIVE_QUEUE || queue == VIRTIO_QUEUES_MAX)) {
		push_receive(vsock);
		flush(vsock, RECEIVE_QUEUE);
	}
	if (queue == VIRTIO_QUEUES_MAX) {
		/* What the driver has made available is sent, whether or not it was looked at. */
		vsock->reset_count = 0;
		vsock->is_leaving = true;
		(void)receive_packets(vsock, QUEUE_SIZE);
		vsock->is_leaving = false;
		flush(vsock, TRANSMIT_QUEUE);
		vsock->reset_count = 0;
		vsock->active = false;
		vsock->run_again = false;
		vsock->accept_again_ns = 0;
		io_poll_cancel(device->io_thread, &vsock->listener);
		vsock_connections_abandon(vsock);
		vsock_arm_timer(vsock);
	}
	virtio_device_quiesced(device, queue);
}

static void vsock_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	const struct virtio_vsock *vsock = container_of(device, struct virtio_vsock, device);
	uint8_t config[8];

	for (unsigned int i = 0; i < sizeof(config); i++)
		config[i] = (uint8_t)(vsock->guest_cid >> (8 * i));
	memcpy(bytes, config + offset, size);
}

static void free_vsock(struct virtio_vsock *vsock)
{
	if (vsock->buffers != MAP_FAILED)
		(void)munmap(vsock->buffers, BUFFERS_BYTES);
	free(vsock);
}

static void close_connections(void *context)
{
	struct virtio_vsock *vsock = context;

	vsock_connections_close(vsock);
	io_timer_cancel(vsock->device.io_thread, &vsock->timer);
}

static void vsock_destroy(struct virtio_device *device)
{
	struct virtio_vsock *vsock = container_of(device, struct virtio_vsock, device);

	virtio_device_fini(device);
	io_thread_call(device->io_thread, close_connections, vsock);
	free_vsock(vsock);
}

static const struct virtio_device_ops vsock_ops = {
	.read_config = vsock_read_config,
	.activate = vsock_activate,
	.queue_notify = vsock_queue_notify,
	.quiesce = vsock_quiesce,
	.destroy = vsock_destroy,
};

static void init(struct virtio_vsock *vsock, const struct virtio_vsock_options *options)
{
	vsock->device = (struct virtio_device){
		.ops = &vsock_ops,
		.name = options->name,
		.device_id = VIRTIO_ID_SOCKET,
		.config_bytes = 8,
		.queue_count = QUEUE_COUNT,
		.queue_size_max = QUEUE_SIZE,
		.gmem = options->gmem,
		.io_thread = options->io_thread,
	};
	vsock->guest_cid = options->guest_cid;
	vsock->address.sun_family = AF_UNIX;
	if (options->path)
		memcpy(vsock->address.sun_path, options->path, strlen(options->path) + 1);
	vsock->read_clock = options->read_clock ? options->read_clock : clock_monotonic_ns;
	vsock->listener = (struct io_poll){
		.fd = options->listener, .events = POLLIN, .ready = client_waits, .owner = vsock};
	vsock->timer = (struct io_timer){.expired = timer_expired, .owner = vsock};
	vsock_connections_init(vsock);
}

int virtio_vsock_create(const struct virtio_vsock_options *options,
	struct virtio_device **ret_device, struct err *err)
{
	struct virtio_vsock *vsock;
	int r;

	if (options->path && strlen(options->path) + PORT_BYTES > sizeof(vsock->address.sun_path))
		return err_set(err, ENAMETOOLONG, "%s: %s: too long for the path of a socket",
			options->name, options->path);
	vsock = calloc(1, sizeof(*vsock));
	if (!vsock)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	vsock->buffers = mmap(NULL, BUFFERS_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vsock->buffers == MAP_FAILED) {
		free_vsock(vsock);
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	}
	init(vsock, options);
	r = virtio_device_init(&vsock->device, err);
	if (r < 0) {
		free_vsock(vsock);
		return r;
	}
	*ret_device = &vsock->device;
	return 0;
}
