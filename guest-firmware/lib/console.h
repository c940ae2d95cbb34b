/*
 * The guest's voice: formatted lines on the board's first serial port.
 */
#pragma once

#include "format.h"

/* The board's part: writes all bytes, waiting for the port as its rules demand. */
void console_write(const char *bytes, size_t length);

/* Up to 511 bytes; a newline is sent as it is. */
void console_print(const char *pattern, ...) printf_like(1, 2);
