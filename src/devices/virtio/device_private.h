/*
 * What device.c (status, features, configuration space) and device_queues.c (queues and their way
 * to the I/O thread and back) know of each other. See virtio_device.h.
 */
#pragma once

#include "virtio_device.h"

#define VIRTIO_QUIESCING_NONE (VIRTIO_QUEUES_MAX + 1)

static inline bool virtio_device_accepted(const struct virtio_device *device, unsigned int feature)
{
	return device->accepted_features >> feature & 1;
}

/* All with the device lock held. */

/* Hands the enabled queues to the I/O thread. */
void virtio_queues_activate(struct virtio_device *device);
/* Takes them back; returns when nothing is in flight. */
void virtio_queues_quiesce(struct virtio_device *device);
/* Power-on configuration; inactive. */
void virtio_queues_reset(struct virtio_device *device);

must_check int virtio_queues_init(struct virtio_device *device, struct err *err);
void virtio_queues_fini(struct virtio_device *device);
