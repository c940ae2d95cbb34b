/*
 * The virtio devices of a machine: I/O threads, disks, devices, and their place on PCI or in
 * memory.
 *
 * Created after the board's own devices, on the main thread; destroyed before guest memory is.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct machine_virtio;

/* Nothing at all when the config asks for no device. *ret_virtio is set on success. */
must_check int machine_virtio_create(
	struct machine *machine, struct machine_virtio **ret_virtio, struct err *err);
void machine_virtio_destroy(struct machine_virtio *virtio); /* NULL is accepted */

/* A VM has been made: connects what is at fixed addresses. */
must_check int machine_virtio_connect(struct machine_virtio *virtio, struct err *err);

/* Waits for networks that processes of their own bring up. */
must_check int machine_virtio_wait(struct machine_virtio *virtio, struct err *err);

/* Bytes flow between ports and host, and disks change their size, from now on. */
must_check int machine_virtio_start(struct machine_virtio *virtio, struct err *err);

/* NULL when there are none. */
struct machine_ports *machine_virtio_ports(struct machine_virtio *virtio);

struct machine_vsock *machine_virtio_vsock(struct machine_virtio *virtio);

/* Plugs the number-th NIC's cable in, or pulls it: 0, or -ENODEV. */
must_check int machine_virtio_set_link(struct machine_virtio *virtio, unsigned int number, bool up);

/* A client of the socket device, for that port of the guest's, with what virtio_vsock.h says about
 * it. fd: a stream socket, owned from now on. virtio may be NULL. */
must_check int machine_virtio_connect_vsock(
	struct machine_virtio *virtio, uint32_t guest_port, int fd);

/* After the vCPUs have stopped: what the guest has written reaches its readers. */
void machine_virtio_finish(struct machine_virtio *virtio);

/* Back to power-on state: returns when nothing is in flight. No vCPU runs; the VM still exists. */
void machine_virtio_reset(struct machine_virtio *virtio);
