/*
 * A file system device: VIRTIO 1.2 5.11, in front of a shared directory.
 *
 * Everything between activate and quiesce runs on the I/O thread, where requests are served one
 * after the other by plain system calls: the thread is for such devices alone.
 */
#pragma once

#include "compiler.h"
#include "err.h"

struct gmem;
struct io_thread;
struct share;
struct virtio_device;

#define VIRTIO_FS_TAG_MAX 36

struct virtio_fs_options {
	const char *name;        /* for messages; borrowed */
	const struct gmem *gmem; /* borrowed, like the thread and the share */
	struct io_thread *io_thread;
	const char *tag; /* by which the guest mounts it; 1 to VIRTIO_FS_TAG_MAX bytes; copied */
	struct share *share;
};

/* Destroyed through its ops. Main thread. */
must_check int virtio_fs_create(const struct virtio_fs_options *options,
	struct virtio_device **ret_device, struct err *err);
