/*
 * The four functions that a freestanding compiler may call behind the program's back.
 *
 * Built so that the loops are not turned into calls of themselves.
 */
#include "memory.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	uint8_t *target = to;
	const uint8_t *source = from;

	while (length--)
		*target++ = *source++;
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	uint8_t *target = to;
	const uint8_t *source = from;

	if (target <= source)
		return memcpy(to, from, length);
	while (length--)
		target[length] = source[length];
	return to;
}

void *memset(void *memory, int value, size_t length)
{
	uint8_t *target = memory;

	while (length--)
		*target++ = (uint8_t)value;
	return memory;
}

int memcmp(const void *left, const void *right, size_t length)
{
	const uint8_t *a = left;
	const uint8_t *b = right;

	for (; length; length--, a++, b++) {
		if (*a != *b)
			return *a - *b;
	}
	return 0;
}
