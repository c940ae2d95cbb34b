/*
 * A disk of a machine: the image that its configuration names, and the block device.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "machine_io.h"
#include "size_watch.h"
#include "virtio_device.h"

struct machine;
struct machine_disk;

/* The number-th disk of the machine's config. Its first I/O thread is the first-th of io, and if
 * its requests allow it more of its queues are on the following ones. name: borrowed. */
must_check int machine_disk_create(struct machine *machine, unsigned int number, const char *name,
	const struct machine_io *io, unsigned int first, const struct virtio_fault_sink *fault_sink,
	struct machine_disk **ret_disk, struct err *err);

struct virtio_device *machine_disk_device(struct machine_disk *disk);

/* May the image become larger or smaller while the guest uses it? */
bool machine_disk_may_change_size(const struct machine_disk *disk);
void machine_disk_watch_size(struct machine_disk *disk, struct size_watch *watch);

/* The device too: its transport is gone already. NULL is accepted. */
void machine_disk_destroy(struct machine_disk *disk);
