/*
 * Packed virtqueues, VIRTIO 1.2 2.8: one ring of descriptors that driver and device both write, two
 * words of event suppression. Called from virtq.c only; the protocol is told there.
 */
#include "virtq_internal.h"

#include <errno.h>

/* 2.8.1 */
#define DESC_F_AVAIL (1u << 7)
#define DESC_F_USED  (1u << 15)

/* 2.8.13 */
#define DESC_ADDRESS 0u
#define DESC_LENGTH  8u
#define DESC_ID      12u
#define DESC_FLAGS   14u

/* 2.8.14 */
#define EVENT_OFFSET        0u
#define EVENT_FLAGS         2u
#define EVENT_OFFSET_WRAP   0x8000u
#define EVENT_FLAGS_MASK    3u
#define EVENT_FLAGS_ENABLE  0u
#define EVENT_FLAGS_DISABLE 1u
#define EVENT_FLAGS_DESC    2u

static uint8_t *entry_at(const struct virtq *queue, uint16_t position)
{
	return queue->descriptor_area + (size_t)position * VIRTQ_DESC_BYTES;
}

/* 2.8.1: available in this lap of the ring */
static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_F_AVAIL) == wrap && !!(flags & DESC_F_USED) != wrap;
}

/* All of the table is the chain; flags but WRITE, and Buffer IDs, say nothing there (2.8.7). */
static int gather_table(const struct virtq *queue, struct virtq_gather *gather,
	const struct virtq_descriptor *descriptor, uint16_t flags)
{
	const uint8_t *table;
	uint32_t count;
	int r = virtq_indirect_table(queue, descriptor->address, descriptor->length,
		flags & VIRTQ_DESC_F_NEXT, &table, &count);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		struct virtq_descriptor inner = virtq_copy_descriptor(
			table + (size_t)i * VIRTQ_DESC_BYTES);

		r = virtq_gather_add(queue, gather, inner.address, inner.length,
			inner.word14 & VIRTQ_DESC_F_WRITE);
	}
	return r;
}

struct position {
	uint16_t offset;
	bool wrap;
};

static struct position advance(
	const struct virtq *queue, struct position position, uint16_t positions)
{
	uint32_t offset = (uint32_t)position.offset + positions;

	if (offset < queue->size)
		return (struct position){(uint16_t)offset, position.wrap};
	return (struct position){(uint16_t)(offset - queue->size), !position.wrap};
}

/* Follows the list from the next position, whose flags are given. Returns the number of its
 * descriptors; its Buffer ID stands in the last of them (2.8.6). */
static int gather_list(
	const struct virtq *queue, struct virtq_gather *gather, uint16_t flags, uint16_t *ret_id)
{
	struct position position = {queue->next_available, queue->available_wrap};
	uint16_t room = (uint16_t)(queue->size - queue->positions_taken);

	for (uint16_t count = 1;; count++) {
		const uint8_t *entry = entry_at(queue, position.offset);
		struct virtq_descriptor descriptor = {
			.address = ring_load64(entry + DESC_ADDRESS),
			.length = ring_load32(entry + DESC_LENGTH),
			.word12 = ring_load16(entry + DESC_ID),
		};
		int r;

		/* 2.8.17: more than the ring holds, a loop or positions that we still have */
		if (count > room)
			return -EPROTO;
		if (flags & VIRTQ_DESC_F_INDIRECT) {
			/* 2.8.19: not in a list linked by NEXT */
			r = count > 1 ? -EPROTO : gather_table(queue, gather, &descriptor, flags);
		} else {
			r = virtq_gather_add(queue, gather, descriptor.address, descriptor.length,
				flags & VIRTQ_DESC_F_WRITE);
		}
		if (r < 0)
			return r;
		if (!(flags & VIRTQ_DESC_F_NEXT)) {
			*ret_id = descriptor.word12;
			return count;
		}
		position = advance(queue, position, 1);
		/* The acquire load of the first flags vouches for all of the list: a driver makes
		 * the first descriptor available last (2.8.17), flags right in each (2.8.6). */
		flags = ring_load16(entry_at(queue, position.offset) + DESC_FLAGS);
		if (!is_available(flags, position.wrap))
			return -EPROTO;
	}
}

