/*
 * Notices that the files and devices behind disks have grown or shrunk, and tells their drivers.
 *
 * It looks once a second. Nothing better works everywhere: inotify would report each write of the
 * guest's own, knows block devices not at all and overlay or network file systems in part.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "log.h"
#include "loop_timer.h"

struct disk;
struct virtio_blk;

struct size_watch_disk {
	const char *name; /* for messages; borrowed, as are the others */
	struct disk *disk;
	struct virtio_blk *blk;
	struct log_limiter limiter;
};

struct size_watch {
	struct loop_timer timer;
	struct size_watch_disk *disks; /* owned */
	unsigned int count;
};

/* Room for disks_max disks; at least 1. It must stay where it is. */
must_check int size_watch_init(
	struct size_watch *watch, struct loop *loop, unsigned int disks_max, struct err *err);
/* Accepts one that is all zero. */
void size_watch_fini(struct size_watch *watch);

void size_watch_add(
	struct size_watch *watch, const char *name, struct disk *disk, struct virtio_blk *blk);
