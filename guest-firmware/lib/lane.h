/*
 * A split queue of a device for guests that poll: its ring, and the way to notify. Slots are chains
 * of stride descriptors each.
 */
#pragma once

#include "vring.h"

struct lane {
	struct virtio *device;
	struct vring ring;
	uint64_t notify_address;
	uint64_t notifications; /* so far */
};

/* Takes memory for a ring of at most so many descriptors; features are agreed on already. */
bool lane_prepare(struct lane *lane, struct virtio *device, uint16_t queue, uint16_t size_max,
	uint16_t stride);
/* A buffer of its own for each of the first so many slots of one descriptor. False: no memory. */
bool lane_add_buffers(struct lane *lane, uint16_t slots, uint32_t bytes, bool writable);
/* The ring is the device's from now on. False: it has no such queue. */
bool lane_open(struct lane *lane);

/* Notifies, if something became available since then and the device wants to know. */
void lane_notify(struct lane *lane, uint16_t old_available);

/* The buffer of a slot of one descriptor. */
static inline uint8_t *lane_buffer(const struct lane *lane, uint16_t slot)
{
	return (uint8_t *)(uintptr_t)vring_descriptors(&lane->ring)[slot].address;
}
