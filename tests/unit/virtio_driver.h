/*
 * A driver for one virtqueue, as a guest would have it: split or packed rings in shared memory.
 *
 * Layouts and constants are transcribed from VIRTIO 1.2 2.7 and 2.8, not from Hull's headers, so
 * that both sides cannot share a mistake. Index words, flags and event words are accessed
 * atomically, everything that those order (descriptors, ring entries, buffers) is plain memory: a
 * thread sanitizer sees when the order is wrong. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DRIVER_SIZE_MAX 1024

#define DRIVER_F_NEXT     0x1
#define DRIVER_F_WRITE    0x2
#define DRIVER_F_INDIRECT 0x4

struct driver_buffer {
	uint64_t address;
	uint32_t length;
	bool writable;
};

struct virtio_driver {
	uint8_t *memory; /* host address of guest address memory_base */
	uint64_t memory_base;
	bool packed, event_index, in_order;
	uint16_t size;
	uint64_t descriptor_area, driver_area, device_area; /* guest addresses, memory follows */
	uint64_t end;                                       /* first byte behind the rings */

	uint16_t free_count;  /* descriptors */
	uint16_t unpublished; /* chains (split) or descriptors (packed) since the last publish */
	uint16_t next_available, next_used;
	bool available_wrap, used_wrap;
	uint16_t first_position, first_flags;   /* packed: held back until publish */
	uint16_t chain_length[DRIVER_SIZE_MAX]; /* by id: ring descriptors of it, 0: not out */
	uint16_t next_free[DRIVER_SIZE_MAX]; /* list of free descriptors (split) or ids (packed) */
	uint16_t first_free;
	uint16_t order[DRIVER_SIZE_MAX]; /* ids in the order in which they were given */
	uint16_t order_first, order_count;
	uint16_t batch_last; /* in order: the id that the used element named */
	uint32_t batch_length;
	bool batch;
};

/* Empty rings, at the given guest address (a multiple of 16); memory is zeroed. */
void driver_init(struct virtio_driver *driver, void *memory, uint64_t memory_base, uint64_t rings,
	uint16_t size, bool packed);

/* Places a chain; false when there are not enough descriptors. table: where to put an indirect
 * table of count entries, or 0 for direct descriptors. */
bool driver_add(struct virtio_driver *driver, const struct driver_buffer *buffers, uint16_t count,
	uint64_t table, uint16_t *ret_id);
/* Makes what was added available; true: the device wants to be notified. */
bool driver_publish(struct virtio_driver *driver);

/* One used chain, if any. The length of a chain that an in-order device skipped is UINT32_MAX. */
bool driver_get_used(struct virtio_driver *driver, uint16_t *ret_id, uint32_t *ret_length);
/* After: true when something is there already (barrier inside). */
bool driver_enable_interrupts(struct virtio_driver *driver);
void driver_disable_interrupts(struct virtio_driver *driver);

/* For breaking things. */
void driver_poke(struct virtio_driver *driver, uint64_t address, const void *bytes, uint32_t count);
void driver_poke16(struct virtio_driver *driver, uint64_t address, uint16_t value);
uint16_t driver_peek16(const struct virtio_driver *driver, uint64_t address);
uint32_t driver_peek32(const struct virtio_driver *driver, uint64_t address);
/* The last two words: flags, next (split); id, flags (packed). */
void driver_poke_descriptor(struct virtio_driver *driver, uint64_t at, uint64_t address,
	uint32_t length, uint16_t word12, uint16_t word14);
