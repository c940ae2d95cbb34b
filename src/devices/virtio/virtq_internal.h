/*
 * What the two ring formats and their common part share. The ring words are reached through the
 * accessors below only: one access each, as wide as the field, with the order in the name.
 */
#pragma once

#include "virtq.h"

#include <string.h>

/* VIRTIO 1.2 2.7.5, 2.8.6 */
#define VIRTQ_DESC_F_NEXT     1
#define VIRTQ_DESC_F_WRITE    2
#define VIRTQ_DESC_F_INDIRECT 4
#define VIRTQ_DESC_BYTES      16u

#define VIRTQ_SPANS_INLINE 4
#define VIRTQ_IDS          65536u /* a Buffer ID (2.8.13) may be any 16-bit number */

struct virtq_slot {
	struct chain chain;
	struct gmem_span inline_spans[VIRTQ_SPANS_INLINE];
	uint16_t id;        /* the driver's name for it: head (split) or Buffer ID (packed) */
	uint16_t positions; /* of the ring that it took: 1 (split) or its descriptors (packed) */
	bool out;           /* popped and not pushed */
};

/* What goes into one used element: a chain or, in order, a batch of them (2.7.9, 2.8.8). */
struct virtq_used {
	uint16_t id;
	uint16_t positions; /* of the ring to go forward by */
	uint64_t length;
};

struct virtq {
	/* [const] */
	const struct gmem *gmem;
	uint16_t size_max, segments_max;
	struct virtq_slot *slots; /* size_max */
	struct gmem_span *arena;  /* segments_max for each slot */
	uint16_t *free_slots;     /* a stack: the slot used last is the one in the cache */
	uint16_t *order;          /* in order: slots as popped, a circle of size_max */
	uint64_t *ids_out;        /* bitmap of the ids of popped chains, not yet used */

	/* [io], from virtq_start to virtq_stop */
	struct virtq_features features;
	bool running, broken;
	bool notify_once; /* after a restore nobody knows what the driver was told last */
	uint16_t size;
	uint16_t free_count, outstanding;
	/* SAFETY: areas that virtq_start has resolved; only the accessors below use them. */
	uint8_t *descriptor_area, *driver_area, *device_area;
	/* Split: free running. Packed: an offset into the ring. */
	uint16_t next_available, next_used;
	uint16_t available_index;                /* split: the driver's index as last seen */
	bool available_wrap, used_wrap;          /* packed */
	uint16_t positions_taken;                /* packed: the driver has not got them back yet */
	uint16_t unpublished;                    /* positions gone forward since the last flush */
	uint16_t first_unpublished, first_flags; /* packed: held back until the flush */
	uint16_t order_first, order_count;
	struct virtq_used batch; /* in order: not written yet; positions 0 when there is none */
	bool batch_is_complete;  /* and its last chain was written to its end */
};

static inline uint16_t ring_load16(const uint8_t *word)
{
	return __atomic_load_n((const uint16_t *)(const void *)word, __ATOMIC_RELAXED);
}

static inline uint16_t ring_load16_acquire(const uint8_t *word)
{
	return __atomic_load_n((const uint16_t *)(const void *)word, __ATOMIC_ACQUIRE);
}

static inline uint32_t ring_load32(const uint8_t *word)
{
	return __atomic_load_n((const uint32_t *)(const void *)word, __ATOMIC_RELAXED);
}

static inline uint64_t ring_load64(const uint8_t *word)
{
	return __atomic_load_n((const uint64_t *)(const void *)word, __ATOMIC_RELAXED);
}

static inline void ring_store16(uint8_t *word, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)word, value, __ATOMIC_RELAXED);
}

static inline void ring_store16_release(uint8_t *word, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)word, value, __ATOMIC_RELEASE);
}

static inline void ring_store32(uint8_t *word, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)word, value, __ATOMIC_RELAXED);
}

/* A descriptor's 16 bytes, copied once. The last two words are flags and next (split, 2.7.5) or
 * Buffer ID and flags (packed, 2.8.13). */
struct virtq_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t word12, word14;
};

static inline struct virtq_descriptor virtq_copy_descriptor(const uint8_t *entry)
{
	uint64_t words[2];

	if ((uintptr_t)entry % sizeof(words[0]) == 0) {
		words[0] = ring_load64(entry);
		words[1] = ring_load64(entry + 8);
	} else {
		/* Nothing in 2.7.5.3 aligns an indirect table. The barrier keeps the compiler from
		 * going back to guest memory for the copy's values. */
		memcpy(words, entry, sizeof(words));
		__asm__ volatile("" : "+m"(words));
	}
	return (struct virtq_descriptor){words[0], (uint32_t)words[1], (uint16_t)(words[1] >> 32),
		(uint16_t)(words[1] >> 48)};
}

/* A chain in the making, in a slot that is still free: giving up needs no undoing. */
struct virtq_gather {
	struct virtq_slot *slot;
	struct gmem_span *spans;
	uint32_t buffers;
	uint16_t span_count, readable_count;
	bool writable;
	uint64_t readable_bytes, writable_bytes;
};

static inline bool virtq_id_is_out(const struct virtq *queue, uint16_t id)
{
	return queue->ids_out[id / 64] >> (id % 64) & 1;
}

/* A slot is free whenever something may be popped: each chain takes at least one of size positions.
 */
struct virtq_gather virtq_gather_begin(struct virtq *queue);
must_check int virtq_gather_add(const struct virtq *queue, struct virtq_gather *gather,
	uint64_t address, uint32_t length, bool writable);
/* The whole table that a descriptor with VIRTQ_DESC_F_INDIRECT refers to. */
must_check int virtq_indirect_table(const struct virtq *queue, uint64_t address, uint32_t length,
	bool has_next, const uint8_t **ret_table, uint32_t *ret_count);
/* Commits: the slot is out under this id. */
void virtq_gather_end(
	struct virtq *queue, struct virtq_gather *gather, uint16_t id, uint16_t positions);

/* The formats. pop: as virtq_pop, the chain committed. write_used: next_used goes forward, nothing
 * is visible to the driver yet. publish: it is. wants_notification: after the barrier. */
must_check int virtq_split_pop(struct virtq *queue, struct virtq_slot **ret_slot);
void virtq_split_write_used(struct virtq *queue, const struct virtq_used *used);
void virtq_split_publish(struct virtq *queue);
must_check bool virtq_split_wants_notification(const struct virtq *queue, uint16_t advanced);
void virtq_split_enable_notifications(struct virtq *queue);
void virtq_split_disable_notifications(struct virtq *queue);
must_check bool virtq_split_has_available(const struct virtq *queue);

must_check int virtq_packed_pop(struct virtq *queue, struct virtq_slot **ret_slot);
void virtq_packed_write_used(struct virtq *queue, const struct virtq_used *used);
void virtq_packed_publish(struct virtq *queue);
must_check bool virtq_packed_wants_notification(const struct virtq *queue, uint16_t advanced);
void virtq_packed_enable_notifications(struct virtq *queue);
void virtq_packed_disable_notifications(struct virtq *queue);
must_check bool virtq_packed_has_available(const struct virtq *queue);
