/* See vring.h. */
#include "vring.h"

#include "barrier.h"

#define DRIVER_AREA_OFFSET UINT64_C(0x4000)
#define DEVICE_AREA_OFFSET UINT64_C(0x8000)
#define RING_IDX           1 /* in 16-bit words, as are the next two */
#define RING_ENTRIES       2
#define USED_ENTRY_WORDS   4

#define NO_INTERRUPT   1 /* 2.7.6, available ring flags */
#define NO_NOTIFY      1 /* 2.7.10, used ring flags */
#define EVENT_OFFSET   0 /* 2.8.14, in 16-bit words */
#define EVENT_FLAGS    1
#define EVENT_DISABLE  1
#define EVENT_SPECIFIC 2
#define EVENT_WRAP     0x8000

static void clear(uint64_t address, uint64_t bytes)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)address;

	for (uint64_t i = 0; i < (bytes + 7) / 8; i++)
		words[i] = 0;
}

void vring_place(struct vring *ring, uint64_t memory, uint16_t queue, uint16_t size, bool packed,
	bool event_index)
{
	*ring = (struct vring){
		.packed = packed,
		.event_index = event_index,
		.queue = queue,
		.size = size,
		.stride = 1,
		.areas = {memory, memory + DRIVER_AREA_OFFSET, memory + DEVICE_AREA_OFFSET},
		.available_wrap = true,
		.used_wrap = true,
	};
	clear(ring->areas[AREA_DESCRIPTOR], size * UINT64_C(16));
	clear(ring->areas[AREA_DRIVER], size * UINT64_C(2) + 6);
	clear(ring->areas[AREA_DEVICE], size * UINT64_C(8) + 6);
}

void vring_configure(const struct vring *ring, const struct virtio *device)
{
	const struct virtio_transport *transport = device->transport;

	transport->select_queue(device, ring->queue);
	transport->set_queue_size(device, ring->size);
	for (unsigned int area = AREA_DESCRIPTOR; area <= AREA_DEVICE; area++)
		transport->set_area(device, (enum virtio_area)area, ring->areas[area]);
}

void vring_write_chain(
	const struct vring *ring, uint16_t slot, const struct vring_buffer *buffers, uint16_t count)
{
	volatile struct vring_descriptor *descriptors = vring_descriptors(ring);
	uint16_t head = (uint16_t)(slot * ring->stride);

	for (uint16_t i = 0; i < count; i++) {
		volatile struct vring_descriptor *descriptor = &descriptors[head + i];

		descriptor->address = buffers[i].address;
		descriptor->length = buffers[i].length;
		descriptor->flags = (uint16_t)((buffers[i].writable ? DESC_WRITE : 0) |
					       (i + 1 < count ? DESC_NEXT : 0));
		descriptor->next = (uint16_t)(head + i + 1);
	}
}

void vring_put(struct vring *ring, uint16_t head)
{
	vring_driver_area(ring)[RING_ENTRIES + ring->next_available % ring->size] = head;
	ring->next_available++;
}

void vring_expose(struct vring *ring)
{
	/* ORDER: entries and their chains before the index that offers them. */
	barrier_order();
	vring_driver_area(ring)[RING_IDX] = ring->next_available;
}

void vring_publish(struct vring *ring, uint16_t head)
{
	vring_put(ring, head);
	vring_expose(ring);
}

uint16_t vring_packed_flags(const struct vring *ring, uint16_t flags)
{
	/* 2.8.1: available, not yet used, in this round. */
	return (uint16_t)(flags | (ring->available_wrap ? DESC_AVAILABLE : DESC_USED));
}

void vring_publish_packed(
	struct vring *ring, const struct vring_packed *descriptors, uint16_t count)
{
	volatile struct vring_packed *table = vring_packed_descriptors(ring);
	uint16_t first = ring->next_available;
	uint16_t first_flags = 0;

	for (uint16_t i = 0; i < count; i++) {
		volatile struct vring_packed *descriptor = &table[ring->next_available];
		uint16_t flags = vring_packed_flags(ring, descriptors[i].flags);

		descriptor->address = descriptors[i].address;
		descriptor->length = descriptors[i].length;
		descriptor->id = descriptors[i].id;
		if (i == 0)
			first_flags = flags;
		else
			descriptor->flags = flags;
		if (++ring->next_available == ring->size) {
			ring->next_available = 0;
			ring->available_wrap = !ring->available_wrap;
		}
	}
	/* ORDER: the rest of the chain before the flags that offer it. */
	barrier_order();
	table[first].flags = first_flags;
}

