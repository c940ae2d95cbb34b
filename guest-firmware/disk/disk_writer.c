/*
 * Writes numbered records (record.h) one after the other and says which of them the disk has
 * acknowledged: what the console shows as acknowledged must be in the image, whatever happens to
 * the VMM.
 *
 *     record=BYTES batch=N count=N   defaults 512, 1, as many as fit; batch: records a flush
 *     run=N                          goes into each record, so that those of earlier runs differ
 *     flush=no                       a completed write counts as acknowledged (write-through)
 *     first=N                        number of the first record; it lies at N * BYTES
 *     retry                          after an error, tries the same record until it works
 *
 *     disk-writer: start run R first N record BYTES capacity N
 *     disk-writer: ack N             all records up to N are acknowledged
 *     disk-writer: error N status S, disk-writer: healed N
 *     disk-writer: end N
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "disk.h"
#include "record.h"
#include "words.h"

#define RECORD_MAX 65536
#define BATCH_MAX  64
#define CHAIN      3
#define RETRY_MS   100

const char check_guest_name[] = "disk-writer";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

struct writer {
	struct virtio *device;
	struct vring ring;
	struct blk_slot *slots;
	uint64_t data; /* of slot 0; the others' follow */
	uint32_t record;
	uint16_t batch;
	uint64_t run;
	bool flush, retry;
};

static struct writer writer;

/* Writes count records from number on, all at once; the worst status. */
static uint8_t write_batch(struct writer *w, uint64_t number, uint16_t count)
{
	uint64_t start = board_clock();
	uint8_t worst = BLK_OK;
	uint32_t length;
	uint16_t id;

	w->ring.stride = CHAIN;
	for (uint16_t i = 0; i < count; i++) {
		uint64_t data = w->data + (uint64_t)i * w->record;
		struct vring_buffer buffers[CHAIN];

		record_fill((uint64_t *)(uintptr_t)data, w->record, number + i, w->run);
		(void)blk_prepare(&w->slots[i], BLK_OUT,
			(number + i) * (w->record / BLK_SECTOR_BYTES), data, w->record, buffers);
		vring_add(&w->ring, i, buffers, CHAIN);
	}
	virtio_notify(w->device, 0);
	for (uint16_t done = 0; done < count;) {
		if (vring_take_used(&w->ring, &id, &length))
			done++;
		else if (virtio_is_late(start))
			return BLK_PENDING;
	}
	for (uint16_t i = 0; i < count; i++) {
		if (w->slots[i].status != BLK_OK)
			worst = w->slots[i].status;
	}
	return worst;
}

static uint8_t write_through(struct writer *w, uint64_t number, uint16_t count)
{
	uint8_t status = write_batch(w, number, count);

	if (status != BLK_OK || !w->flush)
		return status;
	return blk_request(w->device, &w->ring, &w->slots[0], BLK_FLUSH, 0, 0, 0);
}

static void pause_ms(uint64_t ms)
{
	uint64_t start = board_clock();

	while (board_clock() - start < ms * (board_clock_hz() / 1000))
		;
}

/* Until it works or may not be tried again. */
static bool write_stubbornly(struct writer *w, uint64_t number, uint16_t count)
{
	uint8_t status = write_through(w, number, count);
	bool failed = status != BLK_OK;

	if (failed)
		console_print("disk-writer: error %lu status %u\n", number, status);
	while (status != BLK_OK && status != BLK_PENDING && w->retry) {
		pause_ms(RETRY_MS);
		status = write_through(w, number, count);
	}
	if (failed && status == BLK_OK)
		console_print("disk-writer: healed %lu\n", number);
	return status == BLK_OK;
}

static const char *bring_up(struct writer *w, const char *line)
{
	uint64_t record = words_number(line, "record", BLK_SECTOR_BYTES);
	uint64_t batch = words_number(line, "batch", 1);
	char flush[8];
	void *memory;

	(void)words_value(line, "flush", flush, sizeof(flush));
	if (!record || record % BLK_SECTOR_BYTES || record > RECORD_MAX || !batch ||
		batch > BATCH_MAX)
		return "the words make no sense";
	w->record = (uint32_t)record;
	w->batch = (uint16_t)batch;
	w->run = words_number(line, "run", 1);
	w->flush = !string_equal(flush, "no");
	w->retry = words_has(line, "retry");
	if (!virtio_negotiate(w->device, w->flush ? BLK_F_FLUSH : 0))
		return "the device does not take the features";
	if (w->flush && !(w->device->accepted & BLK_F_FLUSH))
		return "the device has no flush";
	if (virtio_queue_size_max(w->device, 0) < BATCH_MAX * 4)
		w->batch = (uint16_t)(virtio_queue_size_max(w->device, 0) / CHAIN);
	if (w->batch > batch)
		w->batch = (uint16_t)batch;
	memory = board_take(VRING_BYTES, 4096);
	w->slots = board_take(BATCH_MAX * sizeof(*w->slots), 64);
	w->data = (uintptr_t)board_take(batch * record, 4096);
	if (!w->batch || !memory || !w->slots || !w->data)
		return "no queue or no memory";
	vring_place(
		&w->ring, (uintptr_t)memory, 0, virtio_queue_size_max(w->device, 0), false, false);
	vring_configure(&w->ring, w->device);
	w->device->transport->enable(w->device, 1);
	virtio_driver_ok(w->device);
	return NULL;
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	uint64_t number = words_number(line, "first", 0);
	const char *problem;
	uint64_t capacity, end, count;

	writer.device = disk_find(line);
	if (!writer.device)
		board_end(false);
	problem = bring_up(&writer, line);
	if (problem) {
		console_print("disk-writer: %s\n", problem);
		board_end(false);
	}
	capacity = blk_capacity_sectors(writer.device) / (writer.record / BLK_SECTOR_BYTES);
	end = capacity;
	count = words_number(line, "count", end);
	if (number < end && count < end - number)
		end = number + count;
	console_print("disk-writer: start run %lu first %lu record %u capacity %lu\n", writer.run,
		number, writer.record, capacity);
	while (number < end) {
		uint64_t left = end - number;
		uint16_t now = left < writer.batch ? (uint16_t)left : writer.batch;

		if (!write_stubbornly(&writer, number, now))
			board_end(false);
		number += now;
		console_print("disk-writer: ack %lu\n", number - 1);
	}
	console_print("disk-writer: end %lu\n", number);
	board_end(true);
}
