/*
 * Waits for its disk to change size and looks whether the new end is where the device says.
 *
 *     changes=N              how many changes to wait for, default 1
 *
 *     disk-size: N sectors
 *     disk-size: N sectors, notified, last S, beyond S    after each change: the statuses of reads
 *                            of the last sector and of the one behind it
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "disk.h"
#include "words.h"

const char check_guest_name[] = "disk-size";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

static struct virtio *device;
static struct vring ring;
static struct blk_slot *slot;
static uint64_t data;

static bool bring_up(void)
{
	void *memory = board_take(VRING_BYTES, 4096);

	slot = board_take(sizeof(*slot), 64);
	data = (uintptr_t)board_take(BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);
	if (!memory || !slot || !data || !virtio_negotiate(device, 0))
		return false;
	vring_place(&ring, (uintptr_t)memory, 0, virtio_queue_size_max(device, 0), false, false);
	vring_configure(&ring, device);
	device->transport->enable(device, 1);
	virtio_driver_ok(device);
	return true;
}

static uint8_t read_sector(uint64_t sector)
{
	return blk_request(device, &ring, slot, BLK_IN, sector, data, BLK_SECTOR_BYTES);
}

/* 5.2.6: a device that changes its capacity sends a configuration change notification. */
static bool wait_for_change(void)
{
	uint64_t start = board_clock();

	while (!(device->transport->interrupt_status(device) & ISR_CONFIGURATION))
		if (virtio_is_late(start))
			return false;
	return true;
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	uint64_t changes = words_number(line, "changes", 1), sectors;

	virtio_set_patience(words_number(line, "patience", 60));
	device = disk_find(line);
	if (!device || !bring_up()) {
		console_print("disk-size: no disk\n");
		board_end(false);
	}
	console_print("disk-size: %lu sectors\n", blk_capacity_sectors(device));
	while (changes--) {
		if (!wait_for_change()) {
			console_print("disk-size: nothing changed\n");
			board_end(false);
		}
		sectors = blk_capacity_sectors(device);
		console_print("disk-size: %lu sectors, notified, last %u, beyond %u\n", sectors,
			read_sector(sectors - 1), read_sector(sectors));
	}
	board_end(true);
}
