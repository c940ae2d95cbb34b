/*
 * A network device behind real queues, on a real I/O thread, with a driver written from the
 * specification. At the other end is a socket of the test's: of a stream backend, or of a backend
 * of the test's own that has the vnet header, offloads and several pairs. Constants from VIRTIO 1.2
 * 5.1, not from Hull's headers.
 */
#pragma once

#include "cmocka_all.h"
#include "device_events.h"
#include "virtio_bring_up.h"
#include "virtio_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMORY_BASE  UINT64_C(0x100000)
#define MEMORY_BYTES (UINT64_C(32) << 20)
#define RINGS_BYTES  UINT64_C(0x10000)
#define PAIRS        2
#define QUEUES       (2 * PAIRS + 1)
#define QUEUE_SIZE   64
#define SLOT_BYTES   UINT64_C(0x20000) /* of memory for each buffer of the tests */
#define SLOTS        128

#define BIT(n)           (UINT64_C(1) << (n))
#define F_CSUM           BIT(0)
#define F_GUEST_CSUM     BIT(1)
#define F_GUEST_OFFLOADS BIT(2)
#define F_MTU            BIT(3)
#define F_MAC            BIT(5)
#define F_GUEST_TSO4     BIT(7)
#define F_HOST_TSO4      BIT(11)
#define F_HOST_ECN       BIT(13)
#define F_MRG_RXBUF      BIT(15)
#define F_STATUS         BIT(16)
#define F_CTRL_VQ        BIT(17)
#define F_CTRL_RX        BIT(18)
#define F_CTRL_VLAN      BIT(19)
#define F_RX_EXTRA       BIT(20)
#define F_ANNOUNCE       BIT(21)
#define F_MQ             BIT(22)
#define F_MAC_ADDR       BIT(23)
#define F_HOST_USO       BIT(56)
#define F_INDIRECT       BIT(28)
#define F_EVENT_IDX      BIT(29)
#define F_VERSION_1      BIT(32)
#define F_PACKED         BIT(34)

#define HEADER   12 /* of VIRTIO 1.2 5.1.6 */
#define RX_QUEUE 0
#define TX_QUEUE 1

static const uint8_t nic_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* A backend with everything: frames with their header are datagrams. */
struct header_net {
	struct net net;
	_Atomic unsigned int offloads, pairs;
};

static struct {
	struct header_net header;
	struct net *backend;
	struct io_thread *threads[PAIRS];
	unsigned int thread_count;
	struct gmem gmem;
	struct virtio_net *net;
	struct virtio_device *device;
	struct virtio_driver drivers[QUEUES];
	int peers[PAIRS]; /* the test's ends */
	struct device_events events;
	_Atomic unsigned int link_ups, link_downs, captures_ended;
	uint8_t *memory; /* host address of MEMORY_BASE */
	int vhost_fd;    /* of the first pair's vhost-net, by the test; 0: none */
} t = {.events.name = "NIC"};

static inline ssize_t header_receive(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	ssize_t r;

	if (pair >= container_of(net, struct header_net, net)->pairs)
		return -EBADFD; /* as a tap's queue that was detached */
	r = readv(net->pairs[pair].fd, iov, (int)iov_count);
	return r < 0 ? -errno : r == 0 ? -EPIPE : r;
}

static inline int header_send(
	struct net *net, unsigned int pair, struct iovec *iov, unsigned int iov_count)
{
	ssize_t r;

	if (pair >= container_of(net, struct header_net, net)->pairs)
		return -EBADFD;
	r = writev(net->pairs[pair].fd, iov, (int)iov_count);
	return r < 0 ? -errno : 0;
}

static inline int header_set_offloads(struct net *net, unsigned int offloads)
{
	container_of(net, struct header_net, net)->offloads = offloads;
	return 0;
}

static inline int header_set_pairs(struct net *net, unsigned int count)
{
	container_of(net, struct header_net, net)->pairs = count;
	return 0;
}

static inline void header_destroy(struct net *net)
{
	for (unsigned int i = 0; i < PAIRS; i++)
		(void)close(net->pairs[i].fd);
}

static const struct net_ops header_ops = {
	.receive = header_receive,
	.send = header_send,
	.set_offloads = header_set_offloads,
	.set_pairs = header_set_pairs,
	.destroy = header_destroy,
};

