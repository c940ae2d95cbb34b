/*
 * A shared directory of a machine and the device in front of it.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "virtio_device.h"

struct machine;
struct machine_share;

/* The number-th share of the machine's config. name: borrowed. */
must_check int machine_share_create(const struct machine *machine, unsigned int number,
	const char *name, struct io_thread *io_thread, const struct virtio_fault_sink *fault_sink,
	struct machine_share **ret_share, struct err *err);

struct virtio_device *machine_share_device(struct machine_share *share);

/* Keeps the I/O thread, which must be that of all of them and of nothing else, to their directories
 * where the host can do that (Landlock); where it cannot, the log says so. */
void machine_share_fence(
	struct machine_share *const *shares, unsigned int count, struct io_thread *io_thread);

/* The device too: its transport is gone already. NULL is accepted. */
void machine_share_destroy(struct machine_share *share);
