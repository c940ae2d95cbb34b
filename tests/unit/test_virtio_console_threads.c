/*
 * Everything as in the program: a driver on real rings, the I/O thread, consoles with their output
 * threads, the main loop, and peers that read and write sockets. Not a byte is lost, doubled or out
 * of place, whoever is slow. Meant for ThreadSanitizer too.
 */
#include "cmocka_all.h"
#include "compiler.h"
#include "console.h"
#include "fd.h"
#include "io_thread.h"
#include "loop.h"
#include "virtio_console.h"
#include "virtio_device.h"
#include "virtio_driver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#if SANITIZED
#define TOTAL_BYTES (UINT64_C(1) << 20)
#else
#define TOTAL_BYTES (UINT64_C(8) << 20)
#endif
#define HANG_MS 60000 /* something was lost, not a slow host */

#define PORTS        2
#define QUEUES       6
#define QUEUE_SIZE   32
#define MEMORY_BYTES (UINT64_C(16) << 20)
#define QUEUE_STRIDE UINT64_C(0x200000) /* rings, then slots */
#define SLOTS        UINT64_C(0x10000)
#define SLOT_BYTES   4096u
#define CONTROL_RX   2
#define CONTROL_TX   3

static const unsigned int rx_queues[PORTS] = {0, 4};
static const unsigned int tx_queues[PORTS] = {1, 5};

struct queue {
	struct virtio_driver driver;
	uint64_t slots;
	uint32_t slot_of[QUEUE_SIZE], free_slots[QUEUE_SIZE], free_count;
};

struct world;

struct peer {
	struct world *world;
	unsigned int port;
	int fd;
	struct console *console;
	pthread_t reader, writer;
	uint64_t sent, received; /* by the guest */
	_Atomic uint64_t wrong;
};

struct world {
	struct gmem gmem;
	struct io_thread *io;
	struct virtio_console *console;
	struct virtio_device *device;
	struct queue queues[QUEUES];
	struct peer peers[PORTS];
	struct loop loop;
	struct loop_source stop;
	pthread_t main_thread;
	int interrupt_fd;
	uint64_t random;
};

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32) % limit;
}

static uint8_t stream_byte(unsigned int stream, uint64_t position)
{
	return (uint8_t)((position + stream * UINT64_C(77)) * UINT64_C(0x9e3779b97f4a7c15) >> 37);
}

/* --- The host's side. --- */

static void stop_ready(void *owner, short revents)
{
	(void)revents;
	loop_stop(owner);
}

static void *run_main(void *opaque)
{
	assert_int_equal(loop_run(opaque), 0);
	return NULL;
}

static void *peer_read(void *opaque)
{
	struct peer *peer = opaque;
	uint64_t random = 17 + peer->port, position = 0;
	static _Thread_local uint8_t bytes[65536];

	/* The guest runs into congestion first. */
	(void)poll(NULL, 0, 100);
	while (position < TOTAL_BYTES) {
		ssize_t count = read(peer->fd, bytes, 1 + random_below(&random, sizeof(bytes)));

		if (count <= 0)
			break;
		for (ssize_t i = 0; i < count; i++)
			peer->wrong += bytes[i] != stream_byte(peer->port, position++);
	}
	peer->wrong += position != TOTAL_BYTES;
	return NULL;
}

static void *peer_write(void *opaque)
{
	struct peer *peer = opaque;
	uint64_t random = 23 + peer->port, position = 0;
	uint8_t bytes[5000];

	while (position < TOTAL_BYTES) {
		size_t length = 1 + random_below(&random, sizeof(bytes));

		if (length > TOTAL_BYTES - position)
			length = TOTAL_BYTES - position;
		for (size_t i = 0; i < length; i++)
			bytes[i] = stream_byte(10 + peer->port, position++);
		peer->wrong += fd_write(peer->fd, bytes, length) != 0;
	}
	return NULL;
}

static void used_buffer(void *transport, unsigned int queue)
{
	static const uint64_t one = 1;
	const struct world *world = transport;

	(void)queue;
	if (write(world->interrupt_fd, &one, sizeof(one)) < 0)
		return; /* pending already */
}

static void open_port(struct world *world, unsigned int index)
{
	struct peer *peer = &world->peers[index];
	struct console_options options = {.kind = CONSOLE_FD};
	struct console_events events = {
		.receive = virtio_console_receive,
		.connected = virtio_console_connected,
		.drained = virtio_console_drained,
		.device = virtio_console_port(world->console, index),
	};
	struct console_port port;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*peer = (struct peer){.world = world, .port = index, .fd = fds[0]};
	options.input_fd = fds[1];
	assert_int_equal(console_create(&options, &peer->console, NULL), 0);
	fd_close(&fds[1]);
	port = console_port(peer->console);
	virtio_console_plug(virtio_console_port(world->console, index), &port);
	assert_int_equal(console_start(peer->console, &world->loop, &events, NULL), 0);
}

