/*
 * One hostile case: the device under attack, the memory that the attack is made of, and what must
 * come of it.
 */
#pragma once

#include "check.h"
#include "virtio_blk.h"

/* What a case needs; without it the case is skipped, and counted as such. */
#define NEED_SPLIT         0x0001
#define NEED_PACKED        0x0002 /* with NEED_SPLIT: once in either format */
#define NEED_BOTH          (NEED_SPLIT | NEED_PACKED)
#define NEED_PCI           0x0004
#define NEED_MMIO          0x0008
#define NEED_INDIRECT      0x0010
#define NEED_EVENT_INDEX   0x0020
#define NEED_DISCARD       0x0040
#define NEED_WRITE_ZEROES  0x0080
#define NEED_FLUSH         0x0100
#define NEED_MSIX          0x0200
#define NEED_WINDOW        0x0400
#define NEED_QUEUE_RESET   0x0800
#define NEED_ENTROPY       0x1000
#define NEED_CONSOLE       0x2000
#define NEED_READ_ONLY     0x4000 /* another disk, read-only */
#define NEED_WRITABLE_DISK 0x8000
#define NEED_NET           0x10000
#define NEED_SOCKET        0x20000
#define NEED_SHARE         0x40000
#define NEED_BOARD_PART    0x80000 /* board_part_missing tells */

enum expect {
	EXPECT_OK,          /* used, status 0 */
	EXPECT_IOERR,       /* used, status 1 */
	EXPECT_UNSUPPORTED, /* used, status 2 */
	EXPECT_ERROR,       /* used, either of them */
	EXPECT_USED,        /* used, whatever the status, if it has any */
	EXPECT_BROKEN,      /* NEEDS_RESET, and a configuration change notification */
	EXPECT_REFUSED, /* an error status or NEEDS_RESET: the request's or the driver's fault */
	EXPECT_ANY,     /* used or NEEDS_RESET, but not lost */
};

/* Places that a table can name. */
enum place {
	AT_ADDRESS, /* 0 + offset */
	AT_IN,      /* a request's header: read of sector 0 */
	AT_OUT,     /* write of sector SCRATCH_SECTOR */
	AT_DATA,
	AT_STATUS,
	AT_TABLE, /* of indirect descriptors */
	AT_RING_DESCRIPTOR,
	AT_RING_DRIVER,
	AT_RING_DEVICE,
	AT_HOLE, /* neither RAM nor a device */
	AT_ECAM, /* configuration space; a hole without PCI */
	AT_OWN_INTERRUPTS,
	AT_SHARED_INTERRUPTS,
	AT_DEVICE,  /* the device's own registers */
	AT_RAM_END, /* the first address behind RAM */
	AT_TOP,     /* 2^64 */
};

#define PATTERN_SECTORS 8 /* what the guest has put at the disk's start */
#define SCRATCH_SECTOR  16
#define SCRATCH_SECTORS 64
#define DATA_BYTES      0x10000
#define TABLE_ENTRIES   2048
#define SCENE_RING_SIZE 32

struct scene {
	struct report *report;
	struct virtio *device;
	const struct virtio_transport *transport;
	bool packed;
	uint64_t features; /* beside the format */
	struct vring ring;
};

/* Memory of all scenes. */
struct stage {
	uint8_t *data;
	struct vring_descriptor *table;
	uint64_t ring; /* VRING_BYTES */
	uint64_t capacity_sectors;
	struct blk_slot other, out, in;
	uint8_t spill[1024]; /* some requests write over their own header */
};
extern struct stage stage;

bool stage_init(struct virtio *device);

uint64_t scene_place(const struct scene *scene, enum place place);

/* From reset to DRIVER_OK with queue 0 of SCENE_RING_SIZE (or less). A failure is reported. */
bool scene_negotiate(struct scene *scene);
bool scene_up(struct scene *scene);

/* Prepares headers, status byte and data afresh. */
void scene_fill(void);

/* Makes one direct chain available in the scene's format, head 0, and notifies. */
void scene_send(struct scene *scene, const struct vring_buffer *buffers, uint16_t count);

enum scene_result { RESULT_USED, RESULT_BROKEN, RESULT_NOTHING };
enum scene_result scene_wait(struct scene *scene, uint32_t *ret_length);

/* Waits, and reports if it is not what was expected; the status byte is that of stage.in. Returns
 * whether it was. */
bool scene_expect(struct scene *scene, enum expect expect);
bool scene_expect_status(struct scene *scene, enum expect expect, volatile uint8_t *status);
bool scene_expect_broken(struct scene *scene);

/* A read of a sector with known contents on the ring as it is; reports when it fails. */
bool scene_expect_good(struct scene *scene);

/* Resets the device, brings it up again, reads, writes, reads back. */
void scene_heal(struct scene *scene);
