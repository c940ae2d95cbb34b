/* Tables whose builder is told of less room than they need: nothing is written behind that room,
 * and of what did not fit no length is told. */
#pragma once

#include "cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* needed: their length; build: with a context, as the builders themselves. */
static inline void assert_every_capacity(size_t needed,
	int (*build)(const void *context, void *buffer, size_t capacity, size_t *ret_length),
	const void *context)
{
	enum { GUARD_BYTES = 64 };

	for (size_t capacity = 0; capacity <= needed; capacity++) {
		uint8_t *buffer = malloc(capacity + GUARD_BYTES);
		size_t length = 12345;
		int error;

		assert_non_null(buffer);
		memset(buffer, 0xa5, capacity + GUARD_BYTES);
		error = build(context, buffer, capacity, &length);
		assert_int_equal(error, capacity < needed ? -ENOSPC : 0);
		assert_int_equal(length, capacity < needed ? 12345 : needed);
		for (size_t at = 0; at < GUARD_BYTES; at++)
			assert_int_equal(buffer[capacity + at], 0xa5);
		free(buffer);
	}
}
