/*
 * A virtqueue as its driver sees it: split (VIRTIO 1.2 2.7) and packed (2.8). The areas are plain
 * memory that the guest may also fill by hand.
 *
 * Descriptors are not managed: a caller divides them into slots of stride each, and makes slot n
 * available again only after it was used.
 */
#pragma once

#include "virtio.h"

#include <stdbool.h>
#include <stdint.h>

#define DESC_NEXT      0x0001
#define DESC_WRITE     0x0002
#define DESC_INDIRECT  0x0004
#define DESC_AVAILABLE 0x0080 /* packed only, as is the next */
#define DESC_USED      0x8000

struct vring_descriptor { /* 2.7.5 */
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct vring_packed { /* 2.8.13 */
	uint64_t address;
	uint32_t length;
	uint16_t id;
	uint16_t flags;
};

struct vring_buffer {
	uint64_t address;
	uint32_t length;
	bool writable;
};

struct vring {
	bool packed, event_index;
	uint16_t queue, size, stride;
	uint64_t areas[3]; /* enum virtio_area */
	uint16_t next_available, next_used;
	bool available_wrap, used_wrap; /* packed */
};

#define VRING_SIZE_MAX 1024
/* Enough, page-aligned, for the areas of any ring up to that size. */
#define VRING_BYTES UINT64_C(0xc000)

/* Lays a ring out in VRING_BYTES of memory and clears it. */
void vring_place(struct vring *ring, uint64_t memory, uint16_t queue, uint16_t size, bool packed,
	bool event_index);

/* Tells the device about it (not enabling it). */
void vring_configure(const struct vring *ring, const struct virtio *device);

static inline volatile struct vring_descriptor *vring_descriptors(const struct vring *ring)
{
	return (volatile struct vring_descriptor *)(uintptr_t)ring->areas[AREA_DESCRIPTOR];
}

static inline volatile struct vring_packed *vring_packed_descriptors(const struct vring *ring)
{
	return (volatile struct vring_packed *)(uintptr_t)ring->areas[AREA_DESCRIPTOR];
}

/* Split: flags, idx, ring[size], used_event; flags, idx, ring[size] of id and length, avail_event.
 * Packed: the two event suppression structures, offset and wrap, then flags. */
static inline volatile uint16_t *vring_driver_area(const struct vring *ring)
{
	return (volatile uint16_t *)(uintptr_t)ring->areas[AREA_DRIVER];
}

static inline volatile uint16_t *vring_device_area(const struct vring *ring)
{
	return (volatile uint16_t *)(uintptr_t)ring->areas[AREA_DEVICE];
}

/* Split: the chain of a slot, without making it available. */
void vring_write_chain(const struct vring *ring, uint16_t slot, const struct vring_buffer *buffers,
	uint16_t count);
/* Split: makes the chain at head available; in two steps, so that several become it at once. */
void vring_publish(struct vring *ring, uint16_t head);
void vring_put(struct vring *ring, uint16_t head);
void vring_expose(struct vring *ring);

/* Packed: flags of a descriptor that becomes available at the current position. */
uint16_t vring_packed_flags(const struct vring *ring, uint16_t flags);
/* Packed: writes the descriptors, the first one's flags last, and moves on. */
void vring_publish_packed(
	struct vring *ring, const struct vring_packed *descriptors, uint16_t count);

/* Either: writes the chain of a slot and makes it available; its id is then slot * stride. */
void vring_add(
	struct vring *ring, uint16_t slot, const struct vring_buffer *buffers, uint16_t count);

/* Either: what became available since old asks for a notification; full barrier inside. */
bool vring_must_notify(const struct vring *ring, uint16_t old_available);

/* Either: the next used buffer, if there is one. */
bool vring_take_used(struct vring *ring, uint16_t *ret_id, uint32_t *ret_length);

/* Either: as far as the format allows, asks for no used buffer notifications. */
void vring_disable_interrupts(const struct vring *ring);
