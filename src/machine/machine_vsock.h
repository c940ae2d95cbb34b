/*
 * The socket device of a machine and, with a path, the socket by which the host comes in.
 *
 * Main thread.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "virtio_device.h"

struct machine;
struct machine_vsock;

/* name: borrowed. */
must_check int machine_vsock_create(const struct machine *machine, const char *name,
	struct io_thread *io_thread, const struct virtio_fault_sink *fault_sink,
	struct machine_vsock **ret_vsock, struct err *err);

struct virtio_device *machine_vsock_device(struct machine_vsock *vsock);

/* See machine_virtio.h. */
must_check int machine_vsock_connect(struct machine_vsock *vsock, uint32_t guest_port, int fd);

/* The guest may send more. */
bool machine_vsock_guest_sends(const struct machine_vsock *vsock);

/* What the guest has sent has gone to those who read it, or nothing has moved for three
 * seconds, or ten have passed: the log says so. */
bool machine_vsock_has_delivered(struct machine_vsock *vsock);

/* The device too: its transport is gone already. NULL is accepted. */
void machine_vsock_destroy(struct machine_vsock *vsock);
