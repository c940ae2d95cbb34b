/*
 * Bytes from one thread to another: a bounded ring with one producer and one consumer, no lock.
 *
 * Positions count for ever and are reduced only to index. Sequentially consistent, because both
 * users pair a position with a flag of their own ("publish mine, then look at yours").
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTE_RING_BYTES (UINT64_C(16) << 10)

struct byte_ring {
	_Atomic uint64_t head; /* [producer] */
	_Atomic uint64_t tail; /* [consumer] */
	uint8_t bytes[BYTE_RING_BYTES];
};

/* Producer: takes as many as there is room for. */
static inline size_t byte_ring_put(struct byte_ring *ring, const uint8_t *bytes, size_t length)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t room = BYTE_RING_BYTES - (head - atomic_load(&ring->tail));
	size_t count = length < room ? length : (size_t)room;
	size_t at = (size_t)(head % BYTE_RING_BYTES);
	size_t first = count < BYTE_RING_BYTES - at ? count : (size_t)(BYTE_RING_BYTES - at);

	memcpy(ring->bytes + at, bytes, first);
	memcpy(ring->bytes, bytes + first, count - first);
	atomic_store(&ring->head, head + count);
	return count;
}

/* Consumer: the next bytes that lie in one piece, at most as many as before end (a position, at
 * most the head). */
static inline size_t byte_ring_peek(
	const struct byte_ring *ring, uint64_t end, const uint8_t **ret_bytes)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t at = (size_t)(tail % BYTE_RING_BYTES);
	/* A position that was passed already is no end of four thousand million bytes. */
	uint64_t count = (int64_t)(end - tail) > 0 ? end - tail : 0;

	*ret_bytes = ring->bytes + at;
	return (size_t)(count < BYTE_RING_BYTES - at ? count : BYTE_RING_BYTES - at);
}

static inline void byte_ring_consume(struct byte_ring *ring, size_t count)
{
	atomic_fetch_add(&ring->tail, count);
}
