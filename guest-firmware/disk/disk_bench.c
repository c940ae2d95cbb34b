/*
 * A block benchmark without an operating system: keeps so many requests in flight for so long and
 * says how many came back. The loop runs in ring 3 (see user.h) and polls for completions.
 *
 *     op=randread|randwrite|seqread|seqwrite   default randread
 *     block=BYTES depth=N queues=N             defaults 4096, 32, 1; depth is that of all queues
 *     count=N, ms=N                            ends after either; default ms=1000
 *     span-mib=N                               uses only the first N MiB
 *     packed, direct, no-event-index, ring0    format, three descriptors a request, plainer, slower
 */
#include "barrier.h"
#include "board.h"
#include "check.h"
#include "console.h"
#include "disk.h"
#include "mmio.h"
#include "user.h"
#include "words.h"

#define QUEUES_MAX    16
#define DEPTH_MAX     256
#define BLOCK_MAX     (UINT64_C(1) << 20)
#define DEFAULT_BLOCK 4096
#define DEFAULT_DEPTH 32
#define DEFAULT_MS    1000
#define CHAIN         3
#define CLOCK_EVERY   16
#define RANDOM_SEED   UINT64_C(0x9e3779b97f4a7c15)
#define BUCKET_BITS   3 /* an octave of latency has eight buckets */
#define BUCKETS       (64 << BUCKET_BITS)

const char check_guest_name[] = "disk-bench";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct request {
	struct blk_slot blk;
	struct vring_descriptor table[CHAIN]; /* indirect */
	uint64_t data;
	uint64_t started;
};

struct lane { /* a queue and its requests */
	struct vring ring;
	uint64_t notify_address;
	struct request *requests;
};

struct bench {
	const char *op;
	uint32_t type;
	bool random, indirect, wide_notify;
	unsigned int queues, depth; /* depth: of each queue */
	uint32_t block;
	uint64_t blocks; /* to choose from */
	uint64_t count_max, cycles_max;
	struct lane lanes[QUEUES_MAX];

	uint64_t random_state, position;
	uint64_t start, cycles, done, errors, notifications, in_flight;
	uint64_t buckets[BUCKETS];
};

static struct bench bench;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Without a division: the upper half of the product is below blocks. */
static uint64_t next_sector(struct bench *b)
{
	uint64_t index;

	if (b->random) {
		index = (uint64_t)(((unsigned __int128)next_random(&b->random_state) * b->blocks) >>
				   64);
	} else {
		index = b->position;
		b->position = b->position + 1 == b->blocks ? 0 : b->position + 1;
	}
	return index * (b->block / BLK_SECTOR_BYTES);
}

static void submit(struct bench *b, struct lane *lane, uint16_t slot)
{
	struct request *request = &lane->requests[slot];

	request->blk.header.sector = next_sector(b);
	request->started = board_clock();
	b->in_flight++;
	if (!lane->ring.packed) {
		vring_publish(&lane->ring, (uint16_t)(slot * lane->ring.stride));
	} else {
		const struct vring_packed descriptor = {
			(uintptr_t)request->table, sizeof(request->table), slot, DESC_INDIRECT};

		vring_publish_packed(&lane->ring, &descriptor, 1);
	}
}

static void notify(struct bench *b, const struct lane *lane, uint16_t old_available)
{
	if (lane->ring.next_available == old_available ||
		!vring_must_notify(&lane->ring, old_available))
		return;
	b->notifications++;
	if (b->wide_notify)
		mmio_write32(lane->notify_address, lane->ring.queue);
	else
		mmio_write16(lane->notify_address, lane->ring.queue);
}

static void account(struct bench *b, const struct request *request, uint64_t now)
{
	uint64_t latency = now - request->started;
	unsigned int octave = BUCKET_BITS;

	while (latency >> (octave + 1))
		octave++;
	b->buckets[(octave - BUCKET_BITS) << BUCKET_BITS |
		   (latency >> (octave - BUCKET_BITS) & 7)]++;
	b->done++;
	b->in_flight--;
	if (request->blk.status != BLK_OK)
		b->errors++;
}