static inline void make_pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static inline void make_header_backend(void)
{
	int fds[2];

	t.header = (struct header_net){.net = {.ops = &header_ops,
					       .name = "test",
					       .has_vnet_header = true,
					       .receive_offloads = 0x3f,
					       .send_offloads = 0x3f,
					       .mtu = 9000,
					       .pair_count = PAIRS,
					       .has_vhost = t.vhost_fd > 0},
		.pairs = PAIRS};
	for (unsigned int i = 0; i < PAIRS; i++) {
		make_pair(SOCK_SEQPACKET, fds);
		t.header.net.pairs[i].net = &t.header.net;
		t.header.net.pairs[i].fd = fds[0];
		t.header.net.pairs[i].vhost_fd = t.vhost_fd + (int)i;
		t.peers[i] = fds[1];
	}
	atomic_init(&t.header.net.link_up, true);
	t.backend = &t.header.net;
}

/* Or what options say; then peers[0] is the other end of a stream unless they name a path. */
static inline void make_backend(struct net_options *options)
{
	struct err err = {0};
	int fds[2] = {-1, -1};

	options->pairs = 1;
	if (!options->path) {
		make_pair(SOCK_STREAM, fds);
		options->fd = fds[0];
	} else {
		options->fd = -1;
	}
	options->kind = NET_SOCKET;
	if (net_open(options, &t.backend, &err) != 0)
		fail_msg("%s", err.text);
	t.peers[0] = fds[1];
}

static inline void count_link(void *owner, bool up, int code)
{
	(void)owner;
	assert_true(up == (code == 0));
	if (up)
		t.link_ups++;
	else
		t.link_downs++;
}

static inline void count_capture_end(void *owner, int code)
{
	(void)owner;
	assert_true(code < 0);
	t.captures_ended++;
}

/* options: NULL for the backend with everything. */
static inline void start_on(unsigned int threads, struct net_options *options, bool antispoof,
	enum io_engine_choice engine)
{
	struct virtio_net_options net_options = {
		.name = "NIC",
		.antispoof = antispoof,
		.fault_sink = {.broken = events_fault, .owner = &t.events},
		.sink = {.link_changed = count_link, .capture_ended = count_capture_end},
		.gmem = &t.gmem,
	};
	struct io_thread_options thread_options = {.name = "test", .engine = engine};
	struct err err = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	t.events.config_changes = t.events.faults = 0;
	t.link_ups = t.link_downs = t.captures_ended = 0;
	if (options)
		make_backend(options);
	else
		make_header_backend();
	t.thread_count = threads;
	for (unsigned int i = 0; i < threads; i++)
		assert_int_equal(io_thread_create(&thread_options, &t.threads[i], &err), 0);
	t.gmem = (struct gmem){.region_count = 1,
		.regions = {{.base = {MEMORY_BASE}, .size_bytes = MEMORY_BYTES, .fd = -1}}};
	assert_int_equal(gmem_create(&t.gmem, &(struct gmem_options){0}, &err), 0);
	t.memory = t.gmem.regions[0].host;
	net_options.io_threads = t.threads;
	net_options.io_thread_count = threads;
	net_options.backend = t.backend;
	memcpy(net_options.mac, nic_mac, sizeof(nic_mac));
	assert_int_equal(virtio_net_create(&net_options, &t.net, &err), 0);
	t.device = virtio_net_device(t.net);
	t.device->notifier = (struct virtio_notifier){
		.used_buffer = events_used,
		.configuration_changed = events_config,
		.transport = &t.events,
	};
}

static inline void start(struct net_options *options, bool antispoof, enum io_engine_choice engine)
{
	start_on(1, options, antispoof, engine);
}

static inline void stop(void)
{
	t.device->ops->destroy(t.device);
	net_close(t.backend);
	for (unsigned int i = 0; i < t.thread_count; i++)
		io_thread_destroy(t.threads[i]);
	gmem_destroy(&t.gmem);
	for (unsigned int i = 0; i < PAIRS; i++) {
		if (t.peers[i] >= 0)
			(void)close(t.peers[i]);
		t.peers[i] = -1;
	}
}

static inline struct bring_up all_queues(void)
{
	return (struct bring_up){
		.device = t.device,
		.drivers = t.drivers,
		.queue_count = t.device->queue_count,
		.queue_size = QUEUE_SIZE,
		.memory = t.memory,
		.memory_base = MEMORY_BASE,
		.rings_bytes = RINGS_BYTES,
	};
}

