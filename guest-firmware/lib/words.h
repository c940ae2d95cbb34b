/*
 * The words of a command line: "name" and "name=value", separated by blanks. The last one wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool words_has(const char *line, const char *name);

/* Copies the value of "name=value", cut to capacity; false and "" when there is none. */
bool words_value(const char *line, const char *name, char *ret_value, size_t capacity);

/* The value as a decimal or 0x-hexadecimal number, fallback when absent or malformed. */
uint64_t words_number(const char *line, const char *name, uint64_t fallback);

bool string_equal(const char *left, const char *right);