static bool create(struct world *world, enum io_engine_choice engine)
{
	static const struct virtio_console_port_options ports[PORTS] = {
		{.is_console = true, .unplugged = true}, {.name = "agent", .unplugged = true}};
	const struct io_thread_options thread = {.name = "io", .engine = engine};
	struct virtio_console_options options = {
		.name = "console", .gmem = &world->gmem, .ports = ports, .port_count = PORTS};

	*world = (struct world){.random = 42};
	if (io_thread_create(&thread, &world->io, NULL) < 0)
		return false;
	world->gmem.region_count = 1;
	world->gmem.regions[0] = (struct gmem_region){.size_bytes = MEMORY_BYTES};
	assert_int_equal(gmem_create(&world->gmem, &(struct gmem_options){0}, NULL), 0);
	options.io_thread = world->io;
	assert_int_equal(virtio_console_create(&options, &world->console, NULL), 0);
	world->device = virtio_console_device(world->console);
	world->device->notifier = (struct virtio_notifier){
		.used_buffer = used_buffer, .transport = world};
	world->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned int i = 0; i < PORTS; i++)
		open_port(world, i);
	world->stop = (struct loop_source){.fd = eventfd(0, EFD_CLOEXEC),
		.events = POLLIN,
		.ready = stop_ready,
		.owner = &world->loop};
	assert_int_equal(loop_attach(&world->loop, &world->stop), 0);
	assert_int_equal(pthread_create(&world->main_thread, NULL, run_main, &world->loop), 0);
	return true;
}

static void destroy(struct world *world)
{
	assert_int_equal(eventfd_write(world->stop.fd, 1), 0);
	assert_int_equal(pthread_join(world->main_thread, NULL), 0);
	for (unsigned int i = 0; i < PORTS; i++) {
		virtio_console_unplug(virtio_console_port(world->console, i));
		console_destroy(world->peers[i].console);
		fd_close(&world->peers[i].fd);
	}
	world->device->ops->destroy(world->device);
	io_thread_destroy(world->io);
	gmem_destroy(&world->gmem);
	fd_close(&world->stop.fd);
	fd_close(&world->interrupt_fd);
}

/* --- The guest. --- */

static void *slot_host(const struct world *world, const struct queue *queue, uint32_t slot)
{
	return (uint8_t *)world->gmem.regions[0].host + queue->slots + slot * SLOT_BYTES;
}

static void setup_queue(struct world *world, unsigned int index, bool packed)
{
	struct queue *queue = &world->queues[index];
	struct virtio_driver *driver = &queue->driver;
	uint64_t rings = index * QUEUE_STRIDE;
	const struct {
		enum virtio_queue_area area;
		uint64_t address;
	} areas[] = {
		{VIRTIO_QUEUE_DESCRIPTOR, 0},
		{VIRTIO_QUEUE_DRIVER, 0},
		{VIRTIO_QUEUE_DEVICE, 0},
	};

	memset((uint8_t *)world->gmem.regions[0].host + rings, 0, SLOTS);
	driver_init(driver, world->gmem.regions[0].host, 0, rings, QUEUE_SIZE, packed);
	driver->event_index = true;
	queue->slots = rings + SLOTS;
	queue->free_count = 0;
	for (uint32_t i = 0; i < QUEUE_SIZE; i++)
		queue->free_slots[queue->free_count++] = i;
	virtio_device_set_queue_size(world->device, index, QUEUE_SIZE);
	for (size_t i = 0; i < array_size(areas); i++) {
		uint64_t address = i == 0   ? driver->descriptor_area
		                   : i == 1 ? driver->driver_area
		                            : driver->device_area;

		virtio_device_set_queue_area(
			world->device, index, areas[i].area, false, (uint32_t)address);
		virtio_device_set_queue_area(
			world->device, index, areas[i].area, true, (uint32_t)(address >> 32));
	}
	virtio_device_enable_queue(world->device, index);
}

