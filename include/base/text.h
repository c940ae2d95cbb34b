/*
 * A growing string for start-up work (command lines, help, reports). An allocation failure is
 * remembered and everything after it ignored, so callers check once, at the end.
 */
#pragma once

#include "compiler.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data; /* NUL-terminated, or NULL while empty */
	size_t length;
	size_t capacity;
	bool failed; /* out of memory at some point */
};

void text_fini(struct text *text);
#define cleanup_text cleanup_with(text_fini)

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) printf_like(2, 3);
void text_add_list(struct text *text, const char *format, va_list args) printf_like(2, 0);

/* The string, never NULL ("" while empty); owned by text. */
const char *text_string(const struct text *text);

/* Ownership of the string passes to the caller (free); NULL when an allocation failed. */
must_check char *text_take(struct text *text);
