/*
 * All the ways in which a guest can end, or fail to: what "end=" names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What is written to the debug-exit device; the status of the VMM is value * 2 + 1. */
#define END_VALUE_PASSED 0x10 /* 33 */
#define END_VALUE_FAILED 0x11 /* 35 */
#define END_VALUE_TRAP   0x12 /* 37: an exception that no check expected */

_Noreturn void end_debug_exit(uint32_t value);

/* Ends in the named way; value is for debug-exit. False when there is no such way. */
bool end_by_name(const char *name, uint32_t value);