int virtq_packed_pop(struct virtq *queue, struct virtq_slot **ret_slot)
{
	/* ORDER: acquire; pairs with the driver's barrier between writing a list and writing the
	 * flags of its first descriptor (2.8.21.1.1). */
	uint16_t flags = ring_load16_acquire(entry_at(queue, queue->next_available) + DESC_FLAGS);
	struct position position = {queue->next_available, queue->available_wrap};
	struct virtq_gather gather;
	uint16_t id;
	int count;

	if (!is_available(flags, queue->available_wrap))
		return 0;
	if (queue->positions_taken == queue->size)
		return -EPROTO;
	gather = virtq_gather_begin(queue);
	count = gather_list(queue, &gather, flags, &id);
	if (count < 0)
		return count;
	if (virtq_id_is_out(queue, id))
		return -EPROTO;
	virtq_gather_end(queue, &gather, id, (uint16_t)count);
	queue->positions_taken = (uint16_t)(queue->positions_taken + count);
	position = advance(queue, position, (uint16_t)count);
	queue->next_available = position.offset;
	queue->available_wrap = position.wrap;
	*ret_slot = gather.slot;
	return 1;
}

void virtq_packed_write_used(struct virtq *queue, const struct virtq_used *used)
{
	struct position position = {queue->next_used, queue->used_wrap};
	uint8_t *entry = entry_at(queue, position.offset);
	uint16_t flags = position.wrap ? DESC_F_AVAIL | DESC_F_USED : 0;

	/* 2.8.3: in a used descriptor, whether anything was written */
	if (used->length)
		flags |= VIRTQ_DESC_F_WRITE;
	ring_store32(entry + DESC_LENGTH,
		used->length > UINT32_MAX ? UINT32_MAX : (uint32_t)used->length);
	ring_store16(entry + DESC_ID, used->id);
	/* The driver looks at one position, the next after what it has seen used (2.8.2): while the
	 * first one's flags are old, those behind it may already be new. */
	if (queue->unpublished == 0) {
		queue->first_unpublished = position.offset;
		queue->first_flags = flags;
	} else {
		ring_store16(entry + DESC_FLAGS, flags);
	}
	position = advance(queue, position, used->positions);
	queue->next_used = position.offset;
	queue->used_wrap = position.wrap;
}

void virtq_packed_publish(struct virtq *queue)
{
	queue->positions_taken = (uint16_t)(queue->positions_taken - queue->unpublished);
	/* ORDER: release; pairs with the driver's barrier between reading these flags and reading
	 * the rest of the used descriptors and the buffers (2.8.22). */
	ring_store16_release(
		entry_at(queue, queue->first_unpublished) + DESC_FLAGS, queue->first_flags);
}

/* A position of two laps, so that the wrap counter is part of the number. */
static uint32_t in_two_laps(const struct virtq *queue, uint16_t offset, bool wrap)
{
	return wrap ? offset : (uint32_t)offset + queue->size;
}

bool virtq_packed_wants_notification(const struct virtq *queue, uint16_t advanced)
{
	/* ORDER: acquire; pairs with the driver's barrier between writing the offset and the flags:
	 * who sees EVENT_FLAGS_DESC sees the offset that belongs to it. */
	uint16_t flags = ring_load16_acquire(queue->driver_area + EVENT_FLAGS) & EVENT_FLAGS_MASK;
	uint32_t laps = 2u * queue->size;
	uint16_t word, offset;
	uint32_t event, end;

	if (flags == EVENT_FLAGS_DISABLE)
		return false;
	if (flags != EVENT_FLAGS_DESC || !queue->features.event_idx)
		return true;
	word = ring_load16(queue->driver_area + EVENT_OFFSET);
	offset = word & (EVENT_OFFSET_WRAP - 1u);
	if (offset >= queue->size)
		return true;
	/* 2.8.10: when the descriptor at the event's position is among those now used */
	event = in_two_laps(queue, offset, word & EVENT_OFFSET_WRAP);
	end = in_two_laps(queue, queue->next_used, queue->used_wrap);
	return (end + laps - event - 1) % laps < advanced;
}

void virtq_packed_enable_notifications(struct virtq *queue)
{
	if (!queue->features.event_idx) {
		ring_store16(queue->device_area + EVENT_FLAGS, EVENT_FLAGS_ENABLE);
		return;
	}
	ring_store16(queue->device_area + EVENT_OFFSET,
		(uint16_t)(queue->next_available |
			   (queue->available_wrap ? EVENT_OFFSET_WRAP : 0)));
	/* ORDER: release; pairs with the driver reading flags first, or both in one word. */
	ring_store16_release(queue->device_area + EVENT_FLAGS, EVENT_FLAGS_DESC);
}

void virtq_packed_disable_notifications(struct virtq *queue)
{
	ring_store16(queue->device_area + EVENT_FLAGS, EVENT_FLAGS_DISABLE);
}

bool virtq_packed_has_available(const struct virtq *queue)
{
	return is_available(ring_load16(entry_at(queue, queue->next_available) + DESC_FLAGS),
		queue->available_wrap);
}
