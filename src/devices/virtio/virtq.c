/*
 * Virtqueues: what both ring formats have in common. Runs on the queue's I/O thread; implements
 * VIRTIO 1.2 2.6 to 2.8 together with virtq_split.c and virtq_packed.c.
 *
 * The protocol
 *
 * Driver and device share memory and nothing else. Each word in it has one writer at a time, and
 * ownership of everything else moves with a few of these words:
 *
 *	          the driver gives chains     the device gives them back
 *	split     available index             used index
 *	packed    flags of the first          flags of the first descriptor
 *	          descriptor of a list        of what is used together
 *
 * 1. Giving. The giver writes everything that belongs to the chain, then the word (release). The
 *    taker reads the word (acquire), then the rest. So whoever sees the word sees what it vouches
 *    for: ring entry, descriptors, indirect table and buffers on the way here, used element and
 *    buffers on the way back. The word is written once for many chains: virtq_push only fills in
 *    what nobody looks at yet, virtq_flush writes the word.
 *
 * 2. Sleeping. A side that has nothing to do asks to be notified and goes to sleep; a side that has
 *    given something looks whether the other has asked. Each first stores, then loads what the
 *    other has stored:
 *
 *	sleeper: store "notify me"; full barrier; load the giving word - something there? stay up
 *	giver:   store the giving word; full barrier; load "notify me" - asked for? notify
 *
 *    Were either barrier missing, or acquire and release only, both loads could see old values
 *    (x86_64 too moves loads before earlier stores): the giver does not notify, the sleeper sleeps,
 *    the queue hangs. With both, the barriers have an order, and the load behind the later one sees
 *    the store in front of the earlier one. We are the giver in virtq_flush and the sleeper in
 *    virtq_enable_notifications; the other halves are in the driver
 *(2.7.10.1, 2.7.7.1, 2.8.21.3.1).
 *
 * 3. Asking. Without the event index "notify me" is a flag. With it, it is a position: "when you
 *    have come past this one". The giver compares the stretch it went since it last looked with the
 *    position, modulo 65536 (split) or two laps of the ring (packed; one lap is not enough to tell
 *    full from empty, hence wrap counters). A stretch is never longer than the queue's size, which
 *    is at most half of the modulus: there is no ambiguity.
 *
 * 4. Distrust. The guest may break every one of these rules, at any moment, on another CPU. So:
 *each of its words is copied once, by one access, and checked afterwards, in the copy. What we have
 *    written is never read back; indices are private, the ring's are for the driver only. A chain
 *    is checked as a whole before anything about the queue changes. Loops end after as many steps
 *    as the table has entries. An id that is given while it is out is refused, or a device would
 *    have two requests in one place. Whatever is wrong gives -EPROTO, once and for all until the
 *    driver resets the queue; chains that are out can still be pushed. What the guest breaks by
 *    changing buffers while we work on them is its own data.
 */
#include "virtq_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

struct area {
	uint64_t address;
	uint32_t length, alignment;
};

enum { AREA_DESCRIPTOR, AREA_DRIVER, AREA_DEVICE, AREAS };

/* 2.7 and 2.8.10.1; the event fields are there whether the feature is accepted or not. */
static void describe_areas(
	const struct virtq_config *config, enum virtq_format format, struct area areas[AREAS])
{
	uint32_t size = config->size;
	bool packed = format == VIRTQ_PACKED;

	areas[AREA_DESCRIPTOR] = (struct area){
		config->descriptor_area, size * VIRTQ_DESC_BYTES, 16};
	areas[AREA_DRIVER] = packed ? (struct area){config->driver_area, 4, 4}
	                            : (struct area){config->driver_area, 6 + 2 * size, 2};
	areas[AREA_DEVICE] = packed ? (struct area){config->device_area, 4, 4}
	                            : (struct area){config->device_area, 6 + 8 * size, 4};
}

int virtq_config_check(const struct virtq_config *config, const struct gmem *gmem,
	const struct virtq_features *features)
{
	struct area areas[AREAS];
	uint16_t size = config->size;

	if (size == 0 || size > config->size_max || size > VIRTQ_SIZE_MAX)
		return -EINVAL;
	if (features->format == VIRTQ_SPLIT && (size & (size - 1))) /* 2.7 */
		return -EINVAL;
	describe_areas(config, features->format, areas);
	for (unsigned int i = 0; i < AREAS; i++)
		if (areas[i].address % areas[i].alignment ||
			!gmem_contains(gmem, gpa_at(areas[i].address), areas[i].length))
			return -EINVAL;
	return 0;
}

