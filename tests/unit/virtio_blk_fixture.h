/*
 * A block device behind real queues, on a real I/O thread, with a driver written from the
 * specification; on a file, or on a disk that does what it is told at once. Constants from VIRTIO
 * 1.2 5.2, not from Hull's headers.
 */
#pragma once

#include "device_events.h"
#include "disk_fixture.h"
#include "virtio_blk.h"
#include "virtio_bring_up.h"

#include <errno.h>
#include <sched.h>

#define MEMORY_BASE  UINT64_C(0x100000)
#define MEMORY_BYTES (UINT64_C(32) << 20)
#define RINGS_BYTES  UINT64_C(0x10000)
#define QUEUES       2
#define QUEUE_SIZE   64
#define SLOT_BYTES   UINT64_C(0x4000) /* of memory for each request of the tests */
#define SIZE         (UINT64_C(4) << 20)

#define F_SEG_MAX      (UINT64_C(1) << 2)
#define F_RO           (UINT64_C(1) << 5)
#define F_BLK_SIZE     (UINT64_C(1) << 6)
#define F_FLUSH        (UINT64_C(1) << 9)
#define F_TOPOLOGY     (UINT64_C(1) << 10)
#define F_CONFIG_WCE   (UINT64_C(1) << 11)
#define F_MQ           (UINT64_C(1) << 12)
#define F_DISCARD      (UINT64_C(1) << 13)
#define F_WRITE_ZEROES (UINT64_C(1) << 14)
#define F_INDIRECT     (UINT64_C(1) << 28)
#define F_EVENT_IDX    (UINT64_C(1) << 29)
#define F_VERSION_1    (UINT64_C(1) << 32)
#define F_PACKED       (UINT64_C(1) << 34)
#define F_RING_RESET   (UINT64_C(1) << 40)

#define T_IN           0
#define T_OUT          1
#define T_FLUSH        4
#define T_GET_ID       8
#define T_DISCARD      11
#define T_WRITE_ZEROES 13

/* A disk that does what it is told at once and remembers what that was. */
struct fake_disk {
	struct disk disk;
	int result;
	unsigned int count;
	enum disk_operation operation;
	bool durable;
	struct disk_request *held; /* kept back while hold is set */
	bool hold;
	_Atomic bool is_held;
};

static struct {
	struct disk_fixture files;
	struct fake_disk fake;
	struct gmem gmem;
	struct virtio_blk *blk;
	struct virtio_device *device;
	struct virtio_driver drivers[QUEUES];
	struct device_events events;
	uint8_t *memory; /* host address of MEMORY_BASE */
	/* Set before start: a second I/O thread, with a disk of its own. */
	bool split;
	struct io_thread *second_thread;
	struct disk *second_disk;
} t = {.events.name = "disk 'test'"};

static inline void fake_submit(struct disk *disk, struct disk_request *request)
{
	struct fake_disk *fake = container_of(disk, struct fake_disk, disk);

	fake->count++;
	fake->operation = request->operation;
	fake->durable = request->durable;
	if (fake->hold) {
		fake->held = request;
		fake->is_held = true;
		return;
	}
	request->result = fake->result;
	request->done(request);
}

static const struct disk_ops fake_ops = {.submit = fake_submit};

static inline void make_fake_disk(void)
{
	t.fake = (struct fake_disk){.disk = {
					    .ops = &fake_ops,
					    .logical_block_bytes = 512,
					    .physical_block_bytes = 4096,
					    .optimal_io_bytes = 65536,
					    .discard_granularity_bytes = 4096,
					    .can_discard = true,
					    .can_write_zeroes = true,
					    .write_cache = true,
				    }};
	atomic_init(&t.fake.disk.size_bytes, SIZE);
}

/* With a disk on a file, or the fake one. */
static inline void start(struct disk_options *options, enum io_engine_choice engine)
{
	struct virtio_blk_lane lanes[2] = {{.disk = &t.fake.disk}};
	struct virtio_blk_options blk_options = {
		.name = "disk 'test'",
		.serial = "0123456789abcdefghij",
		.queues = QUEUES,
		.lanes = lanes,
		.lane_count = t.split ? 2 : 1,
		.fault_sink = {.broken = events_fault, .owner = &t.events},
	};
	struct io_thread_options thread_options = {.name = "test", .engine = engine};
	struct err err = {0};

	if (options) {
		fixture_make_image(&t.files, SIZE);
		options->path = t.files.path;
		assert_int_equal(disk_open(options, &t.files.disk, &err), 0);
		lanes[0].disk = t.files.disk;
	}
	assert_int_equal(io_thread_create(&thread_options, &t.files.thread, &err), 0);
	lanes[0].io_thread = t.files.thread;
	if (t.split) {
		assert_int_equal(disk_split(t.files.disk, &t.second_disk, &err), 0);
		assert_int_equal(io_thread_create(&thread_options, &t.second_thread, &err), 0);
		lanes[1] = (struct virtio_blk_lane){t.second_disk, t.second_thread};
	}
	t.gmem = (struct gmem){.region_count = 1,
		.regions = {{.base = {MEMORY_BASE}, .size_bytes = MEMORY_BYTES, .fd = -1}}};
	assert_int_equal(gmem_create(&t.gmem, &(struct gmem_options){0}, &err), 0);
	t.memory = t.gmem.regions[0].host;
	blk_options.gmem = &t.gmem;
	assert_int_equal(virtio_blk_create(&blk_options, &t.blk, &err), 0);
	t.device = virtio_blk_device(t.blk);
	t.device->notifier = (struct virtio_notifier){
		.used_buffer = events_used,
		.configuration_changed = events_config,
		.transport = &t.events,
	};
	t.events.config_changes = t.events.faults = 0;
}