void vring_add(
	struct vring *ring, uint16_t slot, const struct vring_buffer *buffers, uint16_t count)
{
	struct vring_packed descriptors[32];
	uint16_t id = (uint16_t)(slot * ring->stride);

	if (!ring->packed) {
		vring_write_chain(ring, slot, buffers, count);
		vring_publish(ring, id);
		return;
	}
	for (uint16_t i = 0; i < count && i < 32; i++)
		descriptors[i] = (struct vring_packed){buffers[i].address, buffers[i].length, id,
			(uint16_t)((buffers[i].writable ? DESC_WRITE : 0) |
				   (i + 1 < count ? DESC_NEXT : 0))};
	vring_publish_packed(ring, descriptors, count < 32 ? count : 32);
}

static bool is_passed(uint16_t event, uint16_t new_index, uint16_t old_index)
{
	return (uint16_t)(new_index - event - 1) < (uint16_t)(new_index - old_index);
}

static bool must_notify_packed(const struct vring *ring, uint16_t old_available)
{
	const volatile uint16_t *events = vring_device_area(ring);
	uint16_t flags = events[EVENT_FLAGS];
	uint16_t offset = events[EVENT_OFFSET];
	uint16_t event = (uint16_t)(offset & ~EVENT_WRAP);
	uint16_t new_available = ring->next_available;

	if (flags != EVENT_SPECIFIC)
		return flags != EVENT_DISABLE;
	if (new_available < old_available)
		old_available = (uint16_t)(old_available - ring->size);
	if (((offset & EVENT_WRAP) != 0) != ring->available_wrap)
		event = (uint16_t)(event - ring->size);
	return is_passed(event, new_available, old_available);
}

bool vring_must_notify(const struct vring *ring, uint16_t old_available)
{
	const volatile uint16_t *used = vring_device_area(ring);

	/* ORDER: what was made available before what the device says about notifications. */
	barrier_full();
	if (ring->packed)
		return must_notify_packed(ring, old_available);
	if (!ring->event_index)
		return !(used[0] & NO_NOTIFY);
	return is_passed(used[RING_ENTRIES + ring->size * USED_ENTRY_WORDS], ring->next_available,
		old_available);
}

static bool take_used_packed(struct vring *ring, uint16_t *ret_id, uint32_t *ret_length)
{
	volatile struct vring_packed *descriptor = &vring_packed_descriptors(ring)[ring->next_used];
	uint16_t flags = descriptor->flags;
	bool available = flags & DESC_AVAILABLE, used = flags & DESC_USED;

	if (available != used || used != ring->used_wrap)
		return false;
	/* ORDER: the flags before what they vouch for. */
	barrier_order();
	*ret_id = descriptor->id;
	*ret_length = descriptor->length;
	return true;
}

/* The device skips as many descriptors as the chain had (2.8.6): the caller's slots say. */
static void skip_packed(struct vring *ring, uint16_t count)
{
	ring->next_used = (uint16_t)(ring->next_used + count);
	if (ring->next_used >= ring->size) {
		ring->next_used = (uint16_t)(ring->next_used - ring->size);
		ring->used_wrap = !ring->used_wrap;
	}
}

bool vring_take_used(struct vring *ring, uint16_t *ret_id, uint32_t *ret_length)
{
	volatile uint16_t *used = vring_device_area(ring);
	volatile uint32_t *entries;

	if (ring->packed) {
		if (!take_used_packed(ring, ret_id, ret_length))
			return false;
		skip_packed(ring, ring->stride);
		return true;
	}
	if (used[RING_IDX] == ring->next_used)
		return false;
	/* ORDER: the index before the entry it vouches for. */
	barrier_order();
	entries = (volatile uint32_t *)(uintptr_t)(ring->areas[AREA_DEVICE] + 4);
	*ret_id = (uint16_t)entries[ring->next_used % ring->size * 2];
	*ret_length = entries[ring->next_used % ring->size * 2 + 1];
	ring->next_used++;
	return true;
}

void vring_disable_interrupts(const struct vring *ring)
{
	volatile uint16_t *driver = vring_driver_area(ring);

	if (ring->packed)
		driver[EVENT_FLAGS] = EVENT_DISABLE;
	else
		driver[0] = NO_INTERRUPT;
}
