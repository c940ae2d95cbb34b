/*
 * A network benchmark without an operating system: keeps so many frames on their way for so long
 * and says how many there were. The loop runs in ring 3 (see user.h) and polls.
 *
 *     op=send|echo     send (the default): frames that nobody waits for; echo: ICMP requests, whose
 *                      replies are counted (the other side is 10.99.0.1, with the MAC of mac=)
 *     bytes=N depth=N  of a frame (default 60, at most 65549), on their way at once (default 64)
 *     segment=N        send as one TCP segment of 64 KiB that the host is to divide
 *     mac=N            the other side's address as a number
 *     count=N, ms=N    ends after either; default ms=1000
 *     ring0            slower
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "devices.h"
#include "mmio.h"
#include "user.h"
#include "vring.h"
#include "words.h"

#define RX 0
#define TX 1

#define F_CSUM      FEATURE(0)
#define F_HOST_TSO4 FEATURE(11)
#define F_MRG_RXBUF FEATURE(15)

#define DEPTH_MAX    256
#define HEADER_BYTES 12
#define FRAME_MAX    65549
#define BUFFER_BYTES 2048
#define DEFAULT_MS   1000

#define ETHERNET 14
#define IP       20
#define ICMP     8

const char check_guest_name[] = "net-bench";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct bench {
	bool echo, wide_notify;
	uint32_t bytes;
	uint16_t depth, buffers;
	uint64_t count_max, cycles_max;
	struct vring rings[2];
	uint64_t notify[2];
	uint64_t cycles, sent, received, in_flight, notifications, odd;
};

static struct bench bench;

static void notify(struct bench *b, unsigned int queue, uint16_t old_available)
{
	if (b->rings[queue].next_available == old_available ||
		!vring_must_notify(&b->rings[queue], old_available))
		return;
	b->notifications++;
	if (b->wide_notify)
		mmio_write32(b->notify[queue], queue);
	else
		mmio_write16(b->notify[queue], (uint16_t)queue);
}

static void take_received(struct bench *b)
{
	uint16_t old_available = b->rings[RX].next_available;
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&b->rings[RX], &id, &length)) {
		b->received++;
		if (length != HEADER_BYTES + b->bytes)
			b->odd++; /* what else a host says */
		else if (b->in_flight)
			b->in_flight--;
		vring_publish(&b->rings[RX], id);
	}
	notify(b, RX, old_available);
}

/* A slot is free when its frame has left and, of an echo, its reply is there. */
static void run(void *argument)
{
	struct bench *b = argument;
	uint16_t free_slots[DEPTH_MAX], free_count = b->depth;
	uint64_t start = board_clock();

	for (uint16_t i = 0; i < b->depth; i++)
		free_slots[i] = i;
	notify(b, RX, (uint16_t)(b->rings[RX].next_available - b->buffers));
	while (b->sent < b->count_max && board_clock() - start < b->cycles_max) {
		uint16_t old_available = b->rings[TX].next_available;
		uint32_t length;
		uint16_t id;

		while (vring_take_used(&b->rings[TX], &id, &length))
			free_slots[free_count++] = id;
		if (b->echo)
			take_received(b);
		while (free_count && (!b->echo || b->in_flight < b->depth)) {
			vring_publish(&b->rings[TX], free_slots[--free_count]);
			b->in_flight += b->echo;
			b->sent++;
		}
		notify(b, TX, old_available);
	}
	b->cycles = board_clock() - start;
}

