/*
 * A queue between the fake driver and the device side, in a guest with two adjacent regions at 0, a
 * hole, and 3 GiB from 4 GiB on.
 */
#pragma once

#include "cmocka_all.h"
#include "virtio_driver.h"
#include "virtq.h"

#include <string.h>

#define LOW_BYTES  UINT64_C(0x100000)
#define MORE_BYTES UINT64_C(0x10000)
#define LOW_END    (LOW_BYTES + MORE_BYTES)
#define HIGH       (UINT64_C(1) << 32)
#define HIGH_BYTES (UINT64_C(3) << 30)

#define RINGS   UINT64_C(0x1000)
#define TABLE   UINT64_C(0x40000)
#define BUFFERS UINT64_C(0x80000)

#define SPLIT                                           \
	{                                               \
		.format = VIRTQ_SPLIT, .indirect = true \
	}
#define PACKED                                           \
	{                                                \
		.format = VIRTQ_PACKED, .indirect = true \
	}

/* In this order: plain, with the event index, in order. */
static const struct virtq_features formats[] __attribute__((unused)) = {
	SPLIT,
	PACKED,
	{.format = VIRTQ_SPLIT, .event_idx = true},
	{.format = VIRTQ_PACKED, .event_idx = true},
	{.format = VIRTQ_SPLIT, .in_order = true},
	{.format = VIRTQ_PACKED, .in_order = true, .event_idx = true},
};

struct fixture {
	struct gmem gmem;
	struct virtio_driver driver;
	struct virtq *queue;
	struct virtq_config config;
	struct virtq_features features;
};

static inline void fixture_start(struct fixture *fixture)
{
	fixture->config = (struct virtq_config){
		.size_max = VIRTQ_SIZE_MAX,
		.size = fixture->driver.size,
		.enabled = true,
		.descriptor_area = fixture->driver.descriptor_area,
		.driver_area = fixture->driver.driver_area,
		.device_area = fixture->driver.device_area,
	};
	assert_int_equal(
		virtq_config_check(&fixture->config, &fixture->gmem, &fixture->features), 0);
	virtq_start(fixture->queue, &fixture->config, &fixture->features);
	assert_true(virtq_is_running(fixture->queue));
}

/* Empty rings and a running queue. */
static inline void fixture_begin(struct fixture *fixture, uint16_t size, uint16_t segments_max,
	struct virtq_features features)
{
	bool packed = features.format == VIRTQ_PACKED;

	memset(fixture, 0, sizeof(*fixture));
	fixture->gmem.region_count = 3;
	fixture->gmem.regions[0] = (struct gmem_region){.size_bytes = LOW_BYTES};
	fixture->gmem.regions[1] = (struct gmem_region){
		.base = gpa_at(LOW_BYTES), .size_bytes = MORE_BYTES};
	fixture->gmem.regions[2] = (struct gmem_region){
		.base = gpa_at(HIGH), .size_bytes = HIGH_BYTES};
	assert_int_equal(gmem_create(&fixture->gmem, &(struct gmem_options){0}, NULL), 0);
	driver_init(&fixture->driver, fixture->gmem.regions[0].host, 0, RINGS, size, packed);
	fixture->driver.event_index = features.event_idx;
	fixture->driver.in_order = features.in_order;
	fixture->features = features;
	assert_int_equal(
		virtq_create(&fixture->gmem, VIRTQ_SIZE_MAX, segments_max, &fixture->queue), 0);
	fixture_start(fixture);
}

static inline void fixture_end(struct fixture *fixture)
{
	if (virtq_is_running(fixture->queue))
		virtq_stop(fixture->queue);
	virtq_destroy(fixture->queue);
	gmem_destroy(&fixture->gmem);
}

/* Adds a chain of one readable and one writable buffer of 8 bytes. */
static inline uint16_t fixture_add(struct fixture *fixture)
{
	static const struct driver_buffer buffers[] = {
		{BUFFERS, 8, false},
		{BUFFERS + 0x1000, 8, true},
	};
	uint16_t id;

	assert_true(driver_add(&fixture->driver, buffers, 2, 0, &id));
	return id;
}

static inline struct chain *fixture_pop(struct fixture *fixture)
{
	struct chain *chain = NULL;

	assert_int_equal(virtq_pop(fixture->queue, &chain), 1);
	assert_non_null(chain);
	return chain;
}