static void start_driver(struct world *world, bool packed)
{
	virtio_device_set_status(world->device, 0);
	virtio_device_set_status(world->device, 1);
	virtio_device_set_status(world->device, 3);
	virtio_device_accept_features(world->device, 0, 1U << 29 | 1U << 1); /* event idx, ports */
	virtio_device_accept_features(world->device, 1, 1U | (packed ? 1U << 2 : 0));
	virtio_device_set_status(world->device, 11);
	assert_int_equal(virtio_device_status(world->device), 11);
	for (unsigned int i = 0; i < QUEUES; i++)
		setup_queue(world, i, packed);
	virtio_device_set_status(world->device, 15);
	assert_int_equal(virtio_device_status(world->device), 15);
}

/* One buffer in one or two pieces. */
static bool add(struct world *world, unsigned int index, uint32_t length, bool writable)
{
	struct queue *queue = &world->queues[index];
	uint32_t slot = queue->free_count ? queue->free_slots[queue->free_count - 1] : 0;
	uint64_t address = queue->slots + slot * SLOT_BYTES;
	uint32_t first = length > 1 ? 1 + random_below(&world->random, length - 1) : length;
	const struct driver_buffer buffers[] = {
		{address, first, writable}, {address + first, length - first, writable}};
	uint16_t id;

	if (!queue->free_count ||
		!driver_add(&queue->driver, buffers, length - first ? 2 : 1, 0, &id))
		return false;
	queue->free_count--;
	queue->slot_of[id] = slot;
	return true;
}

static void publish(struct world *world, unsigned int index)
{
	if (driver_publish(&world->queues[index].driver))
		virtio_device_notify(world->device, index);
}

static bool take(struct world *world, unsigned int index, void **ret_bytes, uint32_t *ret_length)
{
	struct queue *queue = &world->queues[index];
	uint16_t id;

	if (!driver_get_used(&queue->driver, &id, ret_length))
		return false;
	*ret_bytes = slot_host(world, queue, queue->slot_of[id]);
	queue->free_slots[queue->free_count++] = queue->slot_of[id];
	return true;
}

