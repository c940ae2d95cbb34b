/*
 * An entropy device: VIRTIO 1.2 5.4. Fills what the driver offers from the host's getrandom, at
 * most 64 KiB a request, with an optional limit on bytes per second.
 *
 * Everything between activate and quiesce runs on the I/O thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdint.h>

struct gmem;
struct io_thread;
struct virtio_device;

struct virtio_rng_options {
	const char *name;        /* for messages; borrowed */
	const struct gmem *gmem; /* borrowed, like the thread */
	struct io_thread *io_thread;
	uint64_t rate_bytes_per_second; /* 0: no limit; up to one second's worth may come at once */
	uint64_t (*read_clock)(void);   /* monotonic nanoseconds; NULL: the host's */
};

/* Destroyed through its ops. Main thread. */
must_check int virtio_rng_create(const struct virtio_rng_options *options,
	struct virtio_device **ret_device, struct err *err);
