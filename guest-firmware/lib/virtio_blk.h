/*
 * The block device's requests (VIRTIO 1.2 5.2), one queue, one request after the other.
 */
#pragma once

#include "vring.h"

#define BLK_F_SIZE_MAX     FEATURE(1)
#define BLK_F_SEG_MAX      FEATURE(2)
#define BLK_F_RO           FEATURE(5)
#define BLK_F_BLK_SIZE     FEATURE(6)
#define BLK_F_FLUSH        FEATURE(9)
#define BLK_F_TOPOLOGY     FEATURE(10)
#define BLK_F_CONFIG_WCE   FEATURE(11)
#define BLK_F_MQ           FEATURE(12)
#define BLK_F_DISCARD      FEATURE(13)
#define BLK_F_WRITE_ZEROES FEATURE(14)

/* Offsets in the configuration space, 5.2.4. */
#define BLK_CONFIG_CAPACITY            0
#define BLK_CONFIG_SIZE_MAX            8
#define BLK_CONFIG_SEG_MAX             12
#define BLK_CONFIG_BLK_SIZE            20
#define BLK_CONFIG_WRITEBACK           32
#define BLK_CONFIG_NUM_QUEUES          34
#define BLK_CONFIG_MAX_DISCARD_SECTORS 36
#define BLK_CONFIG_BYTES               60

#define BLK_IN           0
#define BLK_OUT          1
#define BLK_FLUSH        4
#define BLK_GET_ID       8
#define BLK_GET_LIFETIME 10
#define BLK_DISCARD      11
#define BLK_WRITE_ZEROES 13
#define BLK_SECURE_ERASE 14

#define BLK_OK          0
#define BLK_IOERR       1
#define BLK_UNSUPPORTED 2
#define BLK_PENDING     0xff /* never a status of the device's */

#define BLK_SECTOR_BYTES 512
#define BLK_ID_BYTES     20

struct blk_header { /* 5.2.6 */
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct blk_range { /* of discard and write zeroes */
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

struct blk_slot { /* header and status of one request, apart from its data */
	struct blk_header header;
	volatile uint8_t status;
	uint8_t padding[15];
};

uint64_t blk_capacity_sectors(const struct virtio *device);

/* Fills the slot and the buffers of a request: header, data if length is not 0, status. Returns
 * how many buffers it has. */
uint16_t blk_prepare(struct blk_slot *slot, uint32_t type, uint64_t sector, uint64_t data,
	uint32_t length, struct vring_buffer buffers[3]);

/* One request, start to end, on a ring that has nothing in flight. Returns the status, or
 * BLK_PENDING when it did not come back in time or not as the one that was sent. */
uint8_t blk_request(const struct virtio *device, struct vring *ring, struct blk_slot *slot,
	uint32_t type, uint64_t sector, uint64_t data, uint32_t length);