/* Takes what has come back and, while going, sends as much again. */
static bool turn(struct bench *b, struct lane *lane, bool going)
{
	uint16_t old_available = lane->ring.next_available;
	bool moved = false;
	uint32_t length;
	uint16_t id;

	while (vring_take_used(&lane->ring, &id, &length)) {
		uint16_t slot = (uint16_t)(id / lane->ring.stride);

		account(b, &lane->requests[slot], board_clock());
		moved = true;
		if (going && b->done + b->in_flight < b->count_max)
			submit(b, lane, slot);
	}
	notify(b, lane, old_available);
	return moved;
}

static void run(void *argument)
{
	struct bench *b = argument;
	bool going = true;

	b->start = board_clock();
	for (unsigned int q = 0; q < b->queues; q++) {
		uint16_t old_available = b->lanes[q].ring.next_available;

		for (uint16_t slot = 0; slot < b->depth; slot++)
			submit(b, &b->lanes[q], slot);
		notify(b, &b->lanes[q], old_available);
	}
	while (b->in_flight) {
		for (unsigned int q = 0; q < b->queues; q++)
			(void)turn(b, &b->lanes[q], going);
		going = going && board_clock() - b->start < b->cycles_max;
	}
	b->cycles = board_clock() - b->start;
}

static void write_table(struct request *request, const struct vring_buffer *buffers)
{
	for (uint16_t i = 0; i < CHAIN; i++)
		request->table[i] = (struct vring_descriptor){buffers[i].address, buffers[i].length,
			(uint16_t)((buffers[i].writable ? DESC_WRITE : 0) |
				   (i + 1 < CHAIN ? DESC_NEXT : 0)),
			(uint16_t)(i + 1)};
}

static bool prepare_lane(struct bench *b, struct virtio *device, uint16_t queue, uint16_t size)
{
	struct lane *lane = &b->lanes[queue];
	void *memory = board_take(VRING_BYTES, 4096);
	bool packed = device->accepted & FEATURE_PACKED;

	lane->requests = board_take(b->depth * sizeof(*lane->requests), 64);
	if (!memory || !lane->requests)
		return false;
	vring_place(&lane->ring, (uintptr_t)memory, queue, size, packed,
		device->accepted & FEATURE_EVENT_INDEX);
	lane->ring.stride = b->indirect ? 1 : CHAIN;
	for (uint16_t slot = 0; slot < b->depth; slot++) {
		struct request *request = &lane->requests[slot];
		struct vring_buffer buffers[CHAIN];
		void *data = board_take(b->block, 4096);

		if (!data)
			return false;
		request->data = (uintptr_t)data;
		(void)blk_prepare(&request->blk, b->type, 0, request->data, b->block, buffers);
		write_table(request, buffers);
		if (!b->indirect)
			vring_write_chain(&lane->ring, slot, buffers, CHAIN);
		else if (!packed)
			vring_descriptors(&lane->ring)[slot] = (struct vring_descriptor){
				(uintptr_t)request->table, sizeof(request->table), DESC_INDIRECT,
				0};
	}
	vring_disable_interrupts(&lane->ring);
	vring_configure(&lane->ring, device);
	device->transport->enable(device, 1);
	lane->notify_address = device->transport->notify_address(device, queue);
	return lane->notify_address;
}

static bool read_words(struct bench *b, const char *line)
{
	static const struct {
		const char *name;
		uint32_t type;
		bool random;
	} ops[] = {
		{"randread", BLK_IN, true},
		{"randwrite", BLK_OUT, true},
		{"seqread", BLK_IN, false},
		{"seqwrite", BLK_OUT, false},
	};
	uint64_t block = words_number(line, "block", DEFAULT_BLOCK);
	uint64_t depth = words_number(line, "depth", DEFAULT_DEPTH);
	uint64_t queues = words_number(line, "queues", 1);
	char name[16];

	if (!words_value(line, "op", name, sizeof(name)))
		(void)words_value("op=randread", "op", name, sizeof(name));
	for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!string_equal(name, ops[i].name))
			continue;
		b->op = ops[i].name;
		b->type = ops[i].type;
		b->random = ops[i].random;
	}
	if (!b->op || !block || block % BLK_SECTOR_BYTES || block > BLOCK_MAX || !queues ||
		queues > QUEUES_MAX || depth < queues || depth / queues > DEPTH_MAX)
		return false;
	b->block = (uint32_t)block;
	b->queues = (unsigned int)queues;
	b->depth = (unsigned int)(depth / queues);
	b->random_state = RANDOM_SEED + words_number(line, "seed", 0);
	b->count_max = words_number(line, "count", UINT64_MAX);
	b->cycles_max = words_number(line, "ms",
				b->count_max == UINT64_MAX ? DEFAULT_MS : 24 * 3600 * 1000) *
	                (board_clock_hz() / 1000);
	if (b->depth * queues > b->count_max)
		b->depth = (unsigned int)(b->count_max / queues);
	return b->depth;
}

