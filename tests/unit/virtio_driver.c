/* See virtio_driver.h. Numbers are byte offsets of VIRTIO 1.2's structures. */
#include "virtio_driver.h"

#include <stdlib.h>
#include <string.h>

#define PACKED_AVAIL (1u << 7)
#define PACKED_USED  (1u << 15)

static uint8_t *at(const struct virtio_driver *driver, uint64_t address)
{
	return driver->memory + (address - driver->memory_base);
}

static uint16_t *word(const struct virtio_driver *driver, uint64_t address)
{
	return (uint16_t *)(void *)at(driver, address);
}

static uint16_t load(const struct virtio_driver *driver, uint64_t address)
{
	return __atomic_load_n(word(driver, address), __ATOMIC_RELAXED);
}

static uint16_t load_acquire(const struct virtio_driver *driver, uint64_t address)
{
	return __atomic_load_n(word(driver, address), __ATOMIC_ACQUIRE);
}

static void store(struct virtio_driver *driver, uint64_t address, uint16_t value)
{
	__atomic_store_n(word(driver, address), value, __ATOMIC_RELAXED);
}

static void store_release(struct virtio_driver *driver, uint64_t address, uint16_t value)
{
	__atomic_store_n(word(driver, address), value, __ATOMIC_RELEASE);
}

void driver_poke(struct virtio_driver *driver, uint64_t address, const void *bytes, uint32_t count)
{
	memcpy(at(driver, address), bytes, count);
}

void driver_poke16(struct virtio_driver *driver, uint64_t address, uint16_t value)
{
	store_release(driver, address, value);
}

uint16_t driver_peek16(const struct virtio_driver *driver, uint64_t address)
{
	return load_acquire(driver, address);
}

uint32_t driver_peek32(const struct virtio_driver *driver, uint64_t address)
{
	uint32_t value;

	memcpy(&value, at(driver, address), 4);
	return value;
}

void driver_poke_descriptor(struct virtio_driver *driver, uint64_t descriptor, uint64_t address,
	uint32_t length, uint16_t word12, uint16_t word14)
{
	driver_poke(driver, descriptor, &address, 8);
	driver_poke(driver, descriptor + 8, &length, 4);
	driver_poke(driver, descriptor + 12, &word12, 2);
	driver_poke(driver, descriptor + 14, &word14, 2);
}

void driver_init(struct virtio_driver *driver, void *memory, uint64_t memory_base, uint64_t rings,
	uint16_t size, bool packed)
{
	memset(driver, 0, sizeof(*driver));
	driver->memory = memory;
	driver->memory_base = memory_base;
	driver->packed = packed;
	driver->size = size;
	driver->descriptor_area = rings;
	driver->driver_area = rings + 16ull * size;
	/* Each on its own cache lines. */
	driver->device_area = (driver->driver_area + (packed ? 4u : 6u + 2u * size) + 63) & ~63ull;
	driver->end = (driver->device_area + (packed ? 4u : 6u + 8u * size) + 63) & ~63ull;
	memset(at(driver, rings), 0, driver->end - rings);
	driver->free_count = size;
	driver->available_wrap = true;
	driver->used_wrap = true;
	for (uint16_t i = 0; i < size; i++)
		driver->next_free[i] = (uint16_t)((i + 1) % size);
}

static void add_table(struct virtio_driver *driver, const struct driver_buffer *buffers,
	uint16_t count, uint64_t table)
{
	for (uint16_t i = 0; i < count; i++) {
		uint16_t flags = buffers[i].writable ? DRIVER_F_WRITE : 0;

		if (driver->packed) {
			driver_poke_descriptor(driver, table + 16u * i, buffers[i].address,
				buffers[i].length, 0xdead, flags);
			continue;
		}
		if (i + 1 < count)
			flags |= DRIVER_F_NEXT;
		driver_poke_descriptor(driver, table + 16u * i, buffers[i].address,
			buffers[i].length, flags, (uint16_t)(i + 1));
	}
}

static uint16_t take_free(struct virtio_driver *driver)
{
	uint16_t taken = driver->first_free;

	driver->first_free = driver->next_free[taken];
	return taken;
}

static void give_free(struct virtio_driver *driver, uint16_t index)
{
	driver->next_free[index] = driver->first_free;
	driver->first_free = index;
}