/* From reset to DRIVER_OK. */
static inline void drive(uint64_t features)
{
	struct bring_up to = all_queues();

	virtio_device_set_status(t.device, 0); /* nothing is counted any more */
	for (unsigned int i = 0; i < to.queue_count; i++)
		t.events.notifications[i] = 0;
	bring_up(&to, features);
}

static inline uint64_t slot_address(unsigned int slot)
{
	assert_true(slot < SLOTS);
	return MEMORY_BASE + QUEUES * RINGS_BYTES + slot * SLOT_BYTES;
}

static inline uint8_t *slot_bytes(unsigned int slot)
{
	return t.memory + (slot_address(slot) - MEMORY_BASE);
}

static inline void publish(unsigned int queue)
{
	if (driver_publish(&t.drivers[queue]))
		virtio_device_notify(t.device, queue);
}

/* One buffer of a slot. */
static inline uint16_t add(unsigned int queue, unsigned int slot, uint32_t length, bool writable)
{
	struct driver_buffer buffer = {slot_address(slot), length, writable};
	uint16_t id = 0;

	assert_true(driver_add(&t.drivers[queue], &buffer, 1, 0, &id));
	return id;
}

static inline uint32_t wait_used(unsigned int queue, uint16_t *ret_id)
{
	uint32_t length;

	while (!driver_get_used(&t.drivers[queue], ret_id, &length))
		(void)sched_yield();
	return length;
}

static inline bool has_used(unsigned int queue)
{
	uint16_t id;
	uint32_t length;

	return driver_get_used(&t.drivers[queue], &id, &length);
}

/* Returns when each I/O thread has come to rest at least once since. */
static inline void nothing_on_io(void *context)
{
	(void)context;
}

static inline void settle(void)
{
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int j = 0; j < t.thread_count; j++)
			io_thread_call(t.threads[j], nothing_on_io, NULL);
}

static inline void wait_for(const _Atomic unsigned int *counter, unsigned int value)
{
	while (atomic_load(counter) < value)
		(void)sched_yield();
}

static inline uint64_t count_of(enum net_direction direction, enum virtio_net_count count)
{
	return virtio_net_count(t.net, 0, direction, count);
}

static inline void wait_count(
	enum net_direction direction, enum virtio_net_count count, uint64_t value)
{
	while (count_of(direction, count) < value)
		(void)sched_yield();
}

/* A frame to nic_mac from elsewhere, with a pattern. */
static inline void make_frame(uint8_t *frame, size_t length, unsigned int seed)
{
	static const uint8_t beginning[14] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00};

	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 7 + i / 251 + seed);
	memcpy(frame, beginning, length < 14 ? length : 14);
}

/* --- The other end --- */

static inline void write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *cursor = bytes;

	while (length) {
		ssize_t r = write(fd, cursor, length);

		if (r < 0) {
			struct pollfd ready = {.fd = fd, .events = POLLOUT};

			assert_int_equal(errno, EAGAIN);
			(void)poll(&ready, 1, -1);
			continue;
		}
		cursor += r;
		length -= (size_t)r;
	}
}

static inline void read_all(int fd, void *bytes, size_t length)
{
	uint8_t *cursor = bytes;

	while (length) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t r;

		(void)poll(&ready, 1, -1);
		r = read(fd, cursor, length);
		assert_true(r > 0);
		cursor += r;
		length -= (size_t)r;
	}
}

/* As the stream protocol has it. */
static inline void peer_send_stream(const uint8_t *frame, size_t length)
{
	uint32_t prefix = htonl((uint32_t)length);

	write_all(t.peers[0], &prefix, sizeof(prefix));
	write_all(t.peers[0], frame, length);
}

static inline size_t peer_receive_stream(uint8_t *frame)
{
	uint32_t length;

	read_all(t.peers[0], &length, sizeof(length));
	length = ntohl(length);
	read_all(t.peers[0], frame, length);
	return length;
}

/* Header and frame in one datagram. */
static inline void peer_send_header(unsigned int pair, const uint8_t *frame, size_t length)
{
	struct pollfd ready = {.fd = t.peers[pair], .events = POLLOUT};

	(void)poll(&ready, 1, -1);
	assert_int_equal(write(t.peers[pair], frame, length), length);
}

static inline size_t peer_receive_header(unsigned int pair, uint8_t *frame, size_t room)
{
	struct pollfd ready = {.fd = t.peers[pair], .events = POLLIN};
	ssize_t r;

	(void)poll(&ready, 1, -1);
	r = read(t.peers[pair], frame, room);
	assert_true(r > 0);
	return (size_t)r;
}