static void say(struct world *world, uint32_t id, uint16_t event, uint16_t value)
{
	struct queue *queue = &world->queues[CONTROL_TX];
	uint8_t *message = slot_host(world, queue, queue->free_slots[queue->free_count - 1]);
	uint32_t length;
	void *bytes;

	memcpy(message, &id, 4);
	memcpy(message + 4, &event, 2);
	memcpy(message + 6, &value, 2);
	assert_true(add(world, CONTROL_TX, 8, false));
	publish(world, CONTROL_TX);
	for (unsigned int i = 0; !take(world, CONTROL_TX, &bytes, &length); i++) {
		assert_true(i < HANG_MS);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(length, 0);
}

/* As Linux: whatever comes, until the host has opened every port. */
static void open_ports(struct world *world)
{
	unsigned int opened = 0;

	while (add(world, CONTROL_RX, 64, true))
		;
	publish(world, CONTROL_RX);
	say(world, UINT32_MAX, 0, 1);
	for (unsigned int i = 0; opened < PORTS; i++) {
		uint32_t length, id;
		uint8_t *message;
		void *bytes;

		assert_true(i < HANG_MS);
		if (!take(world, CONTROL_RX, &bytes, &length)) {
			(void)poll(NULL, 0, 1);
			continue;
		}
		message = bytes;
		assert_in_range(length, 8, 64);
		memcpy(&id, message, 4);
		assert_true(id < PORTS);
		if (message[4] == 1)
			say(world, id, 3, 1);
		if (message[4] == 6 && message[6] == 1) {
			say(world, id, 6, 1);
			opened++;
		}
		assert_true(add(world, CONTROL_RX, 64, true));
		publish(world, CONTROL_RX);
	}
}

static bool transmit(struct world *world, struct peer *peer)
{
	unsigned int index = tx_queues[peer->port];
	struct queue *queue = &world->queues[index];
	uint32_t length;
	void *unused;
	bool progress = false;

	while (take(world, index, &unused, &length))
		progress = true;
	while (peer->sent < TOTAL_BYTES && queue->free_count) {
		uint8_t *bytes = slot_host(world, queue, queue->free_slots[queue->free_count - 1]);

		length = 1 + random_below(&world->random, SLOT_BYTES);
		if (length > TOTAL_BYTES - peer->sent)
			length = (uint32_t)(TOTAL_BYTES - peer->sent);
		for (uint32_t i = 0; i < length; i++)
			bytes[i] = stream_byte(peer->port, peer->sent + i);
		if (!add(world, index, length, false))
			break;
		peer->sent += length;
		progress = true;
	}
	publish(world, index);
	return progress;
}

static bool receive(struct world *world, struct peer *peer)
{
	unsigned int index = rx_queues[peer->port];
	bool progress = false;
	uint32_t length;
	void *opaque;

	while (take(world, index, &opaque, &length)) {
		const uint8_t *bytes = opaque;

		assert_in_range(length, 1, SLOT_BYTES);
		for (uint32_t i = 0; i < length; i++)
			peer->wrong += bytes[i] != stream_byte(10 + peer->port, peer->received++);
		progress = true;
	}
	while (add(world, index, 1 + random_below(&world->random, SLOT_BYTES), true))
		progress = true;
	publish(world, index);
	return progress;
}

static void wait_for_interrupt(struct world *world)
{
	struct pollfd fds = {.fd = world->interrupt_fd, .events = POLLIN};
	bool ready = false;
	uint64_t count;

	for (unsigned int i = 0; i < QUEUES; i++)
		ready |= driver_enable_interrupts(&world->queues[i].driver);
	if (ready)
		return;
	if (poll(&fds, 1, HANG_MS) != 1)
		fail_msg("the guest was never notified: %llu and %llu sent, %llu and %llu received",
			(unsigned long long)world->peers[0].sent,
			(unsigned long long)world->peers[1].sent,
			(unsigned long long)world->peers[0].received,
			(unsigned long long)world->peers[1].received);
	(void)!read(world->interrupt_fd, &count, sizeof(count));
}

static bool is_done(const struct world *world)
{
	for (unsigned int i = 0; i < PORTS; i++)
		if (world->peers[i].sent < TOTAL_BYTES ||
			world->queues[tx_queues[i]].free_count < QUEUE_SIZE ||
			world->peers[i].received < TOTAL_BYTES)
			return false;
	return true;
}

static void nothing_is_lost(enum io_engine_choice engine, bool packed)
{
	struct world world;

	if (!create(&world, engine))
		return; /* this host forbids it */
	start_driver(&world, packed);
	open_ports(&world);
	for (unsigned int i = 0; i < PORTS; i++) {
		struct peer *peer = &world.peers[i];

		assert_int_equal(pthread_create(&peer->reader, NULL, peer_read, peer), 0);
		assert_int_equal(pthread_create(&peer->writer, NULL, peer_write, peer), 0);
	}
	while (!is_done(&world)) {
		bool progress = false;

		for (unsigned int i = 0; i < PORTS; i++) {
			progress |= transmit(&world, &world.peers[i]);
			progress |= receive(&world, &world.peers[i]);
		}
		if (!progress)
			wait_for_interrupt(&world);
	}
	for (unsigned int i = 0; i < PORTS; i++) {
		struct peer *peer = &world.peers[i];

		assert_int_equal(pthread_join(peer->reader, NULL), 0);
		assert_int_equal(pthread_join(peer->writer, NULL), 0);
		assert_int_equal(peer->wrong, 0);
		assert_int_equal(console_dropped_bytes(peer->console), 0);
	}
	assert_int_equal(virtio_device_status(world.device), 15);
	destroy(&world);
}

static void nothing_is_lost_split_threads(void **state)
{
	(void)state;
	nothing_is_lost(IO_ENGINE_THREADS, false);
}

static void nothing_is_lost_packed_uring(void **state)
{
	(void)state;
	nothing_is_lost(IO_ENGINE_URING, true);
}

/* Resets at any moment of traffic in both directions; every one returns, and the next driver finds
 * a device that works. */
static void resets_under_traffic(void **state)
{
	static const uint8_t typed[600];
	struct world world;

	(void)state;
	assert_true(create(&world, IO_ENGINE_AUTO));
	for (unsigned int round = 0; round < 40; round++) {
		start_driver(&world, round % 2);
		open_ports(&world);
		for (unsigned int i = 0; i < PORTS; i++) {
			struct peer *peer = &world.peers[i];
			uint8_t bytes[4096];

			peer->sent = 0;
			(void)send(peer->fd, typed, 1 + random_below(&world.random, sizeof(typed)),
				MSG_DONTWAIT);
			for (uint32_t j = random_below(&world.random, 4); j > 0; j--) {
				(void)transmit(&world, peer);
				(void)recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
			}
			while (add(&world, rx_queues[i], 7, true))
				;
			publish(&world, rx_queues[i]);
			virtio_console_drained(virtio_console_port(world.console, i));
		}
		virtio_device_set_status(world.device, 0);
		assert_int_equal(virtio_device_status(world.device), 0);
	}
	destroy(&world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_split_threads),
		cmocka_unit_test(nothing_is_lost_packed_uring),
		cmocka_unit_test(resets_under_traffic),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests_name("console threads", tests, NULL, NULL);
}
