/*
 * Device registers: one access of exactly this width, at an address that is mapped as it is.
 */
#pragma once

#include <stdint.h>

#define MMIO_ACCESSORS(bits)                                                        \
	static inline uint##bits##_t mmio_read##bits(uint64_t address)              \
	{                                                                           \
		return *(volatile uint##bits##_t *)(uintptr_t)address;              \
	}                                                                           \
	static inline void mmio_write##bits(uint64_t address, uint##bits##_t value) \
	{                                                                           \
		*(volatile uint##bits##_t *)(uintptr_t)address = value;             \
	}

MMIO_ACCESSORS(8)
MMIO_ACCESSORS(16)
MMIO_ACCESSORS(32)
MMIO_ACCESSORS(64)

/* The same with the width in bytes as a parameter: 1, 2, 4 or 8. */
static inline uint64_t mmio_read(uint64_t address, unsigned int width)
{
	switch (width) {
	case 1:
		return mmio_read8(address);
	case 2:
		return mmio_read16(address);
	case 4:
		return mmio_read32(address);
	default:
		return mmio_read64(address);
	}
}

static inline void mmio_write(uint64_t address, unsigned int width, uint64_t value)
{
	switch (width) {
	case 1:
		mmio_write8(address, (uint8_t)value);
		break;
	case 2:
		mmio_write16(address, (uint16_t)value);
		break;
	case 4:
		mmio_write32(address, (uint32_t)value);
		break;
	default:
		mmio_write64(address, value);
		break;
	}
}
