/*
 * A virtio block device (VIRTIO 1.2 5.2) in front of a disk.
 *
 * Main thread, unless said otherwise. The machine gives virtio_blk_device() to a transport.
 */
#pragma once

#include "compiler.h"
#include "disk.h"
#include "err.h"
#include "virtio_device.h"

#include <stdint.h>

struct virtio_blk;

#define VIRTIO_BLK_SERIAL_MAX 20 /* bytes */

/* An I/O thread, and the disk that it uses. */
struct virtio_blk_lane {
	struct disk *disk; /* borrowed; not attached to an I/O thread yet */
	struct io_thread *io_thread;
};

struct virtio_blk_options {
	const char *name;                    /* "disk 'root'", for messages; copied */
	const char *serial;                  /* for GET_ID, at most 20 bytes; NULL: none */
	unsigned int queues;                 /* 1 to VIRTIO_QUEUES_MAX */
	const struct virtio_blk_lane *lanes; /* 1 to queues: different threads, split disks; the
	                                      * queues are dealt out to them in turn */
	unsigned int lane_count;
	const struct gmem *gmem; /* borrowed */
	struct virtio_fault_sink fault_sink;
	uint64_t withheld_features;
};

must_check int virtio_blk_create(
	const struct virtio_blk_options *options, struct virtio_blk **ret_blk, struct err *err);

struct virtio_device *virtio_blk_device(struct virtio_blk *blk);

/* Quiesces and detaches the disks. NULL is fine. The transport is gone already. */
void virtio_blk_destroy(struct virtio_blk *blk);

/* The backing file may have changed its size: tells the driver if so. 1: it has, 0: not. */
must_check int virtio_blk_refresh_size(struct virtio_blk *blk, struct err *err);