int virtq_create(
	const struct gmem *gmem, uint16_t size_max, uint16_t segments_max, struct virtq **ret_queue)
{
	struct virtq *queue;

	if (size_max == 0 || size_max > VIRTQ_SIZE_MAX || segments_max == 0)
		return -EINVAL;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->gmem = gmem;
	queue->size_max = size_max;
	queue->segments_max = segments_max;
	queue->slots = calloc(size_max, sizeof(*queue->slots));
	queue->free_slots = calloc(size_max, sizeof(*queue->free_slots));
	queue->order = calloc(size_max, sizeof(*queue->order));
	queue->ids_out = calloc(VIRTQ_IDS / 64, sizeof(*queue->ids_out));
	queue->arena = calloc((size_t)size_max * segments_max, sizeof(*queue->arena));
	if (!queue->slots || !queue->free_slots || !queue->order || !queue->ids_out ||
		!queue->arena) {
		virtq_destroy(queue);
		return -ENOMEM;
	}
	*ret_queue = queue;
	return 0;
}

void virtq_destroy(struct virtq *queue)
{
	if (!queue)
		return;
	free(queue->arena);
	free(queue->ids_out);
	free(queue->order);
	free(queue->free_slots);
	free(queue->slots);
	free(queue);
}

/* Everything from the first [io] field on is as in a new queue. */
static void clear_run_half(struct virtq *queue)
{
	const size_t first = offsetof(struct virtq, features);

	memset((char *)queue + first, 0, sizeof(*queue) - first);
	memset(queue->ids_out, 0, VIRTQ_IDS / 8);
	for (uint16_t i = 0; i < queue->size_max; i++) {
		queue->slots[i].out = false;
		/* The last one is popped first: begin with slot 0. */
		queue->free_slots[i] = (uint16_t)(queue->size_max - 1 - i);
	}
	queue->free_count = queue->size_max;
}

static uint8_t *resolve(const struct virtq *queue, const struct area *area)
{
	struct gmem_span span;

	if (gmem_span(queue->gmem, gpa_at(area->address), area->length, GMEM_WRITE, &span) < 0)
		return NULL;
	return span.host;
}

void virtq_start_at(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features, const struct virtq_position *position)
{
	struct area areas[AREAS];

	assert(!queue->running);
	clear_run_half(queue);
	queue->features = *features;
	queue->running = true;
	if (config->size > queue->size_max ||
		virtq_config_check(config, queue->gmem, features) < 0) {
		queue->broken = true;
		return;
	}
	describe_areas(config, features->format, areas);
	queue->descriptor_area = resolve(queue, &areas[AREA_DESCRIPTOR]);
	queue->driver_area = resolve(queue, &areas[AREA_DRIVER]);
	queue->device_area = resolve(queue, &areas[AREA_DEVICE]);
	queue->size = config->size;
	queue->next_available = position->next_available;
	queue->next_used = position->next_used;
	queue->available_index = position->next_available;
	queue->available_wrap = position->available_wrap;
	queue->used_wrap = position->used_wrap;
	/* With nothing outstanding both are at the same place: others cannot be gone on from. */
	queue->broken = position->next_available != position->next_used ||
	                position->available_wrap != position->used_wrap ||
	                (features->format == VIRTQ_PACKED &&
				position->next_available >= queue->size);
	queue->notify_once = true;
	(void)!virtq_enable_notifications(queue); /* the first pop looks anyway */
}

void virtq_start(struct virtq *queue, const struct virtq_config *config,
	const struct virtq_features *features)
{
	/* 2.8.1: wrap counters start at 1 */
	static const struct virtq_position beginning = {.available_wrap = true, .used_wrap = true};

	virtq_start_at(queue, config, features, &beginning);
	queue->notify_once = false;
}

void virtq_stop(struct virtq *queue)
{
	assert(queue->outstanding == 0);
	queue->running = false;
}