static const char *bring_up(struct bench *b, struct virtio *device, const char *line)
{
	uint64_t wanted = FEATURE_INDIRECT | FEATURE_EVENT_INDEX | BLK_F_MQ | BLK_F_FLUSH;
	uint64_t span = words_number(line, "span-mib", UINT64_MAX >> 20) << 20;
	uint16_t size;

	if (words_has(line, "packed"))
		wanted |= FEATURE_PACKED;
	if (words_has(line, "no-event-index"))
		wanted &= ~FEATURE_EVENT_INDEX;
	if (words_has(line, "direct"))
		wanted &= ~FEATURE_INDIRECT;
	if (!virtio_negotiate(device, wanted))
		return "the device does not take the features";
	if (words_has(line, "packed") && !(device->accepted & FEATURE_PACKED))
		return "the device has no packed rings";
	b->indirect = device->accepted & FEATURE_INDIRECT;
	if (!b->indirect && words_has(line, "packed"))
		return "packed is for indirect descriptors only";
	b->wide_notify = !virtio_is_pci(device);
	b->blocks = blk_capacity_sectors(device) * BLK_SECTOR_BYTES;
	b->blocks = (b->blocks < span ? b->blocks : span) / b->block;
	if (!b->blocks)
		return "the disk is smaller than a block";
	for (uint16_t queue = 0; queue < b->queues; queue++) {
		size = virtio_queue_size_max(device, queue);
		size = size > DEPTH_MAX ? DEPTH_MAX : size;
		if (size < b->depth * (b->indirect ? 1 : CHAIN))
			return "a queue is missing or too small";
		if (!prepare_lane(b, device, queue, size))
			return "out of memory";
	}
	virtio_driver_ok(device);
	return NULL;
}

/* The upper end of the bucket below which so many in a thousand are, in nanoseconds. */
static uint64_t percentile_ns(const struct bench *b, uint64_t per_mille)
{
	uint64_t seen = 0;
	unsigned int i = 0;

	for (; i < BUCKETS - 1; i++) {
		seen += b->buckets[i];
		if (seen * 1000 >= b->done * per_mille)
			break;
	}
	return ((UINT64_C(8) + (i & 7) + 1) << (i >> BUCKET_BITS)) * 1000 /
	       (board_clock_hz() / 1000000);
}

static void print_result(const struct bench *b, const struct virtio *device, bool user)
{
	uint64_t hz = board_clock_hz();
	uint64_t microseconds = b->cycles / (hz / 1000000);

	console_print("disk-bench: result op=%s block=%u depth=%u queues=%u transport=%s ring=%s "
		      "indirect=%u event-index=%u cpl=%u",
		b->op, b->block, b->depth * b->queues, b->queues, device->transport->name,
		(device->accepted & FEATURE_PACKED) ? "packed" : "split", b->indirect,
		(device->accepted & FEATURE_EVENT_INDEX) != 0, user ? 3 : 0);
	console_print(" ops=%lu bytes=%lu cycles=%lu hz=%lu us=%lu iops=%lu mib-per-s=%lu "
		      "notifications=%lu p50-ns=%lu p99-ns=%lu errors=%lu\n",
		b->done, b->done * b->block, b->cycles, hz, microseconds,
		microseconds ? b->done * 1000000 / microseconds : 0,
		microseconds ? ((b->done * b->block) >> 20) * 1000000 / microseconds : 0,
		b->notifications, percentile_ns(b, 500), percentile_ns(b, 990), b->errors);
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	struct virtio *device = disk_find(line);
	const char *problem = NULL;
	bool user = !words_has(line, "ring0");

	if (!device)
		board_end(false);
	if (!read_words(&bench, line))
		problem = "the words make no sense";
	else
		problem = bring_up(&bench, device, line);
	if (problem) {
		console_print("disk-bench: %s\n", problem);
		board_end(false);
	}
	if (user)
		user_run(run, &bench);
	else
		run(&bench);
	print_result(&bench, device, user);
	(void)virtio_reset(device);
	board_end(!bench.errors);
}
