/*
 * Times the device side of a virtqueue against a device that does nothing: pop, push and flush of
 * chains that a driver on the same thread has made available. The driver's own work is not timed.
 * Prints one line of JSON for each sample: virtq_timer ROUNDS.
 */
#include "clock.h"
#include "gmem.h"
#include "virtio_driver.h"
#include "virtq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RAM_BYTES UINT64_C(0x400000)
#define RINGS     UINT64_C(0x1000)
#define TABLES    UINT64_C(0x100000)
#define BUFFERS   UINT64_C(0x200000)
#define SIZE      256
#define LAP       64 /* chains between two looks at the clock */
#define LAPS      2000
#define SEGMENTS  130

struct shape {
	const char *name;
	uint16_t buffers;
	bool indirect;
};

static const struct shape shapes[] = {
	{"1 direct", 1, false},
	{"3 direct", 3, false},
	{"3 indirect", 3, true},
	{"18 indirect", 18, true},
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "virtq_timer: %s\n", what);
	exit(1);
}

static void make_available(struct virtio_driver *driver, const struct shape *shape)
{
	struct driver_buffer buffers[SEGMENTS];
	uint16_t id;

	for (uint64_t chain = 0; chain < LAP; chain++) {
		for (uint16_t i = 0; i < shape->buffers; i++)
			buffers[i] = (struct driver_buffer){
				BUFFERS + 0x1000 * (chain + i), 4096, i > 0};
		if (!driver_add(driver, buffers, shape->buffers,
			    shape->indirect ? TABLES + 0x1000 * chain : 0, &id))
			fail("the ring is full");
	}
	(void)driver_publish(driver);
}

static void take_back(struct virtio_driver *driver)
{
	uint32_t length;
	uint16_t id;

	for (unsigned int i = 0; i < LAP; i++)
		if (!driver_get_used(driver, &id, &length))
			fail("a chain did not come back");
}

static uint64_t time_lap(struct virtq *queue, unsigned int batch)
{
	uint64_t start = clock_monotonic_ns();

	for (unsigned int done = 0; done < LAP; done += batch) {
		struct chain *chains[LAP];

		for (unsigned int i = 0; i < batch; i++)
			if (virtq_pop(queue, &chains[i]) != 1)
				fail("a chain was not taken");
		for (unsigned int i = 0; i < batch; i++)
			virtq_push(queue, chains[i]);
		(void)!virtq_flush(queue);
	}
	return clock_monotonic_ns() - start;
}

static void sample(
	const struct gmem *gmem, bool packed, const struct shape *shape, unsigned int batch)
{
	static const char line[] = "{\"ring\": \"%s\", \"chain\": \"%s\", \"batch\": %u, "
				   "\"ns\": %.2f}\n";
	struct virtq_features features = {
		.format = packed ? VIRTQ_PACKED : VIRTQ_SPLIT, .indirect = true, .event_idx = true};
	struct virtio_driver driver;
	struct virtq_config config;
	struct virtq *queue;
	uint64_t total_ns = 0;

	driver_init(&driver, gmem->regions[0].host, 0, RINGS, SIZE, packed);
	driver.event_index = true;
	config = (struct virtq_config){
		SIZE, SIZE, true, driver.descriptor_area, driver.driver_area, driver.device_area};
	if (virtq_create(gmem, SIZE, SEGMENTS, &queue) < 0)
		fail("no memory");
	virtq_start(queue, &config, &features);
	for (unsigned int lap = 0; lap < LAPS; lap++) {
		make_available(&driver, shape);
		total_ns += time_lap(queue, batch);
		take_back(&driver);
	}
	virtq_stop(queue);
	virtq_destroy(queue);
	printf(line, packed ? "packed" : "split", shape->name, batch,
		(double)total_ns / (LAPS * LAP));
}

int main(int argc, char **argv)
{
	static const unsigned int batches[] = {1, 32};
	struct gmem gmem = {
		.region_count = 1, .regions = {{.base = gpa_at(0), .size_bytes = RAM_BYTES}}};
	struct gmem_options options = {.prealloc = true};
	long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (rounds <= 0)
		fail("usage: virtq_timer ROUNDS");
	if (gmem_create(&gmem, &options, NULL) < 0)
		fail("no memory");
	while (rounds--)
		for (unsigned int i = 0; i < array_size(shapes) * 2 * array_size(batches); i++)
			sample(&gmem, i / 2 % 2, &shapes[i / 4], batches[i % 2]);
	gmem_destroy(&gmem);
	return 0;
}