bool virtq_is_running(const struct virtq *queue)
{
	return queue->running;
}

struct virtq_position virtq_position(const struct virtq *queue)
{
	assert(queue->outstanding == 0 && queue->unpublished == 0);
	return (struct virtq_position){
		queue->next_available, queue->next_used, queue->available_wrap, queue->used_wrap};
}

struct virtq_gather virtq_gather_begin(struct virtq *queue)
{
	struct virtq_slot *slot = &queue->slots[queue->free_slots[queue->free_count - 1]];

	return (struct virtq_gather){.slot = slot, .spans = slot->inline_spans};
}

int virtq_gather_add(const struct virtq *queue, struct virtq_gather *gather, uint64_t address,
	uint32_t length, bool writable)
{
	/* The device's limit on a chain (2.8.18; 5.2.6.1 seg_max and its like). */
	if (++gather->buffers > queue->segments_max)
		return -EPROTO;
	if (gather->writable && !writable) /* 2.7.4.2, 2.8.17 */
		return -EPROTO;
	gather->writable = writable;
	if (length == 0)
		return 0;
	/* 2.7.5.2 */
	if (length > CHAIN_BYTES_MAX - gather->readable_bytes - gather->writable_bytes)
		return -EPROTO;
	if (gather->span_count == VIRTQ_SPANS_INLINE &&
		gather->spans == gather->slot->inline_spans) {
		size_t slot = (size_t)(gather->slot - queue->slots);

		gather->spans = queue->arena + slot * queue->segments_max;
		memcpy(gather->spans, gather->slot->inline_spans,
			sizeof(gather->slot->inline_spans));
	}
	if (gmem_span(queue->gmem, gpa_at(address), length, writable ? GMEM_WRITE : GMEM_READ,
		    &gather->spans[gather->span_count]) < 0)
		return -EPROTO;
	gather->span_count++;
	if (writable) {
		gather->writable_bytes += length;
	} else {
		gather->readable_count++;
		gather->readable_bytes += length;
	}
	return 0;
}

int virtq_indirect_table(const struct virtq *queue, uint64_t address, uint32_t length,
	bool has_next, const uint8_t **ret_table, uint32_t *ret_count)
{
	struct gmem_span span;

	/* 2.7.5.3.1, 2.8.19 */
	if (!queue->features.indirect || has_next)
		return -EPROTO;
	if (length == 0 || length % VIRTQ_DESC_BYTES)
		return -EPROTO;
	if (gmem_span(queue->gmem, gpa_at(address), length, GMEM_READ, &span) < 0)
		return -EPROTO;
	*ret_table = span.host;
	*ret_count = length / VIRTQ_DESC_BYTES;
	return 0;
}

void virtq_gather_end(
	struct virtq *queue, struct virtq_gather *gather, uint16_t id, uint16_t positions)
{
	struct virtq_slot *slot = gather->slot;
	uint16_t index = queue->free_slots[--queue->free_count];
	uint16_t writable_count = (uint16_t)(gather->span_count - gather->readable_count);

	slot->chain = (struct chain){
		.head = index,
		.reader = {.spans = gather->spans,
			.span_count = gather->readable_count,
			.left_bytes = gather->readable_bytes},
		.writer = {.spans = gather->spans + gather->readable_count,
			.span_count = writable_count,
			.left_bytes = gather->writable_bytes},
		.readable_bytes = gather->readable_bytes,
		.writable_bytes = gather->writable_bytes,
	};
	slot->id = id;
	slot->positions = positions;
	slot->out = true;
	queue->ids_out[id / 64] |= UINT64_C(1) << (id % 64);
	queue->outstanding++;
	if (queue->features.in_order) {
		uint32_t last = ((uint32_t)queue->order_first + queue->order_count) %
		                queue->size_max;

		queue->order[last] = index;
		queue->order_count++;
	}
}

static bool is_packed(const struct virtq *queue)
{
	return queue->features.format == VIRTQ_PACKED;
}

int virtq_pop(struct virtq *queue, struct chain **ret_chain)
{
	struct virtq_slot *slot;
	int r;

	assert(queue->running);
	if (queue->broken)
		return -EPROTO;
	r = is_packed(queue) ? virtq_packed_pop(queue, &slot) : virtq_split_pop(queue, &slot);
	if (r > 0)
		*ret_chain = &slot->chain;
	else if (r < 0)
		queue->broken = true;
	return r;
}

