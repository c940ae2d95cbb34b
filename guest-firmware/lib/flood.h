/*
 * Numbered lines of 64 bytes, by which it shows whether any is lost or out of place.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* So many KiB of them, each by one call of write, and then a line that says so. */
void flood(uint64_t kib, void (*write)(const char *bytes, size_t length));