/* The free list of split rings is separate from the table, whose next fields the device sees. */
static uint16_t add_split(struct virtio_driver *driver, const struct driver_buffer *buffers,
	uint16_t count, uint16_t extra_flags)
{
	uint16_t head = driver->first_free;
	uint16_t slot = (uint16_t)((driver->next_available + driver->unpublished) % driver->size);

	for (uint16_t i = 0; i < count; i++) {
		uint16_t index = take_free(driver);
		uint16_t flags = extra_flags;

		if (buffers[i].writable)
			flags |= DRIVER_F_WRITE;
		if (i + 1 < count)
			flags |= DRIVER_F_NEXT;
		driver_poke_descriptor(driver, driver->descriptor_area + 16u * index,
			buffers[i].address, buffers[i].length, flags, driver->first_free);
	}
	driver_poke(driver, driver->driver_area + 4 + 2u * slot, &head, 2);
	driver->unpublished++;
	return head;
}

static uint16_t add_packed(struct virtio_driver *driver, const struct driver_buffer *buffers,
	uint16_t count, uint16_t extra_flags)
{
	uint16_t id = take_free(driver);

	for (uint16_t i = 0; i < count; i++) {
		uint16_t position = driver->next_available;
		uint64_t entry = driver->descriptor_area + 16u * position;
		uint16_t flags = extra_flags |
		                 (driver->available_wrap ? PACKED_AVAIL : PACKED_USED);
		uint16_t shown = i + 1 == count ? id : 0xbeef;

		if (buffers[i].writable)
			flags |= DRIVER_F_WRITE;
		if (i + 1 < count)
			flags |= DRIVER_F_NEXT;
		driver_poke(driver, entry, &buffers[i].address, 8);
		driver_poke(driver, entry + 8, &buffers[i].length, 4);
		driver_poke(driver, entry + 12, &shown, 2);
		if (driver->unpublished++ == 0) {
			driver->first_position = position;
			driver->first_flags = flags;
		} else {
			store(driver, entry + 14, flags);
		}
		if (++driver->next_available == driver->size) {
			driver->next_available = 0;
			driver->available_wrap = !driver->available_wrap;
		}
	}
	return id;
}

bool driver_add(struct virtio_driver *driver, const struct driver_buffer *buffers, uint16_t count,
	uint64_t table, uint16_t *ret_id)
{
	struct driver_buffer reference = {table, 16u * count, false};
	uint16_t extra_flags = 0;

	if (table) {
		add_table(driver, buffers, count, table);
		buffers = &reference;
		count = 1;
		extra_flags = DRIVER_F_INDIRECT;
	}
	if (count > driver->free_count)
		return false;
	driver->free_count = (uint16_t)(driver->free_count - count);
	*ret_id = driver->packed ? add_packed(driver, buffers, count, extra_flags)
	                         : add_split(driver, buffers, count, extra_flags);
	driver->chain_length[*ret_id] = count;
	driver->order[(driver->order_first + driver->order_count++) % driver->size] = *ret_id;
	return true;
}

static bool publish_split(struct virtio_driver *driver)
{
	uint16_t old = driver->next_available;
	uint16_t new = (uint16_t)(old + driver->unpublished);
	uint16_t event;

	driver->next_available = new;
	store_release(driver, driver->driver_area + 2, new);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!driver->event_index)
		return !(load(driver, driver->device_area) & 1);
	event = load(driver, driver->device_area + 4 + 8u * driver->size);
	/* Was one of the entries that were just written at the event's index? */
	for (uint16_t index = old; index != new; index++)
		if (index == event)
			return true;
	return false;
}

static bool publish_packed(struct virtio_driver *driver)
{
	uint16_t count = driver->unpublished;
	uint16_t flags, event, position;
	bool wrap;

	store_release(driver, driver->descriptor_area + 16u * driver->first_position + 14,
		driver->first_flags);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = load_acquire(driver, driver->device_area + 2);
	if (flags != 2)
		return flags != 1;
	event = load(driver, driver->device_area);
	/* Backwards over what was just written. */
	position = driver->next_available;
	wrap = driver->available_wrap;
	while (count--) {
		if (position-- == 0) {
			position = (uint16_t)(driver->size - 1);
			wrap = !wrap;
		}
		if ((event & 0x7fff) == position && event >> 15 == wrap)
			return true;
	}
	return false;
}