static void write_used(struct virtq *queue, const struct virtq_used *used)
{
	if (is_packed(queue))
		virtq_packed_write_used(queue, used);
	else
		virtq_split_write_used(queue, used);
	queue->unpublished = (uint16_t)(queue->unpublished + used->positions);
}

static void write_batch(struct virtq *queue)
{
	if (queue->batch.positions)
		write_used(queue, &queue->batch);
	queue->batch.positions = 0;
}

/* 2.7.9, 2.8.8: one used element, naming the last, may stand for several chains if those before it
 * were used completely. */
static void add_to_batch(struct virtq *queue, const struct virtq_slot *slot)
{
	if (!queue->batch_is_complete)
		write_batch(queue);
	queue->batch.id = slot->id;
	queue->batch.positions = (uint16_t)(queue->batch.positions + slot->positions);
	queue->batch.length = slot->chain.written_bytes;
	queue->batch_is_complete = slot->chain.written_bytes == slot->chain.writable_bytes;
}

/* The chain is no more; the driver may give its id again (once it knows). */
static void release(struct virtq *queue, struct virtq_slot *slot)
{
	queue->ids_out[slot->id / 64] &= ~(UINT64_C(1) << (slot->id % 64));
	queue->free_slots[queue->free_count++] = (uint16_t)(slot - queue->slots);
}

void virtq_push(struct virtq *queue, struct chain *chain)
{
	struct virtq_slot *slot = container_of(chain, struct virtq_slot, chain);

	assert(slot->out);
	slot->out = false;
	queue->outstanding--;
	if (!queue->features.in_order) {
		struct virtq_used used = {slot->id, slot->positions, chain->written_bytes};

		write_used(queue, &used);
		release(queue, slot);
		return;
	}
	while (queue->order_count) {
		slot = &queue->slots[queue->order[queue->order_first]];
		if (slot->out)
			return;
		add_to_batch(queue, slot);
		release(queue, slot);
		queue->order_first = (uint16_t)((queue->order_first + 1u) % queue->size_max);
		queue->order_count--;
	}
}

bool virtq_flush(struct virtq *queue)
{
	uint16_t advanced;
	bool wanted;

	write_batch(queue);
	advanced = queue->unpublished;
	if (advanced == 0)
		return false;
	if (is_packed(queue))
		virtq_packed_publish(queue);
	else
		virtq_split_publish(queue);
	queue->unpublished = 0;
	/* ORDER: full barrier between publishing and reading what the driver has asked for; pairs
	 * with the driver's between asking and looking for used elements once more (2.7.7.1,
	 * 2.8.22). Part 2 of the essay; this is the giver. */
	atomic_thread_fence(memory_order_seq_cst);
	wanted = is_packed(queue) ? virtq_packed_wants_notification(queue, advanced)
	                          : virtq_split_wants_notification(queue, advanced);
	wanted |= queue->notify_once;
	queue->notify_once = false;
	return wanted;
}

bool virtq_enable_notifications(struct virtq *queue)
{
	if (queue->broken)
		return false;
	if (is_packed(queue))
		virtq_packed_enable_notifications(queue);
	else
		virtq_split_enable_notifications(queue);
	/* ORDER: full barrier between asking and looking once more; pairs with the driver's between
	 * making available and reading what we have asked for (2.7.13.4.1, 2.8.21.3.1). Part 2 of
	 * the essay; this is the sleeper. */
	atomic_thread_fence(memory_order_seq_cst);
	return virtq_has_available(queue);
}

bool virtq_has_available(const struct virtq *queue)
{
	if (queue->broken)
		return false;
	return is_packed(queue) ? virtq_packed_has_available(queue)
	                        : virtq_split_has_available(queue);
}

void virtq_disable_notifications(struct virtq *queue)
{
	if (queue->broken)
		return;
	if (is_packed(queue))
		virtq_packed_disable_notifications(queue);
	else
		virtq_split_disable_notifications(queue);
}

unsigned int virtq_outstanding(const struct virtq *queue)
{
	return queue->outstanding;
}
