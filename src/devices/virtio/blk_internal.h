/*
 * The block device for its own files: blk.c carries requests out, blk_config.c is what the driver
 * reads and writes of the device.
 */
#pragma once

#include "blk_request.h"
#include "virtio_blk.h"

#define BLK_QUEUE_SIZE_MAX 256
/* 1 MiB in pages, with a header in front and a status behind. */
#define BLK_SEGMENTS_MAX 256
#define BLK_SEG_MAX      (BLK_SEGMENTS_MAX - 2)

struct blk_queue;

/* A request under way; its place in the queue is the chain's head. [io] */
struct blk_slot {
	struct disk_request disk_request;
	struct blk_queue *queue;
	struct chain *chain;
	struct blk_request request;
	unsigned int next_range;
	struct iovec iov[BLK_SEGMENTS_MAX];
};

/* What the queues of one I/O thread share. */
struct blk_lane {
	struct virtio_blk *blk;
	struct io_thread *io_thread; /* [const] */
	struct disk *disk;           /* [const] */
	struct io_timer flush_timer; /* [io] */
	bool is_quiescing;           /* [io] all of them */
	bool is_hurried;             /* [io] completions are inside disk_hurry */
};

struct blk_queue {
	struct virtio_blk *blk;
	struct blk_lane *lane;
	unsigned int index;
	struct blk_slot *slots; /* [io] BLK_QUEUE_SIZE_MAX */
	unsigned int in_flight; /* [io] requests with the disk */
	bool is_flush_due;      /* [io] something was pushed */
	bool is_quiescing;      /* [io] */
};

struct virtio_blk {
	struct virtio_device device;
	struct disk *disk; /* that of the first lane, for its properties */
	char *name;
	char serial[BLK_ID_BYTES];
	_Atomic int write_back_choice; /* [atomic] what the driver wrote to writeback */
	struct blk_queue *queues;
	struct blk_lane *lanes;
	unsigned int lane_count;
};

/* What the device can do: features, and the limits that a driver is told. */
uint64_t blk_offered_features(const struct virtio_blk *blk);
void blk_limits(const struct virtio_blk *blk, struct blk_limits *ret_limits);
#define BLK_CONFIG_BYTES 60
void blk_read_config(struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size);
void blk_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size);

/* Behind a reset the driver has written nothing yet. */
#define BLK_NO_CHOICE (-1)
void blk_forget_choice(struct virtio_blk *blk);

/* Must a write be stable before it is acknowledged? I/O thread. */
bool blk_writes_through(const struct virtio_blk *blk);
