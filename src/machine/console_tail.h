/*
 * The last of what a serial port has said, kept in memory: a console that nobody looks at unless
 * something goes wrong.
 */
#pragma once

#include "console_port.h"
#include "text.h"

#include <stddef.h>

#define CONSOLE_TAIL_BYTES 8192

struct console_tail {
	char bytes[CONSOLE_TAIL_BYTES];
	size_t length; /* of all that was ever said */
};

/* The port's functions are called under the device's lock. */
struct console_port console_tail_port(struct console_tail *tail);
/* Nobody writes any more. What is no text is left out; a first line that is cut off, too. */
void console_tail_show(const struct console_tail *tail, struct text *text);
