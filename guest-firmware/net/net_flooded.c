/*
 * A disk and a NIC at once: reads blocks, so many at a time, while it takes whatever frames come
 * and gives their buffers back. Says how many there were of both. Runs in ring 3 (see user.h) and
 * polls.
 *
 *     depth=N   reads under way (default 4)
 *     ms=N      how long (default 1000)
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "devices.h"
#include "lane.h"
#include "user.h"
#include "virtio_blk.h"
#include "words.h"

#define F_MRG_RXBUF FEATURE(15)

#define DEPTH_MAX     64
#define READ_BYTES    4096
#define CHAIN         3
#define DISK_SIZE     256
#define BUFFERS       256
#define BUFFER_BYTES  2048
#define DEFAULT_DEPTH 4
#define DEFAULT_MS    1000

const char check_guest_name[] = "net-flooded";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct bench {
	struct lane disk, nic;
	struct blk_slot *requests;
	uint16_t depth;
	uint64_t blocks, cycles_max;
	uint64_t cycles, reads, errors, frames, longest;
	uint64_t started[DEPTH_MAX];
};

static struct bench bench;

static void take_frames(struct bench *b)
{
	uint16_t old_available = b->nic.ring.next_available;
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&b->nic.ring, &id, &length)) {
		b->frames++;
		vring_publish(&b->nic.ring, id);
	}
	lane_notify(&b->nic, old_available);
}

static void send_read(struct bench *b, uint16_t slot)
{
	b->requests[slot].header.sector = (b->reads * 7919 + slot) % b->blocks *
	                                  (READ_BYTES / BLK_SECTOR_BYTES);
	b->started[slot] = board_clock();
	vring_publish(&b->disk.ring, (uint16_t)(slot * CHAIN));
}

static void take_reads(struct bench *b)
{
	uint16_t old_available = b->disk.ring.next_available;
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&b->disk.ring, &id, &length)) {
		uint16_t slot = (uint16_t)(id / CHAIN);
		uint64_t took = board_clock() - b->started[slot];

		b->reads++;
		b->errors += b->requests[slot].status != BLK_OK;
		b->longest = took > b->longest ? took : b->longest;
		send_read(b, slot);
	}
	lane_notify(&b->disk, old_available);
}

static void run(void *argument)
{
	struct bench *b = argument;
	uint64_t start = board_clock();

	for (uint16_t slot = 0; slot < b->depth; slot++)
		send_read(b, slot);
	lane_notify(&b->disk, 0);
	lane_notify(&b->nic, 0);
	while (board_clock() - start < b->cycles_max) {
		take_reads(b);
		take_frames(b);
	}
	b->cycles = board_clock() - start;
}

static bool bring_up_disk(struct bench *b, struct virtio *device)
{
	if (!device || !virtio_negotiate(device, FEATURE_EVENT_INDEX) ||
		!lane_prepare(&b->disk, device, 0, DISK_SIZE, CHAIN) ||
		b->disk.ring.size < b->depth * CHAIN)
		return false;
	b->blocks = blk_capacity_sectors(device) / (READ_BYTES / BLK_SECTOR_BYTES);
	b->requests = board_take(b->depth * sizeof(*b->requests), 64);
	for (uint16_t slot = 0; slot < b->depth; slot++) {
		struct vring_buffer buffers[CHAIN];
		void *data = board_take(READ_BYTES, 4096);

		if (!b->requests || !data || !b->blocks)
			return false;
		(void)blk_prepare(
			&b->requests[slot], BLK_IN, 0, (uintptr_t)data, READ_BYTES, buffers);
		vring_write_chain(&b->disk.ring, slot, buffers, CHAIN);
	}
	if (!lane_open(&b->disk))
		return false;
	virtio_driver_ok(device);
	return true;
}

static bool bring_up_nic(struct bench *b, struct virtio *device)
{
	if (!device || !virtio_negotiate(device, FEATURE_EVENT_INDEX | F_MRG_RXBUF) ||
		!lane_prepare(&b->nic, device, 0, BUFFERS, 1) ||
		!lane_add_buffers(&b->nic, b->nic.ring.size, BUFFER_BYTES, true))
		return false;
	for (uint16_t slot = 0; slot < b->nic.ring.size; slot++)
		vring_publish(&b->nic.ring, slot);
	if (!lane_open(&b->nic))
		return false;
	virtio_driver_ok(device);
	return true;
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	uint64_t per_us = board_clock_hz() / 1000000, us;

	bench.depth = (uint16_t)words_number(line, "depth", DEFAULT_DEPTH);
	bench.cycles_max = words_number(line, "ms", DEFAULT_MS) * 1000 * per_us;
	if (!bench.depth || bench.depth > DEPTH_MAX ||
		!bring_up_disk(&bench, devices_first(line, VIRTIO_BLOCK)) ||
		!bring_up_nic(&bench, devices_first(line, VIRTIO_NETWORK))) {
		console_print(
			"net-flooded: there is no disk, or no NIC, or the words make no sense\n");
		board_end(false);
	}
	user_run(run, &bench);
	us = bench.cycles / per_us;
	console_print("net-flooded: result reads=%lu frames=%lu us=%lu reads-per-s=%lu "
		      "frames-per-s=%lu longest-us=%lu errors=%lu\n",
		bench.reads, bench.frames, us, bench.reads * 1000000 / us,
		bench.frames * 1000000 / us, bench.longest / per_us, bench.errors);
	(void)virtio_reset(bench.nic.device);
	(void)virtio_reset(bench.disk.device);
	board_end(!bench.errors);
}