static inline void stop(bool with_file)
{
	t.device->ops->destroy(t.device);
	io_thread_destroy(t.files.thread);
	io_thread_destroy(t.second_thread);
	disk_close(t.second_disk);
	t.second_thread = NULL;
	t.second_disk = NULL;
	t.split = false;
	gmem_destroy(&t.gmem);
	if (with_file) {
		disk_close(t.files.disk);
		(void)unlink(t.files.path);
	}
}

static inline struct bring_up all_queues(void)
{
	return (struct bring_up){
		.device = t.device,
		.drivers = t.drivers,
		.queue_count = QUEUES,
		.queue_size = QUEUE_SIZE,
		.memory = t.memory,
		.memory_base = MEMORY_BASE,
		.rings_bytes = RINGS_BYTES,
	};
}

static inline void set_up_queue(unsigned int queue, uint64_t features)
{
	struct bring_up to = all_queues();

	t.events.notifications[queue] = 0;
	bring_up_queue(&to, queue, features);
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

/* Memory of a request: header at 0, status at 64, data at 512. */
static inline uint64_t slot_address(unsigned int slot)
{
	return MEMORY_BASE + QUEUES * RINGS_BYTES + slot * SLOT_BYTES;
}

static inline uint8_t *slot_bytes(unsigned int slot)
{
	return t.memory + (slot_address(slot) - MEMORY_BASE);
}

static inline uint8_t *slot_data(unsigned int slot)
{
	return slot_bytes(slot) + 512;
}

static inline uint8_t slot_status(unsigned int slot)
{
	return slot_bytes(slot)[64];
}

static inline void put_header(unsigned int slot, uint32_t type, uint64_t sector)
{
	uint8_t *bytes = slot_bytes(slot);

	memset(bytes, 0, 16);
	memcpy(bytes, &type, 4); /* the tests run on little-endian machines */
	memcpy(bytes + 8, &sector, 8);
	bytes[64] = 0xee;
}

static inline uint16_t add(
	unsigned int queue, unsigned int slot, const struct driver_buffer *buffers, uint16_t count)
{
	uint16_t id = 0;

	(void)slot;
	assert_true(driver_add(&t.drivers[queue], buffers, count, 0, &id));
	return id;
}

/* Header, data and status in one descriptor each. */
static inline uint16_t add_request(
	unsigned int queue, unsigned int slot, uint32_t type, uint64_t sector, uint32_t length)
{
	struct driver_buffer buffers[3];
	uint16_t count = 0;

	put_header(slot, type, sector);
	buffers[count++] = (struct driver_buffer){slot_address(slot), 16, false};
	if (length)
		buffers[count++] = (struct driver_buffer){
			slot_address(slot) + 512, length, type == T_IN || type == T_GET_ID};
	buffers[count++] = (struct driver_buffer){slot_address(slot) + 64, 1, true};
	return add(queue, slot, buffers, count);
}

static inline void publish(unsigned int queue)
{
	if (driver_publish(&t.drivers[queue]))
		virtio_device_notify(t.device, queue);
}

static inline uint32_t wait_used(unsigned int queue, uint16_t *ret_id)
{
	uint32_t length;

	while (!driver_get_used(&t.drivers[queue], ret_id, &length))
		(void)sched_yield();
	return length;
}

/* One request; its status and used length. */
static inline uint8_t run(uint32_t type, uint64_t sector, uint32_t length, uint32_t *ret_used)
{
	uint16_t id = add_request(0, 0, type, sector, length), used_id;
	uint32_t used;

	publish(0);
	used = wait_used(0, &used_id);
	assert_int_equal(id, used_id);
	if (ret_used)
		*ret_used = used;
	else if (type != T_IN && type != T_GET_ID)
		assert_int_equal(used, 1);
	return slot_status(0);
}
