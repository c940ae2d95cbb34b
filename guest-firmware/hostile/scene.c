/* See scene.h. */
#include "scene.h"

#include "board.h"
#include "mmio.h"
#include "places.h"

#define HOLE_ADDRESS UINT64_C(0xd8000000)
#define PATTERN_STEP UINT64_C(0x0101010101010101)
#define WORDS        (BLK_SECTOR_BYTES / 8)

struct stage stage;

static uint64_t pattern_word(uint64_t sector, unsigned int i)
{
	return (sector + 1) << 56 | i * PATTERN_STEP >> 8;
}

static void write_pattern(uint64_t sector, uint64_t salt)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)stage.data;

	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = pattern_word(sector, i) + salt;
}

static bool has_pattern(uint64_t sector, uint64_t salt)
{
	const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)stage.data;

	for (unsigned int i = 0; i < WORDS; i++) {
		if (words[i] != pattern_word(sector, i) + salt)
			return false;
	}
	return true;
}

bool stage_init(struct virtio *device)
{
	char detail[200] = "";
	struct report report = {false, {detail, sizeof(detail), 0}};
	struct scene scene = {.report = &report, .device = device, .transport = device->transport};

	stage.data = board_take(DATA_BYTES, 4096);
	stage.table = board_take(TABLE_ENTRIES * sizeof(*stage.table), 4096);
	stage.ring = (uintptr_t)board_take(VRING_BYTES, 4096);
	if (!stage.data || !stage.table || !stage.ring || !scene_up(&scene))
		return false;
	stage.capacity_sectors = blk_capacity_sectors(device);
	for (uint64_t sector = 0; sector < PATTERN_SECTORS; sector++) {
		write_pattern(sector, 0);
		if (blk_request(device, &scene.ring, &stage.other, BLK_OUT, sector,
			    (uintptr_t)stage.data, BLK_SECTOR_BYTES) != BLK_OK)
			return false;
	}
	return stage.capacity_sectors >= SCRATCH_SECTOR + SCRATCH_SECTORS;
}

uint64_t scene_place(const struct scene *scene, enum place place)
{
	switch (place) {
	case AT_ADDRESS:
	case AT_TOP:
		return 0;
	case AT_IN:
		return (uintptr_t)&stage.in.header;
	case AT_OUT:
		return (uintptr_t)&stage.out.header;
	case AT_DATA:
		return (uintptr_t)stage.data;
	case AT_STATUS:
		return (uintptr_t)&stage.in.status;
	case AT_TABLE:
		return (uintptr_t)stage.table;
	case AT_RING_DESCRIPTOR:
	case AT_RING_DRIVER:
	case AT_RING_DEVICE:
		return scene->ring.areas[place - AT_RING_DESCRIPTOR];
	case AT_ECAM:
		return pci_ecam() ? pci_ecam() : HOLE_ADDRESS;
	case AT_OWN_INTERRUPTS:
		return PLACE_OWN_INTERRUPTS;
	case AT_SHARED_INTERRUPTS:
		return PLACE_SHARED_INTERRUPTS;
	case AT_DEVICE:
		return virtio_is_pci(scene->device) ? scene->device->common : scene->device->base;
	case AT_RAM_END:
		return board_ram_end();
	case AT_HOLE:
		break;
	}
	return HOLE_ADDRESS;
}

void scene_fill(void)
{
	stage.in.header = (struct blk_header){BLK_IN, 0, 0};
	stage.in.status = BLK_PENDING;
	stage.out.header = (struct blk_header){BLK_OUT, 0, SCRATCH_SECTOR};
	stage.out.status = BLK_PENDING;
	write_pattern(SCRATCH_SECTOR, 0);
}

bool scene_negotiate(struct scene *scene)
{
	uint64_t wanted = scene->features | (scene->packed ? FEATURE_PACKED : 0);
	uint16_t size;

	if (!report_expect(scene->report, virtio_negotiate(scene->device, wanted),
		    "no way to FEATURES_OK, status 0x%x", scene->transport->status(scene->device)))
		return false;
	size = virtio_queue_size_max(scene->device, 0);
	if (!report_expect(scene->report, size != 0, "no queue 0"))
		return false;
	vring_place(&scene->ring, stage.ring, 0, size < SCENE_RING_SIZE ? size : SCENE_RING_SIZE,
		scene->packed, scene->device->accepted & FEATURE_EVENT_INDEX);
	return true;
}

bool scene_up(struct scene *scene)
{
	if (!scene_negotiate(scene))
		return false;
	vring_configure(&scene->ring, scene->device);
	scene->transport->enable(scene->device, 1);
	virtio_driver_ok(scene->device);
	(void)scene->transport->interrupt_status(scene->device);
	return report_expect(scene->report,
		!(scene->transport->status(scene->device) & STATUS_NEEDS_RESET),
		"NEEDS_RESET before anything was done");
}