/* --- Frames --- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071 */
static uint32_t checksum(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void put_ip(uint8_t *ip, uint32_t bytes, uint8_t protocol)
{
	static const uint8_t addresses[8] = {10, 99, 0, 2, 10, 99, 0, 1};

	ip[0] = 0x45;
	put16(ip + 2, bytes);
	ip[6] = 0x40; /* do not fragment */
	ip[8] = 64;
	ip[9] = protocol;
	for (unsigned int i = 0; i < sizeof(addresses); i++)
		ip[12 + i] = addresses[i];
	put16(ip + 10, checksum(ip, IP));
}

static void make_frame(
	const struct bench *b, uint8_t *buffer, const char *line, uint32_t segment_bytes)
{
	uint64_t mac = words_number(line, "mac", UINT64_C(0x02ffffffffff));
	uint8_t *frame = buffer + HEADER_BYTES, *ip = frame + ETHERNET;

	for (unsigned int i = 0; i < 6; i++) {
		frame[i] = (uint8_t)(mac >> 8 * (5 - i));
		frame[6 + i] = (uint8_t)(i ? i : 2);
	}
	put16(frame + 12, 0x0800);
	if (b->echo) {
		ip[IP] = 8;
		put16(ip + IP + 2, checksum(ip + IP, b->bytes - ETHERNET - IP));
		put_ip(ip, b->bytes - ETHERNET, 1);
	} else if (segment_bytes) {
		buffer[0] = 1; /* the checksum is missing, */
		buffer[1] = 1; /* ... TCP over IPv4 */
		buffer[2] = ETHERNET + IP + 20;
		buffer[4] = (uint8_t)segment_bytes;
		buffer[5] = (uint8_t)(segment_bytes >> 8);
		buffer[6] = ETHERNET + IP;
		buffer[8] = 16;
		ip[IP + 12] = 0x50;
		put_ip(ip, b->bytes - ETHERNET, 6);
	} else {
		put_ip(ip, b->bytes - ETHERNET, 253);
	}
}

/* --- Setting up --- */

static bool prepare(struct bench *b, const struct virtio *device, uint16_t queue, uint16_t slots,
	uint32_t bytes, const char *line)
{
	struct vring *ring = &b->rings[queue];
	void *memory = board_take(VRING_BYTES, 4096);
	uint16_t size = virtio_queue_size_max(device, queue);

	size = size > DEPTH_MAX ? DEPTH_MAX : size;
	if (!memory || size < slots)
		return false;
	vring_place(ring, (uintptr_t)memory, queue, size, false,
		device->accepted & FEATURE_EVENT_INDEX);
	ring->stride = 1;
	for (uint16_t slot = 0; slot < slots; slot++) {
		uint8_t *buffer = board_take(HEADER_BYTES + bytes, 64);
		struct vring_buffer chain = {(uintptr_t)buffer, HEADER_BYTES + bytes, queue == RX};

		if (!buffer)
			return false;
		if (queue == TX)
			make_frame(b, buffer, line, (uint32_t)words_number(line, "segment", 0));
		vring_write_chain(ring, slot, &chain, 1);
		if (queue == RX)
			vring_publish(ring, slot);
	}
	vring_disable_interrupts(ring);
	vring_configure(ring, device);
	device->transport->enable(device, 1);
	b->notify[queue] = device->transport->notify_address(device, queue);
	return b->notify[queue];
}

static struct virtio *find_nic(const char *line)
{
	unsigned int count = devices_find(line);

	for (unsigned int i = 0; i < count; i++)
		if (devices_get(i)->device_id == VIRTIO_NETWORK)
			return devices_get(i);
	return NULL;
}

static const char *bring_up(struct bench *b, struct virtio *device, const char *line)
{
	uint64_t bytes = words_number(line, "bytes", 60), depth = words_number(line, "depth", 64);
	char op[8];

	b->echo = words_value(line, "op", op, sizeof(op)) && string_equal(op, "echo");
	if (bytes < ETHERNET + IP + ICMP || bytes > FRAME_MAX || !depth || depth > DEPTH_MAX ||
		(b->echo && bytes > BUFFER_BYTES - HEADER_BYTES))
		return "the words make no sense";
	b->bytes = (uint32_t)bytes;
	b->depth = (uint16_t)depth;
	b->buffers = b->echo ? DEPTH_MAX : 0;
	b->count_max = words_number(line, "count", UINT64_MAX);
	b->cycles_max = words_number(line, "ms",
				b->count_max == UINT64_MAX ? DEFAULT_MS : 24 * 3600 * 1000) *
	                (board_clock_hz() / 1000);
	b->wide_notify = !virtio_is_pci(device);
	if (!virtio_negotiate(device, FEATURE_EVENT_INDEX | F_MRG_RXBUF | F_CSUM | F_HOST_TSO4))
		return "the device does not take the features";
	if (!prepare(b, device, RX, b->buffers, BUFFER_BYTES - HEADER_BYTES, line) ||
		!prepare(b, device, TX, b->depth, b->bytes, line))
		return "a queue is missing or too small, or memory is";
	virtio_driver_ok(device);
	return NULL;
}

static void print_result(const struct bench *b)
{
	uint64_t microseconds = b->cycles / (board_clock_hz() / 1000000);
	uint64_t frames = b->echo ? b->received - b->odd : b->sent;

	console_print("net-bench: result frames=%lu bytes=%lu us=%lu frames-per-s=%lu "
		      "mib-per-s=%lu notifications=%lu odd=%lu\n",
		frames, frames * b->bytes, microseconds,
		microseconds ? frames * 1000000 / microseconds : 0,
		microseconds ? ((frames * b->bytes) >> 20) * 1000000 / microseconds : 0,
		b->notifications, b->odd);
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	struct virtio *device = find_nic(line);
	const char *problem = device ? bring_up(&bench, device, line) : "there is no NIC";

	if (problem) {
		console_print("net-bench: %s\n", problem);
		board_end(false);
	}
	if (words_has(line, "ring0"))
		run(&bench);
	else
		user_run(run, &bench);
	print_result(&bench);
	(void)virtio_reset(device);
	board_end(true);
}
