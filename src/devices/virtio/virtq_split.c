/*
 * Split virtqueues, VIRTIO 1.2 2.7: a descriptor table that the driver writes, an available ring of
 * heads and a used ring of ours. Called from virtq.c only; the protocol is told there.
 */
#include "virtq_internal.h"

#include <errno.h>

/* 2.7.6: flags, idx, ring[size], used_event */
#define AVAILABLE_FLAGS      0u
#define AVAILABLE_INDEX      2u
#define AVAILABLE_RING       4u
#define AVAILABLE_RING_ENTRY 2u
#define NO_INTERRUPT         1u

/* 2.7.8: flags, idx, ring[size] of id and length, avail_event */
#define USED_FLAGS      0u
#define USED_INDEX      2u
#define USED_RING       4u
#define USED_RING_ENTRY 8u
#define NO_NOTIFY       1u

/* Follows a chain from its head: buffers of the table, or first some of them and then one indirect
 * table (2.7.5.3.2). Each table is followed for at most as many steps as it has entries, which ends
 * loops; how long an indirect chain may be is segments_max and not the queue's size, as drivers
 * have it in practice. */
static int gather_chain(const struct virtq *queue, struct virtq_gather *gather, uint16_t head)
{
	const uint8_t *table = queue->descriptor_area;
	uint32_t count = queue->size;
	uint32_t steps = 0;
	uint32_t index = head;
	bool nested = false;

	for (;;) {
		struct virtq_descriptor descriptor;
		uint16_t flags;
		int r;

		/* 2.7.5.3.1: no loops; indices stay in the table */
		if (index >= count || steps++ == count)
			return -EPROTO;
		descriptor = virtq_copy_descriptor(table + (size_t)index * VIRTQ_DESC_BYTES);
		flags = descriptor.word12;
		if (flags & VIRTQ_DESC_F_INDIRECT) {
			if (nested) /* 2.7.5.3.1: one table, not a tree */
				return -EPROTO;
			r = virtq_indirect_table(queue, descriptor.address, descriptor.length,
				flags & VIRTQ_DESC_F_NEXT, &table, &count);
			if (r < 0)
				return r;
			nested = true;
			steps = 0;
			index = 0;
			continue;
		}
		r = virtq_gather_add(queue, gather, descriptor.address, descriptor.length,
			flags & VIRTQ_DESC_F_WRITE);
		if (r < 0 || !(flags & VIRTQ_DESC_F_NEXT))
			return r;
		index = descriptor.word14;
	}
}

int virtq_split_pop(struct virtq *queue, struct virtq_slot **ret_slot)
{
	struct virtq_gather gather;
	uint16_t head;
	int r;

	if (queue->next_available == queue->available_index) {
		/* ORDER: acquire; pairs with the driver's barrier between writing ring entries and
		 * descriptors and writing idx (2.7.13.3). Loads below see what idx vouches for. */
		uint16_t index = ring_load16_acquire(queue->driver_area + AVAILABLE_INDEX);
		uint16_t published = (uint16_t)(queue->next_used - queue->unpublished);
		uint16_t ours = (uint16_t)(queue->next_available - published);

		/* A chain takes a descriptor at least, and the driver has it back when the used
		 * index says so: no more than size chains are ours or on their way to us. */
		if ((uint16_t)(index - queue->next_available) > queue->size - ours)
			return -EPROTO;
		queue->available_index = index;
		if (index == queue->next_available)
			return 0;
	}
	head = ring_load16(queue->driver_area + AVAILABLE_RING +
			   AVAILABLE_RING_ENTRY * (queue->next_available & (queue->size - 1u)));
	if (head >= queue->size || virtq_id_is_out(queue, head))
		return -EPROTO;
	gather = virtq_gather_begin(queue);
	r = gather_chain(queue, &gather, head);
	if (r < 0)
		return r;
	virtq_gather_end(queue, &gather, head, 1);
	queue->next_available++;
	*ret_slot = gather.slot;
	return 1;
}

void virtq_split_write_used(struct virtq *queue, const struct virtq_used *used)
{
	uint8_t *entry = queue->device_area + USED_RING +
	                 USED_RING_ENTRY * (queue->next_used & (queue->size - 1u));

	ring_store32(entry, used->id);
	ring_store32(entry + 4, used->length > UINT32_MAX ? UINT32_MAX : (uint32_t)used->length);
	queue->next_used = (uint16_t)(queue->next_used + used->positions);
}

void virtq_split_publish(struct virtq *queue)
{
	/* ORDER: release; pairs with the driver's barrier between reading idx and reading used
	 * elements and buffers (2.7.14). Our stores to those come first. */
	ring_store16_release(queue->device_area + USED_INDEX, queue->next_used);
}

bool virtq_split_wants_notification(const struct virtq *queue, uint16_t advanced)
{
	uint16_t event;

	if (!queue->features.event_idx)
		return !(ring_load16(queue->driver_area + AVAILABLE_FLAGS) & NO_INTERRUPT);
	/* 2.7.7.2: when idx has moved past used_event */
	event = ring_load16(
		queue->driver_area + AVAILABLE_RING + AVAILABLE_RING_ENTRY * queue->size);
	return (uint16_t)(queue->next_used - event - 1) < advanced;
}

void virtq_split_enable_notifications(struct virtq *queue)
{
	if (queue->features.event_idx)
		ring_store16(queue->device_area + USED_RING + USED_RING_ENTRY * queue->size,
			queue->next_available);
	else
		ring_store16(queue->device_area + USED_FLAGS, 0);
}

void virtq_split_disable_notifications(struct virtq *queue)
{
	/* 2.7.10.2: with the event index flags stay 0; avail_event stays behind, where the driver
	 * passes it once in 65536 chains. */
	if (!queue->features.event_idx)
		ring_store16(queue->device_area + USED_FLAGS, NO_NOTIFY);
}

bool virtq_split_has_available(const struct virtq *queue)
{
	return ring_load16(queue->driver_area + AVAILABLE_INDEX) != queue->next_available;
}
