/*
 * Features and configuration space of a block device: VIRTIO 1.2 5.2.3, 5.2.4, 5.2.5.
 * Device lock and config lock held, but for what the header says.
 */
#include "blk_internal.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

/* 5.2.3 */
#define F_SEG_MAX      2
#define F_RO           5
#define F_BLK_SIZE     6
#define F_FLUSH        9
#define F_TOPOLOGY     10
#define F_CONFIG_WCE   11
#define F_MQ           12
#define F_DISCARD      13
#define F_WRITE_ZEROES 14

/* 5.2.4 */
struct config {
	uint64_t capacity;
	uint32_t size_max;
	uint32_t seg_max;
	uint32_t geometry;
	uint32_t blk_size;
	uint8_t physical_block_exp;
	uint8_t alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
};

#define WRITEBACK_OFFSET 32

_Static_assert(offsetof(struct config, writeback) == WRITEBACK_OFFSET, "VIRTIO 1.2 5.2.4");
_Static_assert(sizeof(struct config) >= BLK_CONFIG_BYTES, "VIRTIO 1.2 5.2.4");

/* One range may be large where the host does it at once; zeroes may have to be written. */
#define DISCARD_SECTORS_MAX      (UINT32_C(1) << 22)
#define WRITE_ZEROES_SECTORS_MAX (UINT32_C(1) << 17)

static uint64_t bit(unsigned int feature, bool offered)
{
	return (uint64_t)offered << feature;
}

uint64_t blk_offered_features(const struct virtio_blk *blk)
{
	const struct disk *disk = blk->disk;

	return bit(F_SEG_MAX, true) | bit(F_BLK_SIZE, true) | bit(F_TOPOLOGY, true) |
	       bit(F_FLUSH, true) | bit(F_CONFIG_WCE, disk->write_cache && !disk->read_only) |
	       bit(F_RO, disk->read_only) | bit(F_MQ, blk->device.queue_count > 1) |
	       bit(F_DISCARD, disk->can_discard) | bit(F_WRITE_ZEROES, disk->can_write_zeroes);
}

void blk_limits(const struct virtio_blk *blk, struct blk_limits *ret_limits)
{
	*ret_limits = (struct blk_limits){
		.capacity_sectors = disk_size_bytes(blk->disk) / BLK_SECTOR_BYTES,
		.read_only = blk->disk->read_only,
		.can_discard = blk->disk->can_discard,
		.can_write_zeroes = blk->disk->can_write_zeroes,
		.discard_sectors_max = DISCARD_SECTORS_MAX,
		.write_zeroes_sectors_max = WRITE_ZEROES_SECTORS_MAX,
	};
}

static bool accepted(const struct virtio_blk *blk, unsigned int feature)
{
	return blk->device.accepted_features >> feature & 1;
}

/* 5.2.5.2: without a way to flush it is 0 at first; and as the user wants it. */
static bool writes_back(const struct virtio_blk *blk)
{
	int choice = atomic_load_explicit(&blk->write_back_choice, memory_order_relaxed);

	if (choice != BLK_NO_CHOICE)
		return choice;
	return accepted(blk, F_FLUSH) && !blk->disk->writes_through;
}

static void fill_topology(const struct disk *disk, struct config *config)
{
	uint32_t logical = disk->logical_block_bytes;
	uint32_t physical_blocks = disk->physical_block_bytes / logical;

	config->blk_size = htole32(logical);
	config->physical_block_exp = (uint8_t)__builtin_ctz(physical_blocks);
	config->min_io_size = htole16(
		(uint16_t)(physical_blocks < UINT16_MAX ? physical_blocks : UINT16_MAX));
	config->opt_io_size = htole32(disk->optimal_io_bytes / logical);
}

static void fill(const struct virtio_blk *blk, struct config *config)
{
	const struct disk *disk = blk->disk;
	struct blk_limits limits;

	blk_limits(blk, &limits);
	*config = (struct config){
		.capacity = htole64(limits.capacity_sectors),
		.seg_max = htole32(BLK_SEG_MAX),
		.writeback = disk->write_cache && writes_back(blk),
		.num_queues = htole16((uint16_t)blk->device.queue_count),
	};
	fill_topology(disk, config);
	if (disk->can_discard) {
		config->max_discard_sectors = htole32(limits.discard_sectors_max);
		config->max_discard_seg = htole32(BLK_RANGES_MAX);
		config->discard_sector_alignment = htole32(
			disk->discard_granularity_bytes / BLK_SECTOR_BYTES);
	}
	if (disk->can_write_zeroes) {
		config->max_write_zeroes_sectors = htole32(limits.write_zeroes_sectors_max);
		config->max_write_zeroes_seg = htole32(BLK_RANGES_MAX);
		config->write_zeroes_may_unmap = disk->can_discard;
	}
}

bool blk_writes_through(const struct virtio_blk *blk)
{
	if (!blk->disk->write_cache)
		return false;
	/* 5.2.6.2: when a write that was completed is stable. */
	if (accepted(blk, F_CONFIG_WCE))
		return !writes_back(blk);
	return !accepted(blk, F_FLUSH) || blk->disk->writes_through;
}

void blk_forget_choice(struct virtio_blk *blk)
{
	atomic_store_explicit(&blk->write_back_choice, BLK_NO_CHOICE, memory_order_relaxed);
}

void blk_read_config(struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	struct virtio_blk *blk = container_of(device, struct virtio_blk, device);
	struct config config;

	if (!(device->status & VIRTIO_STATUS_FEATURES_OK))
		blk_forget_choice(blk);
	fill(blk, &config);
	memcpy(bytes, (const char *)&config + offset, size);
}

void blk_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size)
{
	struct virtio_blk *blk = container_of(device, struct virtio_blk, device);

	/* The one field that is the driver's: 5.2.4. */
	if (offset != WRITEBACK_OFFSET || size != 1 || !accepted(blk, F_CONFIG_WCE))
		return;
	atomic_store_explicit(
		&blk->write_back_choice, *(const uint8_t *)bytes != 0, memory_order_relaxed);
}
