/*
 * What a driver does with a device from reset to DRIVER_OK (VIRTIO 1.2 3.1.1), for fixtures that
 * put the rings of queue n at memory_base + n * rings_bytes.
 */
#pragma once

#include "cmocka_all.h"
#include "virtio_device.h"
#include "virtio_driver.h"

#define BRING_UP_EVENT_IDX (UINT64_C(1) << 29)
#define BRING_UP_VERSION_1 (UINT64_C(1) << 32)
#define BRING_UP_PACKED    (UINT64_C(1) << 34)

struct bring_up {
	struct virtio_device *device;
	struct virtio_driver *drivers; /* one a queue */
	unsigned int queue_count;
	uint16_t queue_size;
	uint8_t *memory; /* host address of memory_base */
	uint64_t memory_base, rings_bytes;
};

static inline void bring_up_area(const struct bring_up *to, unsigned int queue,
	enum virtio_queue_area area, uint64_t address)
{
	virtio_device_set_queue_area(to->device, queue, area, false, (uint32_t)address);
	virtio_device_set_queue_area(to->device, queue, area, true, (uint32_t)(address >> 32));
}

static inline void bring_up_queue(const struct bring_up *to, unsigned int queue, uint64_t features)
{
	struct virtio_driver *driver = &to->drivers[queue];
	uint64_t rings = to->memory_base + queue * to->rings_bytes;

	driver_init(driver, to->memory, to->memory_base, rings, to->queue_size,
		(features & BRING_UP_PACKED) != 0);
	driver->event_index = (features & BRING_UP_EVENT_IDX) != 0;
	assert_true(driver->end <= rings + to->rings_bytes);
	virtio_device_set_queue_size(to->device, queue, to->queue_size);
	bring_up_area(to, queue, VIRTIO_QUEUE_DESCRIPTOR, driver->descriptor_area);
	bring_up_area(to, queue, VIRTIO_QUEUE_DRIVER, driver->driver_area);
	bring_up_area(to, queue, VIRTIO_QUEUE_DEVICE, driver->device_area);
	virtio_device_enable_queue(to->device, queue);
	(void)driver_enable_interrupts(driver);
}

static inline void bring_up(const struct bring_up *to, uint64_t features)
{
	features |= BRING_UP_VERSION_1;
	virtio_device_set_status(to->device, 0);
	virtio_device_set_status(to->device, 3);
	virtio_device_accept_features(to->device, 0, (uint32_t)features);
	virtio_device_accept_features(to->device, 1, (uint32_t)(features >> 32));
	virtio_device_set_status(to->device, 11);
	assert_int_equal(virtio_device_status(to->device), 11);
	for (unsigned int i = 0; i < to->queue_count; i++)
		bring_up_queue(to, i, features);
	virtio_device_set_status(to->device, 15);
	assert_int_equal(virtio_device_status(to->device), 15);
}
