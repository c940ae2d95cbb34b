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
#include "inet.h"
#include "lane.h"
#include "user.h"
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

#define ICMP_BYTES 8

const char check_guest_name[] = "net-bench";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct bench {
	bool echo;
	uint32_t bytes;
	uint16_t depth, buffers;
	uint64_t count_max, cycles_max;
	struct lane lanes[2];
	uint64_t cycles, sent, received, in_flight, odd;
};

static struct bench bench;

static void take_received(struct bench *b)
{
	uint16_t old_available = b->lanes[RX].ring.next_available;
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&b->lanes[RX].ring, &id, &length)) {
		b->received++;
		if (length != HEADER_BYTES + b->bytes)
			b->odd++; /* what else a host says */
		else if (b->in_flight)
			b->in_flight--;
		vring_publish(&b->lanes[RX].ring, id);
	}
	lane_notify(&b->lanes[RX], old_available);
}

/* A slot is free when its frame has left and, of an echo, its reply is there. */
static void run(void *argument)
{
	struct bench *b = argument;
	uint16_t free_slots[DEPTH_MAX], free_count = b->depth;
	uint64_t start = board_clock();

	for (uint16_t i = 0; i < b->depth; i++)
		free_slots[i] = i;
	lane_notify(&b->lanes[RX], (uint16_t)(b->lanes[RX].ring.next_available - b->buffers));
	while (b->sent < b->count_max && board_clock() - start < b->cycles_max) {
		uint16_t old_available = b->lanes[TX].ring.next_available;
		uint32_t length;
		uint16_t id;

		while (vring_take_used(&b->lanes[TX].ring, &id, &length))
			free_slots[free_count++] = id;
		if (b->echo)
			take_received(b);
		while (free_count && (!b->echo || b->in_flight < b->depth)) {
			vring_publish(&b->lanes[TX].ring, free_slots[--free_count]);
			b->in_flight += b->echo;
			b->sent++;
		}
		lane_notify(&b->lanes[TX], old_available);
	}
	b->cycles = board_clock() - start;
}

/* --- Frames --- */

static void put_ip(uint8_t *ip, uint32_t bytes, uint8_t protocol)
{
	static const uint8_t own[4] = {10, 99, 0, 2}, other[4] = {10, 99, 0, 1};

	inet_put_ip(ip, bytes, protocol, own, other);
}

static void make_frame(
	const struct bench *b, uint8_t *buffer, const char *line, uint32_t segment_bytes)
{
	uint64_t mac = words_number(line, "mac", UINT64_C(0x02ffffffffff));
	uint8_t *frame = buffer + HEADER_BYTES, *ip = frame + ETHERNET_BYTES;

	for (unsigned int i = 0; i < 6; i++) {
		frame[i] = (uint8_t)(mac >> 8 * (5 - i));
		frame[6 + i] = (uint8_t)(i ? i : 2);
	}
	put16(frame + 12, 0x0800);
	if (b->echo) {
		ip[IP_BYTES] = 8;
		put16(ip + IP_BYTES + 2,
			inet_checksum(ip + IP_BYTES, b->bytes - ETHERNET_BYTES - IP_BYTES));
		put_ip(ip, b->bytes - ETHERNET_BYTES, 1);
	} else if (segment_bytes) {
		buffer[0] = 1; /* the checksum is missing, */
		buffer[1] = 1; /* ... TCP over IPv4 */
		buffer[2] = ETHERNET_BYTES + IP_BYTES + 20;
		buffer[4] = (uint8_t)segment_bytes;
		buffer[5] = (uint8_t)(segment_bytes >> 8);
		buffer[6] = ETHERNET_BYTES + IP_BYTES;
		buffer[8] = 16;
		ip[IP_BYTES + 12] = 0x50;
		put_ip(ip, b->bytes - ETHERNET_BYTES, 6);
	} else {
		put_ip(ip, b->bytes - ETHERNET_BYTES, 253);
	}
}

/* --- Setting up --- */

static bool prepare(struct bench *b, struct virtio *device, uint16_t queue, uint16_t slots,
	uint32_t bytes, const char *line)
{
	struct lane *lane = &b->lanes[queue];

	if (!lane_prepare(lane, device, queue, DEPTH_MAX, 1) || lane->ring.size < slots ||
		!lane_add_buffers(lane, slots, HEADER_BYTES + bytes, queue == RX))
		return false;
	for (uint16_t slot = 0; slot < slots; slot++) {
		if (queue == TX)
			make_frame(b, lane_buffer(lane, slot), line,
				(uint32_t)words_number(line, "segment", 0));
		else
			vring_publish(&lane->ring, slot);
	}
	return lane_open(lane);
}

static const char *bring_up(struct bench *b, struct virtio *device, const char *line)
{
	uint64_t bytes = words_number(line, "bytes", 60), depth = words_number(line, "depth", 64);
	char op[8];

	b->echo = words_value(line, "op", op, sizeof(op)) && string_equal(op, "echo");
	if (bytes < ETHERNET_BYTES + IP_BYTES + ICMP_BYTES || bytes > FRAME_MAX || !depth ||
		depth > DEPTH_MAX || (b->echo && bytes > BUFFER_BYTES - HEADER_BYTES))
		return "the words make no sense";
	b->bytes = (uint32_t)bytes;
	b->depth = (uint16_t)depth;
	b->buffers = b->echo ? DEPTH_MAX : 0;
	b->count_max = words_number(line, "count", UINT64_MAX);
	b->cycles_max = words_number(line, "ms",
				b->count_max == UINT64_MAX ? DEFAULT_MS : 24 * 3600 * 1000) *
	                (board_clock_hz() / 1000);
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
		b->lanes[RX].notifications + b->lanes[TX].notifications, b->odd);
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	struct virtio *device = devices_first(line, VIRTIO_NETWORK);
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
