/*
 * A bus: sorted, non-overlapping ranges of addresses, each owned by a device. One for MMIO, one for
 * PIO.
 *
 * Built by the machine before vCPUs start, read-only afterwards; access from any vCPU thread
 * without a lock (a device brings its own). Both ends of an access are checked: one that is not
 * wholly inside one range is unclaimed. Unclaimed reads give all-ones, unclaimed writes go nowhere.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Called on a vCPU thread with an offset from the range's base; size is 1, 2, 4 or 8 (on a PIO bus
 * at most 4) and offset + size stays inside the range. A read returns size bytes, zero-extended. */
struct bus_ops {
	uint64_t (*read)(void *device, uint64_t offset, unsigned int size);
	void (*write)(void *device, uint64_t offset, unsigned int size, uint64_t value);
};

struct bus_range {
	uint64_t base;
	uint64_t size;
	const struct bus_ops *ops;
	void *device; /* borrowed: outlives the bus */
	const char *name;
};

#define BUS_RANGES_MAX 512

struct bus {
	const char *name;
	pthread_rwlock_t lock;
	struct bus_range ranges[BUS_RANGES_MAX]; /* [lock] sorted by base */
	unsigned int range_count;                /* [lock] */
};

void bus_init(struct bus *bus, const char *name);
void bus_fini(struct bus *bus); /* accepts one that is all zero */

/* -EEXIST when it overlaps another range, -ENOSPC when the bus is full, -EINVAL when it wraps. */
must_check int bus_attach(struct bus *bus, const struct bus_range *range, struct err *err);

/* The range of the device that begins at base; unknown ones are ignored. */
void bus_detach(struct bus *bus, uint64_t base, const void *device);

/* False when nobody claims the access. */
bool bus_read(struct bus *bus, uint64_t address, unsigned int size, uint64_t *ret_value);
bool bus_write(struct bus *bus, uint64_t address, unsigned int size, uint64_t value);