bool driver_publish(struct virtio_driver *driver)
{
	bool notify;

	if (driver->unpublished == 0)
		return false;
	notify = driver->packed ? publish_packed(driver) : publish_split(driver);
	driver->unpublished = 0;
	return notify;
}

/* A used element's id and length, without going forward. */
static bool see_used(const struct virtio_driver *driver, uint16_t *ret_id, uint32_t *ret_length)
{
	uint64_t entry;

	if (driver->packed) {
		uint16_t flags;

		entry = driver->descriptor_area + 16u * driver->next_used;
		flags = load_acquire(driver, entry + 14);
		if (!!(flags & PACKED_AVAIL) != driver->used_wrap ||
			!!(flags & PACKED_USED) != driver->used_wrap)
			return false;
		memcpy(ret_id, at(driver, entry + 12), 2);
		*ret_length = flags & DRIVER_F_WRITE ? driver_peek32(driver, entry + 8) : 0;
	} else {
		if (load_acquire(driver, driver->device_area + 2) == driver->next_used)
			return false;
		entry = driver->device_area + 4 + 8u * (driver->next_used % driver->size);
		*ret_id = (uint16_t)driver_peek32(driver, entry);
		*ret_length = driver_peek32(driver, entry + 4);
	}
	if (*ret_id >= driver->size || !driver->chain_length[*ret_id])
		abort(); /* the device returned what it does not have */
	return true;
}

static void finish(struct virtio_driver *driver, uint16_t id)
{
	uint16_t count = driver->chain_length[id];

	driver->chain_length[id] = 0;
	driver->free_count = (uint16_t)(driver->free_count + count);
	if (driver->packed) {
		give_free(driver, id);
		driver->next_used = (uint16_t)(driver->next_used + count);
		if (driver->next_used >= driver->size) {
			driver->next_used = (uint16_t)(driver->next_used - driver->size);
			driver->used_wrap = !driver->used_wrap;
		}
		return;
	}
	driver->next_used++;
	for (uint16_t index = id; count--;) {
		uint16_t next;

		memcpy(&next, at(driver, driver->descriptor_area + 16u * index + 14), 2);
		give_free(driver, index);
		index = next;
	}
}

/* 2.7.9: the element names the last chain of a batch; those before it come first. */
static bool get_used_in_order(struct virtio_driver *driver, uint16_t *ret_id, uint32_t *ret_length)
{
	if (!driver->batch) {
		if (!see_used(driver, &driver->batch_last, &driver->batch_length))
			return false;
		driver->batch = true;
	}
	if (!driver->order_count)
		abort();
	*ret_id = driver->order[driver->order_first];
	driver->order_first = (uint16_t)((driver->order_first + 1) % driver->size);
	driver->order_count--;
	*ret_length = UINT32_MAX;
	if (*ret_id == driver->batch_last) {
		*ret_length = driver->batch_length;
		driver->batch = false;
	}
	finish(driver, *ret_id);
	return true;
}

bool driver_get_used(struct virtio_driver *driver, uint16_t *ret_id, uint32_t *ret_length)
{
	if (driver->in_order)
		return get_used_in_order(driver, ret_id, ret_length);
	if (!see_used(driver, ret_id, ret_length))
		return false;
	finish(driver, *ret_id);
	return true;
}

bool driver_enable_interrupts(struct virtio_driver *driver)
{
	uint16_t id;
	uint32_t length;

	if (driver->packed && driver->event_index) {
		store(driver, driver->driver_area,
			(uint16_t)(driver->next_used | (driver->used_wrap ? 0x8000 : 0)));
		store_release(driver, driver->driver_area + 2, 2);
	} else if (driver->packed) {
		store(driver, driver->driver_area + 2, 0);
	} else if (driver->event_index) {
		store(driver, driver->driver_area + 4 + 2u * driver->size, driver->next_used);
	} else {
		store(driver, driver->driver_area, 0);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return driver->batch || see_used(driver, &id, &length);
}

void driver_disable_interrupts(struct virtio_driver *driver)
{
	if (driver->packed)
		store(driver, driver->driver_area + 2, 1);
	else if (!driver->event_index)
		store(driver, driver->driver_area, 1);
}