void scene_send(struct scene *scene, const struct vring_buffer *buffers, uint16_t count)
{
	scene->ring.stride = count;
	vring_add(&scene->ring, 0, buffers, count);
	virtio_notify(scene->device, 0);
}

enum scene_result scene_wait(struct scene *scene, uint32_t *ret_length)
{
	uint64_t start = board_clock();
	uint16_t id;

	do {
		if (vring_take_used(&scene->ring, &id, ret_length))
			return RESULT_USED;
		if (scene->transport->status(scene->device) & STATUS_NEEDS_RESET)
			return RESULT_BROKEN;
	} while (!virtio_is_late(start));
	return RESULT_NOTHING;
}

/* VIRTIO 1.2 2.1.2: with DRIVER_OK set, NEEDS_RESET comes with a notification. */
bool scene_expect_broken(struct scene *scene)
{
	uint64_t start = board_clock();

	if (!report_expect(scene->report, virtio_wait_status(scene->device, STATUS_NEEDS_RESET),
		    "no NEEDS_RESET, status 0x%x", scene->transport->status(scene->device)))
		return false;
	if (!(scene->transport->status(scene->device) & STATUS_DRIVER_OK))
		return true;
	while (!(scene->transport->interrupt_status(scene->device) & ISR_CONFIGURATION)) {
		if (virtio_is_late(start))
			return report_expect(scene->report, false,
				"no configuration change notification with NEEDS_RESET");
	}
	return true;
}

static bool is_status_expected(enum expect expect, uint8_t status)
{
	switch (expect) {
	case EXPECT_OK:
		return status == BLK_OK;
	case EXPECT_IOERR:
		return status == BLK_IOERR;
	case EXPECT_UNSUPPORTED:
		return status == BLK_UNSUPPORTED;
	case EXPECT_ERROR:
	case EXPECT_REFUSED:
		return status == BLK_IOERR || status == BLK_UNSUPPORTED;
	case EXPECT_USED:
	case EXPECT_ANY:
		return true;
	case EXPECT_BROKEN:
		break;
	}
	return false;
}

bool scene_expect_status(struct scene *scene, enum expect expect, volatile uint8_t *status)
{
	uint32_t length = 0;
	enum scene_result result = scene_wait(scene, &length);

	if (result == RESULT_BROKEN) {
		report_note(scene->report, "needs reset");
		if (expect == EXPECT_BROKEN || expect == EXPECT_REFUSED || expect == EXPECT_ANY)
			return scene_expect_broken(scene);
		return report_expect(scene->report, false, "a request's outcome was expected");
	}
	if (!report_expect(
		    scene->report, result == RESULT_USED, "neither completed nor NEEDS_RESET"))
		return false;
	report_note(scene->report, "status 0x%x used %u", *status, length);
	return report_expect(
		scene->report, is_status_expected(expect, *status), "another outcome was expected");
}

bool scene_expect(struct scene *scene, enum expect expect)
{
	return scene_expect_status(scene, expect, &stage.in.status);
}

bool scene_expect_good(struct scene *scene)
{
	uint8_t status = blk_request(scene->device, &scene->ring, &stage.other, BLK_IN, 1,
		(uintptr_t)stage.data, BLK_SECTOR_BYTES);

	return report_expect(scene->report, status == BLK_OK, "a good read: status 0x%x", status) &&
	       report_expect(scene->report, has_pattern(1, 0), "a good read brought other data");
}

void scene_heal(struct scene *scene)
{
	static uint64_t salt;
	uint64_t data = (uintptr_t)stage.data;
	uint8_t wrote, was_read;

	scene->features = 0;
	salt += PATTERN_STEP;
	if (!report_expect(scene->report, virtio_reset(scene->device), "reset does not end") ||
		!scene_up(scene) || !scene_expect_good(scene))
		return;
	write_pattern(SCRATCH_SECTOR + 1, salt);
	wrote = blk_request(scene->device, &scene->ring, &stage.other, BLK_OUT, SCRATCH_SECTOR + 1,
		data, BLK_SECTOR_BYTES);
	write_pattern(0, salt);
	was_read = blk_request(scene->device, &scene->ring, &stage.other, BLK_IN,
		SCRATCH_SECTOR + 1, data, BLK_SECTOR_BYTES);
	report_expect(scene->report,
		wrote == BLK_OK && was_read == BLK_OK && has_pattern(SCRATCH_SECTOR + 1, salt),
		"after reset: write 0x%x, read 0x%x, or other data", wrote, was_read);
}
