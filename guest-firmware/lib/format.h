/*
 * Formatted text into a fixed buffer, for guests that have no C library.
 *
 * Conversions: %s %c %u %d %x, with l for 64 bits, and a width with or without leading zeros. What
 * does not fit is cut off; the text is always NUL-terminated.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define printf_like(f, a) __attribute__((format(printf, f, a)))

struct format {
	char *data;
	size_t capacity; /* with the final NUL; at least 1 */
	size_t length;
};

void format_add(struct format *format, const char *pattern, ...) printf_like(2, 3);
void format_add_list(struct format *format, const char *pattern, va_list arguments)
	printf_like(2, 0);
