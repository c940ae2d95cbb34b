/*
 * Memory as bytes: the compiler's own four functions and unaligned little-endian reads.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *memory, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);

static inline uint16_t load16(const void *from)
{
	uint16_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint32_t load32(const void *from)
{
	uint32_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint64_t load64(const void *from)
{
	uint64_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

/* The sum of all bytes modulo 256: 0 over anything that ACPI or SMBIOS protects. */
static inline uint8_t byte_sum(const void *from, size_t length)
{
	const uint8_t *bytes = from;
	uint8_t sum = 0;

	while (length--)
		sum = (uint8_t)(sum + *bytes++);
	return sum;
}
