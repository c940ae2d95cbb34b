/*
 * virtio-mmio, version 2: VIRTIO 1.2 4.2. A window of registers in front of a virtio_device.
 *
 * Accesses come from any vCPU thread. Available buffer notifications are writes of the queue's
 * index to VIRTIO_MMIO_QUEUE_NOTIFY: the machine may catch them with an ioeventfd of four bytes
 * and that value in front of the queue's notify_fd; those that arrive here do the same.
 */
#pragma once

#include "bus.h"
#include "irq.h"
#include "virtio_device.h"
#include "virtio_isr.h"

#include <stdatomic.h>

#define VIRTIO_MMIO_BYTES        0x200
#define VIRTIO_MMIO_QUEUE_NOTIFY 0x050

struct virtio_mmio {
	struct virtio_device *device; /* [const] borrowed */
	struct virtio_isr isr;
	/* [atomic] selectors, relaxed: a driver that uses them from two processors at once without
	 * a lock of its own has not said which queue it means. */
	_Atomic uint32_t device_features_select, driver_features_select, queue_select;
};

/* Becomes the device's transport; before the guest runs. Edge-triggered: the line is pulsed for
 * every interrupt, else it is high until all are acknowledged. */
void virtio_mmio_init(struct virtio_mmio *mmio, struct virtio_device *device, const struct irq *irq,
	bool edge_triggered);
void virtio_mmio_fini(struct virtio_mmio *mmio);

/* Power-on state, of the device too; vCPUs are stopped. */
void virtio_mmio_reset(struct virtio_mmio *mmio);

/* For a range of VIRTIO_MMIO_BYTES with the struct virtio_mmio as its device. Registers: aligned
 * accesses of four bytes; others read zero and write nothing. Configuration space: any. */
extern const struct bus_ops virtio_mmio_bus_ops;
