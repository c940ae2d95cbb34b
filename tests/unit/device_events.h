/* What a virtio device tells its transport and its owner, counted. */
#pragma once

#include "cmocka_all.h"
#include "virtio_device.h"

#define EVENT_QUEUES_MAX 16

struct device_events {
	const char *name; /* of the device, as faults tell it */
	_Atomic unsigned int notifications[EVENT_QUEUES_MAX], config_changes, faults;
};

static inline void events_used(void *transport, unsigned int queue)
{
	((struct device_events *)transport)->notifications[queue]++;
}

static inline void events_config(void *transport)
{
	((struct device_events *)transport)->config_changes++;
}

static inline void events_fault(
	void *owner, const struct virtio_device *device, unsigned int queue, const char *why)
{
	struct device_events *events = owner;

	(void)queue;
	assert_string_equal(device->name, events->name);
	assert_non_null(why);
	events->faults++;
}
