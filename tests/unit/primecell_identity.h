/* The identity of an ARM PrimeCell, as drivers compare it. */
#pragma once

#include "bus.h"
#include "cmocka_all.h"

static inline void assert_primecell(const struct bus_ops *ops, void *device, uint32_t part)
{
	uint64_t peripheral = 0, cell = 0;

	for (unsigned int i = 0; i < 4; i++) {
		peripheral |= ops->read(device, 0xfe0 + 4 * i, 4) << (8 * i);
		cell |= ops->read(device, 0xff0 + 4 * i, 4) << (8 * i);
	}
	assert_int_equal(peripheral & 0xfffff, 0x41000 | part);
	assert_int_equal(cell, 0xb105f00d);
}
